//! What is refused, and in which words.

use crate::model::{World, rollout, routed};
use serde_json::{Value, json};
use vocab::{ObjectRef, Write};

/// Problems of a rollout as its message lists them.
fn problems(object: Value) -> String {
    let mut world = World::new(object).with_service("stable").with_service("canary").with_route();
    world.run_for(1);
    let message = world.outcome().message;
    let prefix = "InvalidSpec: The Rollout \"shop\" is invalid: ";
    message.strip_prefix(prefix).unwrap_or_else(|| panic!("valid: {message}")).to_owned()
}

/// What the status says of a rollout while an object that it rests on cannot be understood.
fn with_broken(world: &World, kind: &str, name: &str) -> String {
    let mut observed = world.observed();
    let target = ObjectRef::new("v1", kind, "default", name);
    observed.broken.insert(target, "invalid type".to_owned());
    if kind == "Service" {
        observed.services.insert(name.to_owned(), None);
    }
    let plan = plan::rollout::plan(&observed, world.now);
    assert_eq!(plan.writes, Vec::new(), "nothing else happens");
    let Some(Write::Patch { body, .. }) = plan.status else { panic!("{plan:#?}") };
    body["status"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_there_and_cannot_be_understood_is_not_called_missing() {
    let analysis = json!({"templates": [{"templateName": "all", "clusterScope": true}]});
    let strategy = json!({"canary": {"steps": [{"analysis": analysis}]}});
    let judged = World::new(rollout(2, &strategy));
    let routed = World::new(rollout(2, &routed(&json!([])))).with_service("stable").with_route();
    let plain = World::new(rollout(2, &json!({"canary": {}})));
    let mut object = rollout(2, &json!({"canary": {}}));
    object["spec"].as_object_mut().unwrap().remove("template");
    object["spec"]["workloadRef"] =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"});
    let referring = World::new(object);
    let cases = [
        (&judged, "ClusterAnalysisTemplate", "all", "ClusterAnalysisTemplate 'all'"),
        (&routed, "Service", "canary", "service \"canary\""),
        (&plain, "ReplicaSet", "shop-5f", "replicaset.apps \"shop-5f\""),
        (&referring, "Deployment", "shop", "deployments.apps \"default/shop\""),
    ];
    for (world, kind, name, subject) in cases {
        let message = with_broken(world, kind, name);
        let expected = format!(
            "{subject} cannot be understood: invalid type; whoever wrote it has to correct it"
        );
        assert!(message.starts_with("InvalidSpec: ") && message.ends_with(&expected), "{message}");
    }
}

fn check(strategy: &Value, expected: &str) {
    assert_eq!(problems(rollout(2, strategy)), expected);
}

#[test]
fn strategies_are_refused_in_the_words_users_know() {
    check(
        &json!({}),
        "spec.strategy.strategy: Required value: Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'",
    );
    check(
        &json!({"canary": {}, "blueGreen": {"activeService": "a"}}),
        "spec.strategy.strategy: Invalid value: \"blueGreen: true canary: true\": Multiple Strategies can not be listed",
    );
    check(
        &json!({"blueGreen": {"activeService": "a", "previewService": "a"}}),
        "spec.strategy.activeService: Invalid value: \"a\": This rollout uses the same service for the active and preview services, but two different services are required.",
    );
    check(
        &json!({"blueGreen": {"activeService": ""}}),
        "spec.strategy.activeService: Invalid value: \"\": This rollout uses the same service for the active and preview services, but two different services are required.; \
         spec.strategy.blueGreen.activeService: Required value",
    );
    check(
        &json!({"canary": {"maxSurge": 0, "maxUnavailable": 0}}),
        "spec.strategy.maxSurge: Invalid value: 0: MaxSurge and MaxUnavailable both can not be zero",
    );
    check(
        &json!({"canary": {"scaleDownDelaySeconds": 5}}),
        "spec.strategy.scaleDownDelaySeconds: Invalid value: 5: Canary scaleDownDelaySeconds can only be used with traffic routing",
    );
}

#[test]
fn steps_are_refused_one_by_one() {
    check(
        &json!({"canary": {"steps": [{"setWeight": -1}, {"pause": {"duration": "soon"}}, {"setCanaryScale": {"weight": 5}}]}}),
        "spec.strategy.steps[0].setWeight: Invalid value: -1: SetWeight needs to be between 0 and 100; \
         spec.strategy.steps[1].pause.duration: Invalid value: \"soon\": Duration needs to be greater than 0; \
         spec.strategy.trafficRouting: Required value: SetCanaryScale requires TrafficRouting to be set",
    );
}

#[test]
fn a_step_that_is_not_supported_yet_is_named_by_the_path_it_is_written_at() {
    check(
        &routed(&json!([{"setWeight": 10}, {"plugin": {"name": "x"}}])),
        "spec.strategy.canary.steps[1].plugin: Forbidden: not supported yet",
    );
}

#[test]
fn routes_are_refused_in_the_words_users_know() {
    let matched = |value: Value| json!([{"headerName": "x", "headerValue": value}]);
    let unmanaged =
        routed(&json!([{"setHeaderRoute": {"name": "a"}}, {"setMirrorRoute": {"name": "b"}}]));
    check(
        &unmanaged,
        "spec.strategy.trafficRouting.managedRoutes: Required value: \
         Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'",
    );
    let mut strategy = routed(&json!([
        {"setHeaderRoute": {"name": "a", "match": matched(json!({"exact": "1", "prefix": "2"}))}},
        {"setCanaryScale": {"replicas": 1}, "setHeaderRoute": {"name": "b", "match": matched(json!({}))}},
        {"setMirrorRoute": {"name": "a", "percentage": 101, "match": [
            {"method": {"prefix": "P"}, "path": {}, "headers": {"x": {"exact": "1", "regex": "1"}}}]}},
    ]));
    strategy["canary"]["trafficRouting"]["managedRoutes"] = json!([{"name": "a"}]);
    check(
        &strategy,
        "spec.strategy.steps[0].setHeaderRoute.match[0]: Invalid value: {\"exact\":\"1\",\"prefix\":\"2\"}: \
         StringMatch match value must have exactly one of the following: exact, regex, prefix; \
         spec.strategy.steps[1].setHeaderRoute.match[0]: Invalid value: {}: \
         StringMatch value missed, match value must have one of the following: exact, regex, prefix; \
         spec.strategy.steps[1].setHeaderRoute: Invalid value: \"b\": \
         Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes; \
         spec.strategy.steps[2].setMirrorRoute.match[0]: Invalid value: {}: \
         StringMatch value missed, match value must have one of the following: exact, regex, prefix; \
         spec.strategy.steps[2].setMirrorRoute.match[0]: Invalid value: {\"exact\":\"1\",\"regex\":\"1\"}: \
         StringMatch match value must have exactly one of the following: exact, regex, prefix; \
         spec.strategy.steps[2].setMirrorRoute.match[0].method: Invalid value: {\"prefix\":\"P\"}: \
         a method is matched by 'exact' value only; \
         spec.strategy.steps[2].setMirrorRoute.percentage: Invalid value: 101: must be between 0 and 100",
    );
}

#[test]
fn an_experiment_step_is_checked_whole() {
    let step = json!({"experiment": {
        "duration": "soon",
        "templates": [
            {"name": "a", "specRef": "canary", "weight": 95},
            {"name": "a", "specRef": "newest"},
        ],
        "analyses": [{"name": "", "templateName": "rate"}],
    }});
    check(
        &routed(&json!([{"setWeight": 10}, step])),
        "spec.strategy.steps[1].experiment.templates[0].weight: Invalid value: 95: \
         no container of the pod template has a port that traffic could go to; \
         spec.strategy.steps[1].experiment.templates[1].name: Duplicate value: \"a\"; \
         spec.strategy.steps[1].experiment.templates[1].specRef: Invalid value: \"newest\": \
         Invalid template step SpecRef: must be canary or stable; \
         spec.strategy.steps[1].experiment.templates: Invalid value: 95: \
         the weights of its templates and the canary's 10 add up to more than 100; \
         spec.strategy.steps[1].experiment.analyses[0].name: Required value; \
         spec.strategy.steps[1].experiment.duration: Invalid value: \"soon\": time: invalid duration \"soon\"",
    );
}

#[test]
fn weights_of_an_experiment_need_a_router_that_gives_them() {
    let step =
        json!({"experiment": {"templates": [{"name": "a", "specRef": "canary", "weight": 0}]}});
    check(
        &json!({"canary": {"steps": [step]}}),
        "spec.strategy.steps[0].experiment.templates[0].weight: Invalid value: 0: \
         Experiment template weight cannot be set unless TrafficRouting is enabled",
    );
    check(
        &json!({"canary": {"stableService": "stable", "canaryService": "canary",
            "trafficRouting": {"nginx": {"stableIngress": "shop"}}, "steps": [step]}}),
        "spec.strategy.steps[0].experiment.templates[0].weight: Invalid value: 0: \
         Experiment template weight is only available for TrafficRouting with SMI, ALB, Istio and Plugins at this time",
    );
}

#[test]
fn a_router_that_does_not_exist_yet_is_named() {
    let strategy = json!({"canary": {"stableService": "stable", "canaryService": "canary", "trafficRouting": {"smi": {}, "plugins": {"acme/router": {}}}}});
    check(
        &strategy,
        "spec.strategy.canary.trafficRouting.smi: Forbidden: not supported yet; \
         spec.strategy.canary.trafficRouting.plugins[acme/router]: Forbidden: not supported yet",
    );
    let mut strategy = routed(&json!([]));
    strategy["canary"]["trafficRouting"]["plugins"]["argoproj-labs/gatewayAPI"] = json!({});
    check(
        &strategy,
        "spec.strategy.canary.trafficRouting.plugins[argoproj-labs/gatewayAPI]: needs httpRoute or httpRoutes",
    );
}

#[test]
fn an_ingress_is_named_once_and_must_lead_to_the_stable_service() {
    let nginx = |nginx: Value, rest: Value| {
        let mut strategy =
            json!({"canary": {"stableService": "stable", "canaryService": "canary"}});
        json_patch::merge(&mut strategy["canary"], &rest);
        strategy["canary"]["trafficRouting"]["nginx"] = nginx;
        strategy
    };
    check(
        &nginx(json!({"stableIngress": "web"}), json!({})),
        "spec.strategy.canary.trafficRouting.nginx.stableIngress: Invalid value: \"web\": ingress.networking.k8s.io \"web\" not found",
    );
    check(
        &nginx(
            json!({"stableIngress": "web", "stableIngresses": ["web"]}),
            json!({"canaryService": null}),
        ),
        "spec.strategy.canaryService: Invalid value: \"\": Canary service and Stable service must to be set to use Traffic Routing; \
         spec.strategy.canary.trafficRouting.nginx: Internal error: Either StableIngress or StableIngresses must be configured. Both are configured.",
    );
    check(
        &nginx(
            json!({}),
            json!({"trafficRouting": {"maxTrafficWeight": 50}, "steps": [{"setWeight": 60}]}),
        ),
        "spec.strategy.canary.trafficRouting.nginx: Internal error: Either StableIngress or StableIngresses must be configured. Neither are configured.; \
         spec.strategy.steps[0].setWeight: Invalid value: 60: SetWeight needs to be between 0 and 50",
    );
    let mut world = World::new(rollout(2, &nginx(json!({"stableIngresses": ["web"]}), json!({}))));
    world = world.with_service("stable").with_service("canary").with_ingress("web", "other");
    world.run_for(1);
    assert_eq!(
        world.outcome().message,
        "InvalidSpec: The Rollout \"shop\" is invalid: spec.strategy.canary.trafficRouting.nginx.stableIngresses: \
         Invalid value: \"web\": ingress `web` has no rules using service stable backend"
    );
}

#[test]
fn routes_that_no_router_asked_for_can_make_are_refused_in_the_words_users_know() {
    let nginx = json!({"nginx": {"stableIngress": "web"}});
    for (routing, field, detail) in [
        (
            &nginx,
            "setHeaderRoute",
            "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix",
        ),
        (
            &nginx,
            "setMirrorRoute",
            "SetMirrorRoute requires TrafficRouting, supports Istio and Plugins",
        ),
    ] {
        let steps = json!([{field: {"name": "x"}}]);
        let strategy = json!({"canary": {"stableService": "stable", "canaryService": "canary", "trafficRouting": routing, "steps": steps}});
        check(
            &strategy,
            &format!("spec.strategy.steps[0].{field}: Invalid value: {{\"name\":\"x\"}}: {detail}"),
        );
    }
    check(
        &json!({"canary": {"trafficRouting": {"maxTrafficWeight": 200}}}),
        "spec.strategy.trafficRouting.maxTrafficWeight: Invalid value: 200: Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins",
    );
}

#[test]
fn kinds_that_exclude_each_other_are_refused_and_fields_are_checked_wherever_they_stand() {
    check(
        &routed(&json!([
            {"setWeight": 10, "pause": {}, "setCanaryScale": {"replicas": 1}},
            {"setWeight": 120, "setCanaryScale": {"weight": 5}},
            {"setCanaryScale": {"weight": 5}, "pause": {"duration": -1}},
        ])),
        "spec.strategy.steps[0]: Invalid value: \"step.Experiment: false step.Pause: true step.SetWeight: true step.Analysis: false\": \
         Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause; \
         spec.strategy.steps[1].setWeight: Invalid value: 120: SetWeight needs to be between 0 and 100; \
         spec.strategy.steps[2].pause.duration: Invalid value: -1: Duration needs to be greater than 0",
    );
}

#[test]
fn anti_affinity_of_no_kind_or_two_is_shown_as_what_is_there() {
    let check_rule = |rule: Value, preferred: bool, required: bool| {
        check(
            &json!({"canary": {"antiAffinity": rule}}),
            &format!(
                "spec.strategy.antiAffinity: Invalid value: \"antiAffinity.PreferredDuringSchedulingIgnoredDuringExecution: {preferred} \
                 antiAffinity.RequiredDuringSchedulingIgnoredDuringExecution: {required}\": AntiAffinity must have exactly one strategy listed"
            ),
        );
    };
    check_rule(json!({}), false, false);
    let both = json!({
        "preferredDuringSchedulingIgnoredDuringExecution": {"weight": 1},
        "requiredDuringSchedulingIgnoredDuringExecution": {},
    });
    check_rule(both, true, true);
}

#[test]
fn a_selector_is_refused_in_the_api_servers_words() {
    let mut object = rollout(2, &json!({"canary": {}}));
    object["spec"]["selector"] = json!({"matchLabels": {"app": "a b"}, "matchExpressions": [
        {"key": "app", "operator": "Sounds", "values": ["shop"]},
        {"key": "app", "operator": "In"},
        {"key": "a/b/c", "operator": "Exists", "values": ["x"]},
    ]});
    let found = problems(object);
    let found: Vec<&str> = found.split("; ").collect();
    let expected = [
        "spec.selector.matchLabels: Invalid value: \"a b\": a valid label must be an empty string",
        "spec.selector.matchExpressions[0].operator: Invalid value: \"Sounds\": not a valid selector operator",
        "spec.selector.matchExpressions[1].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
        "spec.selector.matchExpressions[2].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        "spec.selector.matchExpressions[2].key: Invalid value: \"a/b/c\": a qualified name must consist of",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn numbers_and_templates_are_checked() {
    let mut object = rollout(2, &json!({"canary": {}}));
    object["spec"]["minReadySeconds"] = json!(700);
    object["spec"]["template"]["metadata"]["labels"]["app"] = json!("other");
    object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("");
    assert_eq!(
        problems(object),
        "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds; \
         spec.template.metadata.labels: Invalid value: {\"app\":\"other\"}: `selector` does not match template `labels`; \
         spec.template.spec.containers[0].image: Required value"
    );
}
