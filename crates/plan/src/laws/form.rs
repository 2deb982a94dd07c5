//! Laws on the writes as such.

use super::{Case, Law, Violation, violation};
use crate::rollout::{reads, services, sets, sets::SetExt};
use jiff::Timestamp;
use std::{collections::BTreeSet, sync::Arc};
use vocab::{ObjectRef, Plan, Precondition, Subresource, Write};

pub(super) fn check(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let mut seen = BTreeSet::new();
    for write in &case.plan.writes {
        if !carries_precondition(write) {
            violations.push(violation(Law::WritesCarryPreconditions, format!("{write:?}")));
        }
        if !is_own(case, write) {
            violations.push(violation(Law::WritesOnlyOwnKinds, format!("{write:?}")));
        }
        if matches!(write, Write::Patch { subresource: Subresource::Status, .. }) {
            violations.push(violation(Law::StatusIsLast, "the status is among the other writes"));
        }
        if let Some(target) = target(write).filter(|target| !seen.insert((*target).clone())) {
            violations.push(violation(Law::WritesAnObjectOnce, target.to_string()));
        }
    }
    check_status(case, violations);
    violations.extend(check_wake(case.plan, case.subject.now));
}

pub(super) fn check_wake(plan: &Plan, now: Timestamp) -> Option<Violation> {
    let wake = plan.wake.filter(|wake| *wake <= now)?;
    Some(violation(Law::WakesInTheFuture, format!("{wake:?}")))
}

fn check_status(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let Some(status) = &case.plan.status else { return };
    let own = case.subject.target();
    let right = matches!(status, Write::Patch { target, subresource: Subresource::Status, .. } if *target == own);
    if !right {
        violations.push(violation(Law::StatusIsLast, format!("{status:?}")));
    }
    if !carries_precondition(status) {
        violations.push(violation(Law::WritesCarryPreconditions, "the status"));
    }
}

fn target(write: &Write) -> Option<&ObjectRef> {
    match write {
        Write::Create { .. } => None,
        Write::Patch { target, .. }
        | Write::Delete { target, .. }
        | Write::Evict { target, .. } => Some(target),
    }
}

/// Whether a write happens only to what was observed.
pub(super) fn carries_precondition(write: &Write) -> bool {
    let versioned = |precondition: &Precondition| precondition.resource_version.is_some();
    match write {
        Write::Create { .. } => true,
        Write::Patch { precondition, .. } | Write::Delete { precondition, .. } => {
            versioned(precondition)
        }
        Write::Evict { precondition, .. } => versioned(precondition) || precondition.uid.is_some(),
    }
}

fn is_own(case: &Case<'_>, write: &Write) -> bool {
    let uid = case.subject.rollout.metadata.uid.as_deref();
    match write {
        Write::Create { object } => {
            let owner = object["metadata"]["ownerReferences"][0]["uid"].as_str();
            let kind = object["kind"].as_str().unwrap_or_default();
            let is_routed = || reads(case.subject.rollout).objects.contains(&ObjectRef::of(object));
            let is_right =
                ["ReplicaSet", "AnalysisRun", "Experiment"].contains(&kind) || is_routed();
            is_right && owner == uid && uid.is_some()
        }
        Write::Patch { target, .. } => is_own_target(case, target) || is_named(case, target),
        Write::Delete { target, .. } => {
            is_own_target(case, target) && !["Rollout", "Pod"].contains(&target.kind.as_str())
        }
        Write::Evict { target, .. } => {
            target.kind == "Pod" && target.namespace == case.subject.namespace()
        }
    }
}

/// Objects of the rollout: itself, its ReplicaSets or those nobody owns, their pods, its analysis runs and
/// experiments.
fn is_own_target(case: &Case<'_>, target: &ObjectRef) -> bool {
    let observed = case.subject.observed;
    let uid = case.subject.rollout.metadata.uid.as_deref();
    let free_or_own = |owner: Option<&str>| owner.is_none() || owner == uid;
    match target.kind.as_str() {
        "Rollout" => *target == case.subject.target(),
        "ReplicaSet" => observed
            .replica_sets
            .iter()
            .any(|set| set.target() == *target && free_or_own(sets::controller_uid(&set.metadata))),
        "AnalysisRun" => {
            let runs = observed.analysis_runs.iter().map(Arc::as_ref);
            runs.filter(|run| run.metadata.name.as_deref() == Some(&target.name))
                .any(|run| sets::controller_uid(&run.metadata) == uid)
        }
        "Experiment" => {
            let mut found =
                observed.experiments.iter().map(Arc::as_ref).map(|found| &found.metadata);
            found.any(|found| {
                found.name.as_deref() == Some(&target.name) && sets::controller_uid(found) == uid
            })
        }
        "Pod" => {
            let mut pods = observed.pods.iter().map(Arc::as_ref);
            let uids: Vec<_> = case.subject.sets().map(|set| set.metadata.uid.as_deref()).collect();
            pods.any(|pod| {
                let owner = sets::controller_uid(&pod.metadata);
                pod.metadata.name.as_deref() == Some(&target.name)
                    && owner.is_some()
                    && uids.contains(&owner)
            })
        }
        _ => false,
    }
}

/// Objects the rollout names: its services, also those it named before, what its routers read and the
/// workload it takes over.
fn is_named(case: &Case<'_>, target: &ObjectRef) -> bool {
    let reads = reads(case.subject.rollout);
    let service = target.kind == "Service" && target.namespace == case.subject.namespace();
    let named = reads.services.contains(&target.name);
    (service && (named || services::is_managed(&case.subject, &target.name)))
        || reads.objects.contains(target)
        || reads.workload.as_ref() == Some(target)
}
