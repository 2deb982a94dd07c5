//! Which analysis runs there are: what is taken up again, made beside another one, kept and let go.

use crate::{
    model::{World, routed},
    releases::run_name,
    stories::judged_world,
};
use serde_json::json;

/// A world in which three steps are judged, one after the other, and somebody decides what follows.
fn world() -> World {
    let step = json!({"analysis": {"templates": [{"templateName": "ok"}]}});
    let steps = json!([{"setWeight": 50}, step, step, step, {"pause": {}}]);
    let mut world = judged_world(2, &routed(&steps));
    world.edit(&json!({"spec": {"analysis": {"successfulRunHistoryLimit": 2}}}));
    world.settle();
    world.set_image("v2");
    world.settle();
    world
}

#[track_caller]
fn check_runs(world: &World, ends: &[&str]) {
    let runs = world.objects.keys().filter(|(kind, _)| kind == "AnalysisRun");
    let names: Vec<String> = runs.map(|(_, name)| name.clone()).collect();
    let expected: Vec<String> = ends.iter().map(|end| run_name(world, end)).collect();
    assert_eq!(names, expected);
}

/// The run that the status says is judging the present step.
fn judging(world: &World) -> &str {
    let recorded = &world.status()["canary"]["currentStepAnalysisRunStatus"];
    recorded["name"].as_str().unwrap_or_default()
}

fn forget(world: &mut World) {
    world.edit(&json!({"status": {"canary": {"currentStepAnalysisRunStatus": null}}}));
}

#[test]
fn a_run_that_the_status_lost_is_taken_up_again() {
    let mut world = world();
    forget(&mut world);
    world.settle();
    check_runs(&world, &["1"]);
    assert_eq!(judging(&world), run_name(&world, "1"));
}

#[test]
fn a_name_that_somebody_elses_run_has_is_passed_over() {
    let mut world = world();
    world.objects.remove(&("AnalysisRun".to_owned(), run_name(&world, "1")));
    forget(&mut world);
    let mut observed = world.observed();
    observed.taken_runs.insert(run_name(&world, "1"));
    let plan = plan::rollout::plan(&observed, world.now);
    let made = plan.writes.iter().filter(|write| write.creates("AnalysisRun"));
    let names: Vec<String> = made.map(|write| write.target().name).collect();
    assert_eq!(names, [run_name(&world, "1.1")]);
}

#[test]
fn a_run_that_asks_something_else_keeps_its_name_and_is_ended() {
    let mut world = world();
    forget(&mut world);
    let provider = json!({"prometheus": {"address": "http://p", "query": "down"}});
    let template = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
        "metadata": {"name": "ok"}, "spec": {"metrics": [{"name": "m", "provider": provider}]}});
    world.put("AnalysisTemplate", template);
    world.settle();
    check_runs(&world, &["1", "1.1"]);
    assert_eq!(judging(&world), run_name(&world, "1.1"));
    assert_eq!(world.get("AnalysisRun", &run_name(&world, "1"))["spec"]["terminate"], true);
}

#[test]
fn the_newest_runs_are_kept_as_many_as_the_limit_says() {
    let mut world = world();
    for step in ["1", "2", "3"] {
        world.verdicts.insert(run_name(&world, step), "Successful");
        world.settle();
    }
    check_runs(&world, &["2", "3"]);
}

#[test]
fn of_a_step_and_a_background_that_fail_at_one_look_the_background_is_told() {
    let ok = json!({"templates": [{"templateName": "ok"}]});
    let mut world = judged_world(2, &routed(&json!([{"setWeight": 50}, {"analysis": ok}])));
    world.edit(&json!({"spec": {"strategy": {"canary": {"analysis": ok}}}}));
    world.settle();
    world.set_image("v2");
    world.settle();
    for part in ["currentStepAnalysisRunStatus", "currentBackgroundAnalysisRunStatus"] {
        let name = world.status()["canary"][part]["name"].as_str().unwrap().to_owned();
        world.verdicts.insert(name, "Failed");
    }
    world.settle();
    let why = "RolloutAborted: Rollout aborted update to revision 2: Background analysis phase error/failed";
    assert_eq!(world.status()["message"], why);
}
