//! `ringfence rehearse` as people call it: what it prints, where, and its exit codes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

fn scenarios() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn rehearse(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .arg("rehearse")
        .args(arguments)
        .current_dir(scenarios())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_manifest_alone_is_released_and_judged() {
    let output = rehearse(&["manifests/routed.yaml"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}{}", text(&output.stderr));
    assert!(printed.contains("Verdict: went as expected"), "{printed}");
    assert!(printed.contains("rollout/web: Healthy"), "{printed}");
}

#[test]
fn a_release_that_is_taken_back_exits_with_1_and_json_says_why() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rehearse-bad");
    fs::create_dir_all(&folder).unwrap();
    let script = folder.join("bad.scenario");
    let manifests = scenarios().join("manifests");
    let story = format!(
        "apply {0}/analysis.yaml\napply {0}/judged.yaml\ntraffic 50\nexpect phase Healthy within 2m\nset image web=argoproj/rollouts-demo:bad-red\nsee-through 1h\n",
        manifests.display()
    );
    fs::write(&script, story).unwrap();
    let output = rehearse(&["--scenario", &script.display().to_string(), "-o", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    assert_eq!(report["failures"][0]["expectation"], "see-through 1h");
    assert!(report["blastRadius"]["metBad"].as_u64().unwrap() > 0);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn bad_files_are_named_in_one_sentence_with_exit_code_2() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rehearse-broken");
    fs::create_dir_all(&folder).unwrap();
    let script = folder.join("a.scenario");
    fs::write(&script, "advance soon\n").unwrap();
    let manifest = folder.join("a.yaml");
    fs::write(&manifest, "kind: [Rollout\n").unwrap();
    let (script, manifest) = (script.display().to_string(), manifest.display().to_string());
    for (arguments, expected) in [
        (vec!["nowhere.yaml"], "error: nowhere.yaml cannot be read: ".to_owned()),
        (vec!["--scenario", &script], format!("error: {script}:1:9: `soon` is not a length of time")),
        (vec![&manifest], format!("error: {manifest}:")),
        (vec![], "error: no Rollout with a container is among the manifests; name one, or pass --scenario FILE".to_owned()),
    ] {
        let output = rehearse(&arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.starts_with(&expected) && said.lines().count() == 1, "{arguments:?}: {said}");
        assert!(output.stdout.is_empty());
    }
    fs::remove_dir_all(&folder).unwrap();
}
