//! Planning one Rollout: what is there in, what to do next out.
//!
//! Start with [`plan`]. [`reads`] says what has to be gathered into an [`Observed`] beforehand. One
//! call makes at most one step of progress that touches anything but the status: it returns the writes
//! that are safe to carry out now, in an order in which any prefix is safe too, and the reasons for
//! everything that has to wait.
//!
//! **Invariant.** Nothing here remembers anything: the same observation and time give the same plan.

pub(crate) mod analysis;
mod analysis_run;
mod anti_affinity;
mod blue_green;
mod canary;
pub(crate) mod conditions;
mod destinations;
mod draft;
mod duration;
mod experiment;
mod experiment_spec;
pub mod failure;
pub(crate) mod hash;
pub mod lint;
mod made;
mod old_sets;
pub(crate) mod onward;
mod outcome;
pub(crate) mod pause;
mod phase;
pub(crate) mod pods;
mod progress;
mod promote;
mod quantities;
mod readiness;
pub(crate) mod reads;
mod release;
pub mod replicas;
pub(crate) mod resolve;
pub(crate) mod restart;
mod revision;
mod roles;
mod routes;
mod scaling;
pub(crate) mod services;
pub(crate) mod sets;
mod spent;
pub(crate) mod status;
pub(crate) mod subject;
pub(crate) mod targets;
mod templates_equal;
pub(crate) mod traffic;
pub(crate) mod validate;
mod validate_analyses;
mod validate_experiment;
mod validate_routes;
mod validate_selector;
mod waits;
mod weights;
mod workload;

pub use duration::superseded;
pub use phase::calculated_phase;
pub use reads::{Reads, analyses, nested_templates, reads, unseen_stable};
pub use resolve::Specification;
pub use revision::deleted;
pub use waits::Wait;

use crate::broken::Broken;
use api::argo::{
    AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Experiment, GenerationForm, Rollout,
    RolloutStatus, keys,
};
use draft::Draft;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{Pod, Service},
};
use outcome::Outcome;
use resolve::Resolved;
use revision::Prepared;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use subject::Subject;
use vocab::{Event, Plan, Subresource, Write};

/// Everything a plan for one rollout rests on. What was not gathered counts as missing, and the plan holds.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The rollout with its `resourceVersion` and uid.
    pub rollout: Arc<Rollout>,
    /// What this generation of it has come to before, if whoever gathers keeps that.
    pub specification: Option<Specification>,
    /// ReplicaSets of the namespace that have the hash label, that the rollout owns, or that its selector matches.
    pub replica_sets: Vec<Arc<ReplicaSet>>,
    /// The services of [`Reads::services`], those of its experiments, and while its specification is new
    /// those it manages otherwise; absent ones as `None`.
    pub services: BTreeMap<String, Option<Service>>,
    /// Ready endpoints per service and pod template hash, according to the EndpointSlices.
    pub endpoints: BTreeMap<String, BTreeMap<String, i32>>,
    /// The objects of [`Reads::objects`]; absent ones as `None`.
    pub objects: routers::Objects,
    /// Analysis runs that the rollout owns.
    pub analysis_runs: Vec<Arc<AnalysisRun>>,
    /// Names below the rollout's that analysis runs have which it does not own.
    pub taken_runs: BTreeSet<String>,
    /// Experiments that the rollout owns.
    pub experiments: Vec<Arc<Experiment>>,
    /// Analysis templates of the namespace by name; absent ones as `None`.
    pub templates: BTreeMap<String, Option<AnalysisTemplate>>,
    /// Cluster analysis templates by name; absent ones as `None`.
    pub cluster_templates: BTreeMap<String, Option<ClusterAnalysisTemplate>>,
    /// The Deployment of `spec.workloadRef`.
    pub workload: Option<Deployment>,
    /// What of all that, and of the ReplicaSets it owns, is there and cannot be understood.
    pub broken: Broken,
    /// Pods of the rollout's ReplicaSets, as evidence of why they are not ready.
    pub pods: Vec<Arc<Pod>>,
    /// Whether the API server drops `status.reasons`, as it does under upstream's definition.
    pub drops_reasons: bool,
    /// How the status names generations.
    pub generation_form: GenerationForm,
    /// Since when somebody has been there to move the rollout; earlier is not held against it.
    pub attended_since: Option<Timestamp>,
}

/// When to look again at a specification that cannot be carried out; a missing service may come.
const INVALID_AGAIN: SignedDuration = SignedDuration::from_secs(20);

/// What to do next for one rollout.
pub fn plan(observed: &Observed, now: Timestamp) -> Plan {
    if observed.rollout.metadata.deletion_timestamp.is_some() {
        return last_plan(observed, now);
    }
    // Kubernetes keeps whole seconds; a finer present would differ from itself once read back.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let specification = resolve::resolved(observed);
    let look = |observed: &Observed| look(observed, specification.outcome(), now);
    let outcome = onward::onward(observed, look(observed), look);
    let outcome = made::with_status(observed, outcome, look, now);
    let mut plan = outcome.into_plan(&observed.rollout);
    let target = reads::rollout_ref(&observed.rollout);
    let makes_known = |write: &Write| write.target() == target && leaves_a_mark(write);
    let known_by = plan.writes.iter().chain(&plan.status).position(makes_known);
    if let Some(place) = known_by.filter(|_| is_unknown(&observed.rollout)) {
        let after = Some(place + 1);
        plan.events.insert(0, Event { after, ..revision::added(&observed.rollout) });
    }
    plan
}

