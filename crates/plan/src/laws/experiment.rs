//! Laws on plans for experiments.

use super::{Law, Violation, form::carries_precondition, violation};
use crate::{
    experiment::{Observed, subject, subject::Subject},
    rollout::sets::{self, SetExt},
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::{collections::BTreeSet, sync::Arc};
use vocab::{ObjectRef, Plan, Write};

/// Every law that `plan` breaks.
pub(super) fn check(observed: &Observed, plan: &Plan, now: Timestamp) -> Vec<Violation> {
    let mut violations = Vec::new();
    let own = subject::target(&observed.experiment);
    let mut seen = BTreeSet::new();
    for write in &plan.writes {
        if !carries_precondition(write) {
            violations.push(violation(Law::WritesCarryPreconditions, format!("{write:?}")));
        }
        if !is_own(observed, write) {
            violations.push(violation(Law::WritesOnlyOwnKinds, format!("{write:?}")));
        }
        if write.target() == own {
            violations.push(violation(Law::StatusIsLast, "the status is among the other writes"));
        }
        if !seen.insert(write.target()) {
            violations.push(violation(Law::WritesAnObjectOnce, write.target().to_string()));
        }
    }
    if let Some(status) = &plan.status {
        check_status(&own, status, &mut violations);
    }
    if plan.wake.is_some_and(|wake| wake <= now) {
        violations.push(violation(Law::WakesInTheFuture, format!("{:?}", plan.wake)));
    }
    check_shrinking(&Subject::of(observed, now), plan, &mut violations);
    violations
}

fn check_status(own: &ObjectRef, status: &Write, violations: &mut Vec<Violation>) {
    let only_status = match status {
        Write::Patch { target, body, .. } => {
            target == own && body.as_object().is_some_and(|body| body.keys().eq(["status"]))
        }
        _ => false,
    };
    if !only_status {
        violations.push(violation(Law::StatusIsLast, format!("{status:?}")));
    }
    if !carries_precondition(status) {
        violations.push(violation(Law::WritesCarryPreconditions, "the status"));
    }
}

/// What an experiment makes, changes or deletes is its own.
fn is_own(observed: &Observed, write: &Write) -> bool {
    const KINDS: [&str; 3] = ["ReplicaSet", "Service", "AnalysisRun"];
    let uid = observed.experiment.metadata.uid.as_deref();
    let target = write.target();
    let is = |metadata: &ObjectMeta| {
        metadata.name.as_deref() == Some(&target.name)
            && uid.is_some()
            && sets::controller_uid(metadata) == uid
    };
    let known = || match target.kind.as_str() {
        "ReplicaSet" => observed.replica_sets.iter().any(|set| is(&set.metadata)),
        "Service" => observed.services.iter().any(|service| is(&service.metadata)),
        "AnalysisRun" => {
            observed.analysis_runs.iter().map(Arc::as_ref).any(|run| is(&run.metadata))
        }
        _ => false,
    };
    match write {
        Write::Create { object } => {
            let owner = object["metadata"]["ownerReferences"][0]["uid"].as_str();
            KINDS.contains(&target.kind.as_str()) && owner == uid && uid.is_some()
        }
        Write::Patch { .. } => known(),
        Write::Delete { .. } => target.kind == "Service" && known(),
        Write::Evict { .. } => false,
    }
}

/// Neither pods nor the service go while a route still leads to them.
fn check_shrinking(subject: &Subject<'_>, plan: &Plan, violations: &mut Vec<Violation>) {
    for template in &subject.experiment.spec.templates {
        let Some(service) = subject.service_of(&template.name) else { continue };
        let name = service.metadata.name.as_deref().unwrap_or_default();
        if !subject.is_routed(name) {
            continue;
        }
        let set = subject.set_of(&template.name);
        let takes = |write: &&Write| match write {
            Write::Delete { target, .. } => target.kind == "Service" && target.name == name,
            Write::Patch { target, body, .. } => {
                let set = set.filter(|set| set.target() == *target);
                let size = body["spec"]["replicas"].as_i64();
                set.zip(size).is_some_and(|(set, size)| size < i64::from(set.wanted()))
            }
            _ => false,
        };
        if let Some(write) = plan.writes.iter().find(takes) {
            let detail = format!("{} goes while a route leads to {name}", write.target());
            violations.push(violation(Law::TrafficLeavesFirst, detail));
        }
    }
}
