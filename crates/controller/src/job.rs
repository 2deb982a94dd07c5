//! One piece of work for one key: complete the picture, plan, check, carry out.
//!
//! Start with [`Worker::rollout`]. Writes happen in order and stop at the first failure; the status
//! follows only when all went well, and events come last.
//!
//! **Invariant.** A plan that breaks a law is not carried out, and a panic while planning harms no
//! other key.

use crate::{
    cache::{Broken, Kind},
    events::{Identity, Recorder},
    failure::{Failure, caught},
    fault::{Fault, RequestFailed, THROTTLED},
    gather::{Gathered, GatheredExperiment},
    key::Key,
    last_status::{LastStatus, Telling},
    metrics::Metrics,
    planner::Planner,
    quarrel::Quarrels,
    secrets,
    surroundings::Surroundings,
    writer::{Expect, Writer, Written},
};
use api::argo::{GenerationForm, keys::CONTROLLER_INSTANCE_ID};
use clock::Clock;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use plan::{
    analysis_run::{self, AnalysisPlan, Answer, MeasurementCall},
    broken, laws,
    rollout::failure,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use vocab::{Event, EventType, ObjectRef, PatchType, Plan, Precondition, Subresource, Write};

/// What every piece of work needs. Copies share everything.
#[derive(Clone)]
pub(crate) struct Worker {
    /// Performs requests.
    pub(crate) writer: Writer,
    /// Tells people.
    pub(crate) recorder: Recorder,
    /// The time.
    pub(crate) clock: Clock,
    /// The numbers.
    pub(crate) metrics: Arc<Metrics>,
    /// On the objects that this instance works on, and put on those that it makes for itself.
    pub(crate) instance_id: Option<String>,
    /// How a rollout's status names generations.
    pub(crate) generation_form: GenerationForm,
    /// What decides.
    pub(crate) planner: Arc<dyn Planner>,
    /// Where this process runs.
    pub(crate) surroundings: Arc<Surroundings>,
    /// What others keep changing back.
    pub(crate) quarrels: Arc<Mutex<Quarrels>>,
}

/// The object a piece of work is about.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// Its key.
    pub(crate) key: Key,
    /// Its uid and version when it was gathered.
    pub(crate) identity: Identity,
    /// The failure of this key that was last told, so that it is told once.
    pub(crate) told: Option<Failure>,
    /// The last status of it that this process has written.
    pub(crate) last_status: Option<LastStatus>,
    /// How many objects had a status lately.
    pub(crate) moving: usize,
}

/// What a plan for an analysis run rests on, but for its secrets.
#[derive(Debug)]
pub(crate) struct Measuring {
    /// The planner's input.
    pub(crate) observed: analysis_run::Observed,
    /// What metrics answered since the last plan.
    pub(crate) answers: Vec<Answer>,
    /// Jobs that should be there and are not to be seen.
    pub(crate) missed: Vec<ObjectRef>,
}

/// A look at an object in this version shows nothing new while these answers are awaited, nothing is due and
/// nothing else has changed that it rests on.
#[derive(Debug)]
pub(crate) struct Settled {
    /// Its version.
    pub(crate) version: String,
    /// Metrics whose calls are under way.
    pub(crate) awaited: BTreeSet<String>,
    /// When something is due after all.
    pub(crate) until: Option<Timestamp>,
}

/// What came of a piece of work.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// What was written, for the fence.
    pub(crate) written: Vec<Written>,
    /// What single reads showed, for the cache.
    pub(crate) read: Vec<(ObjectRef, Option<Value>)>,
    /// Its status, if that was written.
    pub(crate) last_status: Option<LastStatus>,
    /// When to look again in any case.
    pub(crate) wake: Option<Timestamp>,
    /// Calls to metric providers to make.
    pub(crate) calls: Vec<MeasurementCall>,
    /// Metrics whose answers were used.
    pub(crate) used: Vec<String>,
    /// What the next look would find as it was left.
    pub(crate) settled: Option<Settled>,
    /// What went wrong, if anything.
    pub(crate) failure: Option<Failure>,
}

impl Worker {
    /// Plans one rollout and carries the plan out.
    pub(crate) async fn rollout(self, subject: Subject, gathered: Box<Gathered>) -> Done {
        let mut done = Done::default();
        let outcome = self.try_rollout(&subject, gathered, &mut done).await;
        self.finished(&subject, outcome, done).await
    }

