//! Rollouts that take their template from a Deployment.

use crate::{act::Act, case::Case};
use chance::Chance;
use serde_json::{Value, json};

/// What becomes of the Deployment once the rollout runs the pods.
const SCALE_DOWN: [Option<&str>; 5] =
    [None, Some("never"), Some("onsuccess"), Some("progressively"), Some("progressively")];

/// Moves the template into a Deployment, at times.
pub(crate) fn add(chance: &mut Chance, case: &mut Case) {
    if !chance.percent(20) {
        return;
    }
    let name = format!("{}-work", case.name);
    let scale_down = chance.one(SCALE_DOWN);
    let keeps_selector = chance.percent(50);
    let Some(spec) = case.spec_mut().as_object_mut() else { return };
    let Some(template) = spec.shift_remove("template") else { return };
    let selector = spec["selector"].clone();
    if !keeps_selector {
        spec.shift_remove("selector");
    }
    let mut reference = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": name });
    if let Some(scale_down) = scale_down {
        reference["scaleDown"] = json!(scale_down);
    }
    spec.insert("workloadRef".to_owned(), reference);
    let replicas = chance.one([0, 1, 2, 3]);
    case.add_beside(deployment(&name, replicas, &selector, &template));
    if chance.percent(25) {
        let patch = json!({ "spec": { "replicas": chance.one([0, 1, 2]) } });
        let place = 1 + chance.below(case.acts.len());
        case.acts.insert(place, Act::Amend { kind: "Deployment", name, patch });
    }
}

fn deployment(name: &str, replicas: u32, selector: &Value, template: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name },
        "spec": { "replicas": replicas, "selector": selector, "template": template },
    })
}
