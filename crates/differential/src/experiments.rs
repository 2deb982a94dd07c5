//! Experiments: as a step of a canary, and beside a rollout.

use crate::{act::Act, analyses, case::Case, manifest::Kind};
use chance::Chance;
use serde_json::{Value, json};

/// Gives a case an experiment, at times.
pub(crate) fn add(chance: &mut Chance, case: &mut Case) {
    if case.kind != Kind::BlueGreen && chance.percent(40) {
        let step = json!({ "experiment": step(chance, &case.name) });
        let strategy = case.strategy_mut();
        if strategy.get("steps").is_none() {
            strategy["steps"] = json!([]);
        }
        if let Some(steps) = strategy["steps"].as_array_mut() {
            steps.insert(chance.below(steps.len() + 1), step);
        }
    }
    if chance.percent(15) {
        let trial = alone(chance, &case.name);
        case.add_beside(trial);
        if chance.percent(50) {
            let patch = json!({ "spec": { "terminate": true } });
            let name = format!("{}-trial", case.name);
            let place = 1 + chance.below(case.acts.len());
            case.acts.insert(place, Act::Amend { kind: "Experiment", name, patch });
        }
    }
}

/// An experiment as a step.
fn step(chance: &mut Chance, name: &str) -> Value {
    let mut templates = vec![part(chance, "candidate", "canary")];
    if chance.percent(60) {
        templates.insert(0, part(chance, "baseline", "stable"));
    }
    let mut step = json!({ "templates": templates });
    limits(chance, name, &mut step);
    if chance.percent(10) {
        step["dryRun"] = json!([{ "metricName": ".*" }]);
    }
    if chance.percent(10) {
        step["analysisRunMetadata"] = json!({ "labels": { "team": "b" } });
    }
    step
}

fn part(chance: &mut Chance, name: &str, of: &str) -> Value {
    let mut part = json!({ "name": name, "specRef": of });
    if chance.percent(50) {
        part["replicas"] = json!(chance.one([1, 1, 2]));
    }
    if chance.percent(30) {
        part["metadata"] = json!({ "labels": { "part": name }, "annotations": { "note": of } });
    }
    // Routers that know nothing of a third version refuse it.
    if chance.percent(5) {
        part["weight"] = json!(10);
    }
    part
}

/// How long an experiment lasts, what it is judged by, and how long its pods stay.
fn limits(chance: &mut Chance, name: &str, spec: &mut Value) {
    if chance.percent(60) {
        spec["duration"] = json!(chance.one(["1s", "1s", "1s", "1h"]));
    }
    let count = chance.one([0, 1, 1, 2]);
    let analyses = ["first", "second"].into_iter().take(count);
    let analyses: Vec<Value> = analyses.map(|which| judged(chance, name, which)).collect();
    if !analyses.is_empty() {
        spec["analyses"] = Value::Array(analyses);
    }
    spec["scaleDownDelaySeconds"] = json!(chance.one([0, 1, 1, 600]));
}

fn judged(chance: &mut Chance, name: &str, which: &str) -> Value {
    let ending = chance.one([
        "good",
        "good",
        "good-often",
        "asked",
        "asked",
        "bad",
        "unclear",
        "endless",
        "job-good",
    ]);
    let mut analysis = json!({ "name": which, "templateName": format!("{name}-{ending}") });
    if ending == "asked" {
        analysis["args"] = arguments(chance);
    }
    if chance.percent(50) {
        analysis["requiredForCompletion"] = json!(true);
    }
    analysis
}

/// Arguments that an experiment can resolve: hashes of the rollout's versions are of its own templates there.
fn arguments(chance: &mut Chance) -> Value {
    let mut arguments = analyses::arguments(chance);
    if let Some(arguments) = arguments.as_array_mut() {
        arguments.retain(|argument| argument["name"] == "answer");
        if chance.percent(30) {
            let hash = "{{templates.candidate.podTemplateHash}}";
            arguments.push(json!({ "name": "hash", "value": hash }));
        }
    }
    arguments
}

/// An experiment of nobody.
fn alone(chance: &mut Chance, name: &str) -> Value {
    let parts = ["baseline", "candidate"].into_iter().take(1 + chance.below(2));
    let templates: Vec<Value> = parts.map(|part| whole(chance, name, part)).collect();
    let mut spec = json!({ "templates": templates });
    limits(chance, name, &mut spec);
    if let Some(analyses) = spec.get_mut("analyses").and_then(Value::as_array_mut) {
        // Who runs it alone names a value, not a rollout's field.
        for analysis in analyses.iter_mut().filter(|analysis| !analysis["args"].is_null()) {
            analysis["args"] = json!([{ "name": "answer", "value": "good" }]);
        }
    }
    if chance.percent(30) {
        spec["progressDeadlineSeconds"] = json!(3);
    }
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Experiment",
        "metadata": { "name": format!("{name}-trial") },
        "spec": spec,
    })
}

fn whole(chance: &mut Chance, name: &str, part: &str) -> Value {
    let labels = json!({ "trial": name, "part": part });
    let image = chance.one(["demo:1", "demo:1", "demo:2", "demo:does-not-exist"]);
    let mut container = json!({ "name": "main", "image": image });
    if chance.percent(30) {
        container["ports"] = json!([{ "containerPort": 8080 }]);
    }
    let pod = json!({ "containers": [container], "terminationGracePeriodSeconds": 0 });
    let mut whole = json!({
        "name": part,
        "replicas": chance.one([1, 1, 2]),
        "selector": { "matchLabels": labels },
        "template": { "metadata": { "labels": labels }, "spec": pod },
    });
    if chance.percent(20) {
        whole["service"] = json!({});
    }
    if chance.percent(15) {
        whole["minReadySeconds"] = json!(1);
    }
    whole
}