    /// Plans one experiment and carries the plan out.
    pub(crate) async fn experiment(
        self,
        subject: Subject,
        gathered: Box<GatheredExperiment>,
    ) -> Done {
        let mut done = Done::default();
        let outcome = self.try_experiment(&subject, gathered, &mut done).await;
        self.finished(&subject, outcome, done).await
    }

    /// Plans one analysis run, or takes in what its metrics answered, and carries the plan out.
    pub(crate) async fn run(self, subject: Subject, measuring: Box<Measuring>) -> Done {
        let mut done = Done::default();
        let outcome = self.try_run(&subject, measuring, &mut done).await;
        self.finished(&subject, outcome, done).await
    }

    /// Tells of a failure, if it came to one.
    async fn finished(&self, subject: &Subject, outcome: Result<(), Failure>, done: Done) -> Done {
        if let Err(failure) = &outcome {
            self.tell(subject, failure).await;
        }
        Done { failure: outcome.err(), ..done }
    }

    /// Reads objects that the watches do not show although they were written.
    pub(crate) async fn refresh(self, subject: Subject, targets: Vec<ObjectRef>) -> Done {
        let mut done = Done::default();
        for target in targets {
            match self.look(&target).await {
                Ok(live) => done.read.push((target, live)),
                Err(failed) => {
                    let failure = Failure::from(failed);
                    self.tell(&subject, &failure).await;
                    done.failure = Some(failure);
                }
            }
        }
        // Also when the cache knew all that already: the plan that was held up is still owed.
        done.wake = Some(self.clock.now());
        done
    }

    /// Lets go of what a rollout held that is gone.
    pub(crate) async fn let_go(self, subject: Subject, writes: Vec<Write>) -> Done {
        let mut done = Done::default();
        done.failure = self.try_let_go(&subject, writes, &mut done).await.err();
        done
    }

    /// A rollout that we do not see may be another instance's.
    async fn try_let_go(
        &self,
        subject: &Subject,
        writes: Vec<Write>,
        done: &mut Done,
    ) -> Result<(), Failure> {
        if self.writer.get(&subject.key.object()).await?.is_some() {
            return Ok(());
        }
        done.wake = Some(self.clock.now());
        self.carry_out(subject, Plan { writes, ..Plan::default() }, done).await
    }

    /// Tells why nothing can be done for an object, and ends one that others wait for.
    pub(crate) async fn give_up(self, subject: Subject, broken: Arc<Broken>) -> Done {
        let mut done = Done::default();
        let failure = Failure::invalid(format!("the object cannot be understood: {}", broken.why));
        let end = match subject.key {
            Key::Rollout(_) => None,
            Key::Run(_) | Key::Experiment(_) => {
                let target = subject.key.object();
                broken::end(target, &broken.object, &broken.why, self.clock.now())
            }
        };
        if let Some(write) = end
            && let Err(error) = self.perform(&subject, write, &mut done).await
        {
            tracing::warn!(error = error.message, "the failure is not in the status");
        }
        self.tell(&subject, &failure).await;
        Done { failure: Some(failure), ..done }
    }

    async fn try_rollout(
        &self,
        subject: &Subject,
        mut gathered: Box<Gathered>,
        done: &mut Done,
    ) -> Result<(), Failure> {
        if self.is_there_after_all(gathered.missed.as_slice(), done).await? {
            return Ok(());
        }
        let Gathered { observed, unread, .. } = &mut *gathered;
        let is_seen = unread.is_empty();
        self.read(std::mem::take(unread), &mut observed.objects).await?;
        gathered.observed.drops_reasons = self.writer.drops_reasons();
        gathered.observed.generation_form = self.generation_form;
        let (observed, now) = (&gathered.observed, self.clock.now());
        let plan = caught(|| self.planner.rollout(observed, now))?;
        self.obey_laws(&caught(|| self.planner.violations(observed, &plan, now))?)?;
        done.wake = plan.wake;
        let (is_settled, has_status) = (plan.is_settled && is_seen, plan.status.is_some());
        self.carry_out(subject, plan, done).await?;
        let is_told = done.last_status.is_some() == has_status;
        if is_settled && is_told {
            done.settle(subject, BTreeSet::new());
        }
        Ok(())
    }

