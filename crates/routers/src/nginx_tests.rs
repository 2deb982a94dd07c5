use super::*;
use std::collections::BTreeMap;
use vocab::Destination;

/// A rollout `shop` of uid `u` with its objects in namespace `default`.
struct Case {
    config: Value,
    objects: Objects,
}

impl Case {
    fn of(nginx: Value) -> Self {
        let config = Value::Object(Map::from_iter([("nginx".to_owned(), nginx)]));
        Self { config, objects: Objects::new() }
    }

    fn one() -> Self {
        Self::of(json!({"stableIngress": "web"})).with(stable("web"))
    }

    fn with(mut self, ingress: Value) -> Self {
        let name = named(ingress["metadata"]["name"].as_str().unwrap());
        self.objects.insert(name, Some(ingress));
        self
    }

    fn max(mut self, weight: u32) -> Self {
        self.config["maxTrafficWeight"] = json!(weight);
        self
    }

    fn ask<T>(&self, act: impl FnOnce(&Context<'_>, &Objects) -> T) -> T {
        let rollout = ObjectRef::new("argoproj.io/v1alpha1", "Rollout", "default", "shop");
        let context = Context {
            rollout: &rollout,
            uid: "u",
            config: &self.config,
            stable_service: "stable",
            canary_service: "canary",
            steps: &[],
        };
        act(&context, &self.objects)
    }

    fn steer(&self, weight: u32) -> Result<Vec<Steering>, Reason> {
        self.ask(|context, objects| Nginx.steer(context, objects, &traffic(weight)))
    }

    /// The Ingress that is made at this weight.
    fn made(&self, weight: u32) -> Value {
        let steerings = self.steer(weight).unwrap();
        let [Steering { write: Write::Create { object }, .. }] = steerings.as_slice() else {
            panic!("{steerings:?}")
        };
        object.clone()
    }

    /// The body of the one patch at this weight.
    fn patch(&self, weight: u32) -> Value {
        let steerings = self.steer(weight).unwrap();
        let [Steering { write: Write::Patch { body, .. }, .. }] = steerings.as_slice() else {
            panic!("{steerings:?}")
        };
        body.clone()
    }

    /// With the canary Ingress as it is made at this weight, after `edit`.
    fn running_at(self, weight: u32, edit: impl FnOnce(&mut Value)) -> Self {
        let mut made = self.made(weight);
        made["metadata"]["uid"] = json!("i");
        made["metadata"]["resourceVersion"] = json!("7");
        edit(&mut made);
        self.with(made)
    }

    fn seen(&self) -> Result<u32, String> {
        let seen = self.ask(|context, objects| Nginx.observe(context, objects));
        seen.map(|seen| seen.canary_weight.parts()).map_err(|reason| reason.message)
    }

    fn invalid(&self) -> Vec<String> {
        let reads = self.ask(|context, _| Nginx.reads(context)).err().unwrap_or_default();
        let objects = self.ask(|context, objects| Nginx.problems(context, objects));
        reads.into_iter().chain(objects).map(|reason| reason.message).collect()
    }
}

fn named(name: &str) -> ObjectRef {
    ObjectRef::new(API_VERSION, KIND, "default", name)
}

fn path(service: &str, at: &str) -> Value {
    json!({"path": at, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}})
}

fn stable(name: &str) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "default", "uid": "s", "resourceVersion": "3",
            "annotations": {
                "kubernetes.io/ingress.class": "nginx-ext",
                "nginx.ingress.kubernetes.io/proxy-body-size": "1m",
            },
            "labels": {"team": "shop"},
        },
        "spec": {
            "tls": [{"hosts": ["shop.example"], "secretName": "shop-tls"}],
            "rules": [
                {"host": "docs.example", "http": {"paths": [path("docs", "/")]}},
                {"host": "shop.example", "http": {"paths": [path("docs", "/docs"), path("stable", "/")]}},
                {"host": "bare.example"},
            ],
        },
    })
}

fn traffic(weight: u32) -> Traffic {
    let destination =
        |service: &str| Destination { service: service.to_owned(), pod_hash: None, port: None };
    Traffic {
        stable: destination("stable"),
        canary: destination("canary"),
        canary_weight: Weight::max_of(weight),
        additional: BTreeMap::default(),
        managed: Some(Vec::new()),
        max: Weight::HUNDRED,
    }
}

#[test]
fn the_canary_ingress_has_the_rules_class_and_tls_of_the_stable_one() {
    let expected = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "shop-web-canary",
            "namespace": "default",
            "annotations": {
                "kubernetes.io/ingress.class": "nginx-ext",
                "nginx.ingress.kubernetes.io/canary": "true",
                "nginx.ingress.kubernetes.io/canary-weight": "10",
            },
            "ownerReferences": [{
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "shop", "uid": "u",
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "tls": [{"hosts": ["shop.example"], "secretName": "shop-tls"}],
            "rules": [{"host": "shop.example", "http": {"paths": [path("docs", "/docs"), path("canary", "/")]}}],
        },
    });
    assert_eq!(Case::one().made(10), expected);
}

