//! Series that somebody wrote down: samples with their times, and the notation of promtool's unit tests.
//!
//! [`read_samples`] reads lines such as `up{job="a"} 1 1730000000`; [`expand`] reads `0+10x5`, with
//! [`read_labels`] for the series they belong to. [`store`] makes them answer queries.
//!
//! Source: Prometheus' *Exposition formats* and *Unit testing for rules*.

use crate::labels::{Labels, METRIC_NAME};
use crate::number;
use crate::promql;
use crate::series::{AppendError, DEFAULT_SERIES, Limits, Point, SeriesStore};
use jiff::{SignedDuration, Timestamp};
use promql_parser::label::MatchOp;
use std::collections::BTreeMap;

/// Values that one line of the notation may stand for.
pub const MAX_VALUES: usize = 1_000_000;
/// Problems of one text that are told; the others are most often the same again.
pub const MAX_PROBLEMS: usize = 20;
/// A time of this size or more is in milliseconds, as in the text format; a smaller one is in seconds,
/// as in `OpenMetrics`. As milliseconds it is in March 1973, as seconds in the year 5138.
const LEAST_MILLIS: f64 = 1e11;

/// One series, oldest sample first.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The series, with its name under `__name__`.
    pub labels: Labels,
    /// Its samples.
    pub points: Vec<Point>,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {message}")]
pub struct LineError {
    /// Which line, counted from 1.
    pub line: usize,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
}

/// What stands in one place of the notation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slot {
    /// A sample of that value.
    Value(f64),
    /// No sample.
    Missing,
    /// The series ends.
    Stale,
}

/// Reads samples with their times, one a line, in any order; comments and blank lines are passed over.
///
/// # Errors
/// Every line that is no such sample, up to [`MAX_PROBLEMS`].
pub fn read_samples(text: &str) -> Result<Vec<Recorded>, Vec<LineError>> {
    let mut known: BTreeMap<&str, Labels> = BTreeMap::new();
    let mut series: BTreeMap<Labels, Vec<Point>> = BTreeMap::new();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match read_sample(line, &mut known) {
            Ok((labels, point)) => series.entry(labels).or_default().push(point),
            Err(message) => problems.push(LineError { line: index + 1, message }),
        }
        if problems.len() == MAX_PROBLEMS {
            break;
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let recorded = |(labels, mut points): (Labels, Vec<Point>)| {
        points.sort_by_key(|point| point.at);
        Recorded { labels, points }
    };
    Ok(series.into_iter().map(recorded).collect())
}

/// Reads the labels of a series, such as `up{job="a"}`.
///
/// # Errors
/// What is wrong with it.
pub fn read_labels(text: &str) -> Result<Labels, String> {
    let matchers = promql::parse_selector(text).map_err(|error| error.to_string())?;
    if let Some(other) = matchers.matchers.iter().find(|it| !matches!(it.op, MatchOp::Equal)) {
        return Err(format!("label {} of a series is set with `=`", other.name));
    }
    let labels = Labels::new(matchers.matchers.into_iter().map(|it| (it.name, it.value)));
    if labels.get(METRIC_NAME).is_empty() {
        return Err("a series needs a name".to_owned());
    }
    Ok(labels)
}

/// Expands the notation of promtool: `1 2 3`, `0+10x5`, `7x3`, `_`, `_x3` and `stale`.
///
/// # Errors
/// What is wrong with it.
pub fn expand(notation: &str) -> Result<Vec<Slot>, String> {
    let mut slots = Vec::new();
    for word in notation.split_whitespace() {
        let run = read_run(word).ok_or_else(|| {
            format!("`{word}` is no value; write 1, 1x5, 1+2x5, 1-2x5, _, _x5 or stale")
        })?;
        if slots.len() + run.len() > MAX_VALUES {
            return Err(format!("the values of a series are more than {MAX_VALUES}"));
        }
        slots.extend((0..run.len()).map(|index| run.slot(index)));
    }
    Ok(slots)
}

/// The points that slots make, beginning at `start`.
pub fn points(slots: &[Slot], start: Timestamp, interval: SignedDuration) -> Vec<Point> {
    let step = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
    let at = |index: usize| {
        let passed = step.saturating_mul(i64::try_from(index).unwrap_or(i64::MAX));
        start.as_millisecond().saturating_add(passed)
    };
    let point = |(index, slot): (usize, &Slot)| {
        let value = match slot {
            Slot::Value(value) => *value,
            Slot::Missing => return None,
            Slot::Stale => f64::from_bits(number::STALE_BITS),
        };
        Some(Point { at: at(index), value })
    };
    slots.iter().enumerate().filter_map(point).collect()
}

/// Everything that was recorded, ready for queries; nothing is too old to be kept.
///
/// # Errors
/// When two samples of a series contradict each other, or there are too many series.
pub fn store(recorded: &[Recorded]) -> Result<SeriesStore, AppendError> {
    let limits = Limits {
        series: DEFAULT_SERIES,
        samples_per_series: usize::MAX,
        retention: SignedDuration::MAX,
    };
    let mut store = SeriesStore::new(limits);
    for Recorded { labels, points } in recorded {
        for point in points {
            let at = Timestamp::from_millisecond(point.at).unwrap_or(Timestamp::MAX);
            store.append(labels, at, point.value)?;
        }
    }
    Ok(store)
}

/// Times of the first and the last sample.
pub fn span(recorded: &[Recorded]) -> Option<(Timestamp, Timestamp)> {
    let times = || recorded.iter().flat_map(|series| series.points.iter().map(|point| point.at));
    let time = |millis: i64| Timestamp::from_millisecond(millis).ok();
    Some((time(times().min()?)?, time(times().max()?)?))
}

fn read_sample<'a>(
    line: &'a str,
    known: &mut BTreeMap<&'a str, Labels>,
) -> Result<(Labels, Point), String> {
    let (series, rest) = line.split_at(end_of_labels(line)?);
    let labels = match known.get(series) {
        Some(labels) => labels.clone(),
        None => known.entry(series).or_insert(read_labels(series)?).clone(),
    };
    let mut words = rest.split_whitespace();
    let value = words.next().ok_or("a value is missing after the series")?;
    let value = value.parse().map_err(|_| format!("`{value}` is no value"))?;
    let time = words.next().ok_or("a time is missing after the value, in seconds since 1970")?;
    let at = read_time(time).ok_or_else(|| format!("`{time}` is no time in seconds since 1970"))?;
    match words.next() {
        // OpenMetrics' exemplars.
        None | Some("#") => Ok((labels, Point { at, value })),
        Some(word) => Err(format!("`{word}` is one word too many")),
    }
}

