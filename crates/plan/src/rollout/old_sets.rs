//! Taking down ReplicaSets that are neither new nor stable, and deleting those beyond the history.
//!
//! A ReplicaSet that a service or route still leads to keeps its pods.

use super::{
    draft::Draft,
    scaling::{Deadline, Scaled, scale},
    services,
    sets::SetExt,
    subject::Subject,
    traffic::{self, View},
    waits::Wait,
};
use api::argo::{AnalysisPhase, keys};
use jiff::SignedDuration;
use k8s_openapi::api::apps::v1::ReplicaSet;

/// Old ReplicaSets kept when the spec does not say.
const DEFAULT_HISTORY: i32 = 10;

/// Scales the others of a canary down.
pub(crate) fn reconcile_canary(
    subject: &Subject<'_>,
    view: Option<&View>,
    draft: &mut Draft,
) -> Scaled {
    let mut scaled = Scaled::No;
    let others = active(subject);
    for set in others.iter().filter(|set| set.available() < set.wanted()) {
        if held_by_traffic(subject, view, set, draft) {
            continue;
        }
        scaled = either(scaled, scale(subject, set, set.available(), Deadline::Keep, draft));
    }
    let least = subject.replicas() - subject.size().max_unavailable;
    // Pods that are on their way out are not counted on, available as they may still be.
    let stay = subject.sets().map(|set| set.available().min(set.wanted()));
    let mut room = stay.sum::<i32>() - least;
    let mut kept = Kept::new(subject);
    for set in others {
        if room <= 0 {
            break;
        }
        if held_by_traffic(subject, view, set, draft) || held_by_service(subject, view, set, draft)
        {
            continue;
        }
        let target = canary_target(subject, set, room, &mut kept, draft);
        if target != set.wanted()
            && scale(subject, set, target, drop_at_zero(target), draft) == Scaled::Yes
        {
            scaled = Scaled::Yes;
            room -= set.wanted() - target;
        }
    }
    scaled
}

fn either(one: Scaled, other: Scaled) -> Scaled {
    if one == Scaled::Yes { one } else { other }
}

fn drop_at_zero(target: i32) -> Deadline {
    if target == 0 { Deadline::Drop } else { Deadline::Keep }
}

fn canary_target(
    subject: &Subject<'_>,
    set: &ReplicaSet,
    room: i32,
    kept: &mut Kept<'_, '_>,
    draft: &mut Draft,
) -> i32 {
    if !subject.is_routed() {
        return (set.wanted() - room).max(0);
    }
    // A version that was overtaken may have had users a moment ago; the data plane may not know yet.
    if subject.is_dynamic() { 0 } else { kept.target(set, set.wanted(), draft) }
}

/// Scales the others of blue-green down.
pub(crate) fn reconcile_blue_green(subject: &Subject<'_>, draft: &mut Draft) {
    if subject.pause(keys::PAUSE_INCONCLUSIVE_ANALYSIS).is_some() || awaits_post_promotion(subject)
    {
        return;
    }
    let mut kept = Kept::new(subject);
    for set in active(subject) {
        if held_by_traffic(subject, None, set, draft) {
            continue;
        }
        let target = kept.target(set, subject.replicas(), draft);
        if target != set.wanted() {
            scale(subject, set, target, drop_at_zero(target), draft);
        }
    }
}

/// Without a delay of their own, old pods stay until the analysis after the switch has succeeded. Before
/// the switch it has no say.
fn awaits_post_promotion(subject: &Subject<'_>) -> bool {
    let Some(blue_green) = subject.blue_green() else { return false };
    let active = subject.status.blue_green.active_selector.as_deref();
    if active != subject.new_set().map(SetExt::hash) {
        return false;
    }
    let asked = blue_green.post_promotion_analysis.is_some()
        && blue_green.scale_down_delay_seconds.is_none();
    let run = subject.status.blue_green.post_promotion_analysis_run_status.as_ref();
    let done = run.is_some_and(|run| run.status == AnalysisPhase::Successful);
    asked && !done && !subject.is_fully_promoted()
}

/// Others with pods, newest revision first.
fn active<'a>(subject: &'a Subject<'_>) -> Vec<&'a ReplicaSet> {
    let mut sets = subject.other_sets();
    sets.retain(|set| set.wanted() > 0);
    sets.sort_by_key(|set| std::cmp::Reverse((set.revision(), set.created())));
    sets
}

fn held_by_traffic(
    subject: &Subject<'_>,
    view: Option<&View>,
    set: &ReplicaSet,
    draft: &mut Draft,
) -> bool {
    let through = traffic::leads_to(subject, view, set.hash());
    let held = through.is_some();
    if let Some(through) = through {
        draft.wait(Wait::Traffic { replica_set: set.name().to_owned(), through });
    }
    held
}

/// Whether a service of a routed canary selects `set`, as one does whose new version has no pod yet: whoever
/// tries the canary there would find nobody, whatever the weight.
fn held_by_service(
    subject: &Subject<'_>,
    view: Option<&View>,
    set: &ReplicaSet,
    draft: &mut Draft,
) -> bool {
    let service = view.and_then(|_| services::selecting(subject, set.hash()));
    let Some(service) = service else { return false };
    let through = format!("service {service}");
    draft.wait(Wait::Traffic { replica_set: set.name().to_owned(), through });
    true
}

/// The ReplicaSets kept for a while so that going back is fast.
struct Kept<'s, 'a> {
    subject: &'s Subject<'a>,
    count: i32,
}

impl<'s, 'a> Kept<'s, 'a> {
    fn new(subject: &'s Subject<'a>) -> Self {
        Self { subject, count: 0 }
    }

    /// `size` while the set may stay, and none afterwards; a set without a deadline gets one.
    fn target(&mut self, set: &ReplicaSet, size: i32, draft: &mut Draft) -> i32 {
        if self.count >= self.subject.scale_down_limit() {
            return 0;
        }
        let delay = self.subject.scale_down_delay();
        if !set.has_deadline() && delay == SignedDuration::ZERO {
            return 0;
        }
        self.count += 1;
        let until = match set.deadline() {
            Some(deadline) => deadline,
            // What nobody can read keeps nothing, upstream has it so too.
            None if set.has_deadline() => return 0,
            None => self.subject.now + delay,
        };
        if until <= self.subject.now {
            return 0;
        }
        draft.wait(Wait::ScaleDownDelay { replica_set: set.name().to_owned(), until });
        draft.wake_at(until);
        if set.has_deadline() {
            return size;
        }
        scale(self.subject, set, set.wanted(), Deadline::Set(until), draft);
        set.wanted()
    }
}

/// Deletes ReplicaSets beyond the history, oldest first, with their analysis runs.
pub(crate) fn retain(subject: &Subject<'_>, draft: &mut Draft) {
    let limit = subject.rollout.spec.revision_history_limit.unwrap_or(DEFAULT_HISTORY);
    let alive: Vec<&ReplicaSet> = subject
        .other_sets()
        .into_iter()
        .filter(|set| set.metadata.deletion_timestamp.is_none())
        .collect();
    let excess = alive.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    for set in alive.into_iter().take(excess).filter(|set| is_empty(set)) {
        draft.delete(set.target(), set.precondition());
    }
}

fn is_empty(set: &ReplicaSet) -> bool {
    let observed = set.status.as_ref().and_then(|status| status.observed_generation);
    set.wanted() == 0 && set.actual() == 0 && observed >= set.metadata.generation
}