    async fn try_experiment(
        &self,
        subject: &Subject,
        mut gathered: Box<GatheredExperiment>,
        done: &mut Done,
    ) -> Result<(), Failure> {
        let GatheredExperiment { observed, unread, .. } = &mut *gathered;
        self.read(std::mem::take(unread), &mut observed.objects).await?;
        loop {
            let (observed, now) = (&gathered.observed, self.clock.now());
            let plan = caught(|| self.planner.experiment(observed, now))?;
            self.obey_laws(&caught(|| self.planner.experiment_violations(observed, &plan, now))?)?;
            done.wake = plan.wake;
            let outcome = self.carry_out(subject, plan, done).await;
            if !is_planned_around(&outcome, &mut gathered.observed.refused) {
                return outcome;
            }
        }
    }

    async fn try_run(
        &self,
        subject: &Subject,
        mut measuring: Box<Measuring>,
        done: &mut Done,
    ) -> Result<(), Failure> {
        if self.is_there_after_all(&measuring.missed, done).await? {
            return Ok(());
        }
        secrets::read(&self.writer, &self.surroundings, &mut measuring.observed).await?;
        let answers = std::mem::take(&mut measuring.answers);
        let used = answers.iter().map(|(call, _)| call.metric.clone()).collect();
        let (calls, is_settled) = loop {
            let (observed, now) = (&measuring.observed, self.clock.now());
            let AnalysisPlan { plan, calls } =
                caught(|| self.planner.analysis_run(observed, &answers, now))?;
            done.wake = plan.wake;
            let (before, is_settled) = (done.written.len(), plan.is_settled);
            let outcome = self.carry_out(subject, plan, done).await;
            if !is_planned_around(&outcome, &mut measuring.observed.refused) {
                outcome?;
                break (calls, is_settled);
            }
            self.see_jobs(&done.written[before..], &mut measuring.observed.jobs).await?;
        };
        if is_settled {
            let mut awaited = measuring.observed.in_flight;
            awaited.extend(calls.iter().map(|call| call.metric.clone()));
            done.settle(subject, awaited);
        }
        done.calls = calls;
        done.used = used;
        Ok(())
    }

    /// Whether the server has what the watches do not show and should; then the next look will see it. A list may
    /// lag behind what the status tells, and an absence is decided upon.
    async fn is_there_after_all(
        &self,
        missed: &[ObjectRef],
        done: &mut Done,
    ) -> Result<bool, Failure> {
        for target in missed {
            if let Some(live) = self.look(target).await? {
                done.read.push((target.clone(), Some(live)));
                done.wake = Some(self.clock.now());
            }
        }
        Ok(!done.read.is_empty())
    }

    /// Reads one object as its watch will tell of it: not at all if it is none of ours any more.
    async fn look(&self, target: &ObjectRef) -> Result<Option<Value>, RequestFailed> {
        let instance = self.instance_id.as_deref();
        let live = self.writer.get(target).await?;
        Ok(live.filter(|live| Kind::is_watched(target, live, instance)))
    }

    /// Looks at the Jobs that were made or taken down before another one was refused, so that the next plan
    /// knows of them: the watch has not told of them yet.
    async fn see_jobs(&self, written: &[Written], jobs: &mut Vec<Job>) -> Result<(), Failure> {
        for Written { target, .. } in written.iter().filter(|written| written.target.kind == "Job")
        {
            let live = self.writer.get(target).await?;
            jobs.retain(|job| job.metadata.name.as_ref() != Some(&target.name));
            jobs.extend(live.and_then(|live| serde_json::from_value(live).ok()));
        }
        Ok(())
    }

    /// Reads what no watch covers.
    async fn read(
        &self,
        unread: Vec<ObjectRef>,
        objects: &mut BTreeMap<ObjectRef, Option<Value>>,
    ) -> Result<(), Failure> {
        for target in unread {
            let found = self.writer.get(&target).await?;
            objects.insert(target, found);
        }
        Ok(())
    }

    fn obey_laws(&self, broken: &[laws::Violation]) -> Result<(), Failure> {
        for violation in broken {
            self.metrics.count_broken_law(&violation.law.to_string());
        }
        let sentences = broken.iter().map(ToString::to_string).collect::<Vec<_>>();
        if sentences.is_empty() {
            return Ok(());
        }
        let message = format!("the plan was not carried out: {}", sentences.join("; "));
        Err(Failure {
            fault: Fault::Bug,
            code: "PlanRejected",
            message,
            target: None,
            not_created: None,
            not_resized: None,
            is_telling: true,
        })
    }

