//! Experiments from beginning to end.

use crate::model::{World, analysis, rate, template};
use jiff::SignedDuration;
use serde_json::{Value, json};
use vocab::{ObjectRef, Plan};

fn reasons(world: &World) -> Vec<&str> {
    world.events.iter().map(|(reason, _)| reason.as_str()).collect()
}

fn required(name: &str) -> Value {
    let mut analysis = analysis(name);
    analysis["requiredForCompletion"] = json!(true);
    analysis
}

fn judged(analyses: &Value) -> World {
    let spec = json!({"templates": [template("a")], "analyses": analyses});
    let mut world = World::new(&spec);
    world.put("AnalysisTemplate", rate());
    world.settle();
    world
}

#[test]
fn pods_come_time_passes_pods_go() {
    let spec = json!({"templates": [template("a"), template("b")], "duration": "5m"});
    let mut world = World::new(&spec);
    world.carry_out(&world.plan());
    assert_eq!(world.size("try-a"), Some(0), "made without pods");
    let set = world.get("ReplicaSet", "try-a");
    let hash = set["metadata"]["labels"]["rollouts-pod-template-hash"].clone();
    assert_ne!(hash, "of-another");
    assert_eq!(
        set["spec"]["selector"]["matchLabels"],
        json!({"app": "a", "rollouts-pod-template-hash": hash})
    );
    assert_eq!(set["metadata"]["annotations"]["experiment.argoproj.io/template-name"], "a");
    world.settle();
    assert_eq!(world.status()["phase"], "Running");
    assert_eq!(world.status()["availableAt"], "2026-01-01T00:00:00Z");
    assert_eq!(world.waits, ["WaitingForDuration"]);
    let service = world.get("Service", "try-a");
    assert_eq!(service["spec"]["selector"], set_labels(&world));
    assert_eq!(service["spec"]["ports"][0]["targetPort"], 8080);
    assert_eq!(world.status()["templateStatuses"][0]["serviceName"], "try-a");
    world.pass(299);
    assert_eq!(world.status()["phase"], "Running");
    world.pass(1);
    assert_eq!(world.status()["phase"], "Successful");
    assert_eq!(world.size("try-a"), Some(1), "kept for the delay");
    world.pass(30);
    assert_eq!((world.size("try-a"), world.size("try-b")), (Some(0), Some(0)));
    assert!(world.find("Service", "try-a").is_none());
    assert_eq!(world.status()["conditions"][0]["reason"], "ExperimentCompleted");
    assert_eq!(
        reasons(&world)[..4],
        ["TemplateProgressing", "TemplateProgressing", "ExperimentPending", "ScalingReplicaSet"]
    );
    let told = |text: &str| world.events.iter().any(|(_, message)| message == text);
    assert!(told("Scaled up ReplicaSet try-a from 0 to 1"));
    assert!(told("Template 'a' transitioned from Progressing -> Running"));
    assert!(told("Experiment transitioned from Pending -> Running"));
    assert!(told("Scaled down ReplicaSet try-a from 1 to 0"));
}

fn set_labels(world: &World) -> Value {
    world.get("ReplicaSet", "try-a")["metadata"]["labels"].clone()
}

#[test]
fn templates_that_are_alike_get_pods_that_can_be_told_apart() {
    let mut twin = template("a");
    twin["name"] = json!("twin");
    let mut world = World::new(&json!({"templates": [template("a"), twin]}));
    world.settle();
    let label = |name: &str| {
        world.get("ReplicaSet", name)["metadata"]["labels"]["rollouts-pod-template-hash"].clone()
    };
    assert_ne!(label("try-a"), label("try-twin"));
    assert_eq!(world.status()["templateStatuses"][1]["collisionCount"], 1);
}

