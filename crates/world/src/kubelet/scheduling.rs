//! Choosing a node for a pod: the least burdened of those that are up and let it in.

use super::{conditions::condition, lifecycle::report};
use crate::{
    effect::{Decision, Effect},
    objects::{labels_of, name_of, namespace_of, reference},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};
use std::collections::BTreeMap;

/// The scheduler this stands in for.
const SCHEDULER: &str = "default-scheduler";

/// No node takes a pod: the message says why for how many.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unschedulable(String);

/// The node for a pod, given how many pods each node has.
///
/// # Errors
/// [`Unschedulable`] when no node takes it.
pub(crate) fn choose<'a>(
    pod: &Pod,
    nodes: impl Iterator<Item = &'a Node>,
    burdens: &BTreeMap<String, usize>,
) -> Result<String, Unschedulable> {
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut fitting: Vec<(usize, &str)> = Vec::new();
    let mut all = 0;
    for node in nodes {
        all += 1;
        let name = name_of(&node.metadata);
        match refusal(pod, node) {
            Some(why) => *refused.entry(why).or_default() += 1,
            None => fitting.push((burdens.get(name).copied().unwrap_or(0), name)),
        }
    }
    if let Some((_, name)) = fitting.into_iter().min() {
        return Ok(name.to_owned());
    }
    let reasons: Vec<String> =
        refused.into_iter().map(|(why, count)| format!("{count} node(s) {why}")).collect();
    let tail = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) };
    Err(Unschedulable(format!("0/{all} nodes are available{tail}.")))
}

fn refusal(pod: &Pod, node: &Node) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    if node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true)) {
        return Some("were unschedulable".into());
    }
    let tolerations = spec.tolerations.as_deref().unwrap_or_default();
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    let untolerated = taints
        .filter(|taint| taint.effect != "PreferNoSchedule")
        .find(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)));
    if let Some(taint) = untolerated {
        return Some(format!("had untolerated taint(s) {{{}}}", taint.key));
    }
    let labels = labels_of(&node.metadata);
    let wanted = spec.node_selector.iter().flatten();
    let selected = wanted.into_iter().all(|(key, value)| labels.get(key) == Some(value));
    (!selected || !is_named(pod, name_of(&node.metadata)))
        .then(|| "didn't match Pod's node affinity/selector".into())
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let exists = toleration.operator.as_deref() == Some("Exists");
    let key = toleration.key.as_deref().unwrap_or_default();
    let same_key = key == taint.key || (key.is_empty() && exists);
    let same_effect =
        toleration.effect.as_deref().is_none_or(|e| e.is_empty() || e == taint.effect);
    let same_value = exists
        || toleration.value.as_deref().unwrap_or_default()
            == taint.value.as_deref().unwrap_or_default();
    same_key && same_effect && same_value
}

/// Whether a pod that is meant for nodes by name, as those of a DaemonSet are, is meant for this one.
fn is_named(pod: &Pod, node: &str) -> bool {
    let affinity = pod.spec.as_ref().and_then(|spec| spec.affinity.as_ref());
    let required = affinity
        .and_then(|affinity| affinity.node_affinity.as_ref())
        .and_then(|node| node.required_during_scheduling_ignored_during_execution.as_ref());
    let terms = required.map(|required| required.node_selector_terms.as_slice());
    let names: Vec<&String> = terms
        .unwrap_or_default()
        .iter()
        .flat_map(|term| term.match_fields.iter().flatten())
        .filter(|field| field.key == "metadata.name" && field.operator == "In")
        .flat_map(|field| field.values.iter().flatten())
        .collect();
    names.is_empty() || names.iter().any(|name| *name == node)
}

/// Binds a pod to the chosen node, or says why it is not.
pub(super) fn bind(
    pod: &Pod,
    node: Option<&Result<String, Unschedulable>>,
    now: Timestamp,
    decision: &mut Decision,
) {
    let Some(spec) = &pod.spec else { return };
    if spec.scheduler_name.as_deref().is_some_and(|name| name != SCHEDULER) {
        return;
    }
    if spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()) {
        let message = "Scheduling is blocked due to non-empty scheduling gates".to_owned();
        return refuse(pod, "SchedulingGated", message, now, decision);
    }
    match node {
        None => {}
        Some(Err(why)) => refuse(pod, "Unschedulable", why.to_string(), now, decision),
        Some(Ok(node)) => {
            let uid = pod.metadata.uid.clone();
            decision.push(Effect::Bind { target: reference(pod), uid, node: node.clone() });
            let (namespace, name) = (namespace_of(&pod.metadata), name_of(&pod.metadata));
            let message = format!("Successfully assigned {namespace}/{name} to {node}");
            decision.tell(pod, "Scheduled", message);
        }
    }
}

fn refuse(
    pod: &Pod,
    reason: &'static str,
    message: String,
    now: Timestamp,
    decision: &mut Decision,
) {
    let old = pod.status.clone().unwrap_or_default();
    let mut new = old.clone();
    condition(&mut new, "PodScheduled", Some((reason, message.clone())), now);
    let report = report(pod, &old, &new);
    if report.is_some() && reason == "Unschedulable" {
        decision.warn(pod, "FailedScheduling", message);
    }
    decision.effects.extend(report);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn node(name: &str, spec: &Value) -> Node {
        let metadata = json!({"name": name, "labels": {"zone": name}});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    fn check(pod: &Value, expected: Result<&str, &str>) {
        let mut spec = pod.clone();
        spec["containers"] = json!([]);
        let pod: Pod = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
        let taint = json!({"taints": [{"key": "lost", "effect": "NoExecute"}]});
        let nodes = [
            node("a", &json!({})),
            node("b", &json!({})),
            node("c", &json!({"unschedulable": true})),
            node("d", &taint),
        ];
        let burdens = BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]);
        let found = choose(&pod, nodes.iter(), &burdens);
        let found = found.map_err(|why| why.to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{spec}");
    }

    #[test]
    fn the_least_burdened_node_that_lets_a_pod_in_is_chosen() {
        check(&json!({}), Ok("b"));
        check(&json!({"nodeSelector": {"zone": "a"}}), Ok("a"));
        check(&json!({"tolerations": [{"operator": "Exists"}]}), Ok("d"));
        let named = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}]}}});
        check(&json!({"affinity": named}), Ok("a"));
        check(
            &json!({"nodeSelector": {"zone": "z"}}),
            Err(
                "0/4 nodes are available: 2 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s) {lost}, 1 node(s) were unschedulable.",
            ),
        );
    }
}
