//! The walk of somebody who has nothing but kubectl.

use crate::support::{CANARY, Cluster, Folder, is_installed};
use std::collections::BTreeSet;
use std::process::Command;

const DEFINITIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/crds");

#[test]
fn a_rollout_is_read_changed_and_deleted_like_any_object() {
    if !is_installed("kubectl", "the kubectl walk") {
        return;
    }
    let folder = Folder::new("walk");
    let cluster = Cluster::start(&folder, &["--with-controller"]).with_canary();

    let table = cluster.kubectl("get rollout -o wide").ok();
    let words =
        |line: usize| table.lines().nth(line).unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(
        words(0),
        [
            "NAME",
            "DESIRED",
            "CURRENT",
            "UP-TO-DATE",
            "AVAILABLE",
            "PHASE",
            "STEP",
            "WEIGHT",
            "AGE",
            "MESSAGE"
        ]
    );
    assert_eq!(words(1)[..6], ["web", "5", "5", "5", "5", "Healthy"]);
    let paths = "{.spec.replicas}{.status.readyReplicas}{.metadata.generation}";
    assert_eq!(cluster.kubectl(&format!("get ro web -o jsonpath={paths}")).ok(), "551");
    let described = cluster.kubectl("describe rollout web").ok();
    assert!(described.contains("Set Weight:  20"), "{described}");
    assert!(described.contains("RolloutCompleted"), "events belong to it: {described}");
    let explained = cluster.kubectl("explain rollout.spec.strategy.canary.steps").ok();
    assert!(explained.contains("setWeight\t<integer>"), "{explained}");
    let logs = cluster.kubectl("logs -l app=web --tail=1").ok();
    assert_eq!(logs.matches("color blue").count(), 5, "{logs}");

    assert_eq!(cluster.pipe("apply -f -", CANARY).ok(), "rollout.argoproj.io/web unchanged\n");
    cluster.pipe("diff -f -", CANARY).ok();
    let green = CANARY.replace(":blue", ":green");
    let difference = cluster.pipe("diff -f -", &green).fails(1);
    assert!(difference.contains("+      - image: argoproj/rollouts-demo:green"), "{difference}");

    let mut edit = Command::new("kubectl");
    edit.env("KUBECONFIG", &cluster.kubeconfig)
        .env("KUBE_EDITOR", "sed -i s/demo:blue/demo:green/");
    crate::support::ask(edit.args(["edit", "rollout", "web"]), "").ok();
    cluster.await_phase("web", "Paused");
    let sets = cluster.kubectl("get rs -o jsonpath={.items[*].spec.replicas}").ok();
    assert!(["1 4", "4 1"].contains(&sets.as_str()), "a fifth of five pods is one: {sets}");
    cluster.kubectl("scale rollout web --replicas=10").ok();
    cluster
        .kubectl("wait rollout/web --for=jsonpath={.status.updatedReplicas}=2 --timeout=60s")
        .ok();
    cluster.kubectl(r#"patch rollout web --type=merge -p {"spec":{"minReadySeconds":1}}"#).ok();
    let refused =
        cluster.kubectl(r#"patch rollout web -p {"spec":{"minReadySeconds":2}}"#).fails(1);
    assert!(refused.contains("strategic-merge-patch+json is not supported"), "{refused}");

    assert_eq!(cluster.kubectl("delete rollout web").ok(), "rollout.argoproj.io \"web\" deleted\n");
    cluster.kubectl("wait --for=delete rs,pods -l app=web --timeout=60s").ok();
    assert_eq!(cluster.kubectl("get rs,pods").errors, "No resources found in default namespace.\n");
}

#[test]
fn a_deployment_rolls_out_goes_back_and_is_exposed() {
    if !is_installed("kubectl", "Deployments with kubectl") {
        return;
    }
    let folder = Folder::new("deployment");
    let cluster = Cluster::start(&folder, &[]);
    let rolled_out = "deployment \"web\" successfully rolled out\n";
    let follow = || cluster.kubectl("rollout status deployment/web --timeout=60s").ok();
    let image = || {
        let path = "{.spec.template.spec.containers[0].image}";
        cluster.kubectl(&format!("get deployment web -o jsonpath={path}")).ok()
    };
    cluster.kubectl("create deployment web --image=nginx:1 --replicas=2").ok();
    assert!(follow().ends_with(rolled_out));
    cluster.kubectl("set image deployment/web nginx=nginx:2").ok();
    assert!(follow().ends_with(rolled_out));
    let history = cluster.kubectl("rollout history deployment/web").ok();
    assert!(history.contains("1         <none>\n2         <none>"), "{history}");
    assert_eq!(image(), "nginx:2");
    cluster.kubectl("rollout undo deployment/web").ok();
    assert!(follow().ends_with(rolled_out));
    assert_eq!(image(), "nginx:1");
    cluster.kubectl("rollout restart deployment/web").ok();
    assert!(follow().ends_with(rolled_out));
    cluster.kubectl("scale deployment web --replicas=3").ok();
    cluster.kubectl("expose deployment web --port=80").ok();
    let three = "--for=jsonpath={.endpoints[2].conditions.ready}=true";
    cluster
        .kubectl(&format!(
            "wait endpointslices -l kubernetes.io/service-name=web {three} --timeout=60s"
        ))
        .ok();
    let all = cluster.kubectl("get all").ok();
    for kind in ["pod/web-", "service/web", "deployment.apps/web", "replicaset.apps/web-"] {
        assert!(all.contains(kind), "{kind} is not in {all}");
    }
}

#[test]
fn the_large_definitions_are_applied_from_either_side() {
    if !is_installed("kubectl", "applying definitions") {
        return;
    }
    let folder = Folder::new("definitions");
    let cluster = Cluster::start(&folder, &[]);
    let check = |arguments: &str, words: &str| {
        let said = cluster.kubectl(&format!("apply -f {DEFINITIONS}{arguments}")).ok();
        assert_eq!(said.lines().filter(|line| line.ends_with(words)).count(), 5, "{said}");
    };
    check("", "configured");
    check("", "unchanged");
    check(" --server-side --force-conflicts", "serverside-applied");
    check(" --server-side --dry-run=server", "serverside-applied (server dry run)");
    let owners = "{.metadata.managedFields[?(@.operation=='Apply')].manager}";
    let owners = format!("get crd rollouts.argoproj.io --show-managed-fields -o jsonpath={owners}");
    let owners = cluster.kubectl(&owners).ok();
    // Their order is that of their times, and both may be of one second.
    let owners: BTreeSet<&str> = owners.split(' ').collect();
    assert_eq!(owners, BTreeSet::from(["kubectl", "kubectl-last-applied"]));
}

#[test]
fn a_namespace_takes_everything_in_it_along() {
    if !is_installed("kubectl", "deleting namespaces") {
        return;
    }
    let folder = Folder::new("namespace");
    let cluster = Cluster::start(&folder, &["--with-controller"]);
    cluster.kubectl("create namespace team").ok();
    cluster.pipe("apply -n team -f -", CANARY).ok();
    cluster.kubectl("create configmap notes --from-literal=a=b -n team").ok();
    cluster.kubectl("wait rollout/web -n team --for=condition=Healthy --timeout=60s").ok();
    assert_eq!(cluster.kubectl("delete namespace team").ok(), "namespace \"team\" deleted\n");
    let gone = cluster.kubectl("get namespace team").fails(1);
    assert_eq!(gone, "Error from server (NotFound): namespaces \"team\" not found\n");
    let left = cluster.kubectl("get rollouts,rs,pods,configmaps -n team");
    assert_eq!(left.errors, "No resources found in team namespace.\n");
    let protected = cluster.kubectl("delete namespace default").fails(1);
    assert!(protected.contains("this namespace may not be deleted"), "{protected}");
}

#[test]
fn a_mistyped_field_is_named_and_nothing_is_written() {
    if !is_installed("kubectl", "field validation") {
        return;
    }
    let folder = Folder::new("fields");
    let cluster = Cluster::start(&folder, &["--with-controller"]);
    let check = |from: &str, to: &str, words: &str| {
        let said = cluster.pipe("apply -f -", &CANARY.replace(from, to)).fails(1);
        assert!(said.contains(words), "{said}");
        cluster.kubectl("get rollout web").fails(1);
    };
    check("\"steps\"", "\"stepz\"", "unknown field \"spec.strategy.canary.stepz\"");
    check("\"replicas\": 5", "\"replicas\": \"five\"", "spec.replicas: Invalid value: \"string\"");
    cluster.pipe("apply -f -", &CANARY.replace("20 }", "200 }")).ok();
    cluster.await_phase("web", "Degraded");
    let message = cluster.kubectl("get rollout web -o jsonpath={.status.message}").ok();
    assert!(message.contains("steps[0].setWeight: Invalid value: 200"), "{message}");
    assert_eq!(cluster.kubectl("get rs").errors, "No resources found in default namespace.\n");
}
