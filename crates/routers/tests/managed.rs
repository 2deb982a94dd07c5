//! Header routes and mirrors in an `HTTPRoute`, from what stands there to what shall stand there.

#![expect(clippy::unwrap_used, reason = "a fixture that does not hold is a broken test")]

use routers::{Context, Objects, Router as _, gateway_api::GatewayApi};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{
    Destination, ManagedKind, ManagedRoute, NamedText, ObjectRef, RequestMatch, TextMatch, Traffic,
    Weight, Write,
};

fn target() -> ObjectRef {
    ObjectRef::new("gateway.networking.k8s.io/v1", "HTTPRoute", "default", "shop")
}

fn config() -> Value {
    json!({
        "managedRoutes": [{"name": "testers"}, {"name": "copies"}],
        "plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "shop"}},
    })
}

fn named(name: &str, value: TextMatch) -> NamedText {
    NamedText { name: name.to_owned(), value }
}

fn header(name: &str, headers: Vec<NamedText>) -> ManagedRoute {
    ManagedRoute { name: name.to_owned(), kind: ManagedKind::Header(headers) }
}

fn testers() -> ManagedRoute {
    header("testers", vec![named("x-tester", TextMatch::Exact("yes".to_owned()))])
}

fn copies(percent: u8) -> ManagedRoute {
    let matched = RequestMatch {
        method: Some("GET".to_owned()),
        path: Some(TextMatch::Prefix("/api".to_owned())),
        headers: vec![named("x-kind", TextMatch::Pattern("a|b".to_owned()))],
    };
    let kind = ManagedKind::Mirror { matches: vec![matched], percent };
    ManagedRoute { name: "copies".to_owned(), kind }
}

fn split(rules: &[Value]) -> Value {
    let rules: Vec<Value> = rules
        .iter()
        .map(|fields| {
            let mut rule = json!({"backendRefs": [
                {"name": "stable", "port": 80, "weight": 100}, {"name": "canary", "port": 80, "weight": 0}]});
            json_patch::merge(&mut rule, fields);
            rule
        })
        .collect();
    json!({
        "metadata": {"name": "shop", "namespace": "default", "uid": "u", "resourceVersion": "1"},
        "spec": {"rules": rules},
    })
}

struct Shop {
    config: Value,
    steps: Vec<ManagedRoute>,
    route: Value,
}

impl Shop {
    fn new(route: Value) -> Self {
        Self { config: config(), steps: Vec::new(), route }
    }

