//! Histograms: what a Prometheus knows of the requests of one version up to each edge.

use super::answers::Answer;
use crate::prometheus;
use judges::quantile::judge::MAX_EDGES;
use vocab::Reply;

/// How far an edge of the histogram may be from the one that is asked for, as a part of it.
const SAME_EDGE: f64 = 1e-9;

/// The counts up to each edge and of all requests, from the series of a vector by `le`.
///
/// The edges of one histogram are counted at slightly different times and extrapolated one by one, so a
/// count that falls from one edge to the next is taken for that of the edge before.
///
/// # Errors
/// A sentence, when the answer is no histogram or lacks an edge.
pub(super) fn read(reply: &Reply, edges: &[f64]) -> Result<Answer, String> {
    let series = prometheus::by_label(reply, "le").map_err(|error| error.message)?;
    if series.is_empty() {
        return Ok(Answer::Nothing);
    }
    let series = series.iter().map(|(label, count)| Ok((edge(label)?, *count)));
    let series: Vec<(f64, f64)> = series.collect::<Result<_, String>>()?;
    let wanted = edges.iter().copied().chain([f64::INFINITY]);
    let counts = wanted.map(|edge| count_at(&series, edge)).collect::<Result<Vec<f64>, _>>()?;
    let Some(mut counts) = counts.into_iter().map(Answer::whole).collect::<Option<Vec<u64>>>()
    else {
        return Ok(Answer::NoNumber);
    };
    let mut most = 0;
    for count in &mut counts {
        most = most.max(*count);
        *count = most;
    }
    Ok(Answer::Buckets(counts))
}

/// The counts up to every edge that the histogram has and of all requests.
///
/// # Errors
/// A sentence, when the answer is no histogram, or one with more edges than are looked at.
pub(super) fn read_all(reply: &Reply) -> Result<Answer, String> {
    let series = prometheus::by_label(reply, "le").map_err(|error| error.message)?;
    let edges =
        series.iter().map(|(label, _)| edge(label)).collect::<Result<Vec<f64>, String>>()?;
    let mut edges: Vec<f64> = edges.into_iter().filter(|edge| edge.is_finite()).collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    if edges.is_empty() && !series.is_empty() {
        return Err("the histogram has no edge but +Inf: ask for sum by (le)".to_owned());
    }
    if edges.len() > MAX_EDGES {
        let count = edges.len();
        return Err(format!("the histogram has {count} edges, and {MAX_EDGES} are looked at"));
    }
    Ok(match read(reply, &edges)? {
        Answer::Buckets(up_to) => Answer::Histogram { edges, up_to },
        other => other,
    })
}

fn edge(label: &str) -> Result<f64, String> {
    let edge = label.parse::<f64>().ok();
    let edge = edge.filter(|edge| !edge.is_nan() && *edge > f64::NEG_INFINITY);
    edge.ok_or_else(|| format!("the label le is {label:?}, which is no edge: ask for sum by (le)"))
}

fn count_at(series: &[(f64, f64)], wanted: f64) -> Result<f64, String> {
    let is_it = |edge: f64| match (edge.is_finite(), wanted.is_finite()) {
        (true, true) => (edge - wanted).abs() <= SAME_EDGE * wanted.abs(),
        (edge, wanted) => !edge && !wanted,
    };
    let found: Vec<f64> =
        series.iter().filter(|(edge, _)| is_it(*edge)).map(|(_, count)| *count).collect();
    match found.as_slice() {
        [count] => Ok(*count),
        [] => Err(format!("the histogram has no edge {}: it has {}", said(wanted), known(series))),
        _ => Err(format!("the edge {} is there more than once: ask for sum by (le)", said(wanted))),
    }
}

fn said(edge: f64) -> String {
    if edge.is_infinite() { "+Inf".to_owned() } else { edge.to_string() }
}

fn known(series: &[(f64, f64)]) -> String {
    let mut edges: Vec<f64> = series.iter().map(|(edge, _)| *edge).collect();
    edges.sort_by(f64::total_cmp);
    edges.into_iter().map(said).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn answered(series: &[(&str, &str)]) -> Reply {
        let series = series
            .iter()
            .map(|(le, count)| json!({"metric": {"le": le}, "value": [1, count]}))
            .collect::<Vec<_>>();
        let data = json!({"resultType": "vector", "result": series});
        let body = json!({"status": "success", "data": data}).to_string().into_bytes();
        Reply { status: 200, headers: BTreeMap::new(), body }
    }

    #[track_caller]
    fn check(series: &[(&str, &str)], expected: Result<Answer, &str>) {
        let read = read(&answered(series), &[0.1, 0.5]);
        assert_eq!(read, expected.map_err(str::to_owned), "{series:?}");
    }

    #[test]
    fn the_edges_that_are_asked_for_are_found_in_any_order() {
        let counts = Ok(Answer::Buckets(vec![3, 8, 10]));
        check(&[("+Inf", "10"), ("0.25", "7"), ("0.100", "3.2"), ("0.5", "8")], counts);
        check(&[], Ok(Answer::Nothing));
        check(&[("0.1", "3"), ("0.5", "NaN"), ("+Inf", "10")], Ok(Answer::NoNumber));
    }

    #[test]
    fn counts_do_not_fall_from_one_edge_to_the_next() {
        let counts = Ok(Answer::Buckets(vec![9, 9, 9]));
        check(&[("0.1", "9.4"), ("0.5", "8.2"), ("+Inf", "9.1")], counts);
    }

    #[test]
    fn every_edge_is_found_where_none_is_asked_for() {
        let read = |series: &[(&str, &str)]| read_all(&answered(series));
        let expected = Answer::Histogram { edges: vec![0.1, 0.25, 0.5], up_to: vec![3, 7, 8, 10] };
        assert_eq!(
            read(&[("+Inf", "10"), ("0.25", "7"), ("0.100", "3.2"), ("0.5", "8")]),
            Ok(expected)
        );
        assert_eq!(read(&[]), Ok(Answer::Nothing));
        let bare = "the histogram has no edge but +Inf: ask for sum by (le)".to_owned();
        assert_eq!(read(&[("+Inf", "10")]), Err(bare));
        let twice = "the edge 0.1 is there more than once: ask for sum by (le)".to_owned();
        assert_eq!(read(&[("0.1", "3"), ("0.1", "4"), ("+Inf", "10")]), Err(twice));
        let names: Vec<String> = (1..=101).map(|edge| edge.to_string()).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
        let many = read(&many).unwrap_err();
        assert_eq!(many, "the histogram has 101 edges, and 100 are looked at");
    }

    #[test]
    fn what_is_no_histogram_is_refused_in_words() {
        let missing = Err("the histogram has no edge 0.5: it has 0.1, +Inf");
        check(&[("0.1", "3"), ("+Inf", "10")], missing);
        let no_total = Err("the histogram has no edge +Inf: it has 0.1, 0.5");
        check(&[("0.1", "3"), ("0.5", "8")], no_total);
        let twice = Err("the edge 0.1 is there more than once: ask for sum by (le)");
        check(&[("0.1", "3"), ("0.1", "4"), ("0.5", "8"), ("+Inf", "10")], twice);
        let no_edge = Err("the label le is \"\", which is no edge: ask for sum by (le)");
        check(&[("", "3")], no_edge);
    }
}
