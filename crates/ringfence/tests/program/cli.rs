//! The commands for rollouts, as `ringfence` and as upstream's plugin.

use crate::support::{Cluster, Folder, PROGRAM, Running, Said, Speaks, ask, is_installed};
use std::{
    os::unix::{fs::symlink, process::CommandExt},
    process::Command,
};

#[test]
fn a_canary_is_steered_from_the_first_step_to_the_last() {
    if !is_installed("kubectl", "steering a canary") {
        return;
    }
    let folder = Folder::new("steer");
    let cluster = Cluster::start(&folder, &["--with-controller"]).with_canary();
    let says = |arguments: &str, words: &str| {
        assert_eq!(cluster.ringfence(arguments).ok(), format!("{words}\n"), "{arguments}");
    };
    says("status web", "Healthy");
    says("set image web app=argoproj/rollouts-demo:green", "rollout \"web\" image updated");
    cluster.await_phase("web", "Paused");
    says("status web --watch=false", "Paused - CanaryPauseStep");
    let shown = cluster.ringfence("get rollout web").ok();
    for line in [
        "Status:          ॥ Paused",
        "  Step:          1/4",
        "  SetWeight:     20",
        "  ActualWeight:  20",
        "Images:          argoproj/rollouts-demo:blue (stable)",
        "                 argoproj/rollouts-demo:green (canary)",
    ] {
        assert!(shown.lines().any(|found| found == line), "`{line}` is not in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "no escape codes go into a pipe");
    let why = cluster.ringfence("why web").ok();
    assert!(why.contains("until somebody promotes it"), "{why}");
    let why = cluster.ringfence("why web -o json").ok();
    let why: serde_json::Value = serde_json::from_str(&why).unwrap();
    assert_eq!(why["waits"][0]["code"], "WaitingForPause");
    let decisions = why["decisions"].as_array().unwrap();
    let reasons: Vec<_> = decisions.iter().map(|one| one["reason"].as_str().unwrap()).collect();
    let completed = reasons.iter().position(|reason| *reason == "RolloutCompleted");
    let created = reasons.iter().rposition(|reason| *reason == "NewReplicaSetCreated");
    assert!(completed < created, "the second revision comes last: {reasons:?}");

    says("abort web", "rollout 'web' aborted");
    let degraded = cluster.ringfence("status web").fails(3);
    assert!(
        degraded.contains("RolloutAborted: Rollout aborted update to revision 2"),
        "{degraded}"
    );
    says("retry rollout web", "rollout 'web' retried");
    cluster.await_phase("web", "Paused");
    says("promote web", "rollout 'web' promoted");
    let followed = cluster.ringfence("status web --timeout 60s").ok();
    assert!(followed.ends_with("Healthy\n"), "{followed}");

    says("undo web", "rollout 'web' undo");
    cluster.await_phase("web", "Paused");
    says("promote web --full", "rollout 'web' fully promoted");
    assert!(cluster.ringfence("status web --timeout 60s").ok().ends_with("Healthy\n"));
    let listed = cluster.ringfence("list rollouts").ok();
    let row: Vec<_> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..6], ["web", "Canary", "Healthy", "4/4", "100", "5/5"], "{listed}");
    says("pause web", "rollout 'web' paused");
    says("restart web", "rollout 'web' restarts in 0s");
}

/// A rollout with an active and a preview Service that waits for a person before it switches.
const BLUE_GREEN: &str = r#"{ "apiVersion": "v1", "kind": "List", "items": [
    { "apiVersion": "v1", "kind": "Service", "metadata": { "name": "active" },
      "spec": { "selector": { "app": "shop" }, "ports": [{ "port": 80, "targetPort": 8080 }] } },
    { "apiVersion": "v1", "kind": "Service", "metadata": { "name": "preview" },
      "spec": { "selector": { "app": "shop" }, "ports": [{ "port": 80, "targetPort": 8080 }] } },
    { "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": { "name": "shop" },
      "spec": {
        "replicas": 2,
        "selector": { "matchLabels": { "app": "shop" } },
        "template": {
            "metadata": { "labels": { "app": "shop" } },
            "spec": { "containers": [{ "name": "app", "image": "argoproj/rollouts-demo:blue" }] }
        },
        "strategy": { "blueGreen": { "activeService": "active", "previewService": "preview", "autoPromotionEnabled": false } }
      } }
] }"#;

