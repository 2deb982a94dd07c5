//! Prometheus' text format for `/metrics` pages.

use crate::labels::METRIC_NAME;
use crate::number;
use crate::series::Sample;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The content type of [`text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The samples in text form, grouped by family with its type: names ending in `_total` or in
/// `_requests` are counters, families with `_bucket` samples are histograms, the rest is untyped.
pub fn text(samples: &[Sample]) -> String {
    let bucketed: BTreeSet<&str> =
        samples.iter().filter_map(|s| s.labels.metric_name().strip_suffix("_bucket")).collect();
    let mut families: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        let name = sample.labels.metric_name();
        families.entry(family(name, &bucketed)).or_default().push(sample);
    }
    let mut page = String::new();
    for (name, members) in families {
        page.push_str(&format_family(name, kind(name, &bucketed), &members));
    }
    page
}

fn family<'a>(name: &'a str, bucketed: &BTreeSet<&str>) -> &'a str {
    let suffixes = ["_bucket", "_sum", "_count"];
    let stems = suffixes.iter().filter_map(|suffix| name.strip_suffix(suffix));
    stems.into_iter().find(|stem| bucketed.contains(stem)).unwrap_or(name)
}

fn kind(name: &str, bucketed: &BTreeSet<&str>) -> &'static str {
    if bucketed.contains(name) {
        "histogram"
    } else if name.ends_with("_total") || name.ends_with("_requests") {
        "counter"
    } else {
        "untyped"
    }
}

fn format_family(name: &str, kind: &str, samples: &[&Sample]) -> String {
    let mut text = format!("# TYPE {name} {kind}\n");
    for sample in samples {
        text.push_str(sample.labels.metric_name());
        let labels = sample.labels.iter().filter(|(name, _)| *name != METRIC_NAME);
        let labels: Vec<_> = labels.map(|(n, v)| format!("{n}=\"{}\"", escape(v))).collect();
        if !labels.is_empty() {
            let _ = write!(text, "{{{}}}", labels.join(","));
        }
        let _ = writeln!(text, " {}", number::format(sample.value));
    }
    text
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Labels;

    fn sample(name: &str, label: (&str, &str), value: f64) -> Sample {
        Sample { labels: Labels::new([(METRIC_NAME, name), label]), value }
    }

    #[test]
    fn families_are_grouped_and_typed() {
        let samples = [
            sample("d_bucket", ("le", "+Inf"), 2.0),
            sample("a_total", ("path", "\"\\\n"), 1.0),
            sample("d_sum", ("", ""), 0.5),
            sample("d_count", ("", ""), 2.0),
        ];
        let expected = "# TYPE a_total counter\n\
            a_total{path=\"\\\"\\\\\\n\"} 1\n\
            # TYPE d histogram\n\
            d_bucket{le=\"+Inf\"} 2\n\
            d_sum 0.5\n\
            d_count 2\n";
        assert_eq!(text(&samples), expected);
    }
}
