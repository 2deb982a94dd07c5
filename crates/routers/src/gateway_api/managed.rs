//! Rules that a rollout puts into a route for a while: header routes and mirrors.
//!
//! Each is copied from a rule that names both services, with further matches; it stands before all rules of
//! others and has the name of its managed route, as upstream's plugin has it, with a number from the second
//! on. Where the definition of `HTTPRoute` is too old to keep names, an annotation tells which matches are
//! ours. A rule without a name that the plugin wrote before it gave names is known by leading to the canary
//! alone with the headers of a step. Any other rule is somebody else's.

use super::{
    is_service,
    matches::{self, Match},
};
use crate::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use vocab::{ManagedKind, ManagedRoute, ObjectRef, Reason};

/// Annotation on a route with the managed routes that stand in it and their matches, as JSON.
pub(super) const ANNOTATION: &str = "ringfence.dev/managed-routes";
/// How many rules a route may have.
const MAX_RULES: usize = 16;
/// Of so many parts a share of copies is.
const ALL: u8 = 100;

/// A rule of ours as the annotation has it.
#[derive(Serialize, Deserialize)]
struct Noted {
    name: String,
    matches: Vec<Match>,
}

/// A route, and which of its rules are ours.
pub(super) struct Site<'a> {
    context: &'a Context<'a>,
    target: &'a ObjectRef,
    route: &'a Value,
    owners: Vec<Option<String>>,
}

impl<'a> Site<'a> {
    /// Finds our rules in a route.
    pub(super) fn of(context: &'a Context<'a>, target: &'a ObjectRef, route: &'a Value) -> Self {
        let mut site = Self { context, target, route, owners: Vec::new() };
        let noted = noted(route);
        let managed = context.config["managedRoutes"].as_array().into_iter().flatten();
        let managed = managed.filter_map(|managed| managed["name"].as_str());
        let names = managed.chain(noted.iter().map(|noted| noted.name.as_str())).collect();
        site.owners = rules(route).iter().map(|rule| site.owner(rule, &names, &noted)).collect();
        site
    }

    /// Whether the rule at this place is ours.
    pub(super) fn owns(&self, place: usize) -> bool {
        self.owners.get(place).is_some_and(Option::is_some)
    }

    /// The names of the managed routes that stand there.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.owners.iter().flatten()
    }

    /// Appends what makes exactly the rules of `wanted` stand, in their order and before all others, once
    /// `patch` is carried out.
    ///
    /// # Errors
    /// Why a route cannot be made.
    pub(super) fn steer(
        &self,
        wanted: &[&ManagedRoute],
        patch: &mut Vec<Value>,
    ) -> Result<(), Reason> {
        let mut made = Vec::new();
        if !wanted.is_empty() {
            let after = patched(self.route, patch);
            for route in wanted {
                made.extend(self.rules_of(route, &after)?);
            }
        }
        let all = made.len() + self.owners.iter().filter(|owner| owner.is_none()).count();
        if !made.is_empty() && all > MAX_RULES {
            let text = format!("{} would have {all} rules, and may have {MAX_RULES}", self.target);
            return Err(self.reason("TooManyRules", text));
        }
        self.put(made.iter().map(|(_, rule)| rule).collect(), patch);
        self.annotate(&made, patch);
        Ok(())
    }

    /// The managed route that a rule belongs to.
    fn owner(&self, rule: &Value, names: &BTreeSet<&str>, noted: &[Noted]) -> Option<String> {
        if let Some(found) = rule["name"].as_str() {
            let numbered = || names.iter().find(|name| ManagedRoute::is_rule_of(found, name));
            return names.get(found).or_else(numbered).map(|name| (*name).to_owned());
        }
        let matches = matches::of_rule(rule)?;
        let backends = rule["backendRefs"].as_array()?;
        self.canary_of(rule)?;
        let ours = noted.iter().find(|noted| noted.matches == matches);
        let is_of_plugin = |route: &&ManagedRoute| {
            let ManagedKind::Header(headers) = &route.kind else { return false };
            let asks = |one: &Match| one.asks_like_the_plugin(headers);
            backends.len() == 1 && !headers.is_empty() && matches.iter().all(asks)
        };
        let of_plugin = || self.context.steps.iter().find(is_of_plugin);
        ours.map(|noted| noted.name.clone()).or_else(|| of_plugin().map(|route| route.name.clone()))
    }

    /// The rules that a managed route is made of, one for each rule of others that names both services.
    fn rules_of(
        &self,
        route: &ManagedRoute,
        after: &Value,
    ) -> Result<Vec<(String, Value)>, Reason> {
        let rules = rules(after).iter().zip(&self.owners);
        let sources = rules.filter(|(_, owner)| owner.is_none()).map(|(rule, _)| rule);
        let mut made: Vec<(String, Value)> = Vec::new();
        for mut rule in sources.filter_map(|source| self.copy(route, source)) {
            rule["name"] = json!(route.rule_name(made.len()));
            made.push((route.name.clone(), rule));
        }
        if made.is_empty() {
            let (target, name) = (self.target, &route.name);
            let text = format!(
                "no match says which requests of {target} are also those of managed route {name}"
            );
            return Err(self.reason("RouteNotExpressible", text));
        }
        Ok(made)
    }

    /// A rule like `source` for the requests that a managed route is for.
    fn copy(&self, route: &ManagedRoute, source: &Value) -> Option<Value> {
        let canary = self.canary_of(source)?;
        self.backend_of(source, self.context.stable_service)?;
        let wanted: Vec<Match> = match &route.kind {
            ManagedKind::Header(headers) => vec![Match::of_headers(headers)],
            ManagedKind::Mirror { matches, .. } => matches.iter().map(Match::of_request).collect(),
        };
        let matches = matches::meeting(&matches::of_rule(source)?, &wanted);
        if matches.is_empty() {
            return None;
        }
        let mut rule = source.clone();
        rule["matches"] = json!(matches);
        match &route.kind {
            ManagedKind::Header(_) => {
                let mut only = with_defaults(canary);
                only["weight"] = json!(1);
                rule["backendRefs"] = json!([only]);
            }
            ManagedKind::Mirror { percent, .. } => {
                let mut filters = rule["filters"].as_array().cloned().unwrap_or_default();
                filters.push(mirror(canary, *percent));
                rule["filters"] = Value::Array(filters);
            }
        }
        Some(rule)
    }

    /// Appends what puts the rules in front and takes other ones of ours out, unless they stand so.
    fn put(&self, wanted: Vec<&Value>, patch: &mut Vec<Value>) {
        let found = rules(self.route);
        let places: Vec<usize> = (0..found.len()).filter(|place| self.owns(*place)).collect();
        let stands = |(index, (place, rule)): (usize, (&usize, &&Value))| {
            index == *place && is_same(&found[*place], rule)
        };
        if places.len() == wanted.len() && places.iter().zip(&wanted).enumerate().all(stands) {
            return;
        }
        // From the last to the first, so that each is still where it was found.
        for place in places.into_iter().rev() {
            let pointer = format!("/spec/rules/{place}");
            patch.push(json!({"op": "test", "path": pointer, "value": found[place]}));
            patch.push(json!({"op": "remove", "path": pointer}));
        }
        let adds = wanted.into_iter().enumerate().map(|(place, rule)| {
            json!({"op": "add", "path": format!("/spec/rules/{place}"), "value": rule})
        });
        patch.extend(adds);
    }

    /// Appends what makes the annotation tell of these rules.
    fn annotate(&self, made: &[(String, Value)], patch: &mut Vec<Value>) {
        const PATH: &str = "/metadata/annotations/ringfence.dev~1managed-routes";
        let note = |(name, rule): &(String, Value)| {
            Some(Noted { name: name.clone(), matches: matches::of_rule(rule)? })
        };
        let noted: Vec<Noted> = made.iter().filter_map(note).collect();
        let text = (!noted.is_empty()).then(|| json!(noted).to_string());
        let found = self.route["metadata"]["annotations"].get(ANNOTATION);
        match text {
            None if found.is_some() => patch.push(json!({"op": "remove", "path": PATH})),
            Some(text) if found.and_then(Value::as_str) != Some(&text) => {
                super::annotate(self.route, (PATH, &text), patch);
            }
            _ => {}
        }
    }

    fn canary_of<'r>(&self, rule: &'r Value) -> Option<&'r Value> {
        self.backend_of(rule, self.context.canary_service)
    }

    fn backend_of<'r>(&self, rule: &'r Value, service: &str) -> Option<&'r Value> {
        let mut backends = rule["backendRefs"].as_array()?.iter();
        backends.find(|backend| is_service(backend, service, self.context, self.target))
    }

    fn reason(&self, code: &str, text: String) -> Reason {
        Reason::new(code, text, [("route", self.target.to_string())])
    }
}

