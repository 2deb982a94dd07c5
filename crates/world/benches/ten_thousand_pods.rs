//! What ten thousand pods on one core cost: until they are ready, while they stay, and until they are gone.
//!
//! `cargo bench -p world [-- PODS]` prints one line each. The API server runs in the same process and on
//! the same core, so its work is in the figures.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use apiserver::{Server, ServerConfig};
use clock::Clock;
use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Pod};
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;
use std::{
    fs,
    time::{Duration, Instant},
};
use world::{Parts, Recording, ServePods, World, WorldConfig};

/// Pods when no number is given.
const PODS: usize = 10_000;
/// Pods of one ReplicaSet.
const IN_A_SET: usize = 50;
/// Ticks of the system's processor clock in a second, on every Linux there is.
const TICKS: f64 = 100.0;
/// How often it is asked whether all are ready.
const LOOK: Duration = Duration::from_millis(200);
/// How long pods are watched while nothing happens.
const QUIET: Duration = Duration::from_secs(10);

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let pods = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(PODS);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(owned(pods))?;
    runtime.block_on(alone(pods))
}

/// Everything in this process: the ReplicaSets make the pods.
async fn owned(pods: usize) -> Result<(), Failure> {
    let server = Server::new(ServerConfig::new(Clock::system(), 1))?;
    let client = server.client();
    let world = World::start(client.clone(), Clock::system(), config(Parts::Everything)).await?;
    let sets: Api<ReplicaSet> = Api::default_namespaced(client);
    let meter = Meter::start();
    for number in 0..pods.div_ceil(IN_A_SET) {
        let set = serde_json::from_value(replica_set(number, IN_A_SET))?;
        sets.create(&PostParams::default(), &set).await?;
    }
    while ready(&sets).await? < pods {
        tokio::time::sleep(LOOK).await;
    }
    meter.report("made by ReplicaSets and ready", pods);
    let meter = Meter::start();
    tokio::time::sleep(QUIET).await;
    meter.report("staying", pods);
    world.shutdown().await;
    Ok(())
}

/// Only the nodes: the pods are there when the clock starts.
async fn alone(pods: usize) -> Result<(), Failure> {
    let server = Server::new(ServerConfig::new(Clock::system(), 1))?;
    let client = server.client();
    let api: Api<Pod> = Api::default_namespaced(client.clone());
    for number in 0..pods {
        let set = replica_set(number / IN_A_SET, 0);
        let mut pod = set["spec"]["template"].clone();
        pod["metadata"]["name"] = json!(format!("pod-{number}"));
        api.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    }
    let config = config(Parts::Nodes);
    let meter = Meter::start();
    let world = World::start(client, Clock::system(), config).await?;
    while any(&api, "status.phase=Pending").await? {
        tokio::time::sleep(LOOK).await;
    }
    meter.report("bound, started and ready", pods);
    let meter = Meter::start();
    api.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    while any(&api, "").await? {
        tokio::time::sleep(LOOK).await;
    }
    meter.report("stopped and gone", pods);
    world.shutdown().await;
    Ok(())
}

fn config(parts: Parts) -> WorldConfig {
    WorldConfig {
        parts,
        serve_pods: ServePods::None,
        recording: Recording::Nothing,
        ..WorldConfig::default()
    }
}

async fn ready(sets: &Api<ReplicaSet>) -> Result<usize, Failure> {
    let sets = sets.list(&ListParams::default()).await?.items;
    let ready = sets.iter().filter_map(|set| set.status.as_ref()?.ready_replicas);
    Ok(usize::try_from(ready.sum::<i32>())?)
}

/// Whether there is any pod of that kind; these pods are ready as soon as they run.
async fn any(api: &Api<Pod>, fields: &str) -> Result<bool, Failure> {
    let list = api.list(&ListParams::default().fields(fields).limit(1)).await?;
    Ok(!list.items.is_empty())
}

fn replica_set(number: usize, replicas: usize) -> serde_json::Value {
    let labels = json!({"app": format!("app-{number}")});
    json!({
        "metadata": {"name": format!("app-{number}")},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{
                "name": "app",
                "image": "argoproj/rollouts-demo:blue",
                "ports": [{"containerPort": 8080}],
                "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}},
                "resources": {"requests": {"cpu": "10m"}},
            }]},
        }},
    })
}

/// Time, processor time and memory since it was started.
struct Meter {
    began: Instant,
    processor: f64,
}

impl Meter {
    fn start() -> Self {
        Self { began: Instant::now(), processor: processor_seconds() }
    }

    fn report(self, what: &str, pods: usize) {
        println!(
            "{pods} pods {what}: {:.1} s, {:.1} s of processor, {:.0} MB resident",
            self.began.elapsed().as_secs_f64(),
            processor_seconds() - self.processor,
            resident_megabytes(),
        );
    }
}

/// The time that this process was given on a processor; 0 where the system does not say.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |at: usize| fields.split_whitespace().nth(at).and_then(|t| t.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / TICKS
}

fn resident_megabytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
