//! Defaults and rules of built-in kinds.

use serde_json::{Value, json};
use store::{Gvr, Patch, Scope};

use crate::{Cluster, by, config_map, deployment, pod};

#[test]
fn defaults_are_what_a_user_sees_after_a_create() {
    let mut cluster = Cluster::new();
    let mut check = |kind: &str, body: Value, expected: &[(&str, Value)]| {
        let object = cluster.make(kind, body);
        for (path, value) in expected {
            assert_eq!(object.value().pointer(path), Some(value), "{kind} {path}");
        }
    };
    check(
        "deployments",
        deployment("d"),
        &[
            ("/spec/replicas", json!(1)),
            ("/spec/strategy/rollingUpdate/maxSurge", json!("25%")),
            ("/spec/progressDeadlineSeconds", json!(600)),
            ("/spec/revisionHistoryLimit", json!(10)),
            ("/spec/template/spec/restartPolicy", json!("Always")),
            ("/spec/template/spec/containers/0/imagePullPolicy", json!("IfNotPresent")),
            ("/spec/template/spec/terminationGracePeriodSeconds", json!(30)),
        ],
    );
    check(
        "pods",
        pod("p"),
        &[
            ("/spec/dnsPolicy", json!("ClusterFirst")),
            ("/spec/containers/0/terminationMessagePath", json!("/dev/termination-log")),
            ("/status/phase", json!("Pending")),
            ("/status/qosClass", json!("BestEffort")),
        ],
    );
    check(
        "services",
        json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}),
        &[
            ("/spec/type", json!("ClusterIP")),
            ("/spec/sessionAffinity", json!("None")),
            ("/spec/ports/0/protocol", json!("TCP")),
            ("/spec/ports/0/targetPort", json!(80)),
        ],
    );
    check(
        "secrets",
        json!({"metadata": {"name": "s"}, "stringData": {"a": "hi"}}),
        &[("/type", json!("Opaque")), ("/data/a", json!("aGk="))],
    );
    check(
        "namespaces",
        json!({"metadata": {"name": "n"}}),
        &[
            ("/metadata/labels/kubernetes.io~1metadata.name", json!("n")),
            ("/status/phase", json!("Active")),
        ],
    );
    let template =
        json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i:1"}]}});
    check(
        "jobs",
        json!({"metadata": {"name": "j"}, "spec": {"template": template}}),
        &[
            ("/spec/backoffLimit", json!(6)),
            ("/spec/completions", json!(1)),
            ("/spec/template/metadata/labels/job-name", json!("j")),
        ],
    );
}

#[test]
fn services_get_addresses_of_their_own_and_keep_them() {
    let mut cluster = Cluster::new();
    let body = |name: &str| json!({"metadata": {"name": name}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}});
    let one = cluster.make("services", body("a")).value().clone();
    let two = cluster.make("services", body("b")).value().clone();
    assert!(one["spec"]["clusterIP"].as_str().unwrap().starts_with("10.96."));
    assert_ne!(one["spec"]["clusterIP"], two["spec"]["clusterIP"]);
    assert_ne!(one["spec"]["ports"][0]["nodePort"], two["spec"]["ports"][0]["nodePort"]);
    let again = cluster.update("services", body("a")).unwrap();
    assert_eq!(again.object.value()["spec"]["clusterIP"], one["spec"]["clusterIP"]);
    assert_eq!(again.object.value()["spec"]["ports"], one["spec"]["ports"]);
    let taken = json!({"metadata": {"name": "c"}, "spec": {"clusterIP": one["spec"]["clusterIP"], "ports": [{"port": 80}]}});
    assert_eq!(cluster.create("services", taken).unwrap_err().code, 422);
}

