//! The rollouts that controllers are measured with.

use differential::Side;
use serde_json::{Value, json};

/// The image that every rollout begins with.
const FIRST_IMAGE: &str = "demo:1";
/// The steps' weights; each is followed by a pause of a second.
const WEIGHTS: [i32; 5] = [20, 40, 60, 80, 100];
/// The name of the rollout that is changed all by itself.
pub(super) const LONE: &str = "lone";

/// A rollout of the load, by its number.
pub(super) fn rollout(side: Side, number: usize, replicas: u32) -> Value {
    let steps =
        WEIGHTS.map(|weight| json!([{ "setWeight": weight }, { "pause": { "duration": 1 } }]));
    let steps: Vec<Value> = steps.iter().filter_map(Value::as_array).flatten().cloned().collect();
    object(side, &name(number), replicas, &json!(steps))
}

/// A rollout that stops at its first step, so that nothing but the first reaction is measured.
pub(super) fn lone(side: Side) -> Value {
    object(side, LONE, 1, &json!([{ "pause": {} }]))
}

/// The name of a rollout of the load.
pub(super) fn name(number: usize) -> String {
    format!("load-{number:05}")
}

/// What gives a rollout another version.
pub(super) fn change(version: usize) -> Value {
    json!({ "spec": { "template": { "spec": { "containers": [{ "name": "main", "image": format!("demo:{version}") }] } } } })
}

fn object(side: Side, name: &str, replicas: u32, steps: &Value) -> Value {
    let labels = json!({ "app": name });
    let containers = json!([{ "name": "main", "image": FIRST_IMAGE }]);
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": { "name": name, "labels": { api::argo::keys::CONTROLLER_INSTANCE_ID: side.name() } },
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 1,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": containers, "terminationGracePeriodSeconds": 0 },
            },
            "strategy": { "canary": { "steps": steps } },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rollout_can_be_read_and_a_change_touches_its_container_only() {
        for object in [rollout(Side::Ours, 7, 2), lone(Side::Peer)] {
            let rollout: api::argo::Rollout = serde_json::from_value(object).unwrap();
            assert!(rollout.spec.strategy.canary.is_some());
        }
        assert_eq!(
            rollout(Side::Ours, 7, 2)["spec"]["strategy"]["canary"]["steps"][8],
            json!({"setWeight": 100})
        );
    }
}