#[test]
fn pods_that_do_not_come_fail_the_experiment_at_the_deadline() {
    let spec = json!({"templates": [template("a"), template("b")], "progressDeadlineSeconds": 60});
    let mut world = World::new(&spec);
    world.stuck.push("try-b".to_owned());
    world.pass(60);
    assert_eq!(world.status()["phase"], "Pending");
    assert_eq!(world.waits, ["WaitingForPods"]);
    let why = "try-b has 0 of 1 pods available";
    assert_eq!(world.status()["templateStatuses"][1]["message"], why);
    assert_eq!(world.status()["message"], why);
    world.pass(1);
    assert_eq!(world.status()["phase"], "Failed");
    assert_eq!(world.status()["message"], "Template 'b' exceeded its progressDeadlineSeconds (60)");
    world.pass(30);
    assert_eq!((world.size("try-a"), world.size("try-b")), (Some(0), Some(0)));
    assert_eq!(world.status()["templateStatuses"][0]["status"], "Successful");
}

#[test]
fn time_without_a_controller_is_not_held_against_an_experiment() {
    let mut world =
        World::new(&json!({"templates": [template("a")], "progressDeadlineSeconds": 60}));
    world.stuck.push("try-a".to_owned());
    world.pass(10);
    let now = world.now + SignedDuration::from_hours(1);
    for (attended_for, fails) in [(1, false), (60, false), (61, true), (7200, true)] {
        let mut observed = world.observed();
        observed.attended_since = Some(now - SignedDuration::from_secs(attended_for));
        let planned = format!("{:?}", plan::experiment::plan(&observed, now).status);
        assert_eq!(
            planned.contains("exceeded its progressDeadlineSeconds"),
            fails,
            "{attended_for}"
        );
    }
}

#[test]
fn what_a_template_waits_for_is_said_after_a_while_and_no_longer_than_it_waits() {
    let mut world = World::new(&json!({"templates": [template("a")], "duration": "5m"}));
    world.stuck.push("try-a".to_owned());
    world.pass(29);
    assert_eq!(world.status()["message"], Value::Null);
    assert_eq!(world.status()["templateStatuses"][0]["message"], Value::Null);
    world.pass(1);
    let why = "try-a has 0 of 1 pods available";
    assert_eq!(world.status()["message"], why);
    assert_eq!(world.status()["templateStatuses"][0]["message"], why);
    world.stuck.clear();
    world.settle();
    assert_eq!(world.status()["phase"], "Running");
    assert_eq!(world.status()["message"], Value::Null);
    assert_eq!(world.status()["templateStatuses"][0]["message"], Value::Null);
    assert!(world.events.iter().all(|(_, message)| !message.contains(why)), "{:?}", world.events);
}

#[test]
fn analyses_begin_once_the_pods_are_available_and_get_their_arguments() {
    let mut world = World::new(&json!({
        "templates": [template("a")], "analyses": [analysis("one")],
        "analysisRunMetadata": {"labels": {"team": "shop"}}, "dryRun": [{"metricName": "rate"}],
    }));
    world.put("AnalysisTemplate", rate());
    world.stuck.push("try-a".to_owned());
    world.settle();
    assert!(world.find("AnalysisRun", "try-one").is_none());
    world.stuck.clear();
    world.settle();
    let run = world.get("AnalysisRun", "try-one");
    assert_eq!(run["spec"]["args"][0]["value"], set_labels(&world)["rollouts-pod-template-hash"]);
    assert_eq!(run["spec"]["dryRun"][0]["metricName"], "rate");
    assert_eq!(run["metadata"]["labels"], json!({"team": "shop"}));
    assert_eq!(world.status()["analysisRuns"][0]["phase"], "Pending");
    assert_eq!(world.status()["phase"], "Running");
}

#[test]
fn an_experiment_ends_when_a_required_analysis_succeeds() {
    let mut world = judged(&json!([required("one"), analysis("two")]));
    world.judge("try-one", "Successful");
    world.judge("try-two", "Running");
    world.settle();
    assert_eq!(world.status()["phase"], "Running", "the other one is being ended");
    assert_eq!(world.get("AnalysisRun", "try-two")["spec"]["terminate"], true);
    assert!(reasons(&world).contains(&"AnalysisRunTerminating"));
    world.judge("try-two", "Successful");
    world.settle();
    assert_eq!(world.status()["phase"], "Successful");
    assert_eq!(world.status()["message"], "Required AnalysisRuns completed");
}

