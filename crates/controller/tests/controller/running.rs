//! Leading, standing by, being asked for health.

use crate::support::{Cluster, Gate, NoHttp, pass};
use controller::{ControllerConfig, LeaderElection, LeaseConfig};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LEASES: &str = "coordination.k8s.io/v1";
const LOCK: &str = "argo-rollouts-controller-lock";

fn contender(identity: &str) -> ControllerConfig {
    let lease = LeaderElection::Lease(LeaseConfig::in_namespace("default"));
    ControllerConfig {
        identity: identity.to_owned(),
        leader_election: lease,
        ..ControllerConfig::alone()
    }
}

async fn holder(cluster: &Cluster) -> String {
    let lease = cluster.get(LEASES, "Lease", LOCK).await;
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_when_the_leader_dies_and_not_before() {
    let cluster = Cluster::start().await;
    let first = cluster.controller(&Gate::open(), contender("first")).await;
    pass(1).await;
    let second = cluster.controller(&Gate::open(), contender("second")).await;
    pass(60).await;
    assert!(first.is_leader() && !second.is_leader());
    assert_eq!(holder(&cluster).await, "first");
    first.abort();
    pass(12).await;
    assert!(!second.is_leader(), "the lease of the dead leader has not run out yet");
    pass(8).await;
    assert!(second.is_leader());
    assert_eq!(holder(&cluster).await, "second");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_leaves_in_order_hands_over_within_one_retry() {
    let cluster = Cluster::start().await;
    let first = cluster.controller(&Gate::open(), contender("first")).await;
    pass(1).await;
    let second = cluster.controller(&Gate::open(), contender("second")).await;
    pass(10).await;
    first.shutdown().await;
    assert_eq!(holder(&cluster).await, "");
    pass(3).await;
    assert!(second.is_leader());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_writing_before_the_lease_runs_out() {
    let cluster = Cluster::start().await;
    let gate = Gate::open();
    let leader = cluster.controller(&gate, contender("cut-off")).await;
    pass(5).await;
    assert!(leader.is_leader());
    gate.deny(Some("leases"));
    pass(13).await;
    assert!(!leader.is_leader());
    gate.deny(None);
    pass(3).await;
    assert!(leader.is_leader());
}

#[tokio::test(start_paused = true)]
async fn an_instance_id_has_a_lease_of_its_own() {
    let cluster = Cluster::start().await;
    let config = ControllerConfig { instance_id: Some("blue".to_owned()), ..contender("first") };
    let controller = cluster.controller(&Gate::open(), config).await;
    pass(1).await;
    assert!(controller.is_leader());
    assert_eq!(
        cluster.get(LEASES, "Lease", &format!("{LOCK}-blue")).await["spec"]["holderIdentity"],
        "first"
    );
}

#[tokio::test]
async fn health_and_metrics_answer_over_http() {
    let cluster = Cluster::start().await;
    let any = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let config =
        ControllerConfig { metrics_listen: any, health_listen: any, ..ControllerConfig::alone() };
    let controller = cluster.controller(&Gate::open(), config).await;
    let health = controller.health_addr().unwrap();
    assert!(get(health, "/healthz").await.starts_with("HTTP/1.1 200"));
    let mut ready = get(health, "/readyz").await;
    while !ready.starts_with("HTTP/1.1 200") {
        ready = get(health, "/readyz").await;
    }
    let metrics = get(controller.metrics_addr().unwrap(), "/metrics").await;
    assert!(metrics.contains("argo_rollouts_controller_info{version="), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn a_port_in_use_is_named() {
    let cluster = Cluster::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = ControllerConfig { metrics_listen: Some(address), ..ControllerConfig::alone() };
    let clock = cluster.clock;
    let http = std::sync::Arc::new(NoHttp);
    let error = controller::Controller::start(cluster.client.clone(), clock, http, config)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {address} for metrics"));
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}
