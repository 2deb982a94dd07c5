//! The loop: news in, keys out, one piece of work a key.
//!
//! Everything that decides what to do next happens here, in one task and in a fixed order, so that a
//! rehearsal on a paused clock repeats itself exactly. Requests run in tasks of their own.
//!
//! **Invariant.** No key is worked on twice at once, none before its own writes have been seen, and
//! none while another process may lead.

use crate::{
    authority::Authority,
    cache::{Cache, Changed, Entry, Kept, Kind, Need, News, watch::Watches},
    calls::{Callers, Calls},
    config::ControllerConfig,
    endpoints::{Health, Ping},
    events::Identity,
    failure::Failure,
    fence::{Fence, Passage},
    gather,
    interest::Interests,
    job::{Done, Measuring, Settled, Subject, Worker},
    key::{Key, Name},
    last_status::LastStatuses,
    metrics::{self, Metrics},
    queue::Queue,
    release,
    remembered::Remembered,
};
use api::argo::AnalysisRun;
use clock::Clock;
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use plan::{analysis_run, rollout::Specification};
use providers::Credentials;
use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    sync::Arc,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use vocab::Write;

/// How long the loop sleeps at the longest.
const SLEEP_LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// How many specifications of rollouts are remembered at least.
const SPECIFICATIONS: usize = 128;
/// How many specifications of runs are remembered at least: of each that is measured, its next look is soon.
const RUN_SPECIFICATIONS: usize = 1024;
/// How long a pod's news waits for more: it comes in bursts, and its ReplicaSet tells what matters most.
const PODS_TOGETHER: SignedDuration = SignedDuration::from_millis(200);
/// How long a ReplicaSet's news waits for more: its controller writes three or four times as pods come and go.
const SETS_TOGETHER: SignedDuration = SignedDuration::from_millis(100);

/// A rollout's uid and generation: one state of its specification.
type State = (String, i64);

/// The loop's senses.
pub(crate) struct Senses {
    /// What the watches tell.
    pub(crate) news: mpsc::Receiver<(Kind, News)>,
    /// Questions about health.
    pub(crate) pings: mpsc::Receiver<Ping>,
    /// Whether this process leads.
    pub(crate) leads: watch::Receiver<bool>,
    /// The wish to stop.
    pub(crate) stop: oneshot::Receiver<()>,
}

/// The loop's state.
pub(crate) struct Engine {
    clock: Clock,
    authority: Authority,
    metrics: Arc<Metrics>,
    worker: Worker,
    workers: usize,
    cache: Cache,
    queue: Queue<Key>,
    fence: Fence,
    interests: Interests,
    told: BTreeMap<Key, Failure>,
    last_statuses: LastStatuses,
    settled: BTreeMap<Key, Settled>,
    /// What the specifications of rollouts that were looked at lately have come to, with uid and generation.
    specifications: Remembered<Name, (State, Specification), SPECIFICATIONS>,
    /// What the specifications of runs that were looked at lately have come to.
    run_specifications: Remembered<Name, analysis_run::Specification, RUN_SPECIFICATIONS>,
    /// Keys for which something else has changed than their own object since they were looked at.
    stirred: BTreeSet<Key>,
    jobs: JoinSet<(Key, Done)>,
    calls: Calls,
    prometheus_address: Option<String>,
    watches: Watches,
    /// Watches of kinds that a rollout has asked for; they end with the loop.
    on_demand: JoinSet<()>,
    demanded: BTreeSet<Kind>,
    /// Since when this process leads, if it does.
    leads_since: Option<Timestamp>,
}

impl Engine {
    /// A loop that has seen nothing yet.
    pub(crate) fn new(
        authority: Authority,
        worker: Worker,
        callers: Callers,
        (config, cache, watches): (&ControllerConfig, Cache, Watches),
    ) -> Self {
        Self {
            calls: Calls::new(callers, Arc::clone(&worker.metrics)),
            prometheus_address: config.prometheus_address.clone(),
            clock: worker.clock,
            authority,
            metrics: Arc::clone(&worker.metrics),
            worker,
            workers: config.workers.max(1),
            cache,
            queue: Queue::new(),
            fence: Fence::default(),
            interests: Interests::default(),
            told: BTreeMap::new(),
            last_statuses: LastStatuses::default(),
            settled: BTreeMap::new(),
            specifications: Remembered::default(),
            run_specifications: Remembered::default(),
            stirred: BTreeSet::new(),
            jobs: JoinSet::new(),
            watches,
            on_demand: JoinSet::new(),
            demanded: BTreeSet::new(),
            leads_since: None,
        }
    }

