//! Playing one story under one set of conditions.

use crate::{
    ending::ending,
    history::{Chronicler, History},
    picture::Picture,
    story::Story,
    weights::{Weights, weights},
};
use faults::{Cut, Fate, Moment, Passed, Verb};
use jiff::Timestamp;
use rehearsal::{Conditions, Report, Trace, rehearse_under};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long the cluster is left alone after the script at least.
const AFTERWARDS: Duration = Duration::from_hours(2);
/// How long after the script the controller may still have something to do; old pods may be kept an hour.
const SETTLES_WITHIN: Duration = Duration::from_mins(90);
/// How much longer than its reference a run may take to settle that goes wrong for seconds.
const SETTLES_LATER: Duration = Duration::from_mins(5);
/// The controller dies at every so manieth event that it writes down.
const EVENTS_TO_A_DEATH: usize = 16;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What the script found.
    pub report: Report,
    /// What the controllers asked for.
    pub trace: Trace,
    /// What happened.
    pub history: History,
    /// From when on nothing may be written any more.
    pub quiet_from: Timestamp,
}

/// A run in which nothing went wrong, and what others are held against.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The run.
    pub ran: Ran,
    /// How it ended.
    pub ending: BTreeMap<String, Value>,
    /// Where traffic was sent.
    pub weights: Weights,
    /// The controller's requests, without those for events.
    pub writes: usize,
    /// How long after the script the last object changed.
    settled: Duration,
}

/// Plays a story under conditions.
///
/// # Errors
/// Why the script could not be played to its end.
pub fn run(story: &Story, conditions: Conditions) -> Result<Ran, String> {
    let chronicler = Chronicler::default();
    let conditions = Conditions {
        witness: Some(chronicler.witness()),
        afterwards: if conditions.afterwards.is_zero() {
            AFTERWARDS
        } else {
            conditions.afterwards
        },
        ..conditions
    };
    let (report, trace) = rehearse_under(&story.play, &conditions)
        .map_err(|failed| format!("{:#}", anyhow::Error::new(failed)))?;
    let settles = SETTLES_WITHIN.min(conditions.afterwards.saturating_sub(SETTLES_LATER));
    let quiet_from = trace.script_ended.checked_add(settles).unwrap_or(Timestamp::MAX);
    Ok(Ran { report, trace, history: chronicler.history(), quiet_from })
}

impl Reference {
    /// Plays a story undisturbed.
    ///
    /// # Errors
    /// Why the script could not be played to its end.
    pub fn of(story: &Story, conditions: Conditions) -> Result<Self, String> {
        let ran = run(story, conditions)?;
        let ending = ran.ending();
        let weights = weights(&ran.history);
        let writes = ran.writes().count();
        let changed = ran.history.steps.iter().rev().find(|step| step.resource != "leases");
        let settled = changed.map(|step| step.at.duration_since(ran.trace.script_ended));
        let settled = settled.and_then(|span| Duration::try_from(span).ok()).unwrap_or_default();
        Ok(Self { ran, ending, weights, writes, settled })
    }

    /// How long a cluster is left alone in which a controller is away for seconds: until the last change of
    /// the reference, a while in which what is late may still happen, and one in which nothing may.
    pub(crate) fn rest(&self) -> Duration {
        self.settled + SETTLES_LATER * 2
    }

    /// How many writes a controller makes, events among them but no renewals of a lease.
    pub(crate) fn work(&self) -> usize {
        self.work_passed().count()
    }

    /// How long the script took in virtual time.
    pub(crate) fn length(&self) -> Duration {
        self.ran.trace.script_ended.duration_since(self.began()).unsigned_abs()
    }

    /// When the controller sent its first request.
    fn began(&self) -> Timestamp {
        self.ran.trace.passed.first().map_or(Timestamp::UNIX_EPOCH, |first| first.at)
    }

    /// When each of these came, from the beginning.
    pub(crate) fn times_of_work(&self) -> Vec<Duration> {
        let began = self.began();
        let since = |passed: &Passed| passed.at.duration_since(began).unsigned_abs();
        self.work_passed().map(since).collect()
    }

