//! What the analyses of one release share: an error budget, and what their judges have learned.

use crate::model::{World, rollout, routed};
use serde_json::{Value, json};

/// The name of the comparison.
const METRIC: &str = "errors";

fn comparison(own: &Value) -> Value {
    let queries =
        |version: &str| json!({"bad": format!("{version} bad"), "total": format!("{version} all")});
    let mut config = json!({
        "source": {"prometheus": {"address": "http://p"}},
        "canary": queries("canary"), "stable": queries("stable"), "every": "1m",
    });
    config.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    config
}

fn template(name: &str, metric: &str, own: &Value) -> Value {
    let provider = json!({"plugin": {"ringfence/compare": comparison(own)}});
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": name},
        "spec": {"metrics": [{"name": metric, "provider": provider}]},
    })
}

fn analysis(template: &str) -> Value {
    json!({"templates": [{"templateName": template}]})
}

/// Two steps that ask for the same comparison, of a rollout with these annotations.
fn world(strategy: &Value, annotations: &Value, templates: &[Value]) -> World {
    let mut object = rollout(2, strategy);
    object["metadata"]["annotations"] = annotations.clone();
    let world = World::new(object).with_service("stable").with_service("canary").with_route();
    templates.iter().fold(world, |world, template| world.with_template(template.clone()))
}

fn two_steps() -> Value {
    let step = json!({"analysis": analysis("compared")});
    routed(&json!([{"setWeight": 10}, step, {"setWeight": 50}, step]))
}

/// A world in which the first of two steps is judged.
fn judged() -> World {
    let mut world = world(&two_steps(), &json!({}), &[template("compared", METRIC, &json!({}))]);
    world.settle();
    world.set_image("v2");
    world.settle();
    world
}

/// The name of the run of a step of the second version, as it ends.
pub(crate) fn run_name(world: &World, step: &str) -> String {
    format!("shop-{}-2-{step}", world.hash_of("v2"))
}

/// Ends a run, whose judge has learned something.
fn end(world: &mut World, step: &str, phase: &str, learned: &Value) {
    let name = run_name(world, step);
    let run = world.objects.get_mut(&("AnalysisRun".to_owned(), name)).unwrap();
    let metadata = json!({"ringfence.dev/learned": learned.to_string()});
    let result = json!({"name": METRIC, "phase": phase, "metadata": metadata});
    run["status"] = json!({"phase": phase, "metricResults": [result]});
    world.settle();
}

/// What the judge of a run starts from.
#[track_caller]
fn check_start(world: &World, step: &str, expected: &Value) {
    let run = world.get("AnalysisRun", &run_name(world, step));
    let annotations = &run["metadata"]["annotations"];
    let text = annotations["ringfence.dev/learned"].as_str();
    let learned = text.map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
    assert_eq!(&learned, expected, "{run:#}");
    assert_eq!(annotations["ringfence.dev/stable-hash"], world.hash_of("v1").as_str());
}

#[test]
fn a_step_goes_on_from_what_the_step_before_has_learned() {
    let mut world = judged();
    check_start(&world, "1", &json!(null));
    end(&mut world, "1", "Successful", &json!({"looks": 3}));
    check_start(&world, "3", &json!({METRIC: {"looks": 3}}));
    end(&mut world, "3", "Successful", &json!({"looks": 5}));
    assert_eq!(world.outcome().phase, "Healthy");
}

#[test]
fn an_analysis_that_somebody_lets_go_on_does_not_forget() {
    let mut world = judged();
    end(&mut world, "1", "Inconclusive", &json!({"looks": 3}));
    assert_eq!(world.outcome().message, "InconclusiveAnalysisRun");
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle();
    check_start(&world, "1.1", &json!({METRIC: {"looks": 3}}));
}

#[test]
fn a_release_that_is_retried_is_judged_anew() {
    for (phase, at) in [("Failed", "3"), ("Failed", "1")] {
        let mut world = judged();
        if at == "3" {
            end(&mut world, "1", "Successful", &json!({"looks": 3}));
        }
        end(&mut world, at, phase, &json!({"looks": 4}));
        assert_eq!(world.outcome().phase, "Degraded");
        world.edit(&json!({"status": {"abort": false}}));
        world.settle();
        check_start(&world, "1.1", &json!(null));
        end(&mut world, "1.1", "Successful", &json!({"looks": 1}));
        let second = if at == "3" { "3.1" } else { "3" };
        check_start(&world, second, &json!({METRIC: {"looks": 1}}));
    }
}

