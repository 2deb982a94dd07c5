//! What lint says, word for word, about files that are right and files that are not.

#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use expect_test::{ExpectFile, expect_file};
use std::{collections::BTreeSet, fs, path::Path};
use trial::{
    document::Source,
    lint::{Known, lint},
};

fn source(name: &str) -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint").join(name);
    Source { file: name.to_owned(), text: fs::read_to_string(path).unwrap() }
}

fn said(names: &[&str], known: Option<&Known>) -> String {
    let sources: Vec<Source> = names.iter().map(|name| source(name)).collect();
    let problems = lint(&sources, known).unwrap();
    problems.iter().map(|problem| format!("{problem}\n")).collect::<Vec<_>>().concat()
}

#[track_caller]
fn check(names: &[&str], expected: &ExpectFile) {
    let said = said(names, None);
    assert!(!said.is_empty());
    expected.assert_eq(&said);
}

#[test]
fn what_is_right_is_passed_over_in_silence() {
    assert_eq!(said(&["good.yaml"], None), "");
}

#[test]
fn everything_wrong_with_a_template_is_told_with_its_place() {
    check(&["one-template.yaml"], &expect_file!["lint/one-template.txt"]);
}

#[test]
fn templates_that_do_not_go_together_are_told_where_a_rollout_uses_them() {
    check(&["together.yaml"], &expect_file!["lint/together.txt"]);
}

#[test]
fn a_file_that_is_no_yaml_hides_no_other() {
    check(&["broken.yaml", "wrong-type.yaml"], &expect_file!["lint/broken.txt"]);
}

#[test]
fn a_metric_that_a_prometheus_does_not_have_is_told() {
    let names = ["http_requests_total", "up"].map(str::to_owned).into_iter().collect();
    let known = Known { names, address: "http://prometheus".to_owned() };
    assert_eq!(
        said(&["good.yaml"], Some(&known)),
        "good.yaml:34:11: spec.metrics[1].provider.prometheus.query: \
         metric errors_total is not known to http://prometheus\n"
    );
    let none = Known { names: BTreeSet::new(), ..known };
    // What the other query asks for is known only once its arguments are.
    assert_eq!(said(&["good.yaml"], Some(&none)).lines().count(), 1);
}

#[test]
fn a_check_of_nothing_is_an_error() {
    let error = lint(&[source("service.yaml")], None).unwrap_err();
    assert!(error.to_string().contains("is in service.yaml"), "{error}");
}