#[test]
fn the_class_is_copied_from_where_the_stable_one_has_it() {
    let mut ingress = stable("web");
    ingress["metadata"].as_object_mut().unwrap().remove("annotations");
    ingress["spec"]["ingressClassName"] = json!("nginx-int");
    let case = Case::of(json!({"stableIngress": "web"})).with(ingress);
    let made = case.made(0);
    assert_eq!(made["spec"]["ingressClassName"], "nginx-int");
    assert_eq!(made["metadata"]["annotations"].get(CLASS_ANNOTATION), None);
}

#[test]
fn annotations_are_prefixed_completed_and_overruled_in_that_order() {
    let case = Case::of(json!({
        "stableIngress": "web",
        "annotationPrefix": "nginx.example",
        "additionalIngressAnnotations": {
            "canary-by-header": "X-Canary", "nginx.example/whole": "as it is", "canary": "false", "both": "lost",
        },
        "canaryIngressAnnotations": {"example.com/team": "shop", "nginx.example/both": "kept"},
    }));
    let made = case.with(stable("web")).max(200).made(30);
    let expected = json!({
        "kubernetes.io/ingress.class": "nginx-ext",
        "nginx.example/canary-by-header": "X-Canary",
        "nginx.example/whole": "as it is",
        "nginx.example/both": "kept",
        "example.com/team": "shop",
        "nginx.example/canary": "true",
        "nginx.example/canary-weight": "30",
        "nginx.example/canary-weight-total": "200",
    });
    assert_eq!(made["metadata"]["annotations"], expected);
}

#[test]
fn a_new_weight_is_one_annotation_under_the_version_that_was_seen() {
    let steerings = Case::one().running_at(10, |_| {}).steer(15).unwrap();
    let expected = Steering {
        write: Write::Patch {
            target: named("shop-web-canary"),
            subresource: Subresource::Main,
            patch_type: PatchType::Merge,
            body: json!({"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary-weight": "15"}}}),
            precondition: Precondition {
                uid: Some("i".to_owned()),
                resource_version: Some("7".to_owned()),
            },
        },
        told: Some((
            "PatchingCanaryIngress",
            "Updating Ingress `shop-web-canary` to desiredWeight '15'".to_owned(),
        )),
    };
    assert_eq!(steerings, [expected]);
    let told = Case::one().steer(15).unwrap().remove(0).told.unwrap();
    let sentence = "Creating canary ingress `shop-web-canary` with weight `15`".to_owned();
    assert_eq!(told, ("CreatingCanaryIngress", sentence));
}

#[test]
fn what_others_did_to_rules_class_and_tls_is_put_right_and_their_annotations_and_labels_stay() {
    let case = Case::one().running_at(10, |made| {
        made["metadata"]["labels"] = json!({"policy": "seen"});
        made["metadata"]["annotations"]["field.cattle.io/publicEndpoints"] = json!("[]");
    });
    assert_eq!(case.steer(10), Ok(Vec::new()));
    let case = case.running_at_again(|made| {
        made["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary"] = json!("false");
        made["spec"]["rules"][0]["host"] = json!("other.example");
        made["spec"]["defaultBackend"] = json!({"service": {"name": "docs"}});
        made["spec"]["ingressClassName"] = json!("other");
        made["spec"].as_object_mut().unwrap().remove("tls");
    });
    let expected = json!({
        "metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary": "true"}},
        "spec": {
            "rules": [{"host": "shop.example", "http": {"paths": [path("docs", "/docs"), path("canary", "/")]}}],
            "tls": [{"hosts": ["shop.example"], "secretName": "shop-tls"}],
            "defaultBackend": null,
            "ingressClassName": null,
        },
    });
    assert_eq!(case.patch(10), expected);
}

impl Case {
    fn running_at_again(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        edit(self.objects.get_mut(&named("shop-web-canary")).unwrap().as_mut().unwrap());
        self
    }
}

#[test]
fn a_total_and_a_class_that_no_longer_hold_are_taken_off() {
    let mut case = Case::one().max(200).running_at(50, |_| {});
    case.config.as_object_mut().unwrap().remove("maxTrafficWeight");
    assert_eq!(case.seen(), Ok(25));
    let ingress = case.objects.get_mut(&named("web")).unwrap().as_mut().unwrap();
    ingress["metadata"].as_object_mut().unwrap().remove("annotations");
    let expected = json!({"metadata": {"annotations": {
        "kubernetes.io/ingress.class": null, "nginx.ingress.kubernetes.io/canary-weight-total": null,
    }}});
    assert_eq!(case.patch(50), expected);
}

