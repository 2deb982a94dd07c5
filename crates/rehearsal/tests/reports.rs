//! What a rehearsal prints, to the letter, and that it prints the same twice.

use expect_test::expect_file;
use rehearsal::{Play, Report, load, rehearse, text};
use std::path::{Path, PathBuf};

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(format!("{name}.scenario"))
}

fn played(name: &str, seed: u64) -> Report {
    let play = Play {
        name: format!("{name}.scenario"),
        ..load(&[], Some(&scenario(name)), seed).expect("the scenario is there and can be played")
    };
    rehearse(&play).expect("the scenario is there and can be played")
}

#[test]
fn the_report_of_a_good_release_reads_well() {
    let report = played("good-canary-by-route", 1);
    expect_file!["golden/good-canary-by-route.txt"].assert_eq(&text(&report));
}

#[test]
fn the_report_of_a_bad_release_names_the_numbers_that_ended_it() {
    let report = played("errors-caught-in-the-background", 1);
    expect_file!["golden/errors-caught-in-the-background.txt"].assert_eq(&text(&report));
}

#[test]
fn the_same_seed_gives_the_same_report() {
    for name in ["errors-caught-in-the-background", "controller-dies-during-analysis"] {
        let json = |report: &Report| serde_json::to_string(report).unwrap();
        let (first, second) = (played(name, 7), played(name, 7));
        assert_eq!(json(&first), json(&second), "{name}");
    }
}

#[test]
fn unmet_expectations_are_reported_with_their_place_and_what_was_found() {
    let text = "apply a.yaml\nexpect phase Degraded within 1m\n";
    let manifest =
        std::fs::read_to_string(scenario("x").with_file_name("manifests/basic.yaml")).unwrap();
    let play = Play {
        name: "t.scenario".to_owned(),
        lines: rehearsal::script::parse("t.scenario", text).unwrap(),
        files: [("a.yaml".to_owned(), manifest)].into(),
        seed: 1,
    };
    let report = rehearse(&play).unwrap();
    assert!(!report.ok);
    assert_eq!(report.failures[0].place, "t.scenario:2");
    assert_eq!(report.failures[0].expectation, "expect phase Degraded within 1m");
    assert_eq!(report.failures[0].found, "Healthy ()");
}

#[test]
fn without_a_script_each_pause_for_a_person_is_promoted_and_told() {
    let manifest = scenario("x").with_file_name("manifests/routed-manual.yaml");
    let report = rehearse(&load(&[manifest], None, 1).unwrap()).unwrap();
    assert!(report.ok, "{}", text(&report));
    let promotions =
        report.timeline.iter().filter(|entry| entry.message.starts_with("promote, because"));
    assert_eq!(promotions.count(), 2);
    assert_eq!(report.rollouts[0].phase, "Healthy");
    assert_eq!((report.blast_radius.failed, report.blast_radius.met_bad), (0, 0));
}
