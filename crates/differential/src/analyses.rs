//! Analyses with arguments, Jobs, dry runs and more than one metric.

use crate::{case::Case, manifest::METRICS};
use chance::Chance;
use serde_json::{Value, json};

/// The templates that every case has beside those of one metric that is asked over HTTP.
const TEMPLATES: [&str; 5] = ["asked", "two", "job-good", "job-bad", "job-endless"];

/// Gives a case the templates, and its analyses more to say.
pub(crate) fn add(chance: &mut Chance, case: &mut Case) {
    let name = case.name.clone();
    for ending in TEMPLATES {
        let template = template(chance, &name, ending);
        case.add_beside(template);
    }
    let strategy = case.strategy_mut();
    let fields = ["analysis", "prePromotionAnalysis", "postPromotionAnalysis"];
    for field in fields {
        if let Some(analysis) = strategy.get_mut(field) {
            enrich(chance, &name, analysis);
        }
    }
    let Some(steps) = strategy.get_mut("steps").and_then(Value::as_array_mut) else { return };
    if chance.percent(20) {
        let step = json!({ "analysis": { "templates": [] } });
        steps.insert(chance.below(steps.len() + 1), step);
    }
    for analysis in steps.iter_mut().filter_map(|step| step.get_mut("analysis")) {
        let is_new = analysis["templates"] == json!([]);
        if is_new || chance.percent(60) {
            enrich(chance, &name, analysis);
        }
    }
}

/// Has an analysis run other templates, with arguments and all that can be said of its metrics.
fn enrich(chance: &mut Chance, name: &str, analysis: &mut Value) {
    let ending =
        chance.one(["asked", "asked", "asked", "two", "two", "job-good", "job-bad", "job-endless"]);
    let mut templates = vec![json!({ "templateName": format!("{name}-{ending}") })];
    if chance.percent(15) {
        let other = chance.one(["good", "job-good"]);
        templates.push(json!({ "templateName": format!("{name}-{other}") }));
    }
    analysis["templates"] = Value::Array(templates);
    analysis["args"] = arguments(chance);
    if chance.percent(25) {
        let metric = chance.one([".*", ".*", "answer|asked|job", "other", "nothing"]);
        analysis["dryRun"] = json!([{ "metricName": metric }]);
    }
    if chance.percent(15) {
        analysis["measurementRetention"] = json!([{ "metricName": ".*", "limit": 1 }]);
    }
    if chance.percent(15) {
        analysis["analysisRunMetadata"] =
            json!({ "labels": { "team": "a" }, "annotations": { "example.com/why": "chance" } });
    }
}

/// What an analysis is told, at times too little.
pub(crate) fn arguments(chance: &mut Chance) -> Value {
    let mut arguments = Vec::new();
    if chance.percent(95) {
        let answer = chance.one(["good", "good", "good", "bad", "unclear"]);
        arguments.push(json!({ "name": "answer", "value": answer }));
    }
    let value_from = chance.one([
        json!({ "podTemplateHashValue": "Latest" }),
        json!({ "podTemplateHashValue": "Stable" }),
        json!({ "fieldRef": { "fieldPath": "metadata.name" } }),
        json!({ "fieldRef": { "fieldPath": "metadata.annotations['rollout.argoproj.io/revision']" } }),
        json!({ "fieldRef": { "fieldPath": "spec.replicas" } }),
    ]);
    let unknown = json!({ "fieldRef": { "fieldPath": "spec.nothing.of.the.kind" } });
    let value_from = if chance.percent(4) { unknown } else { value_from };
    if chance.percent(60) {
        arguments.push(json!({ "name": "hash", "valueFrom": value_from }));
    }
    Value::Array(arguments)
}

fn template(chance: &mut Chance, name: &str, ending: &str) -> Value {
    let mut spec = match ending {
        "asked" => json!({
            "args": [{ "name": "answer" }, { "name": "hash", "value": "none" }],
            "metrics": [web(chance, "asked", "{{args.answer}}?hash={{args.hash}}")],
        }),
        "two" => {
            json!({ "metrics": [web(chance, "answer", "good"), web(chance, "other", "bad")] })
        }
        "job-good" => json!({ "metrics": [job("true")] }),
        "job-bad" => json!({ "metrics": [job("false")] }),
        _ => json!({ "metrics": [job("sleep 3600")] }),
    };
    if ending == "two" && chance.percent(50) {
        spec["dryRun"] = json!([{ "metricName": "other" }]);
    }
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": { "name": format!("{name}-{ending}") },
        "spec": spec,
    })
}

/// A metric that is asked over HTTP, once or a few times.
fn web(chance: &mut Chance, name: &str, path: &str) -> Value {
    let mut metric = json!({
        "name": name,
        "successCondition": "result == 1",
        "failureCondition": "result == 0",
        "provider": { "web": { "url": format!("{METRICS}/{path}"), "jsonPath": "{$.value}" } },
    });
    if chance.percent(30) {
        metric["count"] = json!(3);
        metric["interval"] = json!("1s");
        let limit = chance.one(["failureLimit", "inconclusiveLimit", "consecutiveSuccessLimit"]);
        metric[limit] = json!(chance.one([1, 2]));
    }
    if chance.percent(10) {
        metric["initialDelay"] = json!("1s");
    }
    metric
}

/// A metric that a Job's end decides.
fn job(command: &str) -> Value {
    let command: Vec<&str> = command.split(' ').collect();
    let container = json!({ "name": "check", "image": "demo:1", "command": command });
    let pod = json!({ "restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container] });
    let spec = json!({ "backoffLimit": 0, "template": { "spec": pod } });
    json!({ "name": "job", "provider": { "job": { "spec": spec } } })
}
