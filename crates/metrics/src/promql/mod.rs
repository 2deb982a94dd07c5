//! PromQL over the samples in memory.
//!
//! Start with [`query_instant`] and [`query_range`]. The language is parsed by `promql-parser`; what is
//! evaluated here follows Prometheus to the bit where it matters: staleness, counter resets,
//! extrapolation, vector matching. What is not evaluated is [`QueryError::Unsupported`].

mod aggregate;
mod arithmetic;
mod binary;
mod calendar;
mod error;
mod eval;
mod facts;
mod functions;
mod histogram;
mod label_functions;
mod matching;
mod over_time;
mod range_functions;
mod regression;
mod select;
mod text;
mod value;

pub use error::{ErrorKind, QueryError};
pub use facts::{Facts, Kind, inspect};
pub use text::{parse_duration, parse_selector};
pub use value::{Element, PromValue, SeriesPoints};

pub(crate) use select::matching_series;

use crate::series::SeriesStore;
use eval::Evaluator;
use jiff::{SignedDuration, Timestamp};

/// Bytes of a query that are read at most.
pub const MAX_QUERY_BYTES: usize = 64 * 1024;
/// How deep expressions may be nested.
pub const MAX_DEPTH: usize = 128;
/// Samples that one query may load.
pub const MAX_SAMPLES: usize = 20_000_000;
/// Steps of a range query.
pub const MAX_STEPS: i64 = 11_000;
/// Steps of all evaluations of subqueries within one query.
pub const MAX_SUBQUERY_STEPS: usize = 1_000_000;
/// How far back the newest sample of a series still counts.
pub const LOOKBACK: SignedDuration = SignedDuration::from_mins(5);
/// The step of a subquery that names none.
pub const SUBQUERY_STEP: SignedDuration = SignedDuration::from_mins(1);

/// Which generation of Prometheus is followed where they differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Generation {
    /// Ranges hold the sample at their very start.
    V2,
    /// Ranges leave out the sample at their very start.
    #[default]
    V3,
}

/// How queries are evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// See [`LOOKBACK`].
    pub lookback: SignedDuration,
    /// See [`SUBQUERY_STEP`].
    pub subquery_step: SignedDuration,
    /// The Prometheus that is followed.
    pub generation: Generation,
    /// See [`MAX_SAMPLES`].
    pub max_samples: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lookback: LOOKBACK,
            subquery_step: SUBQUERY_STEP,
            generation: Generation::default(),
            max_samples: MAX_SAMPLES,
        }
    }
}

/// The times of a range query.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The first time.
    pub start: Timestamp,
    /// No time after this one.
    pub end: Timestamp,
    /// From one time to the next.
    pub step: SignedDuration,
}

/// The value of `query` at one time.
pub fn query_instant(
    store: &SeriesStore,
    query: &str,
    at: Timestamp,
    options: &Options,
) -> Result<PromValue, QueryError> {
    let expr = text::parse(query)?;
    let at = at.as_millisecond();
    Evaluator::new(store, query, options, (at, at)).instant(&expr, at)
}

/// The values of `query` at each step of `range`.
pub fn query_range(
    store: &SeriesStore,
    query: &str,
    range: Range,
    options: &Options,
) -> Result<PromValue, QueryError> {
    let expr = text::parse(query)?;
    let (start, end) = (range.start.as_millisecond(), range.end.as_millisecond());
    let step = i64::try_from(range.step.as_millis()).unwrap_or(i64::MAX);
    if step <= 0 {
        return Err(QueryError::InvalidStep);
    }
    if end < start {
        return Err(QueryError::EndBeforeStart);
    }
    if (end - start) / step > MAX_STEPS {
        return Err(QueryError::TooManySteps { limit: MAX_STEPS });
    }
    Evaluator::new(store, query, options, (start, end)).range(&expr, step)
}