    /// Works until told to stop, then lets running work end.
    pub(crate) async fn run(mut self, mut senses: Senses) {
        loop {
            let until = self.sleeps_until();
            tokio::select! {
                biased;
                _ = &mut senses.stop => break,
                Some((kind, news)) = senses.news.recv() => self.learn(kind, news),
                Some(done) = self.jobs.join_next() => self.conclude(done),
                Some(key) = self.calls.next() => self.queue.push(key, self.clock.now()),
                Some(ping) = senses.pings.recv() => self.answer(ping),
                Ok(()) = senses.leads.changed() => {}
                () = self.clock.sleep_until(until) => {}
            }
            while let Ok((kind, news)) = senses.news.try_recv() {
                self.learn(kind, news);
            }
            self.notice_leadership();
            self.start_work();
        }
        while let Some(done) = self.jobs.join_next().await {
            self.conclude(done);
        }
    }

    fn sleeps_until(&self) -> Timestamp {
        let longest = later(self.clock.now(), SLEEP_LONGEST);
        match self.queue.next_due() {
            Some(due) if self.may_start() => due.min(longest),
            _ => longest,
        }
    }

    fn may_start(&self) -> bool {
        self.jobs.len() < self.workers
            && self.authority.is_leader()
            && self.cache.missing().is_empty()
    }

    /// A process that begins to lead looks at everything; one that ceases to forgets its measurements.
    fn notice_leadership(&mut self) {
        let is_leader = self.authority.is_leader();
        self.metrics.set_standing_by(!is_leader);
        let leads = is_leader && self.cache.missing().is_empty();
        if !leads && self.leads_since.take().is_some() {
            self.calls.clear();
            self.settled.clear();
        }
        if leads && self.leads_since.is_none() {
            let now = self.clock.now();
            self.leads_since = Some(now);
            let rollouts =
                self.cache.all(Kind::Rollout).map(|(name, _)| Key::Rollout(name.clone()));
            let runs = self.cache.all(Kind::AnalysisRun).map(|(name, _)| Key::Run(name.clone()));
            let experiments = self.cache.all(Kind::Experiment);
            let experiments = experiments.map(|(name, _)| Key::Experiment(name.clone()));
            let gone = release::forgotten(&self.cache).into_iter().map(Key::Rollout);
            for key in rollouts.chain(experiments).chain(runs).chain(gone) {
                self.queue.push(key, now);
            }
        }
    }

    fn answer(&self, ping: Ping) {
        let missing = self.cache.missing().into_iter().map(|kind| kind.names().1).collect();
        drop(ping.send(Health { missing }));
    }

    fn learn(&mut self, kind: Kind, news: News) {
        let served = self.cache.serves(kind);
        for changed in self.cache.apply(kind, news) {
            self.demand(&changed);
            self.pass_on(&changed);
        }
        if kind.need() == Need::OnDemand && !served && self.cache.serves(kind) {
            // What was read one by one until now may have gone unseen since.
            for key in self.interests.in_kind(kind) {
                self.stirred.insert(key.clone());
                self.queue.push(key, self.clock.now());
            }
        }
    }

    /// Begins to watch what a rollout refers to, where that is watched only on demand.
    fn demand(&mut self, changed: &Changed) {
        if changed.kind != Kind::Rollout {
            return;
        }
        let object = self.cache.object(Kind::Rollout, &changed.name);
        let Some(Kept::Rollout(rollout)) = object else { return };
        for kind in gather::on_demand(&rollout) {
            if self.demanded.insert(kind) {
                self.on_demand.spawn(self.watches.watch(kind));
            }
        }
    }

    fn pass_on(&mut self, changed: &Changed) {
        let now = self.clock.now();
        let target = changed.kind.reference(&changed.name.namespace, &changed.name.name);
        for key in self.interests.concerned(changed, &self.cache) {
            let due = match (changed.kind, &key) {
                (Kind::Pod, _) => later(now, PODS_TOGETHER),
                (Kind::ReplicaSet, Key::Rollout(_)) => later(now, SETS_TOGETHER),
                _ => now,
            };
            if (key.kind(), key.name()) != (changed.kind, &changed.name) {
                self.stirred.insert(key.clone());
                self.queue.push(key, due);
            } else if self.is_asked_anew(changed) {
                // Somebody waits to see that it was seen.
                self.queue.push_first(key);
            } else {
                self.queue.push(key, due);
            }
        }
        let waiting = self.fence.waiting_for(&target).cloned().collect::<Vec<_>>();
        for key in waiting {
            self.queue.push(key, now);
        }
        if let Some(entry) = self.cache.get(changed.kind, &changed.name) {
            self.time_update(changed, entry);
            self.metrics.set_object(changed.kind, &changed.name, &entry.text);
        } else {
            // The event is counted for an object that has to be forgotten.
            self.tell_deletion(changed);
            self.metrics.forget_object(changed.kind, &changed.name);
        }
    }

