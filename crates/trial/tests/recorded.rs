//! Templates over recorded series: the same planner, in no time.

#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use api::argo::AnalysisPhase::{self, Error, Failed, Inconclusive, Successful};
use expect_test::{Expect, expect};
use jiff::SignedDuration;
use std::{fs, path::Path};
use trial::{
    conduct::{self, Begin, NoTrial},
    document::Source,
    recorded,
    report::Report,
    template::{self, Wanted},
};

fn source(name: &str) -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(name);
    Source { file: name.to_owned(), text: fs::read_to_string(path).unwrap() }
}

fn wanted(args: &[(&str, &str)]) -> Wanted {
    let args = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Wanted { args: args.collect(), ..Wanted::default() }
}

/// Runs a template over `series`, from the first sample on.
#[expect(clippy::unwrap_in_result, reason = "the recording is a file of this folder")]
fn test(
    template: &Source,
    args: &[(&str, &str)],
    series: &str,
    lasts: Option<i64>,
) -> Result<Report, NoTrial> {
    let run = template::run(std::slice::from_ref(template), &wanted(args))?;
    let series = recorded::read(&source(series)).unwrap();
    let lasts = lasts.map(SignedDuration::from_mins);
    let begin = Begin::After(SignedDuration::ZERO);
    futures::executor::block_on(conduct::test(run, &series, begin, lasts))
}

#[track_caller]
fn check(service: &str, phase: AnalysisPhase, expected: &Expect) {
    let report = test(&source("template.yaml"), &[("service", service)], "series.yaml", None);
    let report = report.unwrap();
    assert_eq!(report.phase, phase);
    let measurements = report.measurements.iter().map(|taken| format!("{taken}\n"));
    expected.assert_eq(&format!("{}{report}\n", measurements.collect::<String>()));
}

