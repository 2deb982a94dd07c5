//! What a Deployment reports: counts, availability, progress.

use super::{Look, available_of, rolling, sets, wanted_of};
use crate::{
    effect::Decision,
    objects::{name_of, reference, stamp},
    spans,
};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};

/// Whether every wanted pod is of the present template and available.
pub(super) fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let all = [status.updated_replicas, status.replicas, status.available_replicas];
    all.iter().all(|count| count.unwrap_or(0) == wanted)
        && status.observed_generation >= deployment.metadata.generation
}

/// Writes the status, if it changed.
pub(super) fn report(look: &Look<'_>, decision: &mut Decision) {
    let old = look.deployment.status.clone().unwrap_or_default();
    let mut new = counts(look);
    new.conditions.clone_from(&old.conditions);
    new.collision_count = old.collision_count;
    put(&mut new, availability(look), look);
    if let Some(condition) = progress(look, &old, &new) {
        put(&mut new, condition, look);
    }
    if let Some(at) = deadline(look, &new) {
        decision.wake_at(at);
    }
    decision.settle(&reference(look.deployment), &old, &new);
}

fn counts(look: &Look<'_>) -> DeploymentStatus {
    let sum = |count: fn(&ReplicaSet) -> i32| look.sets.iter().map(|set| count(set)).sum::<i32>();
    let status = |set: &ReplicaSet| set.status.clone().unwrap_or_default();
    let available = sum(available_of);
    let missing = (sum(wanted_of) - available).max(0);
    let some = |count: i32| (count > 0).then_some(count);
    DeploymentStatus {
        observed_generation: look.deployment.metadata.generation,
        replicas: some(look.sets.iter().map(|set| status(set).replicas).sum()),
        updated_replicas: some(look.new.map_or(0, |set| status(set).replicas)),
        ready_replicas: some(sum(|set| {
            set.status.as_ref().and_then(|s| s.ready_replicas).unwrap_or(0)
        })),
        available_replicas: some(available),
        unavailable_replicas: some(missing),
        terminating_replicas: Some(sum(leaving_of)),
        ..DeploymentStatus::default()
    }
}

fn leaving_of(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.terminating_replicas).unwrap_or(0)
}

fn availability(look: &Look<'_>) -> DeploymentCondition {
    let available: i32 = look.sets.iter().map(|set| available_of(set)).sum();
    let missing = if look.recreates() { 0 } else { rolling::unavailable(look) };
    if available >= look.wanted() - missing {
        let message = "Deployment has minimum availability.";
        condition("Available", "True", "MinimumReplicasAvailable", message.into())
    } else {
        let message = "Deployment does not have minimum availability.";
        condition("Available", "False", "MinimumReplicasUnavailable", message.into())
    }
}

fn progress(
    look: &Look<'_>,
    old: &DeploymentStatus,
    new: &DeploymentStatus,
) -> Option<DeploymentCondition> {
    look.deployment.spec.as_ref()?.progress_deadline_seconds?;
    let before = find(old, "Progressing");
    let reason = before.and_then(|before| before.reason.as_deref()).unwrap_or_default();
    if look.is_paused() {
        let paused = || {
            condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused".into())
        };
        return (reason != "DeploymentPaused" && reason != "NewReplicaSetAvailable").then(paused);
    }
    if reason == "DeploymentPaused" {
        return Some(condition(
            "Progressing",
            "Unknown",
            "DeploymentResumed",
            "Deployment is resumed".into(),
        ));
    }
    let subject = subject(look);
    if is_complete(look.deployment, new) && look.new.is_some() {
        let message = format!("{subject} has successfully progressed.");
        return Some(condition("Progressing", "True", "NewReplicaSetAvailable", message));
    }
    let rested = reason == "NewReplicaSetAvailable" && new.replicas == new.updated_replicas;
    if rested && look.new.is_some() {
        return None;
    }
    if look.new.is_none() {
        let message = format!("Created new replica set \"{}\"", sets::new_name(look));
        return Some(condition("Progressing", "True", "NewReplicaSetCreated", message));
    }
    if moved(old, new) {
        let message = format!("{subject} is progressing.");
        return Some(condition("Progressing", "True", "ReplicaSetUpdated", message));
    }
    let late = deadline(look, old).is_some_and(|at| at <= look.now);
    let message = format!("{subject} has timed out progressing.");
    late.then(|| condition("Progressing", "False", "ProgressDeadlineExceeded", message))
}

fn subject(look: &Look<'_>) -> String {
    match look.new {
        Some(set) => format!("ReplicaSet \"{}\"", name_of(&set.metadata)),
        None => format!("Deployment \"{}\"", name_of(&look.deployment.metadata)),
    }
}

fn moved(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    let count = |count: Option<i32>| count.unwrap_or(0);
    let old_left =
        |status: &DeploymentStatus| count(status.replicas) - count(status.updated_replicas);
    count(new.updated_replicas) > count(old.updated_replicas)
        || old_left(new) < old_left(old)
        || count(new.ready_replicas) > count(old.ready_replicas)
        || count(new.available_replicas) > count(old.available_replicas)
}

/// When lack of progress becomes a failure; `None` when progress is over, failed or not watched.
fn deadline(look: &Look<'_>, status: &DeploymentStatus) -> Option<jiff::Timestamp> {
    let seconds = look.deployment.spec.as_ref()?.progress_deadline_seconds?;
    let progress = find(status, "Progressing")?;
    let over = ["NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused"];
    if look.is_paused() || progress.reason.as_deref().is_some_and(|reason| over.contains(&reason)) {
        return None;
    }
    let since = progress.last_update_time.as_ref()?.0;
    Some(spans::after_seconds(since, i64::from(seconds)))
}

fn find<'a>(status: &'a DeploymentStatus, kind: &str) -> Option<&'a DeploymentCondition> {
    status.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind)
}

fn condition(kind: &str, status: &str, reason: &str, message: String) -> DeploymentCondition {
    DeploymentCondition {
        type_: kind.into(),
        status: status.into(),
        reason: Some(reason.into()),
        message: Some(message),
        ..DeploymentCondition::default()
    }
}

/// Puts a condition in its place; times move only with what they stand for.
fn put(status: &mut DeploymentStatus, mut new: DeploymentCondition, look: &Look<'_>) {
    let conditions = status.conditions.get_or_insert_default();
    let place = conditions.iter().position(|condition| condition.type_ == new.type_);
    new.last_update_time = stamp(look.now);
    new.last_transition_time = stamp(look.now);
    let Some(place) = place else { return conditions.push(new) };
    let old = &conditions[place];
    let same = old.status == new.status && old.reason == new.reason;
    if same && (new.reason.as_deref() != Some("ReplicaSetUpdated")) {
        return;
    }
    if old.status == new.status {
        new.last_transition_time.clone_from(&old.last_transition_time);
    }
    conditions[place] = new;
}
