//! The one node of the world.

use jiff::Timestamp;
use serde_json::{Value, json};

/// Its name.
pub(crate) const NAME: &str = "ringfence";
/// Its address, and so the host address of every pod.
pub(crate) const ADDRESS: &str = "127.0.0.1";

/// The node as an object, ready since `now`.
pub(crate) fn object(now: Timestamp) -> Value {
    let at = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let room = json!({"cpu": "64", "memory": "256Gi", "pods": "65024", "ephemeral-storage": "1Ti"});
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NAME, "labels": {
            "kubernetes.io/hostname": NAME,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "node-role.kubernetes.io/control-plane": "",
        }},
        "spec": {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": ADDRESS}, {"type": "Hostname", "address": NAME}],
            "capacity": room,
            "allocatable": room,
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "KubeletReady",
                "message": "kubelet is posting ready status",
                "lastHeartbeatTime": at, "lastTransitionTime": at,
            }],
            "nodeInfo": {
                "architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": "v1.36.3",
                "containerRuntimeVersion": "ringfence://1", "kernelVersion": "", "osImage": "Ringfence",
                "bootID": "", "machineID": "", "systemUUID": "", "kubeProxyVersion": "",
            },
        },
    })
}
