//! What is not evaluated is an error that names itself, and no query does harm.

use jiff::{SignedDuration, Timestamp};
use metrics::Labels;
use metrics::labels::METRIC_NAME;
use metrics::promql::{Options, QueryError, Range, query_instant, query_range};
use metrics::series::SeriesStore;

fn store() -> SeriesStore {
    let mut store = SeriesStore::default();
    for second in 0..600 {
        let at = Timestamp::from_second(second).expect("a time");
        for job in ["a", "b"] {
            let labels = Labels::new([(METRIC_NAME, "up"), ("job", job)]);
            store.append(&labels, at, 1.0).expect("in order");
        }
    }
    store
}

fn refusal(query: &str, options: &Options) -> QueryError {
    let at = Timestamp::from_second(599).expect("a time");
    query_instant(&store(), query, at, options).expect_err(query)
}

fn check_unsupported(query: &str, position: &str, what: &str) {
    let expected = QueryError::Unsupported { position: position.to_owned(), what: what.to_owned() };
    assert_eq!(refusal(query, &Options::default()), expected);
}

#[test]
fn functions_that_are_not_evaluated_are_named_with_their_place() {
    let place = "double_exponential_smoothing";
    check_unsupported(&format!("1 + {place}(up[5m], 0.5, 0.5)"), "1:5", place);
    check_unsupported("histogram_fraction(0, 1, up)", "1:1", "histogram_fraction");
    check_unsupported("sum(\n  limitk(1, up))", "2:3", "limitk");
    check_unsupported("info(up)", "1:1", "info");
    check_unsupported("histogram_avg(up)", "1:1", "histogram_avg");
    check_unsupported("{job=\"a\" or job=\"b\"}", "1:10", "`or` between matchers");
    check_unsupported("up + fill(0) up", "1:6", "fill");
}

#[test]
fn a_query_that_loads_too_much_is_refused() {
    let options = Options { max_samples: 1000, ..Options::default() };
    assert_eq!(refusal("rate(up[10m])", &options), QueryError::TooManySamples);
    let subquery = "max_over_time(up[1000d:1ms])";
    let limited = refusal(subquery, &Options::default());
    assert!(matches!(limited, QueryError::TooManySubquerySteps { .. }), "{limited}");
}

#[test]
fn extreme_times_are_no_trouble() {
    let query = "up offset 1000y + up @ 1e15 + rate(up[1000y] offset -1000y)";
    let at = Timestamp::from_second(599).expect("a time");
    assert!(query_instant(&store(), query, at, &Options::default()).is_ok());
    let range =
        Range { start: Timestamp::MIN, end: Timestamp::MAX, step: SignedDuration::from_secs(1) };
    let refused = query_range(&store(), "up", range, &Options::default());
    assert!(matches!(refused, Err(QueryError::TooManySteps { .. })));
}

#[test]
fn nonsense_is_refused_without_harm() {
    for query in ["", "(", "sum by (", "up{", "\"", "1 +", "up[5m", "@", "\u{0}", "🦀", "{}"] {
        let refused = refusal(query, &Options::default());
        assert!(matches!(refused, QueryError::Unparsed(_)), "{query:?}: {refused}");
    }
}
