//! The nodes beside a real API server and a real controller manager, in real time.
//!
//! A real API server refuses loopback addresses in EndpointSlices, so pods that listen have addresses in
//! 10.42.0.0/16, which are local in a network namespace that the test makes for itself.

use crate::support::{deployment, holds, is_complete, service, waits_for};
use control_plane::{ControlPlane, for_test};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        batch::v1::Job,
        coordination::v1::Lease,
        core::v1::{Namespace, Node, Pod, Service, ServiceAccount},
        discovery::v1::EndpointSlice,
    },
};
use kube::{
    Api, Client, Resource,
    api::{EvictParams, ListParams, Patch, PatchParams, PostParams},
    runtime::wait::await_condition,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{env, fmt::Debug, process::Command, time::Duration};
use world::{ServePods, World, WorldConfig};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// Set in the process that has a network of its own.
const INSIDE: &str = "RINGFENCE_TEST_NETWORK";
/// Makes the pod network local, and becomes the command that follows.
const ENTER: &str = "ip link set lo up && ip route add local 10.42.0.0/16 dev lo && exec \"$@\"";

/// A namespace of the real cluster.
struct Place {
    client: Client,
    namespace: &'static str,
}

impl Place {
    /// A fresh namespace in which pods can be created.
    async fn new(client: &Client, namespace: &'static str) -> Self {
        let object = json!({"metadata": {"name": namespace}});
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let object = serde_json::from_value(object).unwrap();
        namespaces.create(&PostParams::default(), &object).await.unwrap();
        let place = Self { client: client.clone(), namespace };
        place.until::<ServiceAccount>("default", |_| true).await;
        place
    }

    fn api<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    async fn create<K>(&self, object: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let object: K = serde_json::from_value(object).unwrap();
        self.api().create(&PostParams::default(), &object).await.unwrap()
    }

    async fn until<K>(&self, name: &str, wanted: impl Fn(&K) -> bool) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let condition = await_condition(self.api::<K>(), name, |object: Option<&K>| {
            object.is_some_and(&wanted)
        });
        match tokio::time::timeout(PATIENCE, condition).await {
            Ok(found) => found.unwrap().unwrap(),
            Err(late) => panic!(
                "{}/{name} never became what was waited for ({late}): {:#?}",
                self.namespace,
                self.api::<K>().get_opt(name).await
            ),
        }
    }

    /// The names of the pods that an application has and that are not going.
    async fn pods(&self, app: &str) -> Vec<String> {
        let params = ListParams::default().labels(&format!("app={app}"));
        let pods = self.api::<Pod>().list(&params).await.unwrap().items;
        let staying = pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        staying.filter_map(|pod| pod.metadata.name).collect()
    }
}

async fn a_deployment_becomes_available_and_is_updated(client: &Client) {
    let place = Place::new(client, "rolling").await;
    place.create::<Service>(service("web")).await;
    place.create::<Deployment>(deployment("web", 3, "blue")).await;
    place.until::<Deployment>("web", is_complete).await;
    let update = json!({"spec": {"template": deployment("web", 3, "green")["spec"]["template"]}});
    let api = place.api::<Deployment>();
    api.patch("web", &PatchParams::default(), &Patch::Merge(update)).await.unwrap();
    place.until::<Deployment>("web", is_complete).await;
    let pod = place.api::<Pod>().get(&place.pods("web").await[0]).await.unwrap();
    assert_eq!(
        pod.spec.unwrap().containers[0].image.as_deref(),
        Some("argoproj/rollouts-demo:green")
    );
    let slices = place.api::<EndpointSlice>();
    let name = slices.list(&ListParams::default()).await.unwrap().items[0].metadata.name.clone();
    let three = |slice: &EndpointSlice| {
        let ready = slice.endpoints.iter().flatten();
        ready.filter(|e| e.conditions.as_ref().unwrap().ready == Some(true)).count() == 3
    };
    place.until::<EndpointSlice>(&name.unwrap(), three).await;
}

fn job(name: &str, command: &[&str], mut spec: Value) -> Value {
    spec["template"] = json!({"spec": {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 2,
        "containers": [{"name": "work", "image": "nginx:1.19-alpine", "command": command}],
    }});
    json!({"metadata": {"name": name}, "spec": spec})
}

fn ended(job: &Job, kind: &str) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|c| c.type_ == kind && c.status == "True")
}

async fn jobs_complete_and_fail(client: &Client) {
    let place = Place::new(client, "jobs").await;
    let once = json!({"backoffLimit": 0});
    for (name, command, spec, end) in [
        ("good", &["sh", "-c", "-x", "sleep 1 && exit 0"][..], once.clone(), "Complete"),
        ("bad", &["sh", "-c", "sleep 1s; exit 1"], once.clone(), "Failed"),
        ("missing", &["/bad-command"], once, "Failed"),
        ("late", &["sleep", "6000"], json!({"activeDeadlineSeconds": 2}), "Failed"),
    ] {
        place.create::<Job>(job(name, command, spec)).await;
        place.until::<Job>(name, |job| ended(job, end)).await;
    }
}

async fn a_crash_loop_and_a_missing_image_are_reported(client: &Client) {
    let place = Place::new(client, "crashing").await;
    let pod = |name: &str, container: Value| {
        let mut container = container;
        container["name"] = "app".into();
        json!({"metadata": {"name": name}, "spec": {"containers": [container]}})
    };
    let crash = json!({"image": "nginx", "command": ["sh", "-c", "exit 1"]});
    place.create::<Pod>(pod("crash", crash)).await;
    place.create::<Pod>(pod("start", json!({"image": "nginx", "command": ["/bad-command"]}))).await;
    place.create::<Pod>(pod("image", json!({"image": "nginx:does-not-exist"}))).await;
    for (name, reason) in [
        ("crash", "CrashLoopBackOff"),
        ("start", "CrashLoopBackOff"),
        ("image", "ImagePullBackOff"),
    ] {
        place.until::<Pod>(name, |pod| waits_for(pod).as_deref() == Some(reason)).await;
    }
}