    /// Performs the writes of `plan` in order, then its status, then its events.
    pub(crate) async fn carry_out(
        &self,
        subject: &Subject,
        mut plan: Plan,
        done: &mut Done,
    ) -> Result<(), Failure> {
        if let Some(later) = self.put_off(subject, &plan) {
            done.wake = Some(done.wake.map_or(later, |wake| wake.min(later)));
            plan.status = None;
        }
        let Plan { writes, status, events, .. } = plan;
        let telling = status.as_ref().map(Telling::of);
        let before = done.written.len();
        let mut put_off = None;
        for (place, write) in writes.into_iter().chain(status).enumerate() {
            let write = following(write, &done.written[before..]);
            let is_eviction = matches!(write, Write::Evict { .. });
            if let Err(failure) = self.perform(subject, write, done).await {
                // A budget may keep one pod and let the others go.
                if is_eviction && failure.code == THROTTLED {
                    put_off.get_or_insert(failure);
                    continue;
                }
                let happened = |event: &&Event| event.after.is_some_and(|after| after <= place);
                self.emit(subject, events.iter().filter(happened));
                return Err(failure);
            }
        }
        let last = |telling| LastStatus::of(telling, subject.last_status, self.clock.now());
        done.last_status = telling.map(last);
        self.emit(subject, events.iter());
        put_off.map_or(Ok(()), Err)
    }

    /// Until when a status waits that tells little, soon after the last one. What an event tells is told again
    /// until the status says so, but for an event that a write is behind.
    fn put_off(&self, subject: &Subject, plan: &Plan) -> Option<Timestamp> {
        let later = subject.last_status?.next_from(plan.urgency, subject.moving)?;
        let is_told_once = plan.events.iter().all(|event| event.after.is_some());
        (plan.status.is_some() && is_told_once && later > self.clock.now()).then_some(later)
    }

    fn emit<'a>(&self, subject: &Subject, events: impl Iterator<Item = &'a Event>) {
        for event in events {
            self.recorder.emit(event, &identity(subject, event));
        }
    }

    async fn perform(
        &self,
        subject: &Subject,
        mut write: Write,
        done: &mut Done,
    ) -> Result<(), Failure> {
        self.stamp(&mut write);
        let noted = write.creates("AnalysisRun") || write.creates("Experiment");
        if subject.is_unwritable() && noted {
            self.writer.write(&empty_status(&subject.key.object())).await?;
        }
        if let Some(quarrel) = self.quarrels().check(&write, self.clock.now()) {
            done.wake = Some(quarrel.until);
            return Err(Failure::quarrelled(&write, &quarrel));
        }
        match self.writer.write(&write).await {
            Ok(written) => {
                self.quarrels().note(&write, self.clock.now());
                done.written.push(written);
                Ok(())
            }
            Err(failed) => {
                self.look_again(subject, &failed, done).await;
                Err(failed.into())
            }
        }
    }

    /// After a conflict the watches may lag; the live objects go into the cache, so that the next plan is right:
    /// what was written to, and what the plan is for, which may have been aborted meanwhile.
    async fn look_again(&self, subject: &Subject, failed: &RequestFailed, done: &mut Done) {
        if !failed.cause.is_stale_picture() {
            return;
        }
        let own = subject.key.object();
        let is_other = own != failed.target;
        for target in [Some(failed.target.clone()), is_other.then_some(own)].into_iter().flatten() {
            if let Ok(live) = self.look(&target).await {
                done.read.push((target, live));
            }
        }
    }

    fn quarrels(&self) -> MutexGuard<'_, Quarrels> {
        self.quarrels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks analysis runs and experiments as belonging to this instance.
    fn stamp(&self, write: &mut Write) {
        if let (Some(id), Write::Create { object }) = (&self.instance_id, write)
            && ["AnalysisRun", "Experiment"].iter().any(|kind| object["kind"] == *kind)
        {
            object["metadata"]["labels"][CONTROLLER_INSTANCE_ID] = json!(id);
        }
    }

    /// Tells people once what went wrong: in the log, as an event and in the rollout's reasons.
    pub(crate) async fn tell(&self, subject: &Subject, failure: &Failure) {
        let object = subject.key.object();
        let fault = format!("{:?}", failure.fault);
        self.metrics.count_failure(&object, &fault, failure.code);
        if !failure.is_telling {
            return;
        }
        let before = subject.told.as_ref().map(|told| &told.message);
        let is_news = before != Some(&failure.message);
        if is_news {
            tracing::error!(%object, fault, code = failure.code, "{}", failure.message);
            self.tell_by_event(subject, failure, fault);
        }
        // The generation may be another one by now, or somebody was in the way of the write last time.
        let is_due = is_news || failure.concerns_phase();
        if let Key::Rollout(_) = subject.key
            && is_due
            && let Err(error) = self.tell_in_status(object, failure).await
        {
            tracing::warn!(%error, "the failure is not in the status");
        }
    }

    fn tell_by_event(&self, subject: &Subject, failure: &Failure, fault: String) {
        let (reason, message) = failure.as_event();
        let event = Event {
            event_type: EventType::Warning,
            regarding: subject.key.object(),
            reason: reason.to_owned(),
            message,
            evidence: [("code".to_owned(), failure.code.to_owned()), ("fault".to_owned(), fault)]
                .into(),
            after: None,
        };
        self.recorder.emit(&event, &subject.identity);
    }

    async fn tell_in_status(
        &self,
        object: ObjectRef,
        failure: &Failure,
    ) -> Result<(), RequestFailed> {
        let Some(live) = self.writer.get(&object).await? else { return Ok(()) };
        let as_of = (self.generation_form, self.clock.now());
        let failed = failure.as_planned(self.writer.drops_reasons());
        match failure::told(object, &live, &failed, as_of) {
            Some(write) => self.writer.write(&write).await.map(drop),
            None => Ok(()),
        }
    }
}

