//! Controllers of their own, against a cluster reached over the network.

use crate::support::{Cluster, Folder, PROGRAM, Running, Speaks, is_installed};
use std::process::Command;

fn controller(cluster: &Cluster, name: &str) -> Running {
    let mut command = Command::new(PROGRAM);
    command
        .env("HOSTNAME", name)
        .env("POD_NAMESPACE", "default")
        .args(["controller", "--kubeconfig", &cluster.kubeconfig])
        .args([
            "--metricsPort=0",
            "--healthzPort=0",
            "--leader-election-lease-duration=2s",
            "--leader-election-renew-deadline=1s",
            "--leader-election-retry-period=200ms",
        ]);
    let mut running = Running::start(&mut command, Speaks::Errors);
    running.after("The controller runs");
    running
}

fn leader(cluster: &Cluster) -> String {
    cluster
        .kubectl("get lease argo-rollouts-controller-lock -o jsonpath={.spec.holderIdentity}")
        .ok()
}

#[test]
fn another_controller_takes_over_from_one_that_was_killed_and_from_one_that_left() {
    if !is_installed("kubectl", "leader election") {
        return;
    }
    let folder = Folder::new("leader");
    let cluster = Cluster::start(&folder, &[]);
    let mut first = controller(&cluster, "first");
    let cluster = cluster.with_canary();
    assert!(leader(&cluster).starts_with("first_"));
    let mut second = controller(&cluster, "second");
    first.kill();
    cluster.ringfence("set image web app=argoproj/rollouts-demo:green").ok();
    cluster.await_phase("web", "Paused");
    assert!(leader(&cluster).starts_with("second_"));
    let _third = controller(&cluster, "third");
    assert_eq!(second.terminate().code(), Some(0));
    cluster.ringfence("promote web --full").ok();
    assert!(cluster.ringfence("status web --timeout 60s").ok().ends_with("Healthy\n"));
    assert!(leader(&cluster).starts_with("third_"));
}