#[test]
fn the_weight_is_read_back_from_the_annotation() {
    let set = |weight: &'static str| {
        move |made: &mut Value| {
            made["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"] =
                json!(weight);
        }
    };
    for (weight, expected) in [("0", 0), ("20", 20), ("100", 100), ("900", 100), ("much", 0)] {
        assert_eq!(Case::one().running_at(0, set(weight)).seen(), Ok(expected), "{weight}");
    }
    assert_eq!(Case::one().seen(), Ok(0));
    assert_eq!(Case::one().max(200).running_at(150, |_| {}).seen(), Ok(150));
    // Nobody set the total yet: 30 of 100 are 60 of 200.
    let case = Case::one().running_at(30, |_| {}).max(200);
    assert_eq!(case.seen(), Ok(60));
    // Who sets a total alone means the weights as they are.
    let own = json!({"stableIngress": "web", "additionalIngressAnnotations": {"canary-weight-total": "1000"}});
    let case = Case::of(own).with(stable("web")).running_at(30, |_| {});
    assert_eq!(case.seen(), Ok(30));
}

#[test]
fn the_greatest_weight_of_several_ingresses_counts_and_all_are_brought_to_the_wanted_one() {
    let case = Case::of(json!({"stableIngresses": ["web", "inner", "web"]}));
    let case = case.with(stable("web")).with(stable("inner"));
    assert_eq!(case.steer(5).unwrap().len(), 2);
    let mut halfway = Case::one().running_at(40, |_| {});
    halfway.config = case.config;
    let halfway = halfway.with(stable("inner"));
    assert_eq!(halfway.seen(), Ok(40));
    let steerings = halfway.steer(40).unwrap();
    let told: Vec<_> = steerings.into_iter().filter_map(|steering| steering.told).collect();
    let sentence = "Creating canary ingress `shop-inner-canary` with weight `40`";
    assert_eq!(told, [("CreatingCanaryIngress", sentence.to_owned())]);
}

#[test]
fn an_ingress_of_that_name_that_is_not_ours_is_left_alone() {
    for owners in [
        json!(null),
        json!([]),
        json!([{"kind": "Rollout", "name": "shop", "uid": "other", "controller": true}]),
        json!([{"kind": "Rollout", "name": "shop", "uid": "u"}]),
    ] {
        let case = Case::one().running_at(0, |made| {
            made["metadata"]["ownerReferences"] = owners.clone();
        });
        let text = "canary ingress `shop-web-canary` controlled by different object";
        assert_eq!(case.steer(10).unwrap_err().message, text, "{owners}");
        assert_eq!(case.seen(), Err(text.to_owned()));
    }
}

#[test]
fn every_problem_of_the_configuration_is_told_with_its_path() {
    let config = "spec.strategy.canary.trafficRouting.nginx";
    let neither = format!(
        "{config} Internal error: Either StableIngress or StableIngresses must be configured. Neither are configured."
    );
    assert_eq!(Case::of(json!({})).invalid(), [neither]);
    let both = format!(
        "{config} Internal error: Either StableIngress or StableIngresses must be configured. Both are configured."
    );
    let case = Case::of(json!({"stableIngress": "web", "stableIngresses": ["inner"]}));
    assert_eq!(case.with(stable("inner")).invalid(), [both]);
    let service = "Invalid value: \"\": Canary service and Stable service must to be set to use Traffic Routing";
    let rollout = ObjectRef::new("argoproj.io/v1alpha1", "Rollout", "default", "shop");
    let case = Case::one();
    let context = Context {
        rollout: &rollout,
        uid: "u",
        config: &case.config,
        stable_service: "",
        canary_service: "",
        steps: &[],
    };
    let problems = Nginx.reads(&context).unwrap_err();
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    let expected =
        ["stableService", "canaryService"].map(|field| format!("spec.strategy.{field} {service}"));
    assert_eq!(messages, expected);
}

#[test]
fn an_ingress_that_is_missing_or_does_not_serve_stable_is_a_fault_of_the_specification() {
    let config = "spec.strategy.canary.trafficRouting.nginx";
    let missing = format!(
        "{config}.stableIngress Invalid value: \"web\": ingress.networking.k8s.io \"web\" not found"
    );
    assert_eq!(Case::of(json!({"stableIngress": "web"})).invalid(), [missing]);
    let mut bare = stable("web");
    bare["spec"]["rules"][1]["http"]["paths"][1] = path("other", "/");
    let case = Case::of(json!({"stableIngresses": ["web", "inner"]})).with(bare);
    let expected = [
        format!(
            "{config}.stableIngresses Invalid value: \"web\": ingress `web` has no rules using service stable backend"
        ),
        format!(
            "{config}.stableIngresses Invalid value: [\"web\",\"inner\"]: ingress.networking.k8s.io \"inner\" not found"
        ),
    ];
    assert_eq!(case.invalid(), expected);
}

#[test]
fn names_end_where_kubernetes_says_and_never_meet() {
    let long = "i".repeat(252);
    let names = Case::of(json!({ "stableIngress": long }));
    let reads = names.ask(|context, _| Nginx.reads(context)).unwrap();
    assert_eq!(reads[1].name.len(), 253);
    assert!(reads[1].name.starts_with("shop-iii") && reads[1].name.ends_with("i-canary"));
    let two = [format!("{}a", "i".repeat(250)), format!("{}b", "i".repeat(250))];
    let problems =
        Case::of(json!({ "stableIngresses": two })).ask(|context, _| Nginx.reads(context));
    assert!(problems.unwrap_err()[0].message.contains("two ingresses would share"));
}