#[test]
fn another_version_is_another_release() {
    let mut world = judged();
    end(&mut world, "1", "Successful", &json!({"looks": 3}));
    world.set_image("v3");
    world.settle();
    let name = format!("shop-{}-3-1", world.hash_of("v3"));
    let annotations = &world.get("AnalysisRun", &name)["metadata"]["annotations"];
    assert_eq!(annotations["ringfence.dev/learned"], json!(null));
}

#[test]
fn a_run_that_compares_nothing_gets_nothing() {
    let mut plain = template("compared", METRIC, &json!({}));
    plain["spec"]["metrics"][0]["provider"] =
        json!({"prometheus": {"address": "http://p", "query": "up"}});
    let mut world = world(&two_steps(), &json!({"ringfence.dev/alpha": "0.05"}), &[plain]);
    world.settle();
    world.set_image("v2");
    world.settle();
    let run = world.get("AnalysisRun", &run_name(&world, "1"));
    let annotations = run["metadata"]["annotations"].as_object().unwrap();
    assert_eq!(annotations.keys().collect::<Vec<_>>(), ["rollout.argoproj.io/revision"]);
}

/// Two steps that ask for one comparison, and another one in the background.
fn beside(annotation: &str, step: &Value, background: &Value) -> World {
    let mut strategy = two_steps();
    strategy["canary"]["analysis"] = analysis("background");
    let templates =
        [template("compared", METRIC, step), template("background", "latency", background)];
    world(&strategy, &json!({"ringfence.dev/alpha": annotation}), &templates)
}

fn settings(world: &World, name: &str) -> (Value, Value) {
    let run = world.get("AnalysisRun", name);
    let config = &run["spec"]["metrics"][0]["provider"]["plugin"]["ringfence/compare"];
    (config["alpha"].clone(), config["releaseAlpha"].clone())
}

#[test]
fn the_comparisons_of_a_release_share_its_budget() {
    let mut world = beside("0.05", &json!({"weight": "3"}), &json!({}));
    world.settle();
    world.set_image("v2");
    world.settle();
    let background = format!("shop-{}-2", world.hash_of("v2"));
    let budget = json!("0.05");
    let of_background = settings(&world, &background);
    assert!((of_background.0.as_f64().unwrap() - 0.0125).abs() < 1e-12);
    assert_eq!(of_background.1, budget);
    for step in ["1", "3"] {
        let (alpha, release) = settings(&world, &run_name(&world, step));
        // Both steps ask for the same comparison, which has one part.
        assert!((alpha.as_f64().unwrap() - 0.0375).abs() < 1e-12, "{alpha}");
        assert_eq!(release, budget);
        end(&mut world, step, "Successful", &json!({"looks": 1}));
    }
}

#[test]
fn a_budget_that_does_not_suffice_is_refused_with_all_that_is_wrong() {
    let message = |mut world: World| {
        world.run_for(1);
        world.outcome().message
    };
    let path = "metadata.annotations[ringfence.dev/alpha]: Invalid value: \"0.05\": ";
    let over = message(beside("0.05", &json!({"alpha": 0.04}), &json!({"alpha": 0.03})));
    let sum = "the release may spend 0.05, and its comparisons state 0.07 together: errors 0.04, latency 0.03";
    assert!(over.ends_with(&format!("{path}{sum}")), "{over}");
    let both = message(beside("0.05", &json!({"alpha": "x"}), &json!({"weight": -1})));
    let alpha = format!("{path}errors: alpha: must be a number");
    let weight = format!("{path}latency: weight: weight is -1: must be above 0 and at most 1000");
    assert!(both.contains(&alpha) && both.contains(&weight), "{both}");
    let no_number = message(beside("much", &json!({}), &json!({})));
    assert!(no_number.contains("must be a number between 0 and 1"), "{no_number}");
}

/// A release that spends its whole budget on its first step, whose template is edited meanwhile.
fn edited() -> World {
    let templates = [template("compared", METRIC, &json!({}))];
    let mut world = world(&two_steps(), &json!({"ringfence.dev/alpha": "0.05"}), &templates);
    world.settle();
    world.set_image("v2");
    world.settle();
    let (alpha, _) = settings(&world, &run_name(&world, "1"));
    assert_eq!(alpha, json!(0.05));
    world.put("AnalysisTemplate", template("compared", METRIC, &json!({"tolerance": 2})));
    world.run_for(1);
    world
}