/// Where the labels end: behind the brace that closes them, or before the first blank.
fn end_of_labels(line: &str) -> Result<usize, String> {
    let blank = line.find(char::is_whitespace).unwrap_or(line.len());
    let Some(open) =
        line.find('{').filter(|open| *open <= blank || line[blank..*open].trim().is_empty())
    else {
        return Ok(blank);
    };
    let (mut quoted, mut escaped) = (false, false);
    for (index, c) in line[open..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return Ok(open + index + 1),
            _ => {}
        }
    }
    Err("the labels have no end; a `}` is missing".to_owned())
}

fn read_time(text: &str) -> Option<i64> {
    let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
    let millis = if number.abs() < LEAST_MILLIS { number * 1000.0 } else { number };
    let millis = number::whole(millis.round());
    Timestamp::from_millisecond(millis).ok().map(|_| millis)
}

/// One word of the notation.
enum Run {
    Values { first: f64, step: f64, more: usize },
    Missing(usize),
    Stale,
}

impl Run {
    fn len(&self) -> usize {
        match self {
            Self::Values { more, .. } => more.saturating_add(1),
            Self::Missing(count) => *count,
            Self::Stale => 1,
        }
    }

    fn slot(&self, index: usize) -> Slot {
        match self {
            Self::Values { first, .. } if index == 0 => Slot::Value(*first),
            Self::Values { first, step, .. } => Slot::Value(first + step * number::float(index)),
            Self::Missing(_) => Slot::Missing,
            Self::Stale => Slot::Stale,
        }
    }
}

fn read_run(word: &str) -> Option<Run> {
    let repeated =
        word.rsplit_once('x').and_then(|(word, times)| Some((word, times.parse::<usize>().ok()?)));
    match (word, repeated) {
        ("stale", _) => Some(Run::Stale),
        ("_", _) => Some(Run::Missing(1)),
        (_, Some(("_", times))) => Some(Run::Missing(times)),
        (_, Some((word, more))) => {
            let (first, step) = read_step(word)?;
            Some(Run::Values { first, step, more })
        }
        _ => Some(Run::Values { first: word.parse().ok()?, step: 0.0, more: 0 }),
    }
}

