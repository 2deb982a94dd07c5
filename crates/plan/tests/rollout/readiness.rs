//! What tools read that know nothing of rollouts, and how much a status tells at once.

use crate::model::{World, rollout};
use api::argo::GenerationForm;
use serde_json::json;

/// Ready, and whatever else kstatus looks at that is true, each with reason and message.
fn readiness(world: &World) -> Vec<String> {
    let conditions = world.status()["conditions"].as_array().unwrap();
    let asked = |name: &&str| {
        conditions.iter().find(|condition| condition["type"] == **name).map(|condition| {
            let text = |field: &str| condition[field].as_str().unwrap().to_owned();
            [*name, &text("status"), &text("reason"), &text("message")].join(" ").trim().to_owned()
        })
    };
    ["Ready", "Reconciling", "Stalled"].iter().filter_map(asked).collect()
}

#[test]
fn a_rollout_says_how_it_stands_in_the_words_of_every_tool() {
    let mut world = World::new(rollout(2, &json!({"canary": {"steps": [{"pause": {}}]}})));
    world.generation_form = GenerationForm::Number;
    world.settle();
    assert_eq!(readiness(&world), ["Ready True Healthy"]);
    world.set_image("v2");
    world.settle();
    let waits = ["Ready False Paused CanaryPauseStep", "Reconciling True Paused CanaryPauseStep"];
    assert_eq!(readiness(&world), waits);
    world.edit(&json!({"status": {"abort": true}}));
    world.settle();
    let why = "Degraded RolloutAborted: Rollout aborted update to revision 2";
    assert_eq!(readiness(&world), [format!("Ready False {why}"), format!("Stalled True {why}")]);
    world.set_image("v1");
    world.settle();
    assert_eq!(readiness(&world), ["Ready True Healthy"]);
}

#[test]
fn what_is_invalid_is_stalled() {
    let mut world = World::new(rollout(2, &json!({})));
    world.generation_form = GenerationForm::Number;
    world.run_for(1);
    let found = readiness(&world);
    assert!(found[1].starts_with("Stalled True Degraded InvalidSpec: "), "{found:?}");
}

#[test]
fn a_degraded_rollout_has_upstreams_conditions_alone_where_generations_are_text() {
    let mut world = World::new(rollout(2, &json!({"canary": {"steps": [{"pause": {}}]}})));
    world.settle();
    world.set_image("v2");
    world.settle();
    assert_eq!(readiness(&world).len(), 2, "{:#?}", world.status());
    world.edit(&json!({"status": {"abort": true}}));
    world.settle();
    assert_eq!(world.outcome().phase, "Degraded");
    assert_eq!(readiness(&world), [""; 0]);
    world.set_image("v1");
    world.settle();
    assert_eq!(readiness(&world), ["Ready True Healthy"]);
    let mut invalid = World::new(rollout(2, &json!({})));
    invalid.run_for(1);
    assert_eq!(invalid.status()["conditions"].as_array().map(Vec::len), Some(1));
}

#[test]
fn generations_are_numbers_where_that_is_wanted_also_in_what_was_written_before() {
    let mut world = World::new(rollout(2, &json!({"canary": {}})));
    world.settle();
    assert_eq!(world.status()["observedGeneration"], "1");
    let mut observed = world.observed();
    observed.generation_form = GenerationForm::Number;
    let plan = plan::rollout::plan(&observed, world.now);
    world.carry_out(&plan, 1);
    assert_eq!(world.status()["observedGeneration"], 1);
}

#[test]
fn a_status_says_what_the_next_look_will_wait_for() {
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    let mut world = World::new(rollout(2, &json!({"canary": {"steps": steps}})));
    world.settle();
    world.set_image("v2");
    let mut plans = Vec::new();
    for _ in 0..3 {
        let plan = world.plan();
        plans.push((plan.writes.len(), plan.status.is_some()));
        world.carry_out(&plan, usize::MAX);
    }
    let made = [(0, true), (2, false), (1, false)];
    assert_eq!(plans, made, "the new version is told of at once, made, and given pods");
    let reasons = &world.status()["reasons"];
    assert_eq!(
        reasons[0]["evidence"],
        json!({"available": "0", "replicaSet": format!("shop-{}", world.hash_of("v2")), "wanted": "1"})
    );
}
