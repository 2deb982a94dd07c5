//! Canaries with a step that is an experiment, whose own controller is played here.

use crate::model::{World, rollout, routed};
use plan::laws::{self, Law};
use serde_json::{Value, json};
use vocab::{ObjectRef, PatchType, Plan, Precondition, Subresource, Write};

fn step() -> Value {
    json!({"experiment": {
        "duration": "5m",
        "templates": [
            {"name": "trial", "specRef": "canary", "weight": 10, "service": {"name": "try"},
                "metadata": {"labels": {"role": "trial"}}},
            {"name": "control", "specRef": "stable", "replicas": 2},
        ],
        "analyses": [{"name": "rate", "templateName": "rate", "requiredForCompletion": true,
            "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}]}],
    }})
}

/// A rollout of four pods with an experiment as a step, and all it needs but the template of an analysis.
fn without_its_template() -> World {
    let steps = json!([{"setWeight": 20}, step(), {"setWeight": 60}, {"pause": {}}]);
    let mut rollout = rollout(4, &routed(&steps));
    rollout["metadata"]["labels"] = json!({"team": "shop"});
    rollout["spec"]["template"]["spec"]["containers"][0]["ports"] =
        json!([{"containerPort": 8080}]);
    World::new(rollout).with_service("stable").with_service("canary").with_route()
}

/// Four pods of v1, and an update to v2 that has come to its experiment.
fn at_the_experiment() -> World {
    let template = json!({"metadata": {"name": "rate"}, "spec": {
        "args": [{"name": "hash"}], "metrics": [{"name": "rate", "provider": {"prometheus": {"query": "up"}}}]}});
    let mut world = without_its_template().with_template(template);
    world.settle();
    world.edit(&json!({"spec": {"template": {"spec": {"containers": [
        {"name": "app", "image": "v2", "ports": [{"containerPort": 8080}]}]}}}}));
    world.settle();
    world
}

/// The experiment has its pods, and the service of `trial` shows them.
fn run(world: &mut World) {
    let labels = json!({"app": "try", "rollouts-pod-template-hash": "tried"});
    let owner = json!([{"kind": "Experiment", "name": "x", "uid": "x", "apiVersion": "argoproj.io/v1alpha1", "controller": true}]);
    let pods = json!({"containers": [{"name": "app", "image": "trial"}]});
    world.put(
        "ReplicaSet",
        json!({
        "metadata": {"name": "try", "labels": labels, "ownerReferences": owner},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"spec": pods}}}),
    );
    let ports = json!([{"port": 8080, "targetPort": 8080}]);
    world.put(
        "Service",
        json!({"metadata": {"name": "try"}, "spec": {"selector": labels, "ports": ports}}),
    );
    let trial = json!({"name": "trial", "status": "Running", "serviceName": "try", "podTemplateHash": "tried",
        "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1});
    world.edit_experiment(&json!({"status": {"phase": "Running", "templateStatuses": [trial]}}));
    world.settle();
}

fn weights(world: &World) -> Vec<i64> {
    let backends = &world.get("HTTPRoute", "shop")["spec"]["rules"][0]["backendRefs"];
    backends.as_array().unwrap().iter().map(|it| it["weight"].as_i64().unwrap()).collect()
}

fn codes(world: &World) -> Vec<&str> {
    let reasons = world.status()["reasons"].as_array().map_or(&[][..], Vec::as_slice);
    reasons.iter().filter_map(|reason| reason["code"].as_str()).collect()
}

#[test]
fn the_step_makes_an_experiment_of_the_rollouts_own_templates() {
    let world = at_the_experiment();
    let hash = world.hash_of("v2");
    let name = format!("shop-{hash}-2-1");
    assert_eq!(world.experiments(), [name.as_str()]);
    assert_eq!(world.status()["canary"]["currentExperiment"], name);
    assert!(world.has_event("ExperimentCreated", &format!("Created Experiment '{name}'")));
    let made = world.get("Experiment", &name);
    assert_eq!(
        made["metadata"]["labels"],
        json!({"team": "shop", "rollouts-pod-template-hash": hash})
    );
    let [trial, control] = made["spec"]["templates"].as_array().unwrap().as_slice() else {
        panic!("{made:#?}");
    };
    assert_eq!(trial["template"]["spec"]["containers"][0]["image"], "v2");
    assert_eq!(trial["selector"]["matchLabels"]["role"], "trial");
    assert_eq!(trial["template"]["metadata"]["labels"]["role"], "trial");
    assert_eq!(trial["service"], json!({"name": "try"}));
    assert_eq!(control["template"]["spec"]["containers"][0]["image"], "v1");
    assert_eq!(control["replicas"], 2);
    assert!(control.get("service").is_none());
    assert_eq!(made["spec"]["analyses"][0]["args"], json!([{"name": "hash", "value": hash}]));
    assert_eq!(codes(&world), ["WaitingForExperiment"]);
}

#[test]
fn the_first_version_needs_nothing_of_an_experiment() {
    let mut world = without_its_template();
    world.settle();
    let outcome = world.outcome();
    assert_eq!((outcome.phase.as_str(), outcome.message.as_str()), ("Healthy", ""));
}

#[test]
fn its_pods_get_their_share_once_a_service_shows_them() {
    let mut world = at_the_experiment();
    assert_eq!(weights(&world), [80, 20]);
    run(&mut world);
    assert_eq!(weights(&world), [70, 20, 10]);
    let weights_in_status = &world.status()["canary"]["weights"];
    assert_eq!(weights_in_status["stable"]["weight"], 70);
    assert_eq!(
        weights_in_status["additional"],
        json!([{"weight": 10, "serviceName": "try", "podTemplateHash": "tried"}])
    );
    assert!(
        world.has_event(
            "TrafficWeightUpdated",
            "Traffic weight updated additional: [{10 try tried}]"
        )
    );
    assert_eq!(world.get("HTTPRoute", "shop")["spec"]["rules"][0]["backendRefs"][2]["port"], 8080);
    // Its pods are lost: users go back to stable.
    world.able.insert("trial".to_owned(), 0);
    world.settle();
    assert_eq!(weights(&world), [80, 20]);
}

#[test]
fn success_gives_the_users_back_and_goes_on() {
    let mut world = at_the_experiment();
    run(&mut world);
    world.edit_experiment(&json!({"status": {"phase": "Successful"}}));
    world.settle();
    assert_eq!(weights(&world), [40, 60]);
    assert_eq!(world.outcome().index, Some(3));
    assert!(world.has_event("RolloutStepCompleted", "Rollout step 2/4 completed (experiment)"));
    assert_eq!(world.experiments().len(), 1, "kept as history");
    assert!(world.status()["canary"].get("currentExperiment").is_none());
}

#[test]
fn failure_aborts_with_the_experiments_own_words() {
    for phase in ["Failed", "Error"] {
        let mut world = at_the_experiment();
        run(&mut world);
        world.edit_experiment(&json!({"status": {"phase": phase, "message": "too slow"}}));
        world.settle();
        assert_eq!(weights(&world), [100, 0]);
        assert_eq!(
            world.outcome().message,
            "RolloutAborted: Rollout aborted update to revision 2: Experiment analysis phase is error/failed: too slow"
        );
    }
}

#[test]
fn an_experiment_without_a_verdict_waits_for_a_person_and_is_made_again() {
    let mut world = at_the_experiment();
    world.edit_experiment(&json!({"status": {"phase": "Inconclusive"}}));
    world.settle();
    assert_eq!(world.outcome().message, "InconclusiveExperiment");
    assert_eq!(world.experiments().len(), 1);
    world.edit(&json!({"status": {"pauseConditions": null}}));
    world.settle();
    let first = format!("shop-{}-2-1", world.hash_of("v2"));
    assert_eq!(world.experiments(), [first.clone(), format!("{first}-1")]);
    assert_eq!(world.outcome().phase, "Progressing");
}

#[test]
fn an_experiment_that_nobody_waits_for_any_more_is_ended() {
    let abort = json!({"status": {"abort": true}});
    let full = json!({"status": {"promoteFull": true}});
    let skip = json!({"status": {"currentStepIndex": 2}});
    for leave in [abort, full, skip] {
        let mut world = at_the_experiment();
        run(&mut world);
        world.edit(&leave);
        world.settle();
        let name = world.experiments().pop().unwrap();
        assert_eq!(world.get("Experiment", &name)["spec"]["terminate"], true, "{leave}");
        assert_eq!(weights(&world).len(), 2, "{leave}");
    }
}

#[test]
fn a_pause_by_hand_does_not_make_a_second_experiment() {
    let mut world = at_the_experiment();
    world.edit(&json!({"spec": {"paused": true}}));
    world.edit_experiment(&json!({"status": {"phase": "Successful"}}));
    world.settle();
    assert_eq!((world.experiments().len(), world.outcome().index), (1, Some(1)));
    world.edit(&json!({"spec": {"paused": false}}));
    world.settle();
    assert_eq!((world.experiments().len(), world.outcome().index), (1, Some(3)));
}

#[test]
fn an_experiment_whose_name_the_status_lost_is_taken_up_again() {
    let mut world = at_the_experiment();
    world.edit(&json!({"status": {"canary": {"currentExperiment": null}}}));
    world.settle();
    assert_eq!(world.experiments().len(), 1);
    assert_eq!(world.status()["canary"]["currentExperiment"], world.experiments()[0].as_str());
}

#[test]
fn only_so_many_experiments_are_kept() {
    let mut world = at_the_experiment();
    world.edit(&json!({"spec": {"analysis": {"successfulRunHistoryLimit": 0}}}));
    world.edit_experiment(&json!({"status": {"phase": "Successful"}}));
    world.settle();
    assert_eq!(world.experiments(), Vec::<String>::new());
}

#[test]
fn an_experiment_that_an_abort_ended_is_kept_until_the_retry() {
    let mut world = at_the_experiment();
    let limits = json!({"successfulRunHistoryLimit": 0, "unsuccessfulRunHistoryLimit": 0});
    world.edit(&json!({"spec": {"analysis": limits}}));
    let first = world.experiments();
    world.edit(&json!({"status": {"abort": true}}));
    world.edit_experiment(&json!({"status": {"phase": "Successful"}}));
    world.settle();
    assert_eq!(world.experiments(), first);
    world.edit(&json!({"status": {"abort": false}}));
    world.settle();
    assert_eq!(world.experiments(), first);
    assert!(world.get("Experiment", &first[0]).get("status").is_none(), "made again");
}

#[test]
fn a_share_for_a_service_without_endpoints_breaks_a_law() {
    let world = at_the_experiment();
    let route = world.get("HTTPRoute", "shop");
    let backend = json!({"name": "try", "port": 8080, "weight": 10});
    let annotation = json!({"ringfence.dev/additional-backends": "try"});
    let write = Write::Patch {
        target: ObjectRef::new("gateway.networking.k8s.io/v1", "HTTPRoute", "default", "shop"),
        subresource: Subresource::Main,
        patch_type: PatchType::Json,
        body: json!([
            {"op": "add", "path": "/spec/rules/0/backendRefs/-", "value": backend},
            {"op": "add", "path": "/metadata/annotations", "value": annotation},
        ]),
        precondition: Precondition {
            uid: None,
            resource_version: route["metadata"]["resourceVersion"].as_str().map(str::to_owned),
        },
    };
    let plan = Plan { writes: vec![write], ..Plan::default() };
    let broken = laws::check(&world.observed(), &plan, world.now);
    let found = broken.iter().find(|violation| violation.law == Law::TrafficNeedsEndpoints);
    assert_eq!(found.unwrap().detail, "try gets 10, and has no endpoints", "{broken:#?}");
}