    /// Every death at a write that differs from all others. One before a write that follows another at once,
    /// with nothing in between, is the same as after that other; and of those at events, on which nothing
    /// depends, one of many stands for all.
    pub(crate) fn deaths(&self) -> Vec<Cut> {
        let log = &self.ran.trace.passed;
        let between = self.ran.history.between();
        let follows_at_once = |before: usize, here: usize| {
            log[before].at == log[here].at
                && between.iter().all(|(from, to)| *to <= before || *from >= here)
        };
        let works = (0..log.len()).filter(|place| is_work(&log[*place]));
        let (mut cuts, mut before, mut events) = (Vec::new(), None, 0);
        for (write, place) in (1..).zip(works) {
            let cut = |moment| Cut { write, moment };
            if log[place].resource == "events" {
                events += 1;
                cuts.extend((events % EVENTS_TO_A_DEATH == 0).then(|| cut(Moment::After)));
                continue;
            }
            let is_new = before.is_none_or(|before| !follows_at_once(before, place));
            cuts.extend(is_new.then(|| cut(Moment::Before)));
            cuts.push(cut(Moment::After));
            before = Some(place);
        }
        cuts
    }

    fn work_passed(&self) -> impl Iterator<Item = &Passed> {
        self.ran.trace.passed.iter().filter(|passed| is_work(passed))
    }

    /// How many requests a controller makes, watches left aside.
    pub(crate) fn requests(&self) -> usize {
        self.ran.trace.passed.iter().filter(|passed| passed.verb != Verb::Watch).count()
    }

    /// How many requests of one sort.
    pub(crate) fn count(&self, verb: Verb, resource: &str) -> usize {
        let is_such = |passed: &&Passed| passed.verb == verb && passed.resource == resource;
        self.ran.trace.passed.iter().filter(is_such).count()
    }

    /// The kinds that a controller watches and of which something changed, with how many changes.
    pub(crate) fn watched(&self) -> BTreeMap<String, usize> {
        let passed = self.ran.trace.passed.iter();
        let kinds: BTreeSet<_> = passed
            .filter(|passed| passed.verb == Verb::Watch)
            .map(|passed| passed.resource.as_str())
            .collect();
        let mut changes = BTreeMap::new();
        for step in
            self.ran.history.steps.iter().filter(|step| kinds.contains(step.resource.as_str()))
        {
            *changes.entry(step.resource.clone()).or_default() += 1;
        }
        changes
    }

    /// Names of the rollouts that exist in the end.
    pub(crate) fn rollouts(&self) -> Vec<String> {
        let names = self.ending.keys().filter_map(|key| key.strip_prefix("rollouts "));
        names.filter_map(|name| Some(name.split_once('/')?.1.to_owned())).collect()
    }

    /// How many measurements analysis runs took.
    pub(crate) fn measurements(&self) -> usize {
        let mut picture = Picture::default();
        self.ran.history.steps.iter().for_each(|step| picture.apply(step));
        let count = |run: &Value| -> usize {
            let results = run["status"]["metricResults"].as_array().into_iter().flatten();
            results.map(|result| result["measurements"].as_array().map_or(0, Vec::len)).sum()
        };
        picture.all("analysisruns").map(count).sum()
    }
}

impl Ran {
    /// How the cluster ended.
    pub fn ending(&self) -> BTreeMap<String, Value> {
        let mut picture = Picture::default();
        self.history.steps.iter().for_each(|step| picture.apply(step));
        ending(&picture)
    }

    /// What the controllers wrote, but for events and leases, and for what never reached the server.
    pub fn writes(&self) -> impl Iterator<Item = &Passed> {
        let kept = |passed: &&Passed| {
            passed.verb.is_write()
                && !matches!(passed.resource.as_str(), "events" | "leases")
                && !matches!(passed.fate, Fate::Refused(_) | Fate::Lost)
        };
        self.trace.passed.iter().filter(kept)
    }
}

/// Whether a request is a write that can be a controller's last; a lease is renewed all the time.
fn is_work(passed: &Passed) -> bool {
    passed.verb.is_write() && passed.resource != "leases"
}
