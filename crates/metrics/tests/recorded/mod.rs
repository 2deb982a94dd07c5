//! The samples and queries that Prometheus was asked about; see `../data/README.md`.

use jiff::Timestamp;
use metrics::Labels;
use metrics::labels::METRIC_NAME;
use metrics::series::{Limits, SeriesStore};
use std::collections::BTreeMap;

/// The time that those of queries count from.
pub(crate) const ORIGIN: i64 = 1_700_000_000;

/// The path and the parameters that a line of `queries.txt` means.
pub(crate) fn request(line: &str) -> (&'static str, Vec<(String, String)>) {
    let owned = |pairs: &[(&str, String)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    };
    let words: Vec<&str> = line.split(' ').collect();
    if words[0] == "at" {
        let query = line.splitn(3, ' ').nth(2).unwrap().to_owned();
        return ("query", owned(&[("query", query), ("time", absolute(words[1]))]));
    }
    let query = line.splitn(7, ' ').nth(6).unwrap().to_owned();
    let (start, end) = (absolute(words[1]), absolute(words[3]));
    let step = words[5].to_owned();
    let pairs = [("query", query), ("start", start), ("end", end), ("step", step)];
    ("query_range", owned(&pairs))
}

fn absolute(time: &str) -> String {
    let (whole, rest) = time.split_once('.').unwrap_or((time, "0"));
    format!("{}.{rest}", ORIGIN + whole.parse::<i64>().unwrap())
}

/// The samples of `samples.om`.
pub(crate) fn store() -> SeriesStore {
    let limits = Limits { retention: jiff::SignedDuration::from_hours(24), ..Limits::default() };
    let mut store = SeriesStore::new(limits);
    let mut samples: BTreeMap<i64, Vec<(Labels, f64)>> = BTreeMap::new();
    for line in include_str!("../data/samples.om").lines().filter(|line| !line.starts_with('#')) {
        let (labels, at, value) = sample(line);
        samples.entry(at).or_default().push((labels, value));
    }
    for (at, samples) in samples {
        let at = Timestamp::from_millisecond(at).unwrap();
        for (labels, value) in samples {
            store.append(&labels, at, value).unwrap();
        }
    }
    store
}

#[expect(clippy::cast_possible_truncation, reason = "times of samples are small")]
fn sample(line: &str) -> (Labels, i64, f64) {
    let mut words = line.rsplitn(3, ' ');
    let at: f64 = words.next().unwrap().parse().unwrap();
    let value: f64 = words.next().unwrap().parse().unwrap();
    let series = words.next().unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let pairs = labels.trim_end_matches('}').split(',').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (name, value.trim_matches('"'))
    });
    let labels = Labels::new(pairs.chain([(METRIC_NAME, name)]));
    (labels, (at * 1000.0).round() as i64, value)
}