#[test]
fn an_analysis_that_fails_ends_the_experiment_and_the_others() {
    for phase in ["Failed", "Error", "Inconclusive"] {
        let mut world = judged(&json!([analysis("one"), analysis("two")]));
        world.judge("try-one", phase);
        world.settle();
        assert_eq!(world.status()["phase"], phase);
        assert_eq!(world.get("AnalysisRun", "try-two")["spec"]["terminate"], true);
        world.pass(30);
        assert_eq!(world.size("try-a"), Some(0));
    }
}

#[test]
fn an_experiment_that_is_ended_is_successful_whatever_was_under_way() {
    let mut world = judged(&json!([required("one")]));
    world.edit("Experiment", "try", &json!({"spec": {"terminate": true}}));
    world.settle();
    assert_eq!(world.status()["templateStatuses"][0]["status"], "Successful");
    world.judge("try-one", "Successful");
    world.settle();
    assert_eq!(world.status()["phase"], "Successful");
}

#[test]
fn an_experiment_that_is_ended_before_it_began_makes_nothing() {
    let spec =
        json!({"templates": [template("a")], "analyses": [analysis("one")], "terminate": true});
    let mut world = World::new(&spec);
    world.settle();
    assert_eq!(world.status()["phase"], "Successful");
    assert_eq!(world.objects.len(), 1);
}

#[test]
fn a_template_that_is_not_there_is_an_error_at_once() {
    let mut world =
        World::new(&json!({"templates": [template("a")], "analyses": [analysis("one")]}));
    world.settle();
    assert_eq!(
        world.status()["message"],
        "AnalysisTemplate verification failed for analysis 'one': analysistemplate.argoproj.io \"rate\" not found"
    );
    assert_eq!(world.status()["phase"], "Error");
}

#[test]
fn a_template_that_another_one_needs_is_named_as_the_api_server_names_it() {
    let mut outer = rate();
    outer["spec"]["templates"] =
        json!([{"templateName": "gone"}, {"templateName": "all", "clusterScope": true}]);
    let mut world =
        World::new(&json!({"templates": [template("a")], "analyses": [analysis("one")]}));
    world.put("AnalysisTemplate", outer);
    world.settle();
    assert_eq!(
        world.status()["message"],
        "Failed to create AnalysisRun for analysis 'one': analysistemplate.argoproj.io \"gone\" not found"
    );
}

#[test]
fn pods_that_may_not_be_had_end_the_experiment_with_the_api_servers_words() {
    let mut world = World::new(&json!({"templates": [template("a")]}));
    let refused_of = |world: &World| {
        let mut observed = world.observed();
        let set = ObjectRef::new("apps/v1", "ReplicaSet", "default", "try-a");
        observed.refused.insert(set, "no pods today".to_owned());
        plan::experiment::plan(&observed, world.now)
    };
    let plan = refused_of(&world);
    let told = |plan: &Plan, reason: &str| {
        plan.events.iter().find(|event| event.reason == reason).map(|event| event.message.clone())
    };
    assert_eq!(
        told(&plan, "ReplicaSetCreateError").as_deref(),
        Some("Failed to create new replica set \"try-a\": no pods today")
    );
    world.carry_out(&world.plan());
    let plan = refused_of(&world);
    assert!(plan.writes.iter().all(|write| write.target().kind != "ReplicaSet"), "{plan:#?}");
    let why =
        "Unable to scale ReplicaSet for template 'a' to desired replica count '1': no pods today";
    assert_eq!(
        told(&plan, "TemplateError"),
        Some(format!("Template 'a' transitioned from Progressing -> Error: {why}"))
    );
    world.carry_out(&plan);
    assert_eq!(
        (&world.status()["phase"], &world.status()["message"]),
        (&json!("Error"), &json!(why))
    );
}

#[test]
fn a_service_that_is_no_longer_asked_for_goes_before_the_pods_do() {
    let mut world = World::new(&json!({"templates": [template("a")]}));
    world.settle();
    assert!(world.find("Service", "try-a").is_some());
    let mut without = template("a");
    without.as_object_mut().unwrap().remove("service");
    world.edit("Experiment", "try", &json!({"spec": {"templates": [without]}}));
    world.settle();
    assert_eq!((world.find("Service", "try-a"), world.size("try-a")), (None, Some(1)));
}

