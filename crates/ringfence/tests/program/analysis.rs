//! `ringfence analysis`: exit codes, and what goes to whom.

use crate::support::{Folder, PROGRAM, ask};
use serde_json::Value;
use std::process::Command;

const TEMPLATE: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: success-rate
spec:
  args:
    - name: service
  metrics:
    - name: success-rate
      successCondition: result[0] >= 0.95
      provider:
        prometheus:
          address: http://prometheus.monitoring:9090
          query: success_ratio{service="{{args.service}}"}
"#;
const SERIES: &str = r#"
success_ratio{service="good"} 0.99 1730000000
success_ratio{service="bad"} 0.84 1730000000
success_ratio{service="idle"} NaN 1730000000
"#;

fn analysis(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("analysis").args(arguments);
    command
}

#[test]
fn a_test_exits_with_what_the_run_came_to() {
    let folder = Folder::new("analysis-test");
    let (template, series) = (folder.file("template.yaml"), folder.file("series.txt"));
    std::fs::write(&template, TEMPLATE).unwrap();
    std::fs::write(&series, SERIES).unwrap();
    let on = |service: &str| {
        let mut command = analysis(&["test", &template, "--series", &series]);
        command.args(["--arg", &format!("service={service}"), "-o", "json"]);
        command
    };
    let report: Value = serde_json::from_str(&ask(&mut on("good"), "").ok()).unwrap();
    assert_eq!(
        (&report["phase"], &report["measurements"][0]["value"]),
        (&"Successful".into(), &"[0.99]".into())
    );
    let report = ask(&mut on("bad"), "").fails(3);
    let report: Value = serde_json::from_str(&report).unwrap();
    let verdict = &report["metrics"][0];
    for (fact, expected) in [
        ("metric", "success-rate"),
        ("value", "[0.84]"),
        ("condition", "result[0] >= 0.95"),
        ("finding", "success-rate 0.84 < 0.95"),
        ("limit", "failed (1) > failureLimit (0)"),
        ("query", "success_ratio{service=\"bad\"}"),
        ("window", "at 2024-10-27T03:33:20Z"),
    ] {
        assert_eq!(verdict[fact], expected, "{fact}");
    }
    for undecided in ["idle", "unheard-of"] {
        ask(&mut on(undecided), "").fails(4);
    }
    let mut command = analysis(&["test", &template, "--series", &series]);
    let said = ask(&mut command, "").fails(2);
    assert!(said.contains("give it with --arg service=VALUE"), "{said}");
}

#[test]
fn lint_exits_0_when_nothing_is_wrong_1_when_something_is_and_2_when_it_cannot_tell() {
    let folder = Folder::new("analysis-lint");
    let (good, bad) = (folder.file("good.yaml"), folder.file("bad.yaml"));
    std::fs::write(&good, TEMPLATE).unwrap();
    std::fs::write(&bad, TEMPLATE.replace("successCondition", "sucessCondition")).unwrap();
    assert_eq!(ask(&mut analysis(&["lint", &good]), "").ok(), "");
    let said = ask(&mut analysis(&["lint", &good, &bad, "-o", "json"]), "").fails(1);
    let said: Value = serde_json::from_str(&said).unwrap();
    let first = &said["problems"][0];
    assert_eq!((&first["line"], &first["column"]), (&10.into(), &7.into()), "{said}");
    ask(&mut analysis(&["lint", &folder.file("nowhere.yaml")]), "").fails(2);
    ask(&mut analysis(&["lint"]), "").fails(2);
}

#[test]
fn a_secret_that_is_not_in_the_environment_is_named_with_its_variable() {
    let folder = Folder::new("analysis-run");
    let template = folder.file("template.yaml");
    let secret = "- name: service\n      valueFrom: {secretKeyRef: {name: shop, key: token}}";
    std::fs::write(&template, TEMPLATE.replace("- name: service", secret)).unwrap();
    let said = ask(&mut analysis(&["run", &template]), "").fails(2);
    assert!(said.contains("set RINGFENCE_SECRET_SHOP_TOKEN"), "{said}");
}