#[test]
fn the_rules_users_meet_are_kept() {
    let mut cluster = Cluster::new();
    let mut check = |kind: &str, change: &dyn Fn(&mut Value), text: &str| {
        let mut body = match kind {
            "deployments" => deployment("x"),
            "pods" => pod("x"),
            "services" => json!({"metadata": {"name": "x"}, "spec": {"ports": [{"port": 80}]}}),
            _ => config_map("x"),
        };
        change(&mut body);
        let error = cluster.create(kind, body).unwrap_err();
        let undecodable = text.starts_with("quantities");
        assert_eq!(error.code, if undecodable { 400 } else { 422 }, "{error}");
        assert!(error.message.contains(text), "{error}");
    };
    check(
        "deployments",
        &|d| d["spec"]["replicas"] = json!(-1),
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    );
    check("deployments", &|d| d["spec"]["selector"] = Value::Null, "spec.selector: Required value");
    check(
        "deployments",
        &|d| d["spec"]["template"]["metadata"]["labels"] = json!({"app": "other"}),
        "spec.template.metadata.labels: Invalid value: {\"app\":\"other\"}: `selector` does not match template `labels`",
    );
    check("pods", &|p| p["spec"]["containers"] = json!([]), "spec.containers: Required value");
    check(
        "pods",
        &|p| p["spec"]["containers"][0]["image"] = json!(""),
        "spec.containers[0].image: Required value",
    );
    check(
        "pods",
        &|p| p["spec"]["containers"][0]["ports"] = json!([{"containerPort": 70000}]),
        "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    );
    check(
        "pods",
        &|p| p["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": "lots"}}),
        "quantities must match the regular expression",
    );
    check(
        "pods",
        &|p| p["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/x"}]),
        "spec.containers[0].volumeMounts[0].name: Not found: \"v\"",
    );
    check("pods", &|p| p["metadata"]["name"] = json!("Bad_Name"), "a lowercase RFC 1123 subdomain");
    check("pods", &|p| p["metadata"]["labels"] = json!({"a": "b c"}), "a valid label must be");
    check("services", &|s| s["spec"]["ports"] = json!([]), "spec.ports: Required value");
    check("services", &|s| s["metadata"]["name"] = json!("a.b"), "must not contain dots");
    check("configmaps", &|c| c["data"] = json!({"a b": "c"}), "a valid config key");
}

#[test]
fn some_fields_stay_as_they_are() {
    let mut cluster = Cluster::new();
    cluster.make("deployments", deployment("d"));
    cluster.make("pods", pod("p"));
    let mut sealed = config_map("c");
    sealed["immutable"] = json!(true);
    cluster.make("configmaps", sealed);
    let mut check = |kind: &str, name: &str, patch: Value, text: &str| {
        let error = cluster.patch(kind, name, Patch::Merge(patch)).unwrap_err();
        assert!(error.message.contains(text), "{error}");
    };
    let other = json!({"matchLabels": {"app": "web", "x": "y"}});
    let labels = json!({"metadata": {"labels": {"x": "y"}}});
    check(
        "deployments",
        "d",
        json!({"spec": {"selector": other, "template": labels}}),
        "field is immutable",
    );
    check(
        "configmaps",
        "c",
        json!({"data": {"a": "2"}}),
        "field is immutable when `immutable` is set",
    );
    check(
        "pods",
        "p",
        json!({"spec": {"hostNetwork": true}}),
        "pod updates may not change fields other than",
    );
}

#[test]
fn autoscalers_are_kept_in_the_newer_version() {
    let mut cluster = Cluster::new();
    let older =
        Scope::namespaced(Gvr::new("autoscaling", "v1", "horizontalpodautoscalers"), "default");
    let body = json!({"metadata": {"name": "h"}, "spec": {"maxReplicas": 5, "targetCPUUtilizationPercentage": 70,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}}});
    let written = cluster.store.create(&older, body, &by("t"), cluster.now).unwrap();
    assert_eq!(written.object.value()["spec"]["targetCPUUtilizationPercentage"], 70);
    let newer = cluster.value("horizontalpodautoscalers", "h");
    assert_eq!(newer["apiVersion"], "autoscaling/v2");
    assert_eq!(newer["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 70);
}

#[test]
fn every_built_in_kind_has_a_schema() {
    let cluster = Cluster::new();
    for resource in cluster.store.resources() {
        let schema = resource.schema();
        assert!(schema.properties.contains_key("metadata"), "{}", resource.kind);
        let api = resource.openapi();
        assert!(api.definitions.contains_key(&api.root), "{}", resource.kind);
    }
}