#[test]
fn a_good_service_passes() {
    check(
        "good",
        Successful,
        &expect![[r#"
        1970-01-01T00:05:00Z  success-rate #1  [0.99]  Successful
        1970-01-01T00:06:00Z  success-rate #2  [0.99]  Successful
        1970-01-01T00:07:00Z  success-rate #3  [0.99]  Successful
        1970-01-01T00:08:00Z  success-rate #4  [0.99]  Successful
        1970-01-01T00:09:00Z  success-rate #5  [0.99]  Successful
        success-rate: Successful
          value      [0.99]
          condition  result[0] >= 0.95
          limit      failed (0) <= failureLimit (1)
          query      sum(rate(http_requests_total{service="good",code="200"}[5m])) / sum(rate(http_requests_total{service="good"}[5m]))
          window     5m up to 1970-01-01T00:09:00Z
        Successful
    "#]],
    );
}

#[test]
fn a_bad_service_fails_once_the_limit_is_passed_and_the_verdict_says_why() {
    check(
        "bad",
        Failed,
        &expect![[r#"
        1970-01-01T00:05:00Z  success-rate #1  [0.99]  Successful
        1970-01-01T00:06:00Z  success-rate #2  [0.99]  Successful
        1970-01-01T00:07:00Z  success-rate #3  [0.9477124183006537]  Failed: success-rate 0.9477 < 0.95
        1970-01-01T00:08:00Z  success-rate #4  [0.9067882472137792]  Failed: success-rate 0.9068 < 0.95
        success-rate: Failed: success-rate 0.9068 < 0.95
          value      [0.9067882472137792]
          condition  result[0] >= 0.95
          limit      failed (2) > failureLimit (1)
          query      sum(rate(http_requests_total{service="bad",code="200"}[5m])) / sum(rate(http_requests_total{service="bad"}[5m]))
          window     5m up to 1970-01-01T00:08:00Z
        Failed: Metric "success-rate" assessed Failed due to failed (2) > failureLimit (1)
    "#]],
    );
}

#[test]
fn a_ratio_without_traffic_decides_nothing() {
    check(
        "idle",
        Inconclusive,
        &expect![[r#"
        1970-01-01T00:05:00Z  success-rate #1  [NaN]  Inconclusive: success-rate is [NaN]: result[0] >= 0.95 says nothing about it
        success-rate: Inconclusive: success-rate is [NaN]: result[0] >= 0.95 says nothing about it
          value      [NaN]
          condition  result[0] >= 0.95
          limit      inconclusive (1) > inconclusiveLimit (0)
          query      sum(rate(http_requests_total{service="idle",code="200"}[5m])) / sum(rate(http_requests_total{service="idle"}[5m]))
          window     5m up to 1970-01-01T00:05:00Z
        Inconclusive: Metric "success-rate" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)
    "#]],
    );
}

#[test]
fn missing_data_is_an_error_and_never_a_success() {
    check(
        "gone",
        Error,
        &expect![[r#"
        1970-01-01T00:05:00Z  success-rate #1  [1]  Successful
        1970-01-01T00:06:00Z  success-rate #2  [1]  Successful
        1970-01-01T00:07:00Z  success-rate #3  []  Error: could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider
        1970-01-01T00:07:10Z  success-rate #4  []  Error: could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider
        1970-01-01T00:07:20Z  success-rate #5  []  Error: could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider
        1970-01-01T00:07:30Z  success-rate #6  []  Error: could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider
        1970-01-01T00:07:40Z  success-rate #7  []  Error: could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider
        success-rate: Error
          value      []
          condition  result[0] >= 0.95
          limit      consecutiveErrors (5) > consecutiveErrorLimit (4)
          error      could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider
          query      sum(rate(http_requests_total{service="gone",code="200"}[5m])) / sum(rate(http_requests_total{service="gone"}[5m]))
          window     5m up to 1970-01-01T00:07:40Z
        Error: Metric "success-rate" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4): "Error Message: could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider"
    "#]],
    );
    check(
        "unheard-of",
        Error,
        &expect![[r#"
        1970-01-01T00:05:00Z  success-rate #1  []  Error: could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider
        1970-01-01T00:05:10Z  success-rate #2  []  Error: could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider
        1970-01-01T00:05:20Z  success-rate #3  []  Error: could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider
        1970-01-01T00:05:30Z  success-rate #4  []  Error: could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider
        1970-01-01T00:05:40Z  success-rate #5  []  Error: could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider
        success-rate: Error
          value      []
          condition  result[0] >= 0.95
          limit      consecutiveErrors (5) > consecutiveErrorLimit (4)
          error      could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider
          query      sum(rate(http_requests_total{service="unheard-of",code="200"}[5m])) / sum(rate(http_requests_total{service="unheard-of"}[5m]))
          window     5m up to 1970-01-01T00:05:40Z
        Error: Metric "success-rate" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4): "Error Message: could not evaluate successCondition "result[0] >= 0.95": metric result is nil or empty: no data returned from the metric provider"
    "#]],
    );
}

fn inline(metric: &str) -> Source {
    let head = "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: t}\n";
    let text = format!(
        "{head}spec:\n  metrics:\n  - name: m\n    provider: {{prometheus: {{query: up}}}}\n{metric}"
    );
    Source { file: "inline.yaml".to_owned(), text }
}

#[test]
fn a_metric_without_end_is_ended_with_the_series_as_a_promotion_ends_it() {
    let query = "rate(http_requests_total{service=\"good\",code=\"200\"}[5m])";
    let template = inline("    interval: 1m\n    successCondition: result[0] > 1\n");
    let text = template.text.replace("query: up", &format!("query: '{query}'"));
    let template = Source { text, ..template };
    // The first minute has no rate yet, and errors are tried again after ten seconds.
    let report = test(&template, &[], "series.yaml", None).unwrap();
    assert_eq!((report.phase, report.measurements.len()), (Error, 5));
    let text = template.text.replace("interval: 1m", "interval: 1m\n    initialDelay: 5m");
    let report = test(&Source { text, ..template.clone() }, &[], "series.yaml", None).unwrap();
    assert_eq!((report.phase, report.message.as_str()), (Successful, "Run Terminated"));
    assert_eq!(report.measurements.len(), 16);
    let text = template.text.replace("interval: 1m", "interval: 1m\n    initialDelay: 5m");
    let report = test(&Source { text, ..template }, &[], "series.yaml", Some(10)).unwrap();
    assert_eq!((report.phase, report.measurements.len()), (Successful, 6));
}

#[test]
fn samples_with_times_are_series_too() {
    let template = inline("    successCondition: result[0] > 3 && result[0] < 4\n");
    let query = "rate(http_requests_total[10m])";
    let text = template.text.replace("query: up", &format!("query: '{query}'"));
    let run = template::run(&[Source { text, ..template }], &Wanted::default()).unwrap();
    let series = recorded::read(&source("series.txt")).unwrap();
    let at = Begin::At("2024-10-27T03:43:20Z".parse().unwrap());
    let report = futures::executor::block_on(conduct::test(run.clone(), &series, at, None));
    assert_eq!(report.unwrap().phase, Successful);
    let outside = Begin::At("2024-10-27T03:43:21Z".parse().unwrap());
    let refused = futures::executor::block_on(conduct::test(run, &series, outside, None));
    assert!(matches!(refused, Err(NoTrial::Outside { .. })), "{refused:?}");
}

#[track_caller]
fn check_refused(template: &Source, args: &[(&str, &str)], words: &[&str]) {
    let error = test(template, args, "series.yaml", None).unwrap_err().to_string();
    assert_eq!(error.lines().count(), words.len(), "{error}");
    for word in words {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn what_was_given_wrong_is_told_all_at_once_with_what_to_do() {
    let template = source("template.yaml");
    check_refused(
        &template,
        &[("servce", "good")],
        &[
            "args.service was not resolved; give it with --arg service=VALUE",
            "the template has no argument servce; it has: service, least",
        ],
    );
    let web = inline("  - name: w\n    provider: {web: {url: 'http://x'}}\n");
    check_refused(&web, &[], &["metric w: the provider web cannot be asked about another time"]);
    let invalid = inline("    count: 2\n    failureLimit: 3\n");
    check_refused(
        &invalid,
        &[],
        &["count (2) must be >= failureLimit", "interval must be specified when count > 1"],
    );
}