fn rules(route: &Value) -> &[Value] {
    route["spec"]["rules"].as_array().map_or(&[], Vec::as_slice)
}

/// What the annotation tells; what cannot be read was not written by us.
fn noted(route: &Value) -> Vec<Noted> {
    let text = route["metadata"]["annotations"][ANNOTATION].as_str().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

/// The route once these operations are carried out.
fn patched(route: &Value, patch: &[Value]) -> Value {
    let mut after = route.clone();
    if let Ok(patch) = serde_json::from_value::<json_patch::Patch>(json!(patch)) {
        // The server refuses a patch that does not apply, whatever else it holds.
        let _ = json_patch::patch(&mut after, &patch);
    }
    after
}

/// The filter that copies so many of a hundred requests to a backend.
fn mirror(backend: &Value, percent: u8) -> Value {
    let mut to = with_defaults(backend);
    if let Some(fields) = to.as_object_mut() {
        fields.retain(|field, _| !["weight", "filters"].contains(&field.as_str()));
    }
    let mut mirror = json!({ "backendRef": to });
    if percent < ALL {
        mirror["percent"] = json!(percent);
    }
    json!({"type": "RequestMirror", "requestMirror": mirror})
}

/// A backend with what the API server takes for granted written out.
fn with_defaults(backend: &Value) -> Value {
    let mut whole = backend.clone();
    for (field, value) in [("group", json!("")), ("kind", json!("Service")), ("weight", json!(1))] {
        if whole[field].is_null() {
            whole[field] = value;
        }
    }
    whole
}

/// Whether a rule is the one wanted; one that lost its name is.
fn is_same(found: &Value, wanted: &Value) -> bool {
    let named = found["name"].is_null() || found["name"] == wanted["name"];
    named && plain(found) == plain(wanted)
}

/// A rule without its name and with everything written out that may be left out.
fn plain(rule: &Value) -> Value {
    let mut plain = rule.clone();
    if let Some(fields) = plain.as_object_mut() {
        fields.remove("name");
        fields.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
    }
    if let Some(matches) = matches::of_rule(rule) {
        plain["matches"] = json!(matches);
    }
    for backend in plain["backendRefs"].as_array_mut().into_iter().flatten() {
        *backend = with_defaults(backend);
    }
    plain
}