impl Done {
    /// Notes that the next look at `subject` would find it as it was left, while these answers are awaited.
    fn settle(&mut self, subject: &Subject, awaited: BTreeSet<String>) {
        let (version, until) = (subject.version_after(self), self.wake);
        self.settled = version.map(|version| Settled { version, awaited, until });
    }
}

impl Subject {
    /// The version that a piece of work leaves the object at.
    fn version_after(&self, done: &Done) -> Option<String> {
        let own = self.key.object();
        match done.written.iter().rfind(|written| written.target == own) {
            Some(Written { expect: Expect::Version(version), .. }) => Some(version.clone()),
            Some(_) => None,
            None => self.identity.resource_version.clone(),
        }
    }

    /// Whether the object itself, and so its status, could not be written last time.
    fn is_unwritable(&self) -> bool {
        let failed = self.told.as_ref().and_then(|told| told.target.as_deref());
        failed == Some(&self.key.object())
    }
}

/// A write that rests on what an earlier one of the same plan has made of its object: nobody else has changed
/// it in between, or that one would have failed.
fn following(write: Write, written: &[Written]) -> Write {
    let target = write.target();
    let earlier = written.iter().rfind(|written| written.target == target);
    match earlier.map(|written| &written.expect) {
        Some(Expect::Version(version)) => write.resting_on(version),
        _ => write,
    }
}

/// Whether what failed is one more object that may not be made or given its size; a plan that knows of it says
/// what follows.
fn is_planned_around(
    outcome: &Result<(), Failure>,
    refused: &mut BTreeMap<ObjectRef, String>,
) -> bool {
    let refusal = outcome.as_ref().err().and_then(Failure::to_plan_around);
    refusal.is_some_and(|(target, why)| {
        tracing::warn!(%target, why, "an object may not be made or changed");
        refused.insert(target.clone(), why.to_owned()).is_none()
    })
}

/// Changes nothing, and fails while no status may be written. A rollout that cannot note that an
/// analysis was made and has ended would have one made after the other.
fn empty_status(object: &ObjectRef) -> Write {
    status_patch(object, &json!({}))
}

/// Only the subject's identity is known; the uid of other objects is left to the reader.
fn identity(subject: &Subject, event: &Event) -> Identity {
    if event.regarding == subject.key.object() {
        subject.identity.clone()
    } else {
        Identity::default()
    }
}

fn status_patch(object: &ObjectRef, status: &Value) -> Write {
    // Of the kinds that are reconciled only this one has the subresource.
    let has_subresource = object.kind == "Rollout";
    Write::Patch {
        target: object.clone(),
        subresource: if has_subresource { Subresource::Status } else { Subresource::Main },
        patch_type: PatchType::Merge,
        body: json!({"status": status}),
        precondition: Precondition::default(),
    }
}