#[test]
fn a_blue_green_release_waits_on_its_preview_and_is_switched_by_promotion() {
    if !is_installed("kubectl", "blue-green releases") {
        return;
    }
    let folder = Folder::new("blue-green");
    let cluster = Cluster::start(&folder, &["--with-controller"]);
    cluster.pipe("apply -f -", BLUE_GREEN).ok();
    cluster.kubectl("wait rollout/shop --for=condition=Healthy --timeout=60s").ok();
    let selector = |service: &str| {
        let path = "{.spec.selector.rollouts-pod-template-hash}";
        cluster.kubectl(&format!("get service {service} -o jsonpath={path}")).ok()
    };
    let blue = selector("active");
    assert_eq!(selector("preview"), blue);
    cluster.ringfence("set image shop app=argoproj/rollouts-demo:green").ok();
    cluster.await_phase("shop", "Paused");
    assert_eq!(selector("active"), blue);
    assert_ne!(selector("preview"), blue);
    let shown = cluster.ringfence("get rollout shop").ok();
    for words in ["BlueGreenPause", "blue (stable, active)", "green (preview)", "stable,active"] {
        assert!(shown.contains(words), "`{words}` is not in\n{shown}");
    }
    cluster.ringfence("promote shop").ok();
    cluster.ringfence("status shop --timeout 60s").ok();
    assert_eq!(selector("active"), selector("preview"));
    assert_ne!(selector("active"), blue);
}

#[test]
fn an_exit_code_tells_what_went_wrong_and_the_plugin_knows_only_one() {
    if !is_installed("kubectl", "exit codes") {
        return;
    }
    let folder = Folder::new("codes");
    let cluster =
        Cluster::start(&folder, &["--with-controller", "--token", "secret"]).with_canary();
    let missing = "Error: rollouts.argoproj.io \"nope\" not found\n";
    let unseen = "Error: rollout.argoproj.io \"nope\" not found\n";
    cluster.ringfence("set image web *=argoproj/rollouts-demo:green").ok();
    cluster.await_phase("web", "Paused");
    for (arguments, code, words) in [
        ("get rollout nope", 7, unseen),
        ("-n default get rollout nope", 7, unseen),
        ("status nope", 7, unseen),
        ("get experiment nope", 7, "Error: experiment.argoproj.io \"nope\" not found\n"),
        ("promote nope", 7, missing),
        ("undo nope", 7, missing),
        ("why nope", 7, unseen),
        ("get rollout", 2, "<NAME>"),
        ("status web --timeout soon", 2, "`soon` is not a length of time"),
        ("set image web nope=x", 2, "Error: unable to find container named \"nope\"\n"),
        ("undo web --to-revision 9", 2, "Error: unable to find specified revision 9 in history\n"),
        ("status web --timeout 1ms", 4, "Error: Rollout status watch exceeded timeout\n"),
        ("list rollouts --token wrong", 8, "Error: Unauthorized\n"),
        ("list rollouts --server http://127.0.0.1:1", 1, "did not answer: Connection refused"),
        ("list rollouts --context nope", 2, "has no context `nope`"),
        ("list rollouts --kubeconfig nope.yaml", 2, "nope.yaml cannot be read"),
    ] {
        let said = cluster.ringfence(arguments).fails(code);
        assert!(said.contains(words), "{arguments}: {said}");
        let said = plugin(&folder, &cluster, arguments).fails(1);
        assert!(said.contains(words), "plugin {arguments}: {said}");
    }
    plugin(&folder, &cluster, "--version").ok();
    plugin(&folder, &cluster, "-n default get rollout web").ok();
    plugin(&folder, &cluster, "-n nowhere get rollout web --namespace default").ok();
}

/// The program under the name of upstream's plugin.
fn plugin(folder: &Folder, cluster: &Cluster, arguments: &str) -> Said {
    let path = folder.path().join("kubectl-argo-rollouts");
    if !path.exists() {
        symlink(PROGRAM, &path).unwrap();
    }
    let mut command = Command::new(&path);
    command.arg0(&path).env("KUBECONFIG", &cluster.kubeconfig).args(arguments.split(' '));
    ask(&mut command, "")
}

#[test]
fn a_closed_pipe_ends_a_watch_quietly() {
    if !is_installed("kubectl", "closed pipes") {
        return;
    }
    let folder = Folder::new("pipe");
    let cluster = Cluster::start(&folder, &["--with-controller"]).with_canary();
    let mut watching = Running::start(&mut cluster.client("get rollout web -w"), Speaks::Output);
    assert_eq!(watching.line().unwrap(), "Name:            web");
    watching.after("Available:");
    watching.stop_listening();
    cluster.ringfence("set image web app=argoproj/rollouts-demo:green").ok();
    assert_eq!(watching.end().code(), Some(0));
}

#[test]
fn a_watch_prints_what_changes() {
    if !is_installed("kubectl", "watching") {
        return;
    }
    let folder = Folder::new("watch");
    let cluster = Cluster::start(&folder, &["--with-controller"]).with_canary();
    let mut tree = Running::start(&mut cluster.client("get rollout web -w"), Speaks::Output);
    let mut list = Running::start(&mut cluster.client("list rollouts -w"), Speaks::Output);
    assert!(list.line().unwrap().starts_with("NAME "));
    tree.after("Available:");
    cluster.ringfence("set image web app=argoproj/rollouts-demo:green").ok();
    list.after("Paused");
    tree.after("॥ Paused");
    let mut statuses = Running::start(&mut cluster.client("status web"), Speaks::Output);
    assert_eq!(statuses.line().unwrap(), "Paused - CanaryPauseStep");
    cluster.ringfence("promote web --full").ok();
    statuses.after("Healthy");
    assert_eq!(statuses.end().code(), Some(0));
}