    /// Tells people of a rollout that was there and is gone.
    fn tell_deletion(&self, changed: &Changed) {
        let Changed { kind: Kind::Rollout, before: Some(before), name } = changed else { return };
        let regarding = Kind::Rollout.reference(&name.namespace, &name.name);
        let identity =
            Identity { uid: before.uid.clone(), resource_version: before.version.clone() };
        self.worker.recorder.emit(&plan::rollout::deleted(regarding), &identity);
    }

    /// Whether a rollout asks for something else than when it was seen last. Of the kinds that are looked at only
    /// its generation leaves the status out.
    fn is_asked_anew(&self, changed: &Changed) -> bool {
        let now = self.cache.get(Kind::Rollout, &changed.name);
        let before = changed.before.as_ref().and_then(|before| before.generation);
        changed.kind == Kind::Rollout && now.is_some_and(|now| now.generation != before)
    }

    /// Records updates that were seen to end. What had ended when it was first seen was recorded by the
    /// process that led then.
    fn time_update(&self, changed: &Changed, now: &Entry) {
        let Changed { kind: Kind::Rollout, before: Some(before), .. } = changed else { return };
        if self.authority.is_leader() {
            for times in metrics::ended(&before.text, &now.text) {
                self.metrics.time_update(&times);
            }
        }
    }

    fn start_work(&mut self) {
        while self.may_start() {
            let Some(key) = self.queue.pop(self.clock.now()) else { break };
            self.start(key);
        }
        self.metrics.set_queue_depth(self.queue.len());
        self.worker.recorder.note_work(!self.jobs.is_empty());
    }

    fn start(&mut self, key: Key) {
        let now = self.clock.now();
        match self.fence.check(&key, &self.cache, now) {
            Passage::Open => self.start_open(key),
            Passage::ClosedUntil(until) => {
                self.queue.release(&key);
                self.queue.push(key, until);
            }
            Passage::Overdue(targets) => {
                let subject = self.subject(&key);
                self.spawn(key, move |worker| worker.refresh(subject, targets));
            }
        }
    }

    fn start_open(&mut self, key: Key) {
        if let Some(settled) = self.settled(&key) {
            let until = settled.until;
            self.queue.succeed(&key);
            if let Some(until) = until {
                self.queue.push(key, until);
            }
            return;
        }
        self.stirred.remove(&key);
        let object = self.cache.object(key.kind(), key.name());
        match (&key, object) {
            (Key::Rollout(name), Some(Kept::Rollout(rollout))) => {
                let mut gathered = Box::new(gather::rollout(&self.cache, name, &rollout));
                gathered.observed.specification = self.specification(name);
                gathered.observed.attended_since = self.leads_since;
                self.interests.note(&key, gathered.rests_on.clone());
                let subject = self.subject(&key);
                self.spawn(key, move |worker| worker.rollout(subject, gathered));
            }
            (Key::Run(_), Some(Kept::AnalysisRun(run))) => {
                let measuring = Box::new(self.measuring(&key, run));
                let subject = self.subject(&key);
                self.spawn(key, move |worker| worker.run(subject, measuring));
            }
            (Key::Experiment(name), Some(Kept::Experiment(found))) => {
                let mut gathered = Box::new(gather::experiment(&self.cache, name, &found));
                gathered.observed.attended_since = self.leads_since;
                self.interests.note(&key, gathered.rests_on.clone());
                let subject = self.subject(&key);
                self.spawn(key, move |worker| worker.experiment(subject, gathered));
            }
            (_, Some(Kept::Broken(broken))) => {
                let subject = self.subject(&key);
                self.spawn(key, move |worker| worker.give_up(subject, broken));
            }
            (Key::Rollout(name), None) => {
                let writes = release::writes(&self.cache, name);
                self.let_go(key, writes);
            }
            _ => self.forget(&key),
        }
    }

    /// What was worked out of the rollout's generation before, or a place for it.
    fn specification(&mut self, name: &Name) -> Option<Specification> {
        let entry = self.cache.get(Kind::Rollout, name)?;
        let state = (entry.uid.clone()?, entry.generation?);
        if let Some((known, specification)) = self.specifications.get_mut(name)
            && *known == state
        {
            return Some(specification.clone());
        }
        let fresh = Specification::default();
        self.specifications.insert(name.clone(), (state, fresh.clone()));
        Some(fresh)
    }

    /// What says that a look would decide nothing.
    fn settled(&self, key: &Key) -> Option<&Settled> {
        let settled = self.settled.get(key).filter(|_| !self.stirred.contains(key))?;
        let version = self.cache.get(key.kind(), key.name())?.version.as_ref()?;
        let is_early = settled.until.is_none_or(|until| self.clock.now() < until);
        // Calls that were forgotten with the lease are made again by a look.
        let is_awaited = || self.calls.awaits_just(key, &settled.awaited);
        (*version == settled.version && is_early && is_awaited()).then_some(settled)
    }