/// What a rollout that is going takes along: the rules it has put into routes.
fn last_plan(observed: &Observed, now: Timestamp) -> Plan {
    let mut draft = Draft::default();
    if let Ok(resolved) = resolve::resolved(observed).outcome() {
        traffic::let_go(&Subject::of(observed, resolved, now), &mut draft);
    }
    Plan { writes: draft.writes, ..Plan::default() }
}

/// Everything that is wrong with the analysis a rollout asks for, each as path and sentence; nothing but
/// the rollout and its templates need be there.
pub fn analysis_problems(observed: &Observed, now: Timestamp) -> Vec<(String, String)> {
    let unresolved = Resolved::default();
    let subject = Subject::of(observed, &unresolved, now);
    let told = |problem: validate::Problem| (problem.path, problem.text);
    validate::of_analyses(&subject).into_iter().map(told).collect()
}

/// Whether nobody has looked at the rollout yet.
fn is_unknown(rollout: &Rollout) -> bool {
    let has_status =
        rollout.status.as_ref().is_some_and(|status| *status != RolloutStatus::default());
    !has_status && sets::annotation(&rollout.metadata, keys::REVISION).is_none()
}

/// Whether a rollout is known once this is written to it: it has a status then, or a number.
fn leaves_a_mark(write: &Write) -> bool {
    match write {
        Write::Patch { subresource: Subresource::Status, .. } => true,
        Write::Patch { body, .. } => !body["metadata"]["annotations"][keys::REVISION].is_null(),
        Write::Create { .. } | Write::Delete { .. } | Write::Evict { .. } => false,
    }
}

/// What there is to do now, and no further.
fn look(observed: &Observed, resolved: Result<&Resolved, &str>, now: Timestamp) -> Outcome {
    match resolved {
        Ok(resolved) => look_resolved(Subject::of(observed, resolved, now)),
        Err(problem) => {
            let unresolved = Resolved::default();
            let subject = Subject::of(observed, &unresolved, now);
            let path = "spec.workloadRef".to_owned();
            let wait = Wait::InvalidSpec { path, problem: problem.to_owned() };
            invalid(&subject, problem, vec![wait])
        }
    }
}

fn look_resolved(mut subject: Subject<'_>) -> Outcome {
    let problems = validate::problems(&subject);
    if !problems.is_empty() {
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let wait = |problem: validate::Problem| Wait::InvalidSpec {
            path: problem.path,
            problem: problem.text,
        };
        return invalid(&subject, &text.join("; "), problems.into_iter().map(wait).collect());
    }
    let mut draft = Draft::of(&subject.status);
    if revision::prepare(&subject, &mut draft) == Prepared::LookAgain {
        return prepared(&subject, draft);
    }
    revision::note_first(&mut subject);
    pause::note(&mut subject);
    if subject.is_fully_promoted() && subject.status.abort {
        // There is nothing to abort any more.
        subject.status.abort = false;
    }
    services::release(&subject, &mut draft);
    if is_rescaled(&subject) {
        match subject.blue_green() {
            Some(_) => blue_green::rescale(&subject, &mut draft),
            None => canary::rescale(&subject, &mut draft),
        }
    } else {
        match subject.blue_green() {
            Some(strategy) => blue_green::pass(&subject, strategy, &mut draft),
            None => canary::pass(&subject, &mut draft),
        }
    }
    status::finish(&subject, draft)
}

/// Whether only the number of pods wanted changed, so that counts come first. An abort never waits for that.
fn is_rescaled(subject: &Subject<'_>) -> bool {
    let changed = match subject.blue_green() {
        Some(_) => subject.template_changed(),
        None => subject.template_or_steps_changed(),
    };
    let first = subject.status.current_pod_hash.is_none();
    !first && !changed && !subject.status.abort && !subject.is_halted() && subject.has_stale_size()
}

/// What only puts something in place.
fn prepared(subject: &Subject<'_>, draft: Draft) -> Outcome {
    let reasons = subject.status.reasons.clone();
    let Draft { writes, events, wake, status, .. } = draft;
    let outcome = Outcome { writes, events, reasons, wake, ..Outcome::default() };
    outcome.with_status(subject.rollout, status)
}

/// Says what is wrong with the specification and changes nothing else.
fn invalid(subject: &Subject<'_>, problem: &str, waits: Vec<Wait>) -> Outcome {
    let mut draft = Draft::of(&subject.status);
    draft.waits = waits;
    let message = format!("The Rollout \"{}\" is invalid: {problem}", subject.name());
    let known = subject
        .condition(keys::CONDITION_INVALID_SPEC)
        .is_some_and(|found| found.message == message);
    if !known {
        conditions::remove(&mut draft.status, keys::CONDITION_INVALID_SPEC);
        let text = ("InvalidSpec", message);
        let condition = conditions::condition(
            keys::CONDITION_INVALID_SPEC,
            conditions::TRUE,
            text,
            subject.now,
        );
        conditions::set(&mut draft.status, condition);
    }
    draft.status.observed_generation = subject.noted(subject.rollout.metadata.generation);
    draft.wake_at(subject.now + INVALID_AGAIN);
    phase::set(subject, &mut draft);
    readiness::set(&mut draft.status, (subject.observed.generation_form, subject.now));
    status::into_outcome(subject, draft)
}

/// A time as Kubernetes writes it, in whole seconds.
pub(crate) fn seconds_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
