//! What every router keeps, whatever its backend: what is steered is observed, and a split in force is not
//! written again. A new router adds its fixture to [`fixture`].

#![expect(clippy::unwrap_used, reason = "a fixture that does not hold is a broken test")]

use routers::{Context, Objects, ROUTERS, Router, Steering};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vocab::{
    Destination, ManagedKind, ManagedRoute, NamedText, ObjectRef, PatchType, TextMatch, Traffic,
    Weight, Write,
};

/// Configuration and objects of a router, with all traffic on stable.
fn fixture(router: &str) -> (Value, Objects) {
    match router {
        "GatewayAPI" => {
            let config = json!({"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "shop"}}});
            let target =
                ObjectRef::new("gateway.networking.k8s.io/v1", "HTTPRoute", "default", "shop");
            let route = json!({
                "metadata": {"name": "shop", "namespace": "default", "uid": "u", "resourceVersion": "1"},
                "spec": {"rules": [
                    {"backendRefs": [{"name": "stable"}, {"name": "canary", "weight": 0}]},
                    {"backendRefs": [{"name": "canary", "weight": 0}, {"name": "docs"}, {"name": "stable", "weight": 7}]},
                ]},
            });
            (config, Objects::from([(target, Some(route))]))
        }
        "Nginx" => {
            let config = json!({"nginx": {"stableIngresses": ["shop", "shop-internal"]}});
            let ingress =
                |name: &str| ObjectRef::new("networking.k8s.io/v1", "Ingress", "default", name);
            let path = |service: &str| json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}});
            let stable = |name: &str| {
                json!({
                    "metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1"},
                    "spec": {"rules": [
                        {"host": "docs", "http": {"paths": [path("docs")]}},
                        {"host": name, "http": {"paths": [path("stable"), path("docs")]}},
                    ]},
                })
            };
            let objects = Objects::from([
                (ingress("shop"), Some(stable("shop"))),
                (ingress("shop-shop-canary"), None),
                (ingress("shop-internal"), Some(stable("shop-internal"))),
                (ingress("shop-shop-internal-canary"), None),
            ]);
            (config, objects)
        }
        other => panic!("{other} has no fixture yet"),
    }
}

