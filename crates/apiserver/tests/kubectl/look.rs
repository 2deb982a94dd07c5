//! `get` in its formats, `describe`, `explain`, `api-resources`, `events`, `logs`.

use crate::cluster::{squeezed, start};
use std::io::{BufRead, BufReader};
use std::sync::Arc;

const CRD: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: toys.example.io
spec:
  group: example.io
  scope: Namespaced
  names: {plural: toys, singular: toy, kind: Toy, listKind: ToyList, shortNames: [ty]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    - {name: Colour, type: string, jsonPath: .spec.colour, priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What the toy is like.
            properties:
              size: {type: integer, description: How large it is.}
              colour: {type: string}
";

#[test]
fn get_shows_tables_wide_and_narrow() {
    let Some(cluster) = start() else { return };
    cluster.apply_web("nginx:1");
    cluster.good(concat!(
        "patch deploy web --subresource=status --type merge -p ",
        r#"{"status":{"replicas":2,"updatedReplicas":2,"readyReplicas":1,"availableReplicas":1}}"#
    ));
    let out = cluster.good("get deploy web -o wide");
    let lines: Vec<_> = out.lines().map(squeezed).collect();
    assert_eq!(lines[0], "NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR");
    assert!(lines[1].starts_with("web 1/2 2 1 "), "{}", lines[1]);
    assert!(lines[1].ends_with(" app nginx:1 app=web"), "{}", lines[1]);
    let out = cluster.good("get deploy,svc --no-headers");
    assert!(squeezed(&out).contains("service/web ClusterIP 10."), "{out}");
    let out = cluster.good("get ns default --show-labels");
    assert!(squeezed(&out).contains("kubernetes.io/metadata.name=default"), "{out}");
    let out = cluster.good("get deploy -A --sort-by=.metadata.name -L app");
    assert!(
        squeezed(&out).starts_with("NAMESPACE NAME READY UP-TO-DATE AVAILABLE AGE APP default web")
    );
}

#[test]
fn get_prints_yaml_json_names_and_paths() {
    let Some(cluster) = start() else { return };
    cluster.apply_web("nginx:1");
    cluster.check("get deploy web -o name", &["deployment.apps/web"]);
    cluster.check("get deploy web -o jsonpath={.kind}", &["Deployment"]);
    cluster.check("get deploy web -o go-template={{.metadata.name}}", &["web"]);
    cluster.check("get deploy -o custom-columns=N:.metadata.name", &["N", "web"]);
    let yaml = cluster.good("get deploy web -o yaml");
    assert!(yaml.starts_with("apiVersion: apps/v1\nkind: Deployment\n"), "{yaml}");
    let json: serde_json::Value =
        serde_json::from_str(&cluster.good("get deploy -o json")).unwrap();
    assert_eq!((&json["kind"], &json["items"][0]["kind"]), (&"List".into(), &"Deployment".into()));
    let missing = cluster.run("get deploy absent");
    assert_eq!(missing.code, 1);
    assert_eq!(
        missing.err,
        "Error from server (NotFound): deployments.apps \"absent\" not found\n"
    );
    assert!(cluster.run("get nothing").err.contains("doesn't have a resource type \"nothing\""));
}

#[test]
fn get_watch_prints_a_line_for_each_change() {
    let Some(cluster) = start() else { return };
    cluster.good("create configmap m --from-literal=a=1");
    let mut watch = cluster.spawn("get configmap -w");
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = || squeezed(&lines.next().unwrap().unwrap());
    assert_eq!(next(), "NAME DATA AGE");
    assert!(next().starts_with("m 1 "));
    cluster.good(r#"patch configmap m --type merge -p {"data":{"b":"2"}}"#);
    assert!(next().starts_with("m 2 "));
    cluster.good("create configmap n");
    assert!(next().starts_with("n 0 "));
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn describe_tells_an_object_and_its_events() {
    let Some(cluster) = start() else { return };
    cluster.apply_web("nginx:1");
    let event = r#"{"apiVersion": "v1", "kind": "Event", "metadata": {"name": "web.1", "namespace": "default"},
            "involvedObject": {"kind": "Deployment", "name": "web", "namespace": "default", "uid": "UID"},
            "type": "Normal", "reason": "Tested", "message": "it was seen", "count": 1,
            "source": {"component": "walk"}}"#;
    let uid = cluster.good("get deploy web -o jsonpath={.metadata.uid}");
    cluster.good_fed("create -f -", &event.replace("UID", &uid));
    let expected = [
        "Name: web",
        "Replicas: 2 desired",
        "StrategyType: RollingUpdate",
        "25% max unavailable, 25% max surge",
        "Image: nginx:1",
        "Normal Tested",
        "walk it was seen",
    ];
    cluster.check_has("describe deploy web", &expected);
    cluster.check_has(
        "events",
        &["LAST SEEN TYPE REASON OBJECT MESSAGE", "Normal Tested Deployment/web it was seen"],
    );
    cluster.check_has("get events", &["Normal Tested deployment/web it was seen"]);
    cluster.check_has(
        "describe svc web",
        &["Type: ClusterIP", "TargetPort: 80/TCP", "Selector: app=web"],
    );
    cluster.check_has("describe ns default", &["Status: Active"]);
}

#[test]
fn explain_reads_the_openapi_documents() {
    let Some(cluster) = start() else { return };
    let expected = ["GROUP: apps", "KIND: Deployment", "FIELD: strategy <DeploymentStrategy>"];
    cluster.check_has("explain deploy.spec.strategy", &expected);
    cluster.check_has("explain pod.spec.containers.image", &["FIELD: image <string>"]);
    cluster.check_has("explain svc", &["KIND: Service", "spec <ServiceSpec>"]);
    assert!(cluster.run("explain deploy.spec.nothing").err.contains("\"nothing\" does not exist"));
}

#[test]
fn custom_kinds_are_discovered_printed_and_explained() {
    let Some(cluster) = start() else { return };
    cluster.good_fed("apply -f -", CRD);
    cluster.good("wait --for=condition=Established crd/toys.example.io --timeout=5s");
    let toy = "apiVersion: example.io/v1
kind: Toy
metadata: {name: t}
spec: {size: 3, colour: red}
";
    assert_eq!(cluster.good_fed("apply -f -", toy), "toy.example.io/t created\n");
    cluster.check_has("get ty", &["NAME SIZE AGE t 3 "]);
    cluster.check_has("get toys -o wide", &["NAME SIZE COLOUR AGE t 3 red "]);
    cluster
        .check_has("explain toy.spec", &["KIND: Toy", "What the toy is like.", "size <integer>"]);
    cluster.check_has("get crd", &["NAME CREATED AT toys.example.io 20"]);
    let wrong = toy.replace("size: 3", "size: large");
    let refused = cluster.fed("apply -f -", &wrong);
    assert!(refused.err.contains("spec.size"), "{}", refused.err);
    let unknown = toy.replace("size: 3", "sizes: 3");
    assert!(cluster.fed("apply -f -", &unknown).err.contains("unknown field \"spec.sizes\""));
    cluster.good("delete crd toys.example.io");
    assert_ne!(cluster.run("get toys.example.io").code, 0);
}

#[test]
fn api_resources_and_versions_list_what_is_served() {
    let Some(cluster) = start() else { return };
    let expected = [
        "deployments deploy apps/v1 true Deployment",
        "pods po v1 true Pod",
        "horizontalpodautoscalers hpa autoscaling/v2 true HorizontalPodAutoscaler",
        "customresourcedefinitions crd,crds apiextensions.k8s.io/v1 false CustomResourceDefinition",
    ];
    cluster.check_has("api-resources", &expected);
    cluster.check_has(
        "api-versions",
        &["apps/v1", "autoscaling/v1 autoscaling/v2", "rbac.authorization.k8s.io/v1"],
    );
    cluster.check_has("version", &["Server Version: v1.36.3"]);
    cluster.check("get --raw /readyz", &["ok"]);
}

#[test]
fn logs_come_from_the_registered_source() {
    let Some(cluster) = start() else { return };
    cluster.good("run p --image=nginx");
    assert_ne!(cluster.run("logs p").code, 0);
    cluster.server.set_pod_logs(Arc::new(|_, pod, container| {
        let lines = [format!("first of {pod}"), format!("last of {container}")];
        Some(lines.map(|line| (jiff::Timestamp::UNIX_EPOCH, line)).into())
    }));
    cluster.check("logs p", &["first of p", "last of p"]);
    cluster.check("logs p --tail=1", &["last of p"]);
    assert!(cluster.run("logs p -c other").err.contains("container other is not valid for pod p"));
    let refused = cluster.run("exec p -- true");
    assert!(refused.err.contains("not implemented"), "{}", refused.err);
}