#[test]
fn a_template_that_is_edited_under_way_gets_no_budget_that_was_given_already() {
    let mut world = edited();
    let message = world.outcome().message;
    let expected = "the release may spend 0.05, and what it has begun has errors 0.05 of that: \
        nothing is left for errors; take back what was edited, state a larger budget, or abort and retry";
    assert!(message.ends_with(expected), "{message}");
    // A larger budget has room for it.
    let larger = json!({"metadata": {"annotations": {"ringfence.dev/alpha": "0.06"}}, "spec": {}});
    world.edit(&larger);
    world.settle();
    end(&mut world, "1", "Successful", &json!({"looks": 3}));
    let (alpha, release) = settings(&world, &run_name(&world, "3"));
    assert!((alpha.as_f64().unwrap() - 0.01).abs() < 1e-9, "{alpha}");
    assert_eq!(release, "0.06");
}

#[test]
fn an_edit_that_is_taken_back_costs_nothing() {
    let mut world = edited();
    world.put("AnalysisTemplate", template("compared", METRIC, &json!({})));
    world.settle();
    end(&mut world, "1", "Successful", &json!({"looks": 3}));
    assert_eq!(settings(&world, &run_name(&world, "3")).0, json!(0.05));
}

#[test]
fn a_release_that_has_spent_its_budget_can_be_aborted_and_retried_with_a_fresh_one() {
    let mut world = edited();
    world.edit(&json!({"status": {"abort": true}}));
    world.settle();
    assert_eq!((world.outcome().phase.as_str(), world.weight()), ("Degraded", Some(0)));
    assert!(world.outcome().message.starts_with("RolloutAborted"), "{}", world.outcome().message);
    world.edit(&json!({"status": {"abort": false}}));
    world.settle();
    assert_eq!(settings(&world, &run_name(&world, "1.1")).0, json!(0.05));
    end(&mut world, "1.1", "Successful", &json!({"looks": 1}));
    assert_eq!(settings(&world, &run_name(&world, "3")).0, json!(0.05));
}

#[test]
fn what_a_release_has_given_outlives_the_runs_that_had_it() {
    let templates = [template("compared", METRIC, &json!({}))];
    let mut strategy = two_steps();
    let step = strategy["canary"]["steps"][1].clone();
    strategy["canary"]["steps"].as_array_mut().unwrap().extend([json!({"setWeight": 60}), step]);
    let mut world = world(&strategy, &json!({"ringfence.dev/alpha": "0.05"}), &templates);
    world.edit(&json!({"spec": {"analysis": {"successfulRunHistoryLimit": 0}}}));
    world.settle();
    world.set_image("v2");
    world.settle();
    end(&mut world, "1", "Successful", &json!({"looks": 1}));
    end(&mut world, "3", "Successful", &json!({"looks": 2}));
    check_start(&world, "5", &json!({METRIC: {"looks": 2}}));
    let first = run_name(&world, "1");
    assert!(!world.objects.contains_key(&("AnalysisRun".to_owned(), first)));
    world.put("AnalysisTemplate", template("compared", METRIC, &json!({"tolerance": 2})));
    world.run_for(1);
    assert!(world.outcome().message.contains("nothing is left for errors"));
}

#[test]
fn the_run_that_hands_on_is_kept_beside_as_many_as_the_limit_says() {
    let mut strategy = two_steps();
    let step = strategy["canary"]["steps"][1].clone();
    let more = [json!({"setWeight": 60}), step, json!({"pause": {}})];
    strategy["canary"]["steps"].as_array_mut().unwrap().extend(more);
    let mut world = world(&strategy, &json!({}), &[template("compared", METRIC, &json!({}))]);
    world.edit(&json!({"spec": {"analysis": {"successfulRunHistoryLimit": 1}}}));
    world.settle();
    world.set_image("v2");
    world.settle();
    for step in ["1", "3", "5"] {
        end(&mut world, step, "Successful", &json!({"looks": 1}));
    }
    let is_there = |step: &str| {
        world.objects.contains_key(&("AnalysisRun".to_owned(), run_name(&world, step)))
    };
    assert_eq!(["1", "3", "5"].map(is_there), [false, true, true]);
}
