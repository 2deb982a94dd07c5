//! Changing how many pods each ReplicaSet is asked for.
//!
//! Start with [`reconcile_canary`] and [`reconcile_blue_green`]. A ReplicaSet shrinks only when nothing
//! that was read back leads traffic to the pods it would lose.

use super::{
    draft::Draft,
    old_sets, pods,
    replicas::pods_for,
    seconds_text, services,
    sets::SetExt,
    subject::{AbortDelay, Subject},
    targets::{InForce, canary_targets, explicit_scale},
    traffic::{self, View},
    waits::Wait,
};
use api::argo::keys;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::ReplicaSet;
use serde_json::{Map, Value, json};

/// Whether something was scaled, so that the rest has to see the result first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scaled {
    /// A count was changed.
    Yes,
    /// All counts stay.
    No,
}

/// What becomes of the time after which a ReplicaSet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// As it is.
    Keep,
    /// Taken away.
    Drop,
    /// Set to this time.
    Set(Timestamp),
}

/// Scales the versions of a canary: stable first, then the new one, then the others.
pub(crate) fn reconcile_canary(
    subject: &Subject<'_>,
    view: Option<&View>,
    draft: &mut Draft,
) -> Scaled {
    if subject.is_halted() {
        return Scaled::No;
    }
    let in_force = view.map_or_else(InForce::default, |view| view.in_force(subject));
    let targets =
        canary_targets(subject, in_force.or_steered(draft.status.canary.weights.as_ref()));
    if let Some(stable) = subject.distinct_stable() {
        let target = guarded(subject, view, stable, targets.stable, draft);
        if scale(subject, stable, target, Deadline::Drop, draft) == Scaled::Yes {
            return Scaled::Yes;
        }
    }
    if scale_new(subject, view, targets.canary, draft) == Scaled::Yes {
        return Scaled::Yes;
    }
    old_sets::reconcile_canary(subject, view, draft)
}

/// Scales the versions of blue-green: stable to full size, the new one as far as it may go, the others down.
pub(crate) fn reconcile_blue_green(subject: &Subject<'_>, draft: &mut Draft) {
    if let Some(stable) = subject.distinct_stable() {
        scale(subject, stable, subject.replicas(), Deadline::Drop, draft);
    }
    scale_new(subject, None, blue_green_target(subject, draft), draft);
    old_sets::reconcile_blue_green(subject, draft);
}

/// Pods for the new version of blue-green: all, or those of the preview until it may grow.
pub(crate) fn blue_green_target(subject: &Subject<'_>, draft: &Draft) -> i32 {
    let (Some(blue_green), Some(new)) = (subject.blue_green(), subject.new_set()) else {
        return 0;
    };
    let Some(preview) = blue_green.preview_replica_count else {
        return subject.replicas();
    };
    let active = subject.status.blue_green.active_selector.as_deref().unwrap_or_default();
    let is_active = subject.set_of(active).is_none()
        || active == new.hash()
        || services::selected_after(subject, &blue_green.active_service, &draft.writes)
            == Some(new.hash())
        || subject.stable_hash() == new.hash()
        // Users are sent there at once, be it kept or stable.
        || subject.is_fast_rollback();
    let is_current = subject.status.current_pod_hash.as_deref() == Some(new.hash());
    let is_paused = subject.rollout.spec.paused || !subject.status.pause_conditions.is_empty();
    let may_grow =
        is_current && !is_paused && subject.status.blue_green.scale_up_preview_check_point;
    if is_active || subject.status.promote_full || may_grow { subject.replicas() } else { preview }
}

fn scale_new(subject: &Subject<'_>, view: Option<&View>, target: i32, draft: &mut Draft) -> Scaled {
    let Some(new) = subject.new_set() else { return Scaled::No };
    if waits_after_abort(subject, draft) {
        return scale_after_abort(subject, view, new, draft);
    }
    let forever = draft.pause.is_aborted(&subject.status)
        && subject.distinct_stable().is_some()
        && (subject.is_routed() || subject.blue_green().is_some())
        && subject.abort_delay() == AbortDelay::Forever
        && explicit_scale(subject).is_none();
    let kept = if forever { new.wanted().min(subject.replicas()) } else { 0 };
    let target = target.max(kept);
    let target = guarded(subject, view, new, target, draft);
    // What makes a rollback fast must be there until the version is stable again, or what it skips comes
    // after the switch.
    let is_fast = subject.distinct_stable().is_some() && subject.is_fast_rollback();
    let deadline = if is_fast { Deadline::Keep } else { Deadline::Drop };
    scale(subject, new, target, deadline, draft)
}

/// Whether the new version keeps its pods for a while because the update was aborted.
pub(crate) fn waits_after_abort(subject: &Subject<'_>, draft: &Draft) -> bool {
    let routed = subject.is_routed() || subject.blue_green().is_some();
    let follows = subject.is_dynamic() && !subject.has_explicit_abort_delay();
    draft.pause.is_aborted(&subject.status)
        && subject.distinct_stable().is_some()
        && routed
        && !follows
        && subject.abort_delay() != AbortDelay::Forever
}