/// Reads `1+2`, `1-2` and `1`.
fn read_step(word: &str) -> Option<(f64, f64)> {
    if let Ok(first) = word.parse() {
        return Some((first, 0.0));
    }
    let mut signs = word.char_indices().skip(1).filter(|(_, c)| matches!(c, '+' | '-'));
    let split = |(at, _): (usize, char)| Some((word[..at].parse().ok()?, word[at..].parse().ok()?));
    signs.find_map(split)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_line(line: &str, expected: Result<(&str, i64, f64), &str>) {
        let got = read_samples(line).map_err(|problems| problems[0].to_string());
        let got = got.map(|series| {
            (series[0].labels.to_string(), series[0].points[0].at, series[0].points[0].value)
        });
        let expected = expected.map(|(labels, at, value)| (labels.to_owned(), at, value));
        assert_eq!(got, expected.map_err(str::to_owned), "{line}");
    }

    #[test]
    fn a_sample_is_a_series_a_value_and_a_time() {
        check_line("up 1 1730000000", Ok(("up{}", 1_730_000_000_000, 1.0)));
        check_line("up 1 1730000000123", Ok(("up{}", 1_730_000_000_123, 1.0)));
        check_line("up 1 1.5", Ok(("up{}", 1_500, 1.0)));
        check_line(r#"up{a="b}\"c",} +Inf 2"#, Ok((r#"up{a="b}\"c"}"#, 2_000, f64::INFINITY)));
        check_line(r#"up{a="1"} 2 3 # {trace="x"} 1"#, Ok((r#"up{a="1"}"#, 3_000, 2.0)));
        check_line("up 1", Err("1: a time is missing after the value, in seconds since 1970"));
        check_line("up one 1", Err("1: `one` is no value"));
        check_line("up 1 soon", Err("1: `soon` is no time in seconds since 1970"));
        check_line("up 1 2 3", Err("1: `3` is one word too many"));
        check_line(r#"up{a="1" 2 3"#, Err("1: the labels have no end; a `}` is missing"));
        check_line(r#"up{a!="1"} 2 3"#, Err("1: label a of a series is set with `=`"));
    }

    #[test]
    fn samples_are_sorted_and_every_bad_line_is_told() {
        let series = read_samples("# HELP up\nup 3 3\nup 1 1\n\nup 2 2\n").unwrap();
        let times: Vec<i64> = series[0].points.iter().map(|point| point.at).collect();
        assert_eq!(times, [1_000, 2_000, 3_000]);
        assert_eq!(
            span(&series).map(|(first, last)| last.duration_since(first)),
            Some(SignedDuration::from_secs(2))
        );
        let problems = read_samples("up\nup 1 1\nup x 1\n").unwrap_err();
        assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [1, 3]);
    }

    #[track_caller]
    fn check_notation(notation: &str, expected: &str) {
        let word = |slot: &Slot| match slot {
            Slot::Value(value) => value.to_string(),
            Slot::Missing => "_".to_owned(),
            Slot::Stale => "stale".to_owned(),
        };
        let got =
            expand(notation).map(|slots| slots.iter().map(word).collect::<Vec<_>>().join(" "));
        assert_eq!(got.unwrap_or_else(|error| error), expected, "{notation}");
    }

    #[test]
    fn the_notation_reads_as_promtool_reads_it() {
        check_notation("-2+4x3", "-2 2 6 10");
        check_notation(" 1-2x4", "1 -1 -3 -5 -7");
        check_notation("1x4", "1 1 1 1 1");
        check_notation("1 _x3 stale", "1 _ _ _ stale");
        check_notation("1e3 NaN -1.5 +Inf", "1000 NaN -1.5 inf");
        check_notation("1e3+1e-1x1", "1000 1000.1");
        check_notation("", "");
        check_notation("one", "`one` is no value; write 1, 1x5, 1+2x5, 1-2x5, _, _x5 or stale");
        check_notation(
            "1x9999999999",
            &format!("the values of a series are more than {MAX_VALUES}"),
        );
    }

    #[test]
    fn what_was_recorded_answers_queries() {
        let slots = expand("0+60x10").unwrap();
        let points = points(&slots, Timestamp::UNIX_EPOCH, SignedDuration::from_mins(1));
        let labels = read_labels("a_total").unwrap();
        let store = store(&[Recorded { labels, points }]).unwrap();
        let at = Timestamp::from_second(600).unwrap();
        let answer = promql::query_instant(
            &store,
            "scalar(rate(a_total[5m]))",
            at,
            &promql::Options::default(),
        );
        assert!(
            matches!(answer, Ok(promql::PromValue::Scalar(Point { value: 1.0, .. }))),
            "{answer:?}"
        );
    }
}
