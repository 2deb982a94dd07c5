//! Steps that ask for a scale beside something else.

use crate::{
    model::{crash_everywhere, routed, routed_world},
    stories::judged_world,
};
use serde_json::json;

#[test]
fn a_scale_beside_a_weight_and_a_pause_is_carried_out_with_them() {
    let steps = json!([
        {"setWeight": 20, "setCanaryScale": {"replicas": 2}},
        {"pause": {}, "setCanaryScale": {"weight": 60}},
    ]);
    let mut world = routed_world(5, &routed(&steps));
    world.set_image("v2");
    crash_everywhere(&world);
    world.settle();
    let outcome = world.outcome();
    assert_eq!((outcome.message.as_str(), outcome.index), ("CanaryPauseStep", Some(1)));
    assert_eq!((world.pods("v2"), outcome.weight), (3, Some(20)), "{:#?}", world.status());
    assert!(world.has_event("RolloutStepCompleted", "Rollout step 1/2 completed (setWeight: 20)"));
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle();
    assert_eq!(world.outcome().phase, "Healthy", "{:#?}", world.status());
    assert_eq!(world.pods("v2"), 5);
}

#[test]
fn a_weight_beside_a_scale_is_in_force_before_the_next_step_begins() {
    let steps = json!([
        {"setWeight": 20, "setCanaryScale": {"replicas": 1}},
        {"setCanaryScale": {"replicas": 1}, "setWeight": 40},
        {"pause": {}},
    ]);
    let mut world = routed_world(5, &routed(&steps));
    world.weights.clear();
    world.set_image("v2");
    let mut early = Vec::new();
    world.settle_with(
        |state, _| {
            let index = state.status()["currentStepIndex"].as_i64();
            if index == Some(2) && state.weight() != Some(40) {
                early.push(state.weight());
            }
        },
        None,
    );
    assert_eq!(world.outcome().index, Some(2), "{:#?}", world.status());
    assert_eq!((world.weights.as_slice(), early), ([0, 20, 40].as_slice(), Vec::new()));
}

#[test]
fn an_analysis_beside_a_scale_is_waited_for() {
    let steps = json!([
        {"setCanaryScale": {"replicas": 1}, "analysis": {"templates": [{"templateName": "ok"}]}},
        {"pause": {}},
    ]);
    for (verdict, phase, index) in [("Successful", "Paused", 1), ("Failed", "Degraded", 0)] {
        let mut world = judged_world(5, &routed(&steps));
        world.settle();
        world.set_image("v2");
        world.run_for(60);
        assert_eq!(world.outcome().index, Some(0), "{:#?}", world.status());
        world.verdicts.insert(format!("shop-{}-2-0", world.hash_of("v2")), verdict);
        world.settle();
        let outcome = world.outcome();
        assert_eq!((outcome.phase.as_str(), outcome.index), (phase, Some(index)));
    }
}