#[test]
fn a_name_that_somebody_else_has_is_an_error_and_nobodys_loss() {
    let mut world = World::new(&json!({"templates": [template("a")]}));
    world.put("Service", json!({"metadata": {"name": "try-a"}, "spec": {}}));
    world.settle();
    assert_eq!(world.status()["phase"], "Error");
    assert_eq!(
        world.status()["message"],
        "Failed to create Service try-a for template 'a': service try-a already exists and is not owned by experiment template a"
    );
    assert!(world.find("Service", "try-a").is_some());
}

#[test]
fn an_experiment_begins_again_when_its_status_is_taken_away() {
    let mut world = judged(&json!([required("one")]));
    world.judge("try-one", "Failed");
    world.pass(60);
    world.edit("Experiment", "try", &json!({"status": null}));
    world.settle();
    assert_eq!(world.status()["phase"], "Running");
    assert_eq!(world.size("try-a"), Some(1));
    assert_eq!(world.status()["analysisRuns"][0]["analysisRun"], "try-one.1");
    let annotations = &world.get("ReplicaSet", "try-a")["metadata"]["annotations"];
    assert!(annotations.get("scale-down-deadline").is_none(), "a deadline is of one end only");
}

#[test]
fn all_that_is_wrong_is_said_at_once_and_can_be_mended() {
    let mut nameless = template("");
    nameless["selector"] = json!({});
    let spec = json!({
        "templates": [template("a"), template("a"), nameless], "duration": "soon",
        "analyses": [analysis("one"), analysis("one")],
    });
    let mut world = World::new(&spec);
    world.settle();
    assert!(world.status().get("phase").is_none());
    let message = world.status()["conditions"][0]["message"].as_str().unwrap();
    for part in [
        "spec.templates[1].name: Invalid value: \"a\": Experiment try has repeated template name 'a' in templates",
        "spec.templates[2].selector: Required value: This experiment is selecting all pods at index 2. A non-empty selector is required.",
        "spec.templates[2].name: Required value: Experiment try has empty template name at index 2",
        "spec.analyses[1].name: ",
        "spec.duration: ",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(reasons(&world), ["InvalidSpec"]);
    world.edit(
        "Experiment",
        "try",
        &json!({"spec": {"templates": [template("a")], "duration": "1m", "analyses": []}}),
    );
    world.settle();
    assert_eq!(world.status()["phase"], "Running");
    assert!(
        world.status()["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["type"] != "InvalidSpec")
    );
}

#[test]
fn a_rollout_does_not_wait_for_an_experiment_that_is_invalid() {
    let mut world = World::of_rollout(&json!({"templates": [template("")]}));
    world.settle();
    assert_eq!(world.status()["phase"], "Error");
    assert!(world.status()["message"].as_str().unwrap().starts_with("InvalidSpec: "));
}

#[test]
fn what_becomes_of_an_analysis_is_told_to_those_who_watch_the_rollout() {
    let mut world =
        World::of_rollout(&json!({"templates": [template("a")], "analyses": [analysis("one")]}));
    world.put("AnalysisTemplate", rate());
    world.settle();
    world.judge("try-one", "Failed");
    world.settle();
    assert_eq!(world.elsewhere, ["AnalysisRunPending", "AnalysisRunFailed"]);
}

#[test]
fn pods_stay_while_a_route_leads_to_them() {
    let spec = json!({"templates": [template("a")], "duration": "1m", "scaleDownDelaySeconds": 0});
    let mut world = World::of_rollout(&spec);
    world.settle();
    world.lead_users_to("try-a");
    world.pass(120);
    assert_eq!(world.status()["phase"], "Successful");
    assert_eq!(world.size("try-a"), Some(1));
    assert_eq!(world.waits, ["WaitingForTraffic"]);
    let without = json!({"annotations": {"ringfence.dev/additional-backends": null}});
    world.edit("HTTPRoute", "shop", &json!({"metadata": without}));
    world.settle();
    assert_eq!(world.size("try-a"), Some(0));
}