/// Gives the new version a deadline once stable has all traffic and can carry it, and no pods after that.
fn scale_after_abort(
    subject: &Subject<'_>,
    view: Option<&View>,
    new: &ReplicaSet,
    draft: &mut Draft,
) -> Scaled {
    let held =
        |draft: &mut Draft, deadline: Deadline| scale(subject, new, new.wanted(), deadline, draft);
    if new.wanted() == 0 {
        return held(draft, Deadline::Keep);
    }
    if let Some(through) = leads_to_new(subject, view, new) {
        draft.wait(Wait::Traffic { replica_set: new.name().to_owned(), through });
        return held(draft, Deadline::Keep);
    }
    if let Some(until) = new.deadline() {
        if until <= subject.now {
            return scale(subject, new, 0, Deadline::Keep, draft);
        }
        draft.wait(Wait::ScaleDownDelay { replica_set: new.name().to_owned(), until });
        draft.wake_at(until);
        return held(draft, Deadline::Keep);
    }
    let stable = subject.stable_set().map_or(0, SetExt::available);
    if stable < subject.replicas() {
        let name = subject.stable_set().map_or_else(String::new, |set| set.name().to_owned());
        draft.wait(Wait::Stable {
            replica_set: name,
            available: stable,
            needed: subject.replicas(),
        });
        return held(draft, Deadline::Keep);
    }
    let delay = match subject.abort_delay() {
        AbortDelay::For(delay) => delay,
        AbortDelay::Forever => SignedDuration::ZERO,
    };
    draft.wake_at(subject.now + delay);
    held(draft, Deadline::Set(subject.now + delay))
}

fn leads_to_new(subject: &Subject<'_>, view: Option<&View>, new: &ReplicaSet) -> Option<String> {
    match subject.blue_green() {
        // The preview service goes on showing the aborted version; only users count.
        Some(blue_green) => services::leads_to(subject, &blue_green.active_service, new.hash())
            .then(|| format!("service {}", blue_green.active_service)),
        None => traffic::leads_to(subject, view, new.hash()),
    }
}

/// `target`, or as many pods as the traffic in force needs.
fn guarded(
    subject: &Subject<'_>,
    view: Option<&View>,
    set: &ReplicaSet,
    target: i32,
    draft: &mut Draft,
) -> i32 {
    let Some(view) = view.filter(|_| target < set.wanted()) else { return target };
    let Some(through) = view.leads_to(subject, set.hash()) else { return target };
    let is_new = subject.new_set().is_some_and(|new| new.hash() == set.hash());
    let floor = match (&view.weight, is_new && subject.distinct_stable().is_some()) {
        (Err(_), _) => set.wanted(),
        (Ok(_), false) => return target,
        (Ok(weight), true) if explicit_scale(subject).is_some() => (*weight).min(1),
        (Ok(weight), true) => pods_for(subject.replicas(), subject.share(*weight)),
    };
    let floor = floor.max(i32::from(!view.managed.is_empty()));
    if target < floor.min(set.wanted()) {
        draft.wait(Wait::Traffic { replica_set: set.name().to_owned(), through });
    }
    target.max(floor.min(set.wanted()))
}

/// Asks for `target` pods, notes the rollout's own count, and settles the deadline, in one write.
pub(crate) fn scale(
    subject: &Subject<'_>,
    set: &ReplicaSet,
    target: i32,
    deadline: Deadline,
    draft: &mut Draft,
) -> Scaled {
    let mut annotations = Map::new();
    if set.desired_replicas() != Some(subject.replicas()) {
        annotations
            .insert(keys::DESIRED_REPLICAS.to_owned(), json!(subject.replicas().to_string()));
    }
    match deadline {
        Deadline::Set(until) => {
            annotations.insert(keys::SCALE_DOWN_DEADLINE.to_owned(), json!(seconds_text(until)));
        }
        Deadline::Drop if set.has_deadline() => {
            annotations.insert(keys::SCALE_DOWN_DEADLINE.to_owned(), Value::Null);
        }
        Deadline::Drop | Deadline::Keep => {}
    }
    let before = set.wanted();
    let mut body = Map::new();
    if !annotations.is_empty() {
        body.insert("metadata".to_owned(), json!({"annotations": annotations}));
    }
    if target != before {
        body.insert("spec".to_owned(), json!({"replicas": target}));
    }
    if body.is_empty() || !draft.patch_set(set, Value::Object(body)) || target == before {
        return Scaled::No;
    }
    let direction = if target > before { "up" } else { "down" };
    let (name, revision) = (set.name(), set.revision());
    let message = format!(
        "Scaled {direction} ReplicaSet {name} (revision {revision}) from {before} to {target}"
    );
    draft.note_write(subject, "ScalingReplicaSet", message);
    Scaled::Yes
}

/// Says which pods are missing.
pub(crate) fn wait_for_pods(
    subject: &Subject<'_>,
    set: &ReplicaSet,
    wanted: i32,
    draft: &mut Draft,
) {
    if set.available() < wanted {
        let why = pods::why_not_ready(&subject.observed.pods, set, subject.now);
        let name = set.name().to_owned();
        draft.wait(Wait::Pods { replica_set: name, available: set.available(), wanted, why });
    }
}
