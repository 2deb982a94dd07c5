//! Asking the past: had this template judged at every hour of the last days, how often would it have fired?
//!
//! Start with [`outline`], which says what is going to be asked, then [`replay`].

use crate::{
    course::Course,
    length,
    pursue::{Time, Unfinished, pursue},
    report::Report,
};
use api::argo::{AnalysisPhase, AnalysisRun};
use controller::HttpCaller;
use futures::future::{BoxFuture, join_all};
use jiff::{SignedDuration, Timestamp};
use plan::analysis_run::Observed;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use vocab::{Call, Reply, ReplyError};

/// Queries that one replay makes unless more are allowed.
pub const DEFAULT_QUERIES: usize = 10_000;
/// Runs of one replay.
pub const MAX_RUNS: usize = 10_000;
/// Days that a replay may go back.
pub const MAX_DAYS: u16 = 366;
/// Runs that are replayed at the same time.
const AT_ONCE: usize = 4;
/// Ends that are told in full.
pub const SHOWN: usize = 5;

/// What is to be replayed.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// The present, where the past ends.
    pub now: Timestamp,
    /// How many days back the first run begins.
    pub days: u16,
    /// Time between the beginnings of two runs.
    pub every: SignedDuration,
    /// When a run is ended, counted from its beginning.
    pub lasts: Option<SignedDuration>,
    /// Queries that may be made.
    pub queries_max: usize,
}

/// What a replay is going to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// When the runs begin.
    pub starts: Vec<Timestamp>,
    /// When a run is ended, counted from its beginning.
    pub lasts: Option<SignedDuration>,
    /// Queries that a run makes when nothing goes wrong.
    pub queries_each: usize,
    /// Queries that may be made.
    pub queries_max: usize,
}

impl Outline {
    /// Queries in all when nothing goes wrong: every metric that fails early asks less, every error is
    /// asked again.
    pub fn queries(&self) -> usize {
        self.queries_each.saturating_mul(self.starts.len())
    }
}

/// Why nothing is replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReplayed {
    /// A metric has no end of its own.
    #[error("metric {metric} is measured without end; say with --for how long a run lasts")]
    Endless {
        /// The metric.
        metric: String,
    },
    /// A run takes longer than the days that are looked at.
    #[error("a run takes {needed}, and only {days} days are looked at; choose more --days")]
    TooLong {
        /// How long a run takes.
        needed: String,
        /// The days.
        days: u16,
    },
    /// There would be too many runs.
    #[error("{runs} runs are too many, {MAX_RUNS} are allowed; choose a longer --every")]
    TooManyRuns {
        /// How many there would be.
        runs: usize,
    },
    /// There would be too many queries.
    #[error(
        "{runs} runs make about {queries} queries, and {limit} are allowed; choose a longer --every, fewer --days or more --max-queries"
    )]
    TooManyQueries {
        /// Runs.
        runs: usize,
        /// Queries of all of them.
        queries: usize,
        /// The limit in force.
        limit: usize,
    },
    /// A run had no end.
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
}

/// Works out what a replay is going to do.
///
/// # Errors
/// [`NotReplayed`] when that has no end, or is too much.
pub fn outline(run: &AnalysisRun, scope: Scope) -> Result<Outline, NotReplayed> {
    let (mut queries_each, mut needed) = (0_usize, SignedDuration::ZERO);
    for metric in length::shown_metrics(run) {
        let endless = || NotReplayed::Endless { metric: metric.name.clone() };
        let length = length::of(&metric, scope.lasts).ok_or_else(endless)?;
        queries_each = queries_each.saturating_add(length.measurements);
        needed = needed.max(length.time);
    }
    let back = SignedDuration::from_hours(24 * i64::from(scope.days));
    let first = scope.now.checked_sub(back).unwrap_or(Timestamp::MIN);
    let starts = starts(first, scope.now, scope.every, needed)?;
    if starts.is_empty() {
        return Err(NotReplayed::TooLong { needed: format!("{needed:#}"), days: scope.days });
    }
    let (lasts, queries_max) = (scope.lasts, scope.queries_max);
    let outline = Outline { starts, lasts, queries_each, queries_max };
    if outline.queries() > queries_max {
        let (runs, queries) = (outline.starts.len(), outline.queries());
        return Err(NotReplayed::TooManyQueries { runs, queries, limit: queries_max });
    }
    Ok(outline)
}

