//! The two hashes of a rollout: that of its pod template, and that of its steps.
//!
//! Both are those the Go controller writes: taking over a rollout under way does not start its steps
//! afresh, and ReplicaSets are named as it names them. The hash of an existing ReplicaSet is always taken
//! from its label, for it may come from another version.

mod go_json;

use api::{argo::CanaryStep, go_json::escaped_for_html};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::Value;

const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;
/// Letters and digits that make no bad words, as Kubernetes names use them.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Bytes the collision count takes in the hash.
const COLLISION_BYTES: usize = 8;

/// Hash of a pod template; `collisions` makes it another one when a name was taken.
pub(crate) fn template_hash(template: &PodTemplateSpec, collisions: Option<i32>) -> String {
    let template = serde_json::to_value(template).unwrap_or_default();
    let mut bytes = escaped_for_html(&go_json::pod_template(&template)).into_bytes();
    if let Some(count) = collisions {
        let mut tail = [0; COLLISION_BYTES];
        tail[..size_of::<i32>()].copy_from_slice(&count.to_le_bytes());
        bytes.extend(tail);
    }
    encoded(&bytes)
}

/// Hash of the steps as the Go controller computes it.
pub(crate) fn steps_hash(steps: &[CanaryStep]) -> String {
    let json = match serde_json::to_value(steps) {
        Ok(Value::Array(steps)) if !steps.is_empty() => go_json::canary_steps(&steps),
        _ => "null".to_owned(),
    };
    encoded(escaped_for_html(&json).as_bytes())
}

fn encoded(bytes: &[u8]) -> String {
    let sum = fnv(bytes);
    let safe = |digit: u8| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()]);
    sum.to_string().bytes().map(safe).collect()
}

/// FNV-1a of 32 bits.
pub(crate) fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(FNV_OFFSET, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(FNV_PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn steps_hash_as_the_go_controller_hashes_them() {
        let check = |steps: Value, expected: &str| {
            let steps: Vec<CanaryStep> = serde_json::from_value(steps).unwrap();
            assert_eq!(steps_hash(&steps), expected);
        };
        check(json!([{"pause": {}}]), "6b9b86fbd5");
        check(json!([{"pause": {}}, {"pause": {}}]), "79c9b9f6bf");
        check(json!([]), "5ffbfbbd64");
        // What an experiment does not have, Go writes as empty objects.
        let baseline = json!({"name": "baseline", "specRef": "stable"});
        let labels = json!({"labels": {"part": "candidate"}, "annotations": {"note": "canary"}});
        let candidate =
            json!({"name": "candidate", "specRef": "canary", "replicas": 1, "metadata": labels});
        let experiment = json!({"templates": [baseline, candidate], "duration": "1s", "scaleDownDelaySeconds": 0});
        let analysis = json!({"templates": [{"templateName": "c01024-endless"}]});
        let steps = [
            json!({"analysis": analysis}),
            json!({"setWeight": 100}),
            json!({"experiment": experiment}),
            json!({"pause": {"duration": "1h"}}),
        ];
        check(json!(steps), "7c7954d55b");
    }

    #[test]
    fn templates_hash_as_the_go_controller_hashes_them() {
        let check = |template: &Value, expected: [&str; 2]| {
            let template: PodTemplateSpec = serde_json::from_value(template.clone()).unwrap();
            let hashes = [template_hash(&template, None), template_hash(&template, Some(1))];
            assert_eq!(hashes, expected);
        };
        let container = json!({"name": "app", "image": "v1"});
        let plain =
            json!({"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [container]}});
        check(&plain, ["78894b6d56", "d4989dc8f"]);
        check(&rich(), ["7df4d7fc7c", "bfcbdcff6"]);
    }

    /// Whatever Go leaves out, writes although it is empty, sorts, escapes or brings into another form.
    fn rich() -> Value {
        let from = json!({"resourceFieldRef": {"resource": "limits.cpu"}});
        let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1.5Gi"}}});
        let term =
            json!({"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "shop"}}});
        let preferred = json!([{"weight": 1, "podAffinityTerm": term}]);
        json!({
            "metadata": {"annotations": {"b": "<&>", "a": "x"}, "labels": {"app": "shop"}},
            "spec": {
                "nodeSelector": {"disk": "ssd"},
                "containers": [{
                    "name": "app", "image": "v1", "args": [], "command": ["run"],
                    "env": [{"name": "A"}, {"name": "B", "valueFrom": from}],
                    "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                    "resources": {"requests": {"memory": "1024Mi", "cpu": "0.5"}},
                    "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "initialDelaySeconds": 0, "periodSeconds": 5},
                    "securityContext": {"runAsNonRoot": false, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [{"mountPath": "/data", "name": "data", "readOnly": false}],
                }],
                "volumes": [
                    {"name": "data", "emptyDir": {}},
                    {"name": "conf", "configMap": {"name": "conf", "items": [{"key": "k", "path": "p"}]}},
                    {"name": "claim", "ephemeral": {"volumeClaimTemplate": {"spec": claim}}},
                ],
                "terminationGracePeriodSeconds": 0,
                "hostNetwork": false,
                "tolerations": [{"key": "k", "operator": "Exists"}],
                "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}},
                "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
            },
        })
    }

    #[test]
    fn a_collision_gives_another_template_hash() {
        let template = PodTemplateSpec::default();
        assert_ne!(template_hash(&template, None), template_hash(&template, Some(1)));
        assert_ne!(template_hash(&template, Some(1)), template_hash(&template, Some(2)));
    }
}
