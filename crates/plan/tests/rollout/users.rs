//! What people and autoscalers do at any moment: a seeded walk over edits, cuts and time, after which every
//! rollout must still reach the version that is wanted.

use crate::model::{World, rollout, routed, routed_world};
use serde_json::{Value, json};

/// Walks per strategy.
const WALKS: u64 = 4;
/// Edits per walk.
const EDITS: usize = 12;

/// A small linear congruential generator: the same seed gives the same walk.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn act(world: &mut World, dice: &mut Dice) {
    match dice.roll(11) {
        0..=2 => world.set_image(["v1", "v2", "v3"][usize::try_from(dice.roll(3)).unwrap()]),
        3 => world.edit(&json!({"status": {"abort": true}})),
        4 => world.edit(&json!({"status": {"abort": false}})),
        5 => world.edit(&json!({"status": {"promoteFull": true}})),
        6 => world.edit(&json!({"status": {"pauseConditions": null}})),
        7 => {
            let paused = dice.roll(2) == 0;
            world.edit(&json!({"spec": {"paused": paused}}));
        }
        8 => {
            let replicas = dice.roll(7);
            world.edit(&json!({"spec": {"replicas": replicas}}));
        }
        9 => {
            // The plan is cut in the middle, as a crash would cut it.
            let plan = world.plan();
            let writes = plan.writes.len() + plan.status.iter().count();
            let cut = dice.roll(writes as u64 + 1);
            world.carry_out(&plan, usize::try_from(cut).unwrap());
        }
        _ => {
            let seconds = dice.roll(40);
            world.run_for(i64::try_from(seconds).unwrap());
        }
    }
    for _ in 0..dice.roll(4) {
        let plan = world.plan();
        let writes = plan.writes.len() + plan.status.iter().count();
        world.carry_out(&plan, writes);
        world.tick();
    }
}

/// Lets everything go on until the wanted version has everything.
fn finish(world: &mut World, seed: u64) {
    world.edit(&json!({"spec": {"paused": false}}));
    world.settle();
    for _ in 0..8 {
        world.edit(&json!({"status": {"abort": false}}));
        world.settle();
        if world.outcome().message.ends_with("Pause")
            || world.outcome().message.ends_with("PauseStep")
        {
            world.edit(&json!({"status": {"pauseConditions": null}}));
            world.settle();
        }
    }
    let outcome = world.outcome();
    let wanted = world.rollout()["spec"]["template"]["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap()
        .to_owned();
    let replicas = world.rollout()["spec"]["replicas"].as_i64().unwrap();
    assert_eq!(
        (outcome.phase.as_str(), &outcome.stable),
        ("Healthy", &wanted),
        "seed {seed}: {:#?}",
        world.status()
    );
    assert_eq!(world.pods(&wanted), replicas, "seed {seed}");
    assert_eq!(outcome.pods.values().sum::<i64>(), replicas, "seed {seed}: {outcome:#?}");
    let quiet = world.plan();
    assert!(quiet.writes.is_empty() && quiet.status.is_none(), "seed {seed}: {quiet:#?}");
}

fn walk(start: &World) {
    for seed in 0..WALKS {
        let mut world = start.clone();
        let mut dice = Dice(seed);
        for _ in 0..EDITS {
            act(&mut world, &mut dice);
        }
        finish(&mut world, seed);
    }
}

fn steps() -> Value {
    json!([{"setWeight": 20}, {"pause": {"duration": 5}}, {"setWeight": 60}, {"pause": {}}])
}

#[test]
fn a_routed_canary_survives_its_users() {
    walk(&routed_world(4, &routed(&steps())));
}

#[test]
fn a_canary_behind_two_ingresses_survives_its_users() {
    let strategy = json!({"canary": {
        "stableService": "stable", "canaryService": "canary", "steps": steps(),
        "trafficRouting": {"nginx": {"stableIngresses": ["web", "inner"]}},
    }});
    let mut world = World::new(rollout(4, &strategy))
        .with_service("stable")
        .with_service("canary")
        .with_ingress("web", "stable")
        .with_ingress("inner", "stable");
    world.settle();
    walk(&world);
}

#[test]
fn a_routed_canary_with_a_scaled_canary_survives_its_users() {
    let steps = json!([{"setCanaryScale": {"replicas": 2}}, {"setWeight": 30}, {"setCanaryScale": {"matchTrafficWeight": true}}, {"setWeight": 10}, {"pause": {}}]);
    walk(&routed_world(3, &routed(&steps)));
}

#[test]
fn a_dynamic_canary_survives_its_users() {
    let mut strategy = routed(&steps());
    strategy["canary"]["dynamicStableScale"] = json!(true);
    walk(&routed_world(4, &strategy));
}

#[test]
fn a_routed_canary_without_steps_survives_its_users() {
    walk(&routed_world(3, &routed(&json!([]))));
}

#[test]
fn a_basic_canary_survives_its_users() {
    let mut world = World::new(rollout(5, &json!({"canary": {"steps": steps()}})));
    world.settle();
    walk(&world);
}

#[test]
fn a_basic_canary_with_services_survives_its_users() {
    let strategy = json!({"canary": {"steps": steps(), "stableService": "stable", "canaryService": "canary", "maxSurge": 1, "maxUnavailable": 0}});
    let mut world = World::new(rollout(4, &strategy)).with_service("stable").with_service("canary");
    world.settle();
    walk(&world);
}

#[test]
fn blue_green_survives_its_users() {
    for strategy in [
        json!({"activeService": "active"}),
        json!({"activeService": "active", "previewService": "preview", "autoPromotionEnabled": false}),
        json!({"activeService": "active", "previewService": "preview", "previewReplicaCount": 1, "autoPromotionSeconds": 5}),
    ] {
        let mut world = World::new(rollout(3, &json!({"blueGreen": strategy})))
            .with_service("active")
            .with_service("preview");
        world.settle();
        walk(&world);
    }
}
