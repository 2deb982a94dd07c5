//! A planner that is bent in one place, and what bending takes.
//!
//! Each bend is a function over plain JSON of what is observed, or over the plan that comes out.

use controller::Planner;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use plan::{
    analysis_run::{self, AnalysisPlan, Answer},
    laws::Violation,
    rollout::{self, Observed},
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use vocab::{ObjectRef, PatchType, Plan, Precondition, Subresource, Write};

/// Plans for rollouts.
pub(super) type Plans = fn(&Observed, Timestamp) -> Plan;
/// Plans for analysis runs.
pub(super) type Judges = fn(&analysis_run::Observed, &[Answer], Timestamp) -> AnalysisPlan;

/// After so many plans a bent planner does nothing any more: some bugs never come to rest, and virtual
/// time waits for them.
const PLANS_MAX: usize = 4000;

/// Where a planner is bent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bend {
    pub(super) plans: Plans,
    pub(super) judges: Judges,
}

/// A planner with a known bug. Its laws are off, so that others have to notice.
#[derive(Debug)]
pub(super) struct Bent {
    bend: Bend,
    planned: AtomicUsize,
}

impl Bent {
    pub(super) fn new(bend: Bend) -> Self {
        Self { bend, planned: AtomicUsize::new(0) }
    }

    fn is_worn_out(&self) -> bool {
        self.planned.fetch_add(1, Ordering::Relaxed) >= PLANS_MAX
    }
}

impl Planner for Bent {
    fn rollout(&self, observed: &Observed, now: Timestamp) -> Plan {
        if self.is_worn_out() {
            return Plan::default();
        }
        (self.bend.plans)(observed, now)
    }

    fn analysis_run(
        &self,
        observed: &analysis_run::Observed,
        answers: &[Answer],
        now: Timestamp,
    ) -> AnalysisPlan {
        if self.is_worn_out() {
            return AnalysisPlan::default();
        }
        (self.bend.judges)(observed, answers, now)
    }

    fn violations(&self, _: &Observed, _: &Plan, _: Timestamp) -> Vec<Violation> {
        Vec::new()
    }
}

/// Analysis as the product does it.
pub(super) fn judge(
    observed: &analysis_run::Observed,
    answers: &[Answer],
    now: Timestamp,
) -> AnalysisPlan {
    controller::Product.analysis_run(observed, answers, now)
}

/// The product's plan for a rollout that was changed before it was looked at.
pub(super) fn seeing(observed: &Observed, now: Timestamp, change: impl FnOnce(&mut Value)) -> Plan {
    // What the specification came to is not what a changed one comes to.
    let mut seen = Observed { specification: None, ..observed.clone() };
    if let Ok(mut rollout) = serde_json::to_value(&seen.rollout) {
        change(&mut rollout);
        if let Ok(changed) = serde_json::from_value(rollout) {
            seen.rollout = changed;
        }
    }
    rollout::plan(&seen, now)
}

/// The product's plan for another observation.
pub(super) fn with(
    observed: &Observed,
    now: Timestamp,
    change: impl FnOnce(&mut Observed),
) -> Plan {
    let mut seen = Observed { specification: None, ..observed.clone() };
    change(&mut seen);
    rollout::plan(&seen, now)
}

/// A value of the rollout by JSON pointer.
pub(super) fn field(observed: &Observed, pointer: &str) -> Value {
    let rollout = serde_json::to_value(&observed.rollout).unwrap_or_default();
    rollout.pointer(pointer).cloned().unwrap_or_default()
}

/// Whether the release is aborted.
pub(super) fn is_aborted(observed: &Observed) -> bool {
    field(observed, "/status/abort") == true
}

/// Whether all steps are done and the version is not stable yet.
pub(super) fn is_at_the_end(observed: &Observed) -> bool {
    let steps = field(observed, "/spec/strategy/canary/steps");
    let count = steps.as_array().map_or(0, Vec::len);
    let index = field(observed, "/status/currentStepIndex").as_u64();
    count > 0 && index == u64::try_from(count).ok() && is_under_way(observed)
}

/// Whether another version than the stable one is wanted.
pub(super) fn is_under_way(observed: &Observed) -> bool {
    let stable = field(observed, "/status/stableRS");
    !stable.is_null() && stable != "" && stable != field(observed, "/status/currentPodHash")
}

/// The stable ReplicaSet and the new one, by the status.
pub(super) fn set<'a>(observed: &'a Observed, pointer: &str) -> Option<&'a ReplicaSet> {
    let hash = field(observed, pointer);
    let labelled = |set: &&ReplicaSet| {
        let labels = set.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(api::argo::keys::POD_TEMPLATE_HASH)).map(String::as_str)
            == hash.as_str()
    };
    observed.replica_sets.iter().map(Arc::as_ref).find(labelled)
}

