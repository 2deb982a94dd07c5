//! What no plan may do, checked on every plan before it is carried out.
//!
//! Start with [`check`] for rollouts and [`check_experiment`] for experiments. The laws know the outcome that must never be, not how plans are made: they read
//! the plan as the API server would and hold the result against what was observed.

mod experiment;
mod form;
mod progress;
mod steps;
mod traffic;

use crate::rollout::{Observed, resolve, sets::SetExt, subject::Subject};
use jiff::Timestamp;
use progress::Progress;
use serde_json::Value;
use vocab::{ObjectRef, PatchType, Plan, Subresource, Write};

/// A law that a plan breaks, with the facts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{law}: {detail}")]
pub struct Violation {
    /// The law.
    pub law: Law,
    /// What breaks it.
    pub detail: String,
}

/// The laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Law {
    /// Every write but a create carries a condition on the version it rests on.
    WritesCarryPreconditions,
    /// A plan writes only what belongs to the rollout or what the rollout names.
    WritesOnlyOwnKinds,
    /// A plan writes no object twice, but for its own, whose status may follow.
    WritesAnObjectOnce,
    /// The status is written last, and by no other write.
    StatusIsLast,
    /// A plan wakes in the future.
    WakesInTheFuture,
    /// Weights lie between nothing and everything and add up to everything.
    WeightsAddUp,
    /// Traffic goes only where endpoints are visible.
    TrafficNeedsEndpoints,
    /// No managed route outlives the release that asked for it.
    RoutesEndWithTheRelease,
    /// Stable keeps the pods its traffic needs.
    StableKeepsItsCapacity,
    /// No ReplicaSet loses pods that a route or service still leads to.
    TrafficLeavesFirst,
    /// In one plan traffic moves before pods go.
    TrafficIsWrittenFirst,
    /// Nothing advances past a pause.
    PausesHold,
    /// Steps are done one at a time, but for weights that need nothing but pods.
    StepsComeInOrder,
    /// A finished step opens again only for a new revision, new steps or an abort.
    FinishedStepsStayFinished,
}

impl std::fmt::Display for Law {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Every law that `plan` breaks.
pub fn check(observed: &Observed, plan: &Plan, now: Timestamp) -> Vec<Violation> {
    if plan.writes.is_empty() && plan.status.is_none() {
        return form::check_wake(plan, now).into_iter().collect();
    }
    let specification = resolve::resolved(observed);
    let Ok(resolved) = specification.outcome() else {
        // Without a template nothing but the status may be written.
        let none = plan.writes.is_empty();
        return if none {
            Vec::new()
        } else {
            vec![violation(Law::WritesOnlyOwnKinds, "the template is unknown")]
        };
    };
    let case = Case { subject: Subject::of(observed, resolved, now), plan };
    let mut violations = Vec::new();
    form::check(&case, &mut violations);
    traffic::check(&case, &mut violations);
    steps::check(&case, &mut violations);
    violations
}

/// Every law that a plan for an experiment breaks.
pub fn check_experiment(
    observed: &crate::experiment::Observed,
    plan: &Plan,
    now: Timestamp,
) -> Vec<Violation> {
    experiment::check(observed, plan, now)
}

fn violation(law: Law, detail: impl Into<String>) -> Violation {
    Violation { law, detail: detail.into() }
}

/// One plan and what it was made on.
struct Case<'a> {
    subject: Subject<'a>,
    plan: &'a Plan,
}

impl Case<'_> {
    /// The patches of main resources, each with its place in the plan.
    fn patches(&self) -> impl Iterator<Item = (usize, &ObjectRef, PatchType, &Value)> {
        self.plan.writes.iter().enumerate().filter_map(|(place, write)| match write {
            Write::Patch { target, subresource: Subresource::Main, patch_type, body, .. } => {
                Some((place, target, *patch_type, body))
            }
            _ => None,
        })
    }

    /// The objects that are made, each with its place in the plan.
    fn creates(&self) -> impl Iterator<Item = (usize, ObjectRef, &Value)> {
        self.plan.writes.iter().enumerate().filter_map(|(place, write)| match write {
            Write::Create { object } => Some((place, ObjectRef::of(object), object)),
            _ => None,
        })
    }

    /// New sizes that ReplicaSets get: place in the plan, name, pods.
    fn new_sizes(&self) -> Vec<(usize, &str, i32)> {
        let patched = self.patches().filter(|(_, target, _, _)| target.kind == "ReplicaSet");
        let sized = patched.filter_map(|(place, target, _, body)| {
            Some((
                place,
                target.name.as_str(),
                i32::try_from(body["spec"]["replicas"].as_i64()?).ok()?,
            ))
        });
        let deleted =
            self.plan.writes.iter().enumerate().filter_map(|(place, write)| match write {
                Write::Delete { target, .. } if target.kind == "ReplicaSet" => {
                    Some((place, target.name.as_str(), 0))
                }
                _ => None,
            });
        sized.chain(deleted).collect()
    }

    /// Pods a ReplicaSet is asked for once the plan is carried out.
    fn size_after(&self, name: &str) -> i32 {
        let after = self
            .new_sizes()
            .into_iter()
            .find(|(_, found, _)| *found == name)
            .map(|(_, _, size)| size);
        let before = self.subject.sets().find(|set| set.name() == name).map_or(0, SetExt::wanted);
        after.unwrap_or(before)
    }

    /// What the stored status says, and the status once the plan is carried out.
    fn progress(&self) -> (Progress, Progress) {
        let status = self.subject.rollout.status.as_ref();
        let before = status.map(Progress::of).unwrap_or_default();
        let written = self.plan.status.as_ref();
        let after = written.map_or_else(|| before.clone(), |written| before.after(written));
        (before, after)
    }
}