async fn an_evicted_pod_is_replaced(client: &Client) {
    let place = Place::new(client, "evicted").await;
    let mut web = deployment("web", 1, "blue");
    let container = &mut web["spec"]["template"]["spec"]["containers"][0];
    let sleep = json!({"exec": {"command": ["sleep", "1"]}});
    container["lifecycle"] = json!({"postStart": sleep, "preStop": sleep});
    place.create::<Deployment>(web).await;
    place.until::<Deployment>("web", is_complete).await;
    let first = place.pods("web").await.remove(0);
    place.api::<Pod>().evict(&first, &EvictParams::default()).await.unwrap();
    let gone = await_condition(place.api::<Pod>(), &first, |pod: Option<&Pod>| pod.is_none());
    tokio::time::timeout(PATIENCE, gone).await.unwrap().unwrap();
    place.until::<Deployment>("web", is_complete).await;
    assert_ne!(place.pods("web").await, [first]);
}

async fn a_readiness_gate_of_somebody_else_is_kept(client: &Client) {
    let place = Place::new(client, "gated").await;
    let containers = json!([{"name": "app", "image": "nginx"}]);
    let gates = json!([{"conditionType": "lb/ok"}]);
    let spec = json!({"readinessGates": gates, "containers": containers});
    place.create::<Pod>(json!({"metadata": {"name": "a"}, "spec": spec})).await;
    let gate = json!({"status": {"conditions": [{"type": "lb/ok", "status": "True"}]}});
    let params = PatchParams::default();
    place.api::<Pod>().patch_status("a", &params, &Patch::Strategic(gate)).await.unwrap();
    let pod = place.until::<Pod>("a", |pod| holds(pod, "Ready")).await;
    assert!(holds(&pod, "lb/ok"));
}

async fn the_node_is_alive(client: &Client) {
    let nodes: Api<Node> = Api::all(client.clone());
    let node = nodes.get("ringfence").await.unwrap();
    let conditions = node.status.unwrap().conditions.unwrap();
    assert!(conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True"));
    let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-node-lease");
    let lease = leases.get("ringfence").await.unwrap().spec.unwrap();
    assert_eq!(lease.holder_identity.as_deref(), Some("ringfence"));
    assert!(lease.renew_time.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_live_beside_a_real_controller_manager() {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(binary) = for_test("the kubelet stand-in") else { return };
    let plane = ControlPlane::start(&binary).await.unwrap();
    let client = plane.client();
    let clock = clock::Clock::system();
    let world = World::start(client.clone(), clock, WorldConfig::nodes_only()).await.unwrap();
    tokio::join!(
        a_deployment_becomes_available_and_is_updated(&client),
        jobs_complete_and_fail(&client),
        a_crash_loop_and_a_missing_image_are_reported(&client),
        an_evicted_pod_is_replaced(&client),
        a_readiness_gate_of_somebody_else_is_kept(&client),
    );
    the_node_is_alive(&client).await;
    world.shutdown().await;
}

/// Runs one test of this program again in a network of its own, where there can be one.
fn run_inside(test: &str) {
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--net", "--map-root-user", "sh", "-c", ENTER, "sh"]).args(arguments);
        command.env(INSIDE, "1").status().is_ok_and(|status| status.success())
    };
    if !unshare(&["true"]) {
        eprintln!(
            "SKIPPED: probes over the network not checked: no network namespace can be made here"
        );
        return;
    }
    let program = env::current_exe().unwrap();
    assert!(unshare(&[program.to_str().unwrap(), "--exact", test, "--nocapture"]));
}

async fn a_pod_that_says_it_is_not_ready_gets_no_requests(client: &Client) {
    let place = Place::new(client, "probed").await;
    place.create::<Service>(service("web")).await;
    let mut web = deployment("web", 2, "blue");
    web["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = json!({
        "httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1,
    });
    place.create::<Deployment>(web).await;
    place.until::<Deployment>("web", is_complete).await;
    let name = place.pods("web").await.remove(0);
    let pod = place.api::<Pod>().get(&name).await.unwrap();
    let address = pod.status.unwrap().pod_ip.unwrap();
    assert!(address.starts_with("10.42."), "{address}");
    let url = format!("http://{address}:8080");
    let http = reqwest::Client::new();
    let colour = http.get(format!("{url}/color")).send().await.unwrap().text().await.unwrap();
    assert_eq!(colour, "\"blue\"");
    http.post(format!("{url}/readyz/disable")).send().await.unwrap();
    place.until::<Pod>(&name, |pod| !holds(pod, "Ready")).await;
    place.until::<Deployment>("web", |web| !is_complete(web)).await;
    http.post(format!("{url}/readyz/enable")).send().await.unwrap();
    place.until::<Deployment>("web", is_complete).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_listen_are_asked_how_they_are() {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(binary) = for_test("probes over the network") else { return };
    if env::var_os(INSIDE).is_none() {
        return run_inside("ground::pods_that_listen_are_asked_how_they_are");
    }
    let plane = ControlPlane::start(&binary).await.unwrap();
    let client = plane.client();
    let config = WorldConfig { serve_pods: ServePods::Sockets, ..WorldConfig::nodes_only() };
    let world = World::start(client.clone(), clock::Clock::system(), config).await.unwrap();
    a_pod_that_says_it_is_not_ready_gets_no_requests(&client).await;
    world.shutdown().await;
}
