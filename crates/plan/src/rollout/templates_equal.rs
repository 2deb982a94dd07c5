//! Whether a live ReplicaSet runs the wanted pod template.
//!
//! The live one carries defaults that the API server filled in, the hash label, perhaps metadata put
//! there for a role, and perhaps a rule for nodes. Only those may be extra; anything else is another template.

use super::{anti_affinity::without_injected, sets::SetExt};
use api::argo::{PodTemplateMetadata, keys};
use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::PodTemplateSpec};
use serde_json::{Map, Value, json};

/// Whether `set` runs `wanted`.
pub(crate) fn runs_template(set: &ReplicaSet, wanted: &PodTemplateSpec) -> bool {
    let Some(template) = set.spec.as_ref().and_then(|spec| spec.template.as_ref()) else {
        return false;
    };
    let [live, wanted] = [template, wanted].map(without_injected).map(serde_json::to_value);
    let (Ok(mut live), Ok(mut wanted)) = (live, wanted) else {
        return false;
    };
    remove_role_metadata(set, &mut live);
    for side in [&mut live, &mut wanted] {
        remove(side, "labels", keys::POD_TEMPLATE_HASH);
        remove(side, "metadata", "creationTimestamp");
        remove(side, "spec", "serviceAccount");
    }
    same(&live, &wanted)
}

/// Whether `set` runs at least what `wanted` says, whatever else was filled in.
pub(crate) fn covers_template(set: &ReplicaSet, wanted: &PodTemplateSpec) -> bool {
    let live = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
    match (serde_json::to_value(live), serde_json::to_value(wanted)) {
        (Ok(live), Ok(wanted)) => covers(&live, &wanted),
        _ => false,
    }
}

fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, value)| {
            live.get(key).map_or(is_default(key, value), |found| covers(found, value))
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() >= wanted.len()
                && live.iter().zip(wanted).all(|(live, wanted)| covers(live, wanted))
        }
        _ => live == wanted,
    }
}

fn remove(template: &mut Value, map: &str, key: &str) {
    let holder =
        if map == "labels" || map == "annotations" { &mut template["metadata"] } else { template };
    if let Some(entries) = holder.get_mut(map).and_then(Value::as_object_mut) {
        entries.remove(key);
    }
}

fn remove_role_metadata(set: &ReplicaSet, live: &mut Value) {
    let note = set.annotation(keys::EPHEMERAL_METADATA);
    let metadata: PodTemplateMetadata =
        note.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    metadata.labels.keys().for_each(|key| remove(live, "labels", key));
    metadata.annotations.keys().for_each(|key| remove(live, "annotations", key));
}

/// Whether both say the same once defaults are left out of account.
fn same(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => same_fields(live, wanted),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live.iter().zip(wanted).all(|(live, wanted)| same(live, wanted))
        }
        _ => live == wanted,
    }
}

fn same_fields(live: &Map<String, Value>, wanted: &Map<String, Value>) -> bool {
    let kept = wanted.iter().all(|(key, value)| match live.get(key) {
        Some(found) => same(found, value),
        None => is_default(key, value),
    });
    let extra = live.iter().filter(|(key, _)| !wanted.contains_key(*key));
    kept && extra.into_iter().all(|(key, value)| is_default(key, value))
}

/// Whether the API server may have filled `value` in by itself.
fn is_default(key: &str, value: &Value) -> bool {
    let empty = match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    empty || defaults(key).contains(value)
}

fn defaults(key: &str) -> Vec<Value> {
    match key {
        "restartPolicy" => vec![json!("Always")],
        "dnsPolicy" => vec![json!("ClusterFirst")],
        "schedulerName" => vec![json!("default-scheduler")],
        "terminationGracePeriodSeconds" => vec![json!(30)],
        "terminationMessagePath" => vec![json!("/dev/termination-log")],
        "terminationMessagePolicy" => vec![json!("File")],
        "imagePullPolicy" => vec![json!("Always"), json!("IfNotPresent")],
        "protocol" => vec![json!("TCP")],
        "scheme" => vec![json!("HTTP")],
        "timeoutSeconds" | "successThreshold" => vec![json!(1)],
        "periodSeconds" => vec![json!(10)],
        "failureThreshold" => vec![json!(3)],
        "defaultMode" => vec![json!(420)],
        "apiVersion" => vec![json!("v1")],
        "enableServiceLinks" => vec![json!(true)],
        "type" | "service" => vec![json!("")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(value: Value) -> PodTemplateSpec {
        serde_json::from_value(value).unwrap()
    }

    fn check(live: Value, wanted: Value, expected: bool) {
        let mut set = ReplicaSet::default();
        set.spec.get_or_insert_default().template = Some(template(live));
        assert_eq!(runs_template(&set, &template(wanted)), expected);
    }

    #[test]
    fn defaults_and_the_hash_label_make_no_other_template() {
        let wanted = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let live = json!({
            "metadata": {"labels": {"app": "a", "rollouts-pod-template-hash": "x"}},
            "spec": {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "securityContext": {},
                "containers": [{"name": "c", "image": "i", "imagePullPolicy": "IfNotPresent", "resources": {}}]}
        });
        check(live, wanted, true);
    }

    #[test]
    fn a_field_taken_away_makes_another_template() {
        let wanted = json!({"spec": {"containers": [{"name": "c", "image": "i"}]}});
        check(
            json!({"spec": {"containers": [{"name": "c", "image": "i", "command": ["x"]}]}}),
            wanted.clone(),
            false,
        );
        check(json!({"spec": {"containers": [{"name": "c", "image": "j"}]}}), wanted, false);
    }
}