/// The stable ReplicaSet while another version is on its way.
pub(super) fn stable(observed: &Observed) -> Option<&ReplicaSet> {
    set(observed, "/status/stableRS").filter(|_| is_under_way(observed))
}

/// The new ReplicaSet.
pub(super) fn newest(observed: &Observed) -> Option<&ReplicaSet> {
    set(observed, "/status/currentPodHash")
}

/// The kind that a write is about.
pub(super) fn kind(write: &Write) -> &str {
    match write {
        Write::Create { object } => object["kind"].as_str().unwrap_or_default(),
        Write::Patch { target, .. }
        | Write::Delete { target, .. }
        | Write::Evict { target, .. } => &target.kind,
    }
}

/// Leaves some writes out of a plan.
pub(super) fn without(mut plan: Plan, left_out: impl Fn(&Write) -> bool) -> Plan {
    plan.writes.retain(|write| !left_out(write));
    plan
}

/// Scales a ReplicaSet before anything else is done, and leaves out what else would be done to it.
pub(super) fn scaled(mut plan: Plan, set: Option<&ReplicaSet>, size: i32) -> Plan {
    let Some(set) = set else { return plan };
    let metadata = &set.metadata;
    let namespace = metadata.namespace.clone().unwrap_or_default();
    let name = metadata.name.clone().unwrap_or_default();
    let target = ObjectRef::new("apps/v1", "ReplicaSet", &namespace, &name);
    plan.writes.retain(|write| !matches!(write, Write::Patch { target: of, .. } if *of == target));
    if set.spec.as_ref().and_then(|spec| spec.replicas) != Some(size) {
        plan.writes.insert(0, merge(target, json!({"spec": {"replicas": size}})));
    }
    plan
}

/// A merge patch without a condition.
pub(super) fn merge(target: ObjectRef, body: Value) -> Write {
    let (subresource, precondition) = (Subresource::Main, Precondition::default());
    Write::Patch { target, subresource, patch_type: PatchType::Merge, body, precondition }
}

/// Sets the canary's share in every HTTPRoute that was read, before anything else is done.
pub(super) fn steered(mut plan: Plan, observed: &Observed, share: i64) -> Plan {
    plan.writes.retain(|write| kind(write) != "HTTPRoute");
    let canary = field(observed, "/spec/strategy/canary/canaryService");
    for (target, object) in &observed.objects {
        let Some(object) = object.as_ref().filter(|_| target.kind == "HTTPRoute") else { continue };
        let ops = weights(object, canary.as_str().unwrap_or_default(), share);
        let (subresource, precondition) = (Subresource::Main, Precondition::default());
        let (patch_type, target) = (PatchType::Json, target.clone());
        plan.writes
            .insert(0, Write::Patch { target, subresource, patch_type, body: ops, precondition });
    }
    plan
}

fn weights(route: &Value, canary: &str, share: i64) -> Value {
    let mut ops = Vec::new();
    let rules = route["spec"]["rules"].as_array().into_iter().flatten();
    for (number, rule) in rules.enumerate() {
        let backends = rule["backendRefs"].as_array().into_iter().flatten();
        for (place, backend) in backends.enumerate() {
            let weight = if backend["name"] == canary { share } else { 100 - share };
            let path = format!("/spec/rules/{number}/backendRefs/{place}/weight");
            ops.push(json!({"op": "add", "path": path, "value": weight}));
        }
    }
    Value::Array(ops)
}

/// The canary's share of the first HTTPRoute that was read.
pub(super) fn share(observed: &Observed) -> Option<i64> {
    let canary = field(observed, "/spec/strategy/canary/canaryService");
    let mut routes = observed.objects.iter().filter(|(target, _)| target.kind == "HTTPRoute");
    let route = routes.find_map(|(_, object)| object.as_ref())?;
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array()?;
    backends.iter().find(|backend| backend["name"] == canary)?["weight"].as_i64()
}

/// Changes what a plan writes into the status.
pub(super) fn stated(mut plan: Plan, change: impl FnOnce(&mut Value)) -> Plan {
    if let Some(Write::Patch { body, .. }) = &mut plan.status {
        change(&mut body["status"]);
    }
    plan
}

/// Pretends that every pod that is wanted is there.
pub(super) fn pretend_ready(observed: &mut Observed) {
    let mut ready = std::collections::BTreeMap::new();
    for set in &mut observed.replica_sets {
        let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
        let status = Arc::make_mut(set).status.get_or_insert_default();
        (status.replicas, status.ready_replicas, status.available_replicas) =
            (wanted, Some(wanted), Some(wanted));
        let labels = set.metadata.labels.clone().unwrap_or_default();
        if let Some(hash) = labels.get(api::argo::keys::POD_TEMPLATE_HASH) {
            ready.insert(hash.clone(), wanted);
        }
    }
    for hashes in observed.endpoints.values_mut() {
        hashes.clone_from(&ready);
    }
}
