//! The nodes of the world: their objects, their heartbeat, and what becomes of one that is lost.

use super::orders;
use crate::{
    carry_out::{create, patch, send},
    config::WorldConfig,
    effect::{Decision, Effect, Grace, Part, wire},
    objects::{annotation, name_of, reference, uid_of},
    spans,
};
use clock::Clock;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use kube::Client;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use vocab::ObjectRef;

/// The name of the first node; the others have a number behind it.
pub(crate) const NAME: &str = "ringfence";
/// Nodes there may be: each has an address of its own in the last /24 of the pod network.
const MOST: u8 = 200;
/// How often a lease is renewed.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long a lease is good for, in seconds.
const LEASE_SECONDS: u32 = 40;
/// How long a node may be silent before it counts as unreachable.
const GRACE: Duration = Duration::from_secs(50);
/// How long pods bear an unreachable node.
const TOLERATION: Duration = Duration::from_mins(5);
/// The taint of an unreachable node.
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// The nodes whose kubelet this is.
#[derive(Debug)]
pub(crate) struct Nodes {
    names: Vec<String>,
    network: Ipv4Addr,
    lost: BTreeMap<String, Timestamp>,
    /// Those that are lost, for their heartbeats.
    silent: Silent,
}

type Silent = Arc<Mutex<BTreeSet<String>>>;

impl Nodes {
    /// The nodes that the settings ask for.
    pub(crate) fn of(config: &WorldConfig) -> Self {
        let name = |number: u8| match number {
            1 => NAME.to_owned(),
            number => format!("{NAME}-{number}"),
        };
        Self {
            names: (1..=config.nodes.clamp(1, MOST)).map(name).collect(),
            network: config.pod_network,
            lost: BTreeMap::new(),
            silent: Arc::default(),
        }
    }

    /// Their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Their addresses in the pod network.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.names().map(|name| self.address(name))
    }

    /// The address of one of them, and so the host address of its pods.
    pub(crate) fn address(&self, name: &str) -> Ipv4Addr {
        if self.network.is_loopback() {
            return Ipv4Addr::LOCALHOST;
        }
        let [first, second, _, _] = self.network.octets();
        let place = self.names().position(|known| known == name).unwrap_or(0);
        Ipv4Addr::new(first, second, 255, u8::try_from(place + 1).unwrap_or(MOST))
    }

    /// Whether a node is one of these.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Whether a node is one of these and not lost.
    pub(crate) fn is_up(&self, name: &str) -> bool {
        self.has(name) && !self.lost.contains_key(name)
    }

    /// Takes in whether a node is ordered to be lost; says since when it is.
    pub(crate) fn note(&mut self, node: &Node, now: Timestamp) -> Option<Timestamp> {
        let name = name_of(&node.metadata);
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if annotation(&node.metadata, orders::LOST) == Some("true") {
            silent.insert(name.to_owned());
            return Some(*self.lost.entry(name.to_owned()).or_insert(now));
        }
        silent.remove(name);
        self.lost.remove(name);
        None
    }

    /// Renews the leases of all that are not lost, for as long as it is polled.
    pub(crate) fn heartbeat(
        &self,
        client: Client,
        clock: Clock,
    ) -> impl Future<Output = ()> + use<> {
        let (names, silent) = (self.names.clone(), self.silent.clone());
        async move {
            loop {
                let quiet = silent.lock().unwrap_or_else(PoisonError::into_inner).clone();
                for name in names.iter().filter(|name| !quiet.contains(*name)) {
                    beat(&client, name, clock.now()).await;
                }
                tokio::time::sleep(HEARTBEAT).await;
            }
        }
    }

    /// Creates the nodes, or brings those that there are back to life.
    ///
    /// # Errors
    /// What the API server said.
    pub(crate) async fn register(
        &self,
        client: &Client,
        now: Timestamp,
    ) -> Result<(), kube::Error> {
        for name in self.names() {
            let object = object(name, self.address(name), now);
            match send(client, create(&object)).await {
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    let status = json!({"status": object["status"]});
                    send(client, patch(&node(name), Part::Status, &status)).await?;
                }
                // A server without that kind is good enough.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                answer => drop(answer?),
            }
        }
        Ok(())
    }
}

/// Renews the lease of one node; one that is not renewed is tried again at the next beat.
async fn beat(client: &Client, name: &str, now: Timestamp) {
    if let Err(error) = renew(client, name, now).await {
        tracing::info!(name, %error, "a lease was not renewed");
    }
}

