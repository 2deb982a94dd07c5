//! Two verbs only pods have: eviction and binding.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::{ApiError, Cause};
use crate::object::{Object, field_mut, is_deleting, items, map_mut};
use crate::options::{DeleteOptions, DryRun, WriteOptions};
use crate::resource::{Address, GroupResource};
use crate::selector::LabelSelector;
use crate::store::{Store, time_text};
use crate::verbs::{Deleted, Written};

/// How long a refused eviction should wait, in seconds.
const EVICTION_RETRY_SECONDS: u32 = 10;

impl Store {
    /// Deletes a pod if its disruption budgets allow it; a 429 otherwise.
    pub fn evict(
        &mut self,
        pod: &Address,
        options: &DeleteOptions,
        now: Timestamp,
    ) -> Result<Deleted, ApiError> {
        let object = self.get(pod)?;
        let finished = matches!(
            object.value()["status"]["phase"].as_str(),
            Some("Succeeded" | "Failed" | "Pending")
        );
        if !finished && !is_deleting(object.value()) {
            self.check_budgets(&object)?;
        }
        self.delete(pod, options, now)
    }

    /// Puts a pod on a node, once.
    pub fn bind(
        &mut self,
        pod: &Address,
        node: &str,
        options: &WriteOptions,
        now: Timestamp,
    ) -> Result<Written, ApiError> {
        let resource = self.catalogue.get(&pod.resource)?;
        let old = self.current(&resource, pod)?;
        let binding = GroupResource::new("", "pods/binding");
        if is_deleting(old.value()) {
            let why = format!("pod {} is being deleted, cannot be assigned to a host", pod.name);
            return Err(ApiError::conflict(&binding, &pod.name, &why));
        }
        if let Some(taken) =
            old.value()["spec"]["nodeName"].as_str().filter(|node| !node.is_empty())
        {
            let why = format!("pod {} is already assigned to node {taken:?}", pod.name);
            return Err(ApiError::conflict(&binding, &pod.name, &why));
        }
        let mut new = old.value().clone();
        crate::path::set(&mut new, "spec.nodeName", json!(node));
        let status = map_mut(field_mut(&mut new, "status"));
        let conditions = status.entry("conditions").or_insert_with(|| json!([]));
        if let Value::Array(list) = conditions {
            list.retain(|condition| condition["type"] != "PodScheduled");
            list.push(json!({
                "type": "PodScheduled", "status": "True", "lastProbeTime": null,
                "lastTransitionTime": time_text(now),
            }));
        }
        let object = match options.dry_run {
            DryRun::All => Arc::new(Object::new(new, old.resource_version())),
            DryRun::No => self.keep(&resource.storage(), new, now),
        };
        Ok(Written { object, created: false, warnings: Vec::new() })
    }

    /// Budgets are counted from the pods there are, so that nobody has to keep their status.
    fn check_budgets(&self, pod: &Object) -> Result<(), ApiError> {
        let namespace = Some(pod.namespace());
        let budgets = self.racks.get(&GroupResource::new("policy", "poddisruptionbudgets"));
        for budget in budgets.into_iter().flat_map(|rack| rack.within(namespace)) {
            let spec = &budget.value()["spec"];
            let selector = LabelSelector::from_object(&spec["selector"]);
            if !selector.matches(&pod.value()["metadata"]["labels"]) {
                continue;
            }
            let (healthy, total) = self.count_pods(&selector, pod.namespace());
            if !allows(spec, healthy, total) {
                return Err(refused(budget, (healthy, total)));
            }
        }
        Ok(())
    }

    fn count_pods(&self, selector: &LabelSelector, namespace: &str) -> (i64, i64) {
        let pods = self.racks.get(&GroupResource::new("", "pods"));
        let pods = pods.into_iter().flat_map(|rack| rack.within(Some(namespace)));
        let mut counts = (0, 0);
        for pod in pods.map(|pod| pod.value()) {
            if selector.matches(&pod["metadata"]["labels"]) {
                counts.0 += i64::from(is_ready(pod) && !is_deleting(pod));
                counts.1 += 1;
            }
        }
        counts
    }
}

fn is_ready(pod: &Value) -> bool {
    let ready = |one: &Value| one["type"] == "Ready" && one["status"] == "True";
    items(&pod["status"]["conditions"]).iter().any(ready)
}

fn allows(budget: &Value, healthy: i64, total: i64) -> bool {
    let after = healthy - 1;
    if let Some(least) = budget.get("minAvailable") {
        return after >= amount(least, total);
    }
    match budget.get("maxUnavailable") {
        Some(most) => total - after <= amount(most, total),
        None => true,
    }
}

/// A count, or a percentage of a total rounded up.
fn amount(value: &Value, total: i64) -> i64 {
    let percent = value.as_str().and_then(|text| text.strip_suffix('%')?.parse::<i64>().ok());
    match percent {
        Some(percent) => (percent * total + 99) / 100,
        None => value.as_i64().unwrap_or(0),
    }
}

fn refused(budget: &Object, (healthy, total): (i64, i64)) -> ApiError {
    let spec = &budget.value()["spec"];
    let needed = match (spec.get("minAvailable"), spec.get("maxUnavailable")) {
        (Some(least), _) => amount(least, total),
        (None, Some(most)) => (total - amount(most, total)).max(0),
        (None, None) => 0,
    };
    let mut error = ApiError::too_many_requests(
        "Cannot evict pod as it would violate the pod's disruption budget.",
        EVICTION_RETRY_SECONDS,
    );
    error.details.causes.push(Cause {
        reason: "DisruptionBudget".into(),
        message: format!(
            "The disruption budget {} needs {needed} healthy pods and has {healthy} currently",
            budget.name()
        ),
        field: String::new(),
    });
    error
}
