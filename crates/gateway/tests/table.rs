//! Tables follow from objects alone.

#![expect(clippy::unwrap_used, reason = "objects that cannot be written down fail the test")]

use gateway::DirectServices;
use gateway::objects::{Address, Key, Objects, Route, ServiceObject, Slice, Version};
use gateway::table::{Found, Table};
use serde_json::{Value, json};

const SHOP: &str = "shop";

fn objects(routes: &[(&str, Value)]) -> Objects {
    let mut objects = Objects::default();
    for (name, spec) in routes {
        objects.routes.insert(Key::new(SHOP, name), Route::parse(None, spec));
    }
    for (service, ip) in [("stable", "10.0.0.1"), ("canary", "10.0.0.2")] {
        let ports = vec![(80, "http".to_owned())];
        let selected_hash = format!("{service}-hash");
        objects.services.insert(Key::new(SHOP, service), ServiceObject { ports, selected_hash });
        let ready = vec![Address { ip: ip.to_owned(), pod: format!("{service}-pod") }];
        let ports = vec![("http".to_owned(), 8080), ("admin".to_owned(), 9090)];
        let slice = Slice { service: service.to_owned(), ports, ready };
        objects.slices.insert(Key::new(SHOP, service), slice);
    }
    objects
}

fn backend(name: &str) -> Value {
    json!([{"backendRefs": [{"name": name, "port": 80}]}])
}

fn table(routes: &[(&str, Value)]) -> Table {
    Table::build(&objects(routes), DirectServices::Reachable)
}

/// The service that a request leads to, or `500` with the reason, or `404`.
fn led(table: &Table, host: &str, request: http::request::Builder) -> String {
    let (parts, ()) = request.body(()).unwrap().into_parts();
    match table.find(host, &parts) {
        Found::Nothing => "404".to_owned(),
        Found::Target(place) => format!("direct {}", table.targets[place].service.name),
        Found::Rule(place) => {
            let rule = &table.rules[place];
            let reason = || rule.backends[0].target.as_ref().err().cloned();
            match rule.unsupported.clone().or_else(reason) {
                Some(reason) => format!("500 {reason}"),
                None => rule.backends[0].service.name.clone(),
            }
        }
    }
}

fn check(table: &Table, host: &str, path: &str, expected: &str) {
    assert_eq!(led(table, host, http::Request::get(path)), expected, "{host}{path}");
}

#[test]
fn the_most_specific_host_comes_first() {
    let table = table(&[
        ("any", json!({"rules": backend("stable")})),
        ("exact", json!({"hostnames": ["a.shop.example"], "rules": backend("canary")})),
        (
            "wild",
            json!({"hostnames": ["*.shop.example"], "rules": [
                {"matches": [{"path": {"value": "/canary"}}], "backendRefs": [{"name": "canary", "port": 80}]},
            ]}),
        ),
    ]);
    check(&table, "a.shop.example", "/", "canary");
    check(&table, "A.Shop.Example:8080", "/", "canary");
    check(&table, "b.shop.example", "/canary/1", "canary");
    check(&table, "b.shop.example", "/", "stable");
    check(&table, "shop.example", "/canary", "stable");
}

#[test]
fn the_most_specific_match_comes_first() {
    let rule = |matches: Value, name: &str| json!({"matches": [matches], "backendRefs": [{"name": name, "port": 80}]});
    let table = table(&[(
        "web",
        json!({"rules": [
            rule(json!({"path": {"value": "/"}}), "stable"),
            rule(json!({"path": {"value": "/api"}}), "canary"),
            rule(json!({"path": {"type": "Exact", "value": "/api/health"}}), "stable"),
            rule(json!({"headers": [{"name": "x-canary", "value": "1"}]}), "canary"),
        ]}),
    )]);
    check(&table, "x", "/", "stable");
    check(&table, "x", "/api/v1", "canary");
    check(&table, "x", "/api/health", "stable");
    let header = http::Request::get("/").header("x-canary", "1");
    assert_eq!(led(&table, "x", header), "canary");
}

#[test]
fn a_service_without_a_route_is_reached_by_its_own_name() {
    let objects = objects(&[]);
    let table = Table::build(&objects, DirectServices::Reachable);
    for host in ["stable.shop", "stable.shop.svc", "stable.shop.svc.cluster.local:80"] {
        check(&table, host, "/", "direct stable");
    }
    check(&table, "other.shop", "/", "404");
    check(&Table::build(&objects, DirectServices::Hidden), "stable.shop", "/", "404");
}

#[test]
fn a_route_attached_to_a_service_answers_for_it() {
    let table = table(&[(
        "mesh",
        json!({"parentRefs": [{"kind": "Service", "name": "stable"}], "rules": backend("canary")}),
    )]);
    check(&table, "stable.shop", "/", "canary");
    check(&table, "canary.shop", "/", "direct canary");
}

