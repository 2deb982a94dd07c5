//! What is refused about analyses, and in which words.

use crate::model::{World, rollout};
use serde_json::{Value, json};

fn template(name: &str, spec: &Value) -> Value {
    json!({"metadata": {"name": name}, "spec": spec})
}

fn metric(name: &str, fields: &Value) -> Value {
    let mut metric = json!({"name": name, "provider": {"prometheus": {"query": "up"}}});
    json_patch::merge(&mut metric, fields);
    metric
}

#[track_caller]
fn check(analysis: &Value, templates: &[Value], expected: &str) {
    let strategy = json!({"canary": {"steps": [{"analysis": analysis}]}});
    let mut world = World::new(rollout(2, &strategy));
    for template in templates {
        world = world.with_template(template.clone());
    }
    world.run_for(1);
    let expected = format!("InvalidSpec: The Rollout \"shop\" is invalid: {expected}");
    assert_eq!(world.outcome().message, expected);
}

const PATH: &str = "spec.strategy.canary.steps[0].analysis.templates";

#[test]
fn templates_that_are_missing_are_named_where_they_are_referred_to() {
    let refs = json!([{"templateName": "a"}, {"templateName": "gone"}, {"templateName": "all", "clusterScope": true}]);
    let nested =
        json!({"metrics": [metric("m", &json!({}))], "templates": [{"templateName": "lost"}]});
    check(
        &json!({ "templates": refs }),
        &[template("a", &nested)],
        &format!(
            "spec.templates: Invalid value: \"lost\": AnalysisTemplate 'lost' not found; \
             {PATH}: Invalid value: \"gone\": AnalysisTemplate 'gone' not found; \
             {PATH}: Invalid value: \"all\": ClusterAnalysisTemplate 'all' not found"
        ),
    );
}

#[test]
fn an_analysis_without_end_is_blamed_on_its_template_and_shown_with_its_count() {
    let endless = |count: Value| json!({"interval": "1m", "count": count});
    let args = json!([{"name": "n", "value": "3"}]);
    let fine = json!({"args": args, "metrics": [
        metric("once", &json!({})), metric("thrice", &endless(json!("{{args.n}}")))]});
    let odd = json!({"metrics": [
        metric("x", &endless(Value::Null)), metric("y", &endless(json!(0))), metric("z", &endless(json!("0")))]});
    let refused = |metric: &str, count: &str| {
        format!(
            "{PATH}: Invalid value: \"odd\": AnalysisTemplate odd has metric {metric} which runs indefinitely. Invalid value for count: {count}"
        )
    };
    let expected = [refused("x", "<nil>"), refused("y", "0"), refused("z", "0")];
    check(
        &json!({"templates": [{"templateName": "fine"}, {"templateName": "odd"}]}),
        &[template("fine", &fine), template("odd", &odd)],
        &expected.join("; "),
    );
}

#[test]
fn an_analysis_without_end_is_refused_also_where_an_argument_is_known_only_later() {
    let from = json!({"secretKeyRef": {"name": "keys", "key": "token"}});
    let secret = json!({"args": [{"name": "token", "valueFrom": from}], "metrics": [
        metric("x", &json!({"interval": "1m"})),
        metric("y", &json!({"interval": "1m", "count": "{{args.token}}"}))]});
    let refused = |metric: &str, count: &str| {
        format!(
            "{PATH}: Invalid value: \"secret\": AnalysisTemplate secret has metric {metric} which runs indefinitely. Invalid value for count: {count}"
        )
    };
    check(
        &json!({"templates": [{"templateName": "secret"}]}),
        &[template("secret", &secret)],
        &[refused("x", "<nil>"), refused("y", "dummy-value")].join("; "),
    );
}

#[test]
fn arguments_that_no_run_could_use_are_refused_before_there_is_a_pod() {
    let query = |query: &str| json!({"provider": {"prometheus": {"query": query}}});
    let from = json!({"secretKeyRef": {"name": "keys", "key": "token"}});
    let odd = json!({
        "args": [{"name": "service", "value": "web"}, {"name": "token", "value": "x", "valueFrom": from}],
        "metrics": [
            metric("x", &query("up{app='{{args.servce}}'}")),
            metric("y", &query("down{app='{{args.servce}}'}"))],
    });
    check(
        &json!({"templates": [{"templateName": "odd"}]}),
        &[template("odd", &odd)],
        &format!(
            "{PATH}: Invalid value: \"odd\": AnalysisTemplate odd: arg 'token' has both Value and ValueFrom fields; \
             {PATH}: Invalid value: \"odd\": AnalysisTemplate odd: failed to resolve {{{{args.servce}}}}"
        ),
    );
}

#[test]
fn templates_that_clash_are_all_named_whoever_refers_to_them() {
    let same = metric("same", &json!({}));
    let outer = json!({"metrics": [same], "templates": [{"templateName": "inner"}]});
    check(
        &json!({"templates": [{"templateName": "outer"}]}),
        &[template("outer", &outer), template("inner", &json!({"metrics": [same]}))],
        &format!(
            "{PATH}: Invalid value: \"templateNames: [outer inner]\": two metrics have the same name 'same'"
        ),
    );
}

#[test]
fn metadata_that_no_object_has_is_refused_before_templates_are_looked_at() {
    let arg = |path: &str| json!({"name": "a", "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let known = ["metadata.name", "metadata.labels['app']", "spec.replicas"].map(arg);
    for path in ["metadata.creationTimestamp", "metadata.labels['no label']"] {
        let odd = json!([&known[0], &known[1], &known[2], arg(path)]);
        check(
            &json!({"templates": [{"templateName": "gone"}], "args": odd}),
            &[],
            &format!(
                "spec.strategy.steps[0].analyses: Invalid value: {odd}: \
                 Analyses arguments must refer to valid object metadata supported by downwardAPI"
            ),
        );
    }
}