fn with<T>(config: &Value, act: impl FnOnce(&Context<'_>) -> T) -> T {
    let rollout = ObjectRef::new("argoproj.io/v1alpha1", "Rollout", "default", "shop");
    act(&Context {
        rollout: &rollout,
        uid: "u",
        config,
        stable_service: "stable",
        canary_service: "canary",
        steps: &[],
    })
}

fn traffic(weight: u32) -> Traffic {
    let destination =
        |service: &str| Destination { service: service.to_owned(), pod_hash: None, port: None };
    Traffic {
        stable: destination("stable"),
        canary: destination("canary"),
        canary_weight: Weight::parse(weight, Weight::HUNDRED).unwrap(),
        additional: BTreeMap::new(),
        managed: Some(Vec::new()),
        max: Weight::HUNDRED,
    }
}

/// Carries out what a router asks for.
fn carry_out(steerings: &[Steering], objects: &mut Objects) {
    for Steering { write, .. } in steerings {
        match write {
            Write::Create { object } => {
                let mut made = object.clone();
                made["metadata"]["uid"] = json!("made");
                made["metadata"]["resourceVersion"] = json!("2");
                let before = objects.insert(ObjectRef::of(object), Some(made));
                assert_eq!(before, Some(None), "{write:?}");
            }
            Write::Patch { target, patch_type, body, precondition, .. } => {
                assert!(precondition.resource_version.is_some(), "{write:?}");
                let object = objects.get_mut(target).unwrap().as_mut().unwrap();
                match patch_type {
                    PatchType::Json => {
                        let patch: json_patch::Patch =
                            serde_json::from_value(body.clone()).unwrap();
                        json_patch::patch(object, &patch).unwrap();
                    }
                    _ => json_patch::merge(object, body),
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

fn each(check: impl Fn(&dyn Router, &Value, Objects)) {
    for router in ROUTERS {
        let (config, objects) = fixture(router.name());
        assert!(router.is_configured(&config), "{}", router.name());
        check(*router, &config, objects);
    }
}

#[test]
fn what_is_steered_is_observed_and_not_written_again() {
    each(|router, config, mut objects| {
        for weight in [0, 1, 20, 50, 99, 100, 0] {
            let steer = |objects: &Objects| {
                with(config, |context| router.steer(context, objects, &traffic(weight)).unwrap())
            };
            carry_out(&steer(&objects), &mut objects);
            assert_eq!(steer(&objects), [], "{} at {weight}", router.name());
            let seen = with(config, |context| router.observe(context, &objects).unwrap());
            assert_eq!(seen.canary_weight.parts(), weight, "{}", router.name());
        }
    });
}

#[test]
fn further_destinations_come_and_go_where_a_router_declares_them() {
    each(|router, config, mut objects| {
        let further = |service: &str| Destination {
            service: service.to_owned(),
            pod_hash: None,
            port: Some(8080),
        };
        let untouched = objects.clone();
        for weights in [&[("try-a", 10)][..], &[("try-a", 20), ("try-b", 5)], &[("try-b", 5)], &[]]
        {
            let mut wanted = traffic(30);
            let of = |(name, weight): &(&str, u32)| (further(name), Weight::max_of(*weight));
            wanted.additional = weights.iter().map(of).collect();
            let steer =
                |objects: &Objects| with(config, |context| router.steer(context, objects, &wanted));
            if !router.capabilities().additional_destinations && !weights.is_empty() {
                assert!(steer(&objects).is_err(), "{}", router.name());
                continue;
            }
            carry_out(&steer(&objects).unwrap(), &mut objects);
            assert_eq!(steer(&objects), Ok(Vec::new()), "{} at {weights:?}", router.name());
            let seen = with(config, |context| router.observe(context, &objects).unwrap());
            assert_eq!(seen.canary_weight.parts(), 30, "{}", router.name());
            let seen: Vec<(&str, u32)> = seen
                .additional
                .iter()
                .map(|(name, weight)| (name.as_str(), weight.parts()))
                .collect();
            assert_eq!(seen, weights, "{}", router.name());
        }
        let back = with(config, |context| router.steer(context, &objects, &traffic(0)).unwrap());
        carry_out(&back, &mut objects);
        let backends = |objects: &Objects| {
            let routes = objects.values().flatten().filter(|object| object["kind"] != "Ingress");
            let rules = routes.filter_map(|route| route["spec"]["rules"].as_array().cloned());
            let count = |rule: &Value| rule["backendRefs"].as_array().map_or(0, Vec::len);
            rules.flatten().map(|rule| count(&rule)).collect::<Vec<_>>()
        };
        if router.capabilities().additional_destinations {
            assert_eq!(backends(&objects), backends(&untouched), "{}", router.name());
        }
    });
}

#[test]
fn managed_routes_come_and_go_where_a_router_declares_them() {
    each(|router, config, mut objects| {
        let value = TextMatch::Exact("yes".to_owned());
        let header = NamedText { name: "x-tester".to_owned(), value };
        let kind = ManagedKind::Header(vec![header]);
        let testers = ManagedRoute { name: "testers".to_owned(), kind };
        let wanted = Traffic { managed: Some(vec![testers]), ..traffic(30) };
        let steer = |objects: &Objects, wanted: &Traffic| {
            with(config, |context| router.steer(context, objects, wanted))
        };
        if !router.capabilities().header_routes {
            assert!(steer(&objects, &wanted).is_err(), "{}", router.name());
            return;
        }
        for (wanted, expected) in [(&wanted, &["testers"][..]), (&traffic(40), &[])] {
            carry_out(&steer(&objects, wanted).unwrap(), &mut objects);
            assert_eq!(steer(&objects, wanted), Ok(Vec::new()), "{}", router.name());
            let seen = with(config, |context| router.observe(context, &objects).unwrap());
            assert_eq!(seen.managed.iter().collect::<Vec<_>>(), expected, "{}", router.name());
            assert_eq!(seen.canary_weight, wanted.canary_weight, "{}", router.name());
        }
    });
}

#[test]
fn what_a_router_reads_is_what_it_writes() {
    each(|router, config, objects| {
        let reads = with(config, |context| router.reads(context).unwrap());
        assert!(objects.keys().all(|target| reads.contains(target)), "{}", router.name());
        let writes = with(config, |context| router.steer(context, &objects, &traffic(30)).unwrap());
        let within = writes.iter().all(|steering| reads.contains(&steering.write.target()));
        assert!(within, "{}", router.name());
    });
}

#[test]
fn missing_objects_are_a_reason_and_never_a_weight() {
    each(|router, config, objects| {
        let gone: Objects = objects.into_keys().map(|target| (target, None)).collect();
        assert!(
            with(config, |context| router.observe(context, &gone)).is_err(),
            "{}",
            router.name()
        );
        assert!(
            with(config, |context| router.steer(context, &gone, &traffic(10))).is_err(),
            "{}",
            router.name()
        );
    });
}

#[test]
fn a_sound_configuration_has_no_problems_with_its_objects() {
    each(|router, config, objects| {
        let problems = with(config, |context| router.problems(context, &objects));
        assert_eq!(problems, [], "{}", router.name());
    });
}

#[test]
fn what_is_made_belongs_to_the_rollout() {
    each(|router, config, objects| {
        let writes = with(config, |context| router.steer(context, &objects, &traffic(30)).unwrap());
        for Steering { write, .. } in writes {
            if let Write::Create { object } = write {
                let owner = &object["metadata"]["ownerReferences"][0];
                assert_eq!(owner["uid"], "u", "{}", router.name());
                assert_eq!(owner["controller"], true, "{}", router.name());
            }
        }
    });
}

#[test]
fn names_are_in_alphabetical_order_and_unique() {
    let names: Vec<&str> = ROUTERS.iter().map(|router| router.name()).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted);
}