    fn with<T>(&self, act: impl FnOnce(&Context<'_>, &Objects) -> T) -> T {
        let rollout = ObjectRef::new("argoproj.io/v1alpha1", "Rollout", "default", "shop");
        let context = Context {
            rollout: &rollout,
            uid: "u",
            config: &self.config,
            stable_service: "stable",
            canary_service: "canary",
            steps: &self.steps,
        };
        act(&context, &Objects::from([(target(), Some(self.route.clone()))]))
    }

    fn writes(
        &self,
        weight: u32,
        managed: Option<Vec<ManagedRoute>>,
    ) -> Result<Vec<Value>, String> {
        let destination =
            |service: &str| Destination { service: service.to_owned(), pod_hash: None, port: None };
        let traffic = Traffic {
            stable: destination("stable"),
            canary: destination("canary"),
            canary_weight: Weight::max_of(weight),
            additional: BTreeMap::new(),
            managed,
            max: Weight::HUNDRED,
        };
        let found = self.with(|context, objects| GatewayApi.steer(context, objects, &traffic));
        let body = |write: Write| match write {
            Write::Patch { body, .. } => body,
            other => panic!("{other:?}"),
        };
        let writes = found.map_err(|reason| reason.message)?;
        Ok(writes.into_iter().map(|steering| body(steering.write)).collect())
    }

    /// Brings a weight and managed routes about, after which nothing is left to write.
    fn steer(&mut self, weight: u32, managed: &[ManagedRoute]) -> &mut Self {
        for body in self.writes(weight, Some(managed.to_vec())).unwrap() {
            let patch: json_patch::Patch = serde_json::from_value(body).unwrap();
            json_patch::patch(&mut self.route, &patch).unwrap();
        }
        assert_eq!(self.writes(weight, Some(managed.to_vec())), Ok(Vec::new()), "{}", self.route);
        self
    }

    fn rules(&self) -> &[Value] {
        self.route["spec"]["rules"].as_array().unwrap()
    }

    fn rule_names(&self) -> Vec<&str> {
        self.rules().iter().map(|rule| rule["name"].as_str().unwrap_or_default()).collect()
    }

    fn standing(&self) -> BTreeSet<String> {
        self.with(|context, objects| GatewayApi.observe(context, objects)).unwrap().managed
    }
}

#[test]
fn a_header_route_is_the_rule_of_both_services_for_those_who_send_all_of_it() {
    let retry = json!({"attempts": 3});
    let source = json!({
        "name": "web",
        "matches": [{"path": {"type": "PathPrefix", "value": "/shop"}, "method": "GET"}, {"headers": [{"name": "x-app", "value": "1"}]}],
        "filters": [{"type": "URLRewrite"}], "retry": retry,
    });
    let mut shop = Shop::new(split(&[source]));
    let headers = vec![
        named("x-tester", TextMatch::Exact("yes".to_owned())),
        named("cookie", TextMatch::Pattern(".*tester=1.*".to_owned())),
        named("x-version", TextMatch::Prefix("v2.".to_owned())),
    ];
    let user = shop.rules()[0].clone();
    shop.steer(0, &[header("testers", headers)]);
    let shop_path = json!({"type": "PathPrefix", "value": "/shop"});
    let any_path = json!({"type": "PathPrefix", "value": "/"});
    let app = json!({"type": "Exact", "name": "x-app", "value": "1"});
    let [tester, cookie, version] = [
        json!({"type": "Exact", "name": "x-tester", "value": "yes"}),
        json!({"type": "RegularExpression", "name": "cookie", "value": ".*tester=1.*"}),
        json!({"type": "RegularExpression", "name": "x-version", "value": r"v2\..*"}),
    ];
    let matches = json!([
        {"path": shop_path, "method": "GET", "headers": [tester, cookie, version]},
        {"path": any_path, "headers": [app, tester, cookie, version]},
    ]);
    let expected = json!({
        "name": "testers", "matches": matches, "filters": [{"type": "URLRewrite"}], "retry": retry,
        "backendRefs": [{"group": "", "kind": "Service", "name": "canary", "port": 80, "weight": 1}],
    });
    assert_eq!(shop.rules(), [expected, user.clone()]);
    assert_eq!(shop.steer(0, &[]).rules(), [user]);
    assert_eq!(shop.route["metadata"]["annotations"], json!({}));
}

#[test]
fn a_mirror_splits_like_the_rule_it_is_copied_from_and_copies_its_share() {
    let mut shop = Shop::new(split(&[json!({"filters": [{"type": "CORS"}]})]));
    shop.steer(0, &[copies(100)]).steer(30, &[copies(10)]);
    let to = json!({"group": "", "kind": "Service", "name": "canary", "port": 80});
    assert_eq!(
        shop.rules()[0],
        json!({
            "name": "copies",
            "matches": [{
                "path": {"type": "PathPrefix", "value": "/api"}, "method": "GET",
                "headers": [{"type": "RegularExpression", "name": "x-kind", "value": "a|b"}],
            }],
            "filters": [
                {"type": "CORS"},
                {"type": "RequestMirror", "requestMirror": {"backendRef": to, "percent": 10}}],
            "backendRefs": [
                {"name": "stable", "port": 80, "weight": 70}, {"name": "canary", "port": 80, "weight": 30}],
        })
    );
    let seen = shop.with(|context, objects| GatewayApi.observe(context, objects)).unwrap();
    assert_eq!(seen.canary_weight, Weight::max_of(30));
}

#[test]
fn every_rule_of_both_services_has_its_own_and_those_of_others_stay_where_they_are() {
    let path = |value: &str| json!({"matches": [{"path": {"type": "PathPrefix", "value": value}}]});
    let docs = json!({"name": "docs", "backendRefs": [{"name": "docs", "port": 80}]});
    let own = json!({"name": "own", "backendRefs": [{"name": "canary", "port": 80}]});
    let mut shop = Shop::new(split(&[path("/a"), docs, path("/b"), own, json!({"name": "late"})]));
    shop.steer(0, &[testers()]);
    let names = shop.rule_names();
    assert_eq!(names, ["testers", "testers-1", "testers-2", "", "docs", "", "own", "late"]);
    shop.steer(0, &[copies(100), testers()]);
    assert_eq!(shop.rule_names()[..2], ["copies", "testers"], "only below /api and of all paths");
    assert_eq!(shop.steer(0, &[]).rule_names(), ["", "docs", "", "own", "late"]);
}

#[test]
fn our_rules_are_found_again_whoever_wrote_them_and_no_others_are() {
    let tester = json!({"name": "x-tester", "value": "yes", "type": "Exact"});
    let canary =
        json!([{"name": "canary", "port": 80, "weight": 1, "group": "", "kind": "Service"}]);
    let leading = |fields: Value| {
        let mut rule = json!({"matches": [{"headers": [tester]}], "backendRefs": canary});
        json_patch::merge(&mut rule, &fields);
        rule
    };
    let source = json!({});
    let other = json!({"matches": [{"headers": [{"name": "x-other", "value": "1"}]}]});
    for (rule, expected) in [
        (leading(json!({"name": "testers"})), &["testers"][..]),
        (leading(json!({"name": "testers-3"})), &["testers"]),
        // As upstream's plugin wrote it while it kept a ConfigMap.
        (leading(json!({})), &["testers"]),
        (leading(json!({"name": "other"})), &[]),
        (leading(json!({"name": "testers-b"})), &[]),
        (leading(other), &[]),
        (leading(json!({"backendRefs": [{"name": "docs"}]})), &[]),
    ] {
        let mut shop = Shop::new(split(&[source.clone(), rule.clone()]));
        shop.steps = vec![testers()];
        let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(shop.standing(), expected, "{rule}");
        let left = 2 - expected.len();
        assert_eq!(shop.steer(0, &[]).rules().len(), left, "{rule}");
    }
}

#[test]
fn rules_whose_names_the_server_drops_are_known_by_what_was_noted() {
    let mut shop = Shop::new(split(&[json!({})]));
    shop.steer(20, &[testers(), copies(5)]);
    for rule in shop.route["spec"]["rules"].as_array_mut().unwrap() {
        rule.as_object_mut().unwrap().remove("name");
    }
    // Names that the rollout has given up meanwhile are ours still.
    shop.config["managedRoutes"] = json!([{"name": "copies"}]);
    assert_eq!(shop.standing(), BTreeSet::from(["copies".to_owned(), "testers".to_owned()]));
    shop.steer(20, &[testers(), copies(5)]).steer(60, &[testers(), copies(5)]).steer(60, &[]);
    assert_eq!(shop.rules().len(), 1);
}

#[test]
fn what_somebody_did_to_our_rules_is_mended() {
    let mut shop = Shop::new(split(&[json!({})]));
    shop.steer(20, &[testers(), copies(5)]);
    let sound = shop.route.clone();
    let changes: [fn(&mut Vec<Value>); 4] = [
        |rules| rules.swap(0, 1),
        |rules| rules[0]["backendRefs"][0]["weight"] = json!(0),
        |rules| drop(rules.remove(1)),
        |rules| rules[0]["matches"] = json!([{}]),
    ];
    for change in changes {
        change(shop.route["spec"]["rules"].as_array_mut().unwrap());
        shop.steer(20, &[testers(), copies(5)]);
        assert_eq!(shop.route, sound);
    }
}

#[test]
fn weights_alone_leave_managed_rules_and_keep_mirrors_in_step() {
    let mut shop = Shop::new(split(&[json!({})]));
    shop.steer(20, &[testers(), copies(5)]);
    assert_eq!(shop.writes(20, None), Ok(Vec::new()));
    let writes = shop.writes(30, None).unwrap();
    let paths: BTreeSet<&str> = writes[0]
        .as_array()
        .unwrap()
        .iter()
        .filter(|op| op["op"] == "add")
        .map(|op| op["path"].as_str().unwrap())
        .collect();
    let weight =
        |rule: usize, place: usize| format!("/spec/rules/{rule}/backendRefs/{place}/weight");
    let expected = [weight(1, 0), weight(1, 1), weight(2, 0), weight(2, 1)];
    assert_eq!(paths, expected.iter().map(String::as_str).collect());
}

#[test]
fn a_listed_route_has_header_routes_only_where_it_says_so_and_mirrors_always() {
    for (uses, expected) in [(json!(true), 2), (json!(false), 1), (Value::Null, 1)] {
        let mut shop = Shop::new(split(&[json!({})]));
        let listed = if uses.is_null() {
            json!({"name": "shop"})
        } else {
            json!({"name": "shop", "useHeaderRoutes": uses})
        };
        shop.config["plugins"]["argoproj-labs/gatewayAPI"] = json!({"httpRoutes": [listed]});
        shop.steer(0, &[testers(), copies(100)]);
        assert_eq!(shop.standing().len(), expected, "{uses}");
    }
}

#[test]
fn what_cannot_be_made_is_said() {
    let other = json!({"matches": [{"headers": [{"name": "X-Tester", "value": "no"}]}]});
    assert_eq!(
        Shop::new(split(&[other])).writes(0, Some(vec![testers()])),
        Err("no match says which requests of HTTPRoute default/shop are also those of managed route testers".to_owned())
    );
    let many = vec![json!({}); 9];
    assert_eq!(
        Shop::new(split(&many)).writes(0, Some(vec![testers()])),
        Err("HTTPRoute default/shop would have 18 rules, and may have 16".to_owned())
    );
}