async fn renew(client: &Client, name: &str, now: Timestamp) -> Result<(), kube::Error> {
    let lease = ObjectRef::new("coordination.k8s.io/v1", "Lease", "kube-node-lease", name);
    let at = now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let spec =
        json!({"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": at});
    match send(client, patch(&lease, Part::Main, &json!({"spec": spec}))).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {
            let object = json!({
                "apiVersion": lease.api_version, "kind": lease.kind,
                "metadata": {"name": name, "namespace": lease.namespace}, "spec": spec,
            });
            send(client, create(&object)).await.map(drop)
        }
        answer => answer.map(drop),
    }
}

fn node(name: &str) -> ObjectRef {
    ObjectRef::new("v1", "Node", "", name)
}

/// A node as an object, ready since `now`.
fn object(name: &str, address: Ipv4Addr, now: Timestamp) -> Value {
    let room = json!({"cpu": "64", "memory": "256Gi", "pods": "65024", "ephemeral-storage": "1Ti"});
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "node-role.kubernetes.io/control-plane": "",
        }},
        "spec": {},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": address.to_string()},
                {"type": "Hostname", "address": name},
            ],
            "capacity": room,
            "allocatable": room,
            "conditions": [ready("True", now)],
            "nodeInfo": {
                "architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": "v1.36.3",
                "containerRuntimeVersion": "ringfence://1", "kernelVersion": "", "osImage": "Ringfence",
                "bootID": "", "machineID": "", "systemUUID": "", "kubeProxyVersion": "",
            },
        },
    })
}

fn ready(status: &str, now: Timestamp) -> Value {
    let at = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (reason, message) = match status {
        "True" => ("KubeletReady", "kubelet is posting ready status"),
        _ => ("NodeStatusUnknown", "Kubelet stopped posting node status."),
    };
    json!({
        "type": "Ready", "status": status, "reason": reason, "message": message,
        "lastHeartbeatTime": at, "lastTransitionTime": at,
    })
}

/// What the cluster does about a node: mark one that is lost, let its pods go, and take it back.
///
/// `pods` are those on it; a real controller manager does all of this but the last itself.
pub(crate) fn decide(
    object: &Node,
    lost_since: Option<Timestamp>,
    pods: &[&Pod],
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    let Some(since) = lost_since else {
        take_back(object, now, &mut decision);
        return decision;
    };
    let unreachable = spans::after(since, GRACE);
    if now < unreachable {
        decision.wake_at(unreachable);
        return decision;
    }
    if status(object) == Some("True") {
        mark(object, pods, now, &mut decision);
    }
    let over = spans::after(unreachable, TOLERATION);
    if now < over {
        decision.wake_at(over);
        return decision;
    }
    for pod in pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let uid = pod.metadata.uid.clone();
        decision.push(Effect::Delete { target: reference(*pod), uid, grace: Grace::Asked });
    }
    decision
}

/// The ready condition of a node.
fn status(node: &Node) -> Option<&str> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready")?;
    Some(ready.status.as_str())
}

fn mark(object: &Node, pods: &[&Pod], now: Timestamp, decision: &mut Decision) {
    let name = name_of(&object.metadata);
    decision.tell(object, "NodeNotReady", format!("Node {name} status is now: NodeNotReady"));
    condition(name, "Unknown", now, decision);
    let taint = |effect: &str| json!({"key": UNREACHABLE, "effect": effect});
    let taints = json!([taint("NoSchedule"), taint("NoExecute")]);
    let body = json!({"metadata": {"uid": uid_of(&object.metadata)}, "spec": {"taints": taints}});
    decision.push(Effect::Patch { target: node(name), part: Part::Main, body });
    let at = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let unready = json!([{"type": "Ready", "status": "False", "lastTransitionTime": at}]);
    for pod in pods {
        let body =
            json!({"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": unready}});
        decision.push(Effect::Patch { target: reference(*pod), part: Part::PodStatus, body });
    }
}

fn take_back(object: &Node, now: Timestamp, decision: &mut Decision) {
    let name = name_of(&object.metadata);
    if status(object) != Some("True") {
        decision.tell(object, "NodeReady", format!("Node {name} status is now: NodeReady"));
        condition(name, "True", now, decision);
    }
    let taints = object.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    let (gone, kept): (Vec<&Taint>, Vec<&Taint>) =
        taints.partition(|taint| taint.key == UNREACHABLE);
    if !gone.is_empty() {
        let body = json!({"spec": {"taints": wire(&kept)}});
        decision.push(Effect::Patch { target: node(name), part: Part::Main, body });
    }
}

fn condition(name: &str, status: &str, now: Timestamp, decision: &mut Decision) {
    let body = json!({"status": {"conditions": [ready(status, now)]}});
    decision.push(Effect::Patch { target: node(name), part: Part::Status, body });
}