#[test]
fn what_cannot_be_followed_answers_with_the_reason() {
    let cases = [
        (
            json!({"backendRefs": [{"name": "gone", "port": 80}]}),
            "service shop/gone does not exist",
        ),
        (
            json!({"backendRefs": [{"name": "stable", "port": 81}]}),
            "service shop/stable has no 81 port",
        ),
        (
            json!({"backendRefs": [{"name": "x", "kind": "Bucket"}]}),
            "backend of kind \"Bucket\" is not supported",
        ),
        (
            json!({"backendRefs": [{"name": "x", "namespace": "other", "port": 80}]}),
            "service other/x is in another namespace than route shop/web, which no grant allows",
        ),
        (
            json!({"filters": [{"type": "URLRewrite"}], "backendRefs": [{"name": "stable", "port": 80}]}),
            "filter \"URLRewrite\" is not supported",
        ),
        (
            json!({"matches": [{"path": {"type": "Glob", "value": "*"}}], "backendRefs": [{"name": "stable", "port": 80}]}),
            "path match type \"Glob\" is not supported",
        ),
        (
            json!({"timeouts": {"request": "soon"}, "backendRefs": [{"name": "stable", "port": 80}]}),
            "timeout \"soon\" is not a duration",
        ),
    ];
    for (rule, reason) in cases {
        let table = table(&[("web", json!({"rules": [rule]}))]);
        check(&table, "x", "/", &format!("500 {reason}"));
        assert_eq!(table.problems.len(), 1, "{:?}", table.problems);
    }
}

#[test]
fn a_mirror_has_its_share_and_one_that_leads_nowhere_harms_nobody() {
    let mirror = |fields: Value| {
        let mut to = json!({"backendRef": {"name": "canary", "port": 80}});
        to.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let filter = json!({"type": "RequestMirror", "requestMirror": to});
        let mut rules = backend("stable");
        rules[0]["filters"] = json!([filter]);
        table(&[("web", json!({ "rules": rules }))])
    };
    for (fields, shares) in [
        (json!({}), [100, 0]),
        (json!({"percent": 30}), [30, 70]),
        (json!({"percent": 0}), [0, 100]),
        (json!({"fraction": {"numerator": 1, "denominator": 1000}}), [1, 999]),
        (json!({"fraction": {"numerator": 7}}), [7, 93]),
    ] {
        let table = mirror(fields);
        assert_eq!(table.rules[0].mirrors[0].shares, shares);
        assert_eq!(table.rules[0].mirrors[0].backend.service.name, "canary");
        assert_eq!(table.problems, [""; 0]);
    }
    let table = mirror(json!({"backendRef": {"name": "gone", "port": 80}}));
    check(&table, "x", "/", "stable");
    assert_eq!(table.problems, ["route shop/web: service shop/gone does not exist"]);
}

#[test]
fn those_who_send_a_header_come_first_whether_or_not_their_rule_does() {
    let header = json!([{"name": "x-version", "type": "RegularExpression", "value": r"v2\..*"}]);
    let testers =
        json!({"matches": [{"headers": header}], "backendRefs": [{"name": "canary", "port": 80}]});
    let mut rules = vec![testers, backend("stable")[0].clone()];
    for _ in 0..2 {
        let table = table(&[("web", json!({ "rules": rules }))]);
        for (value, expected) in [("v2.1", "canary"), ("v21", "stable"), ("av2.1", "stable")] {
            let request = http::Request::get("/").header("X-Version", value);
            assert_eq!(led(&table, "x", request), expected, "{value}");
        }
        check(&table, "x", "/", "stable");
        rules.reverse();
    }
}

#[test]
fn a_route_that_cannot_be_read_is_a_problem_and_no_more() {
    let table =
        table(&[("bad", json!({"rules": 7})), ("good", json!({"rules": backend("stable")}))]);
    check(&table, "x", "/", "stable");
    assert!(table.problems[0].starts_with("route shop/bad: invalid type"), "{:?}", table.problems);
}

#[test]
fn an_endpoint_has_the_port_of_that_name_and_the_version_of_its_pod() {
    let mut objects = objects(&[("web", json!({"rules": backend("stable")}))]);
    let endpoint = |objects: &Objects| {
        Table::build(objects, DirectServices::Hidden).targets[0].endpoints[0].clone()
    };
    assert_eq!(endpoint(&objects).address.to_string(), "10.0.0.1:8080");
    assert_eq!(endpoint(&objects).version.hash, "stable-hash");
    let version = Version { hash: "abc".to_owned(), workload: "web".to_owned() };
    objects.pods.insert(Key::new(SHOP, "stable-pod"), version.clone());
    assert_eq!(endpoint(&objects).version, version);
}

#[test]
fn older_routes_come_before_younger_ones() {
    let mut objects = objects(&[
        ("a", json!({"rules": backend("stable")})),
        ("b", json!({"rules": backend("canary")})),
    ]);
    for (name, created) in [("a", 20), ("b", 10)] {
        let route = objects.routes.get_mut(&Key::new(SHOP, name)).unwrap();
        route.as_mut().unwrap().created = Some(jiff::Timestamp::from_second(created).unwrap());
    }
    check(&Table::build(&objects, DirectServices::Hidden), "x", "/", "canary");
}
