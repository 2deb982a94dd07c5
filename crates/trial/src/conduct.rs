//! The trials themselves, put together: on recorded series, over the past, and now.

use crate::{
    course::Course,
    length,
    pursue::{Time, Unfinished, pursue},
    recorded::{self, RecordedSeries},
    replay::{NotReplayed, Outline, Replay, Scope, outline, replay},
    report::{Report, Taken},
    secrets,
    template::{Access, Askable, NoRun, check_providers, redirect},
};
use api::argo::AnalysisRun;
use clock::Clock;
use controller::HttpCaller;
use jiff::{SignedDuration, Timestamp};
use metrics::promql::parse_duration;
use plan::analysis_run::Observed;
use std::{str::FromStr, sync::Arc};

/// Why a trial came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTrial {
    /// The run cannot be made, or not be measured here.
    #[error(transparent)]
    NoRun(#[from] NoRun),
    /// Secrets are missing.
    #[error(transparent)]
    Missing(#[from] secrets::Missing),
    /// The run has no end.
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
    /// There is nothing to replay, or too much.
    #[error(transparent)]
    NotReplayed(#[from] NotReplayed),
    /// The run begins outside of the recorded series.
    #[error(
        "the series begin at {first} and end at {last}; {start} is outside, choose another --at"
    )]
    Outside {
        /// When the run was to begin.
        start: Timestamp,
        /// When the first sample was.
        first: Timestamp,
        /// When the last sample was.
        last: Timestamp,
    },
}

/// When a run on recorded series begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// So long after the first sample.
    After(SignedDuration),
    /// At that time.
    At(Timestamp),
}

/// Text that is no beginning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time; write start, start+10m or 2026-01-31T12:00:00Z")]
pub struct BadBegin(String);

impl FromStr for Begin {
    type Err = BadBegin;

    fn from_str(text: &str) -> Result<Self, BadBegin> {
        let bad = || BadBegin(text.to_owned());
        match text.strip_prefix("start") {
            Some("") => Ok(Self::After(SignedDuration::ZERO)),
            Some(rest) => {
                let span = rest.strip_prefix('+').and_then(parse_duration);
                let span = span.and_then(|span| SignedDuration::try_from(span).ok());
                span.map(Self::After).ok_or_else(bad)
            }
            None => text.parse().map(Self::At).map_err(|_| bad()),
        }
    }
}

/// Takes a run through recorded series, in no time. A metric without end is ended with the series, as a
/// promotion ends it; one with an end that the series do not reach finds no data.
///
/// # Errors
/// [`NoTrial`].
pub async fn test(
    mut run: AnalysisRun,
    series: &RecordedSeries,
    begin: Begin,
    lasts: Option<SignedDuration>,
) -> Result<Report, NoTrial> {
    check_providers(&run, Askable::Prometheus)?;
    redirect(&mut run, recorded::ADDRESS, Access::Free);
    let (first, last) = (series.first, series.last);
    let start = match begin {
        Begin::After(span) => first.checked_add(span).unwrap_or(Timestamp::MAX),
        Begin::At(at) => at,
    };
    if !(first..=last).contains(&start) {
        return Err(NoTrial::Outside { start, first, last });
    }
    let last = match lasts {
        Some(lasts) => start.checked_add(lasts).ok(),
        None => end_with(&run, start, last),
    };
    let mut observed = Observed { run: Arc::new(run), ..Observed::default() };
    secrets::stand_in(&mut observed);
    let time = Time::Virtual(start);
    Ok(pursue(Course::new(observed), series, (time, last), &mut |_| {}).await?)
}

/// The end of a run with a metric that has none: that of the series, and of its other metrics.
fn end_with(run: &AnalysisRun, start: Timestamp, last: Timestamp) -> Option<Timestamp> {
    let metrics = length::shown_metrics(run);
    let lengths: Vec<_> = metrics.iter().map(|metric| length::of(metric, None)).collect();
    if lengths.iter().all(Option::is_some) {
        return None;
    }
    let longest = lengths.iter().flatten().map(|length| length.time).max().unwrap_or_default();
    Some(start.checked_add(longest).unwrap_or(Timestamp::MAX).max(last))
}

/// Where a run is led, and what it may read.
pub struct World<'a> {
    /// The Prometheus to ask in place of those that the template names.
    pub prometheus: Option<&'a str>,
    /// The environment, where secrets are.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// Who makes the calls.
    pub caller: Arc<dyn HttpCaller>,
}

impl World<'_> {
    fn observe(&self, mut run: AnalysisRun, askable: Askable) -> Result<Observed, NoTrial> {
        check_providers(&run, askable)?;
        if let Some(address) = self.prometheus {
            redirect(&mut run, address, Access::AsWritten);
        }
        let mut observed = Observed { run: Arc::new(run), ..Observed::default() };
        secrets::read(&mut observed, self.environment)?;
        Ok(observed)
    }
}

/// Takes a run through the present, as the controller would; after `lasts` it is ended as a promotion
/// ends one.
///
/// # Errors
/// [`NoTrial`].
pub async fn live(
    run: AnalysisRun,
    world: &World<'_>,
    (clock, lasts): (Clock, Option<SignedDuration>),
    tell: &mut (dyn FnMut(&Taken) + Send),
) -> Result<Report, NoTrial> {
    let observed = world.observe(run, Askable::Anybody)?;
    let last = lasts.and_then(|lasts| clock.now().checked_add(lasts).ok());
    let time = Time::Real(clock);
    Ok(pursue(Course::new(observed), world.caller.as_ref(), (time, last), tell).await?)
}

/// A replay that has been worked out and not begun.
pub struct Prepared {
    observed: Observed,
    caller: Arc<dyn HttpCaller>,
    /// What it is going to do.
    pub outline: Outline,
}

/// Works out a replay.
///
/// # Errors
/// [`NoTrial`].
pub fn prepare(run: AnalysisRun, world: &World<'_>, scope: Scope) -> Result<Prepared, NoTrial> {
    let observed = world.observe(run, Askable::Prometheus)?;
    let outline = outline(&observed.run, scope)?;
    Ok(Prepared { observed, caller: Arc::clone(&world.caller), outline })
}

impl Prepared {
    /// Replays.
    ///
    /// # Errors
    /// [`NoTrial::NotReplayed`] when a run has no end.
    pub async fn begin(self) -> Result<Replay, NoTrial> {
        Ok(replay(&self.observed, &self.outline, self.caller).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Begin>) {
        assert_eq!(text.parse::<Begin>().ok(), expected, "{text}");
    }

    #[test]
    fn a_beginning_is_a_time_or_counted_from_the_first_sample() {
        check("start", Some(Begin::After(SignedDuration::ZERO)));
        check("start+10m", Some(Begin::After(SignedDuration::from_mins(10))));
        check("1970-01-01T00:00:00Z", Some(Begin::At(Timestamp::UNIX_EPOCH)));
        for text in ["", "start-1m", "start+", "start+soon", "tomorrow"] {
            check(text, None);
        }
    }
}