/// Beginnings that leave each run its time before the present.
fn starts(
    first: Timestamp,
    now: Timestamp,
    every: SignedDuration,
    needed: SignedDuration,
) -> Result<Vec<Timestamp>, NotReplayed> {
    let mut starts = Vec::new();
    let mut next = Some(first);
    while let Some(start) =
        next.filter(|start| start.checked_add(needed).is_ok_and(|end| end <= now))
    {
        starts.push(start);
        if starts.len() > MAX_RUNS {
            return Err(NotReplayed::TooManyRuns { runs: starts.len() });
        }
        next = start.checked_add(every).ok();
    }
    Ok(starts)
}

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// When the first run began.
    pub from: Option<Timestamp>,
    /// When the last one began.
    pub to: Option<Timestamp>,
    /// Runs that were replayed.
    pub runs: usize,
    /// Runs that were not, because the queries ran out.
    pub left_out: usize,
    /// Queries that were made.
    pub queries: usize,
    /// Runs by what they came to.
    pub phases: BTreeMap<String, usize>,
    /// The first runs that were not successful, without their measurements.
    pub ends: Vec<Report>,
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phases = [
            AnalysisPhase::Successful,
            AnalysisPhase::Failed,
            AnalysisPhase::Inconclusive,
            AnalysisPhase::Error,
        ];
        for phase in phases {
            let count = self.phases.get(&phase.to_string()).copied().unwrap_or_default();
            writeln!(f, "{:<12}  {count} of {}", phase.to_string(), self.runs)?;
        }
        for end in &self.ends {
            let began = end.started_at.map(|at| at.to_string()).unwrap_or_default();
            writeln!(f, "\nbegun at {began}:\n{end}")?;
        }
        if self.left_out > 0 {
            writeln!(
                f,
                "\n{} runs were left out: the queries that are allowed ran out",
                self.left_out
            )?;
        }
        Ok(())
    }
}

/// Replays a run at each start of the outline.
///
/// # Errors
/// [`NotReplayed::Unfinished`] when a run has no end.
pub async fn replay(
    observed: &Observed,
    outline: &Outline,
    caller: Arc<dyn HttpCaller>,
) -> Result<Replay, NotReplayed> {
    let counting = Counting { inner: caller, asked: AtomicUsize::new(0) };
    let mut reports: Vec<Report> = Vec::new();
    for starts in outline.starts.chunks(AT_ONCE) {
        if counting.asked() >= outline.queries_max {
            break;
        }
        let runs = starts.iter().map(|start| one(observed, *start, outline.lasts, &counting));
        for report in join_all(runs).await {
            reports.push(report?);
        }
    }
    Ok(summary(reports, outline, counting.asked()))
}

async fn one(
    observed: &Observed,
    start: Timestamp,
    lasts: Option<SignedDuration>,
    caller: &dyn HttpCaller,
) -> Result<Report, Unfinished> {
    let last = lasts.and_then(|lasts| start.checked_add(lasts).ok());
    let course = Course::new(observed.clone());
    pursue(course, caller, (Time::Virtual(start), last), &mut |_| {}).await
}

fn summary(reports: Vec<Report>, outline: &Outline, queries: usize) -> Replay {
    let mut phases = BTreeMap::new();
    for report in &reports {
        *phases.entry(report.phase.to_string()).or_default() += 1;
    }
    let runs = reports.len();
    let lost = reports.into_iter().filter(|report| report.phase != AnalysisPhase::Successful);
    let ends = lost.take(SHOWN).map(|report| Report { measurements: Vec::new(), ..report });
    Replay {
        from: outline.starts.first().copied(),
        to: outline.starts.get(runs.saturating_sub(1)).copied(),
        runs,
        left_out: outline.starts.len() - runs,
        queries,
        phases,
        ends: ends.collect(),
    }
}

/// Counts what is asked.
struct Counting {
    inner: Arc<dyn HttpCaller>,
    asked: AtomicUsize,
}

impl Counting {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl HttpCaller for Counting {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, ReplyError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.inner.call(call)
    }
}