    /// A rollout that is gone leaves no service behind that selects its pods.
    fn let_go(&mut self, key: Key, writes: Vec<Write>) {
        if writes.is_empty() {
            return self.forget(&key);
        }
        let subject = self.subject(&key);
        self.spawn(key, move |worker| worker.let_go(subject, writes));
    }

    /// What was worked out of the run's specification before, or a place for it.
    fn run_specification(&mut self, name: &Name, run: &AnalysisRun) -> analysis_run::Specification {
        let known = self.run_specifications.get_mut(name);
        if let Some(known) = known.filter(|known| known.is_of(run)) {
            return known.clone();
        }
        let fresh = analysis_run::Specification::default();
        if !run.status.as_ref().is_some_and(|status| status.phase.completed()) {
            self.run_specifications.insert(name.clone(), fresh.clone());
        }
        fresh
    }

    fn measuring(&mut self, key: &Key, run: Arc<AnalysisRun>) -> Measuring {
        let mut missed = analysis_run::awaited_jobs(&run);
        missed.retain(|job| self.cache.serves(Kind::Job) && self.cache.find(job).is_none());
        let observed = analysis_run::Observed {
            specification: self.run_specification(key.name(), &run),
            secrets: BTreeMap::new(),
            credentials: Credentials::default(),
            in_flight: self.calls.in_flight(key),
            prometheus_address: self.prometheus_address.clone(),
            jobs: gather::jobs(&self.cache, &run),
            job_pods: gather::job_pods(&self.cache, &run),
            refused: BTreeMap::new(),
            run,
        };
        Measuring { observed, answers: self.calls.answers(key), missed }
    }

    fn subject(&self, key: &Key) -> Subject {
        let entry = self.cache.get(key.kind(), key.name());
        let identity = Identity {
            uid: entry.and_then(|entry| entry.uid.clone()),
            resource_version: entry.and_then(|entry| entry.version.clone()),
        };
        let (last_status, moving) = (self.last_statuses.of(key), self.last_statuses.moving());
        let told = self.told.get(key).cloned();
        Subject { key: key.clone(), identity, told, last_status, moving }
    }

    fn spawn<F>(&mut self, key: Key, act: impl FnOnce(Worker) -> F)
    where
        F: Future<Output = Done> + Send + 'static,
    {
        // A task lies at a multiple of 128 bytes, which costs the allocator much for one of kilobytes.
        let work = Box::pin(act(self.worker.clone()));
        let metrics = Arc::clone(&self.metrics);
        let clock = self.clock;
        self.jobs.spawn(async move {
            let began = clock.now();
            let done = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
                let failure = Failure::panicked(panic.as_ref());
                Done { failure: Some(failure), ..Done::default() }
            });
            let seconds = clock.now().duration_since(began).as_secs_f64();
            metrics.time_reconcile(key.kind(), key.name().clone(), seconds);
            (key, done)
        });
    }

    fn conclude(&mut self, ended: Result<(Key, Done), tokio::task::JoinError>) {
        // Panics are caught inside, so only a task that was cut off ends without a result.
        let Ok((key, done)) = ended else { return };
        let now = self.clock.now();
        let read = done.read.iter().map(|(target, _)| target.clone()).collect::<Vec<_>>();
        for (target, live) in done.read {
            if let Some(changed) = self.cache.heal(&target, live) {
                self.pass_on(&changed);
            }
        }
        self.fence.raise(&key, done.written, now);
        self.fence.settle(&key, &read);
        self.calls.used(&key, &done.used);
        self.calls.make(&key, done.calls);
        if let Some(last) = done.last_status {
            self.last_statuses.note(&key, last);
        }
        match done.settled.filter(|_| done.failure.is_none()) {
            Some(settled) => drop(self.settled.insert(key.clone(), settled)),
            None => drop(self.settled.remove(&key)),
        }
        match (done.failure, done.wake) {
            (None, wake) => {
                self.told.remove(&key);
                self.queue.succeed(&key);
                if let Some(wake) = wake {
                    self.queue.push(key, wake);
                }
            }
            // What the plan would wake for comes after its back-off: it may be what has failed.
            (Some(failure), _) => {
                if failure.is_telling {
                    self.told.insert(key.clone(), failure);
                }
                self.queue.fail(&key, now);
            }
        }
    }

    fn forget(&mut self, key: &Key) {
        self.queue.succeed(key);
        self.queue.forget(key);
        self.fence.forget(key);
        self.interests.forget(key);
        self.calls.forget(key);
        self.metrics.forget_object(key.kind(), key.name());
        self.told.remove(key);
        self.last_statuses.forget(key);
        self.settled.remove(key);
        self.stirred.remove(key);
        self.run_specifications.remove(key.name());
    }
}

fn later(at: Timestamp, wait: SignedDuration) -> Timestamp {
    at.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
