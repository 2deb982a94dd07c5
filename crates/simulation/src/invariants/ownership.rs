//! Invariants of what is written by whom.

use super::{
    Invariant,
    routing::steered_by,
    sight::{Whose, text},
};
use crate::{history::Step, picture::Picture};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};
use store::EventKind;

/// Paths below which a controller may write, by the plural of the kind; `*` stands for any one part.
const PATHS: &[(&str, &[&str])] = &[
    ("rollouts", &["/status", "/metadata/annotations", "/spec/replicas"]),
    (
        "services",
        &[
            "/spec/selector/rollouts-pod-template-hash",
            "/metadata/annotations/argo-rollouts.argoproj.io~1managed-by-rollouts",
        ],
    ),
    (
        "httproutes",
        &[
            "/spec/rules/*/backendRefs/*/weight",
            "/metadata/annotations/ringfence.dev~1additional-backends",
            "/metadata/annotations/ringfence.dev~1managed-routes",
        ],
    ),
    ("experiments", &["/status", "/spec/terminate"]),
    (
        "ingresses",
        &[
            "/metadata/annotations",
            "/spec/defaultBackend",
            "/spec/ingressClassName",
            "/spec/rules",
            "/spec/tls",
        ],
    ),
    (
        "replicasets",
        &[
            "/spec/replicas",
            "/spec/minReadySeconds",
            "/spec/template/metadata",
            "/metadata/annotations",
            "/metadata/labels",
            "/metadata/ownerReferences",
        ],
    ),
    (
        "pods",
        &[
            "/metadata/labels",
            "/metadata/annotations",
            "/metadata/deletionTimestamp",
            "/metadata/deletionGracePeriodSeconds",
            "/status/conditions",
        ],
    ),
    ("analysisruns", &["/status", "/spec/terminate", "/metadata/annotations"]),
    ("deployments", &["/spec/replicas"]),
    ("events", &[""]),
    ("leases", &[""]),
];
/// Kinds that a controller may create.
const CREATED: &[&str] = &[
    "replicasets",
    "analysisruns",
    "experiments",
    "jobs",
    "services",
    "ingresses",
    "events",
    "leases",
];
/// Kinds that a controller may delete.
const DELETED: &[&str] =
    &["replicasets", "analysisruns", "experiments", "jobs", "services", "pods"];
/// Parts of the metadata that the server keeps.
const SERVERS: &[&str] =
    &["/metadata/resourceVersion", "/metadata/generation", "/metadata/managedFields"];

/// I12: a controller writes no field that belongs to somebody else.
pub(super) struct OwnFieldsOnly;

impl Invariant for OwnFieldsOnly {
    fn name(&self) -> &'static str {
        "I12"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        if step.by.is_none() {
            return Vec::new();
        }
        let name = format!("{} {}", step.resource, step.object.name());
        let is_among = |kinds: &[&str]| {
            kinds.contains(&step.resource.as_str())
                && (step.resource != "services" || is_of_an_experiment(step.object.value()))
        };
        let was = before.before(step);
        let is_deleted = step.kind == EventKind::Deleted || begins_to_go(was, step.object.value());
        match was {
            _ if is_deleted => {
                (!is_among(DELETED)).then(|| format!("{name} is deleted")).into_iter().collect()
            }
            None => {
                (!is_among(CREATED)).then(|| format!("{name} is created")).into_iter().collect()
            }
            Some(was) => {
                let mut changed = Vec::new();
                let [was, is] = [was, step.object.value()].map(|of| theirs(before, step, of));
                differences("", &was, &is, &mut changed);
                let foreign = changed.into_iter().filter(|path| !is_own(&step.resource, path));
                foreign.map(|path| format!("{name} is changed at {path}")).collect()
            }
        }
    }
}

/// An object without the rules that rollouts put into it for a while.
fn theirs<'a>(before: &'a Picture, step: &'a Step, object: &'a Value) -> Cow<'a, Value> {
    let mut steered = steered_by(before, step).peekable();
    if step.resource != "httproutes" || steered.peek().is_none() {
        return Cow::Borrowed(object);
    }
    let mut theirs = object.clone();
    for sight in steered {
        let rules = sight.rules(object).filter(|(whose, _)| *whose == Whose::Theirs);
        theirs["spec"]["rules"] = rules.map(|(_, rule)| rule.clone()).collect();
    }
    Cow::Owned(theirs)
}

/// Whether an object was asked to go and waits for its finalizers, or for its own to go first.
fn begins_to_go(was: Option<&Value>, is: &Value) -> bool {
    let goes = |object: &Value| !object["metadata"]["deletionTimestamp"].is_null();
    was.is_some_and(|was| !goes(was)) && goes(is)
}

/// Only experiments have services of their own.
fn is_of_an_experiment(service: &Value) -> bool {
    let owners = service["metadata"]["ownerReferences"].as_array();
    owners.into_iter().flatten().any(|owner| owner["kind"] == "Experiment")
}

fn is_own(resource: &str, path: &str) -> bool {
    let mut paths = PATHS.iter().filter(|(of, _)| *of == resource).flat_map(|(_, paths)| *paths);
    // Backends of an experiment come and go whole; those that stay are compared one by one.
    let is_list = resource == "httproutes" && is_below(path, "/spec/rules/*/backendRefs");
    let changes_length = is_list && path.ends_with("/backendRefs");
    changes_length || paths.any(|own| is_below(path, own))
}

fn is_below(path: &str, own: &str) -> bool {
    let mut parts = path.split('/');
    own.split('/').all(|part| parts.next().is_some_and(|found| part == "*" || part == found))
}

/// The JSON pointers at which two values differ, as deep as they differ, but for what the server keeps.
fn differences(path: &str, a: &Value, b: &Value, found: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let [was, is] = [a, b].map(|map| map.get(key).unwrap_or(&Value::Null));
                if was == is {
                    continue;
                }
                let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                if !SERVERS.contains(&path.as_str()) {
                    differences(&path, was, is, found);
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (place, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}/{place}"), a, b, found);
            }
        }
        (Value::Object(_), Value::Null) => differences(path, a, &Value::Object(Map::new()), found),
        (Value::Null, Value::Object(_)) => differences(path, &Value::Object(Map::new()), b, found),
        _ if a == b => {}
        _ => found.push(path.to_owned()),
    }
}

/// Changes back and forth of one object within [`FIGHT_WITHIN`] that are a fight.
const FIGHT: usize = 14;
/// See [`FIGHT`].
const FIGHT_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// I12: a controller does not fight over a service or a route with somebody who changes it back.
#[derive(Default)]
pub(super) struct NoFights {
    turns: BTreeMap<(String, String), (bool, Vec<Timestamp>)>,
    told: BTreeSet<(String, String)>,
}

impl Invariant for NoFights {
    fn name(&self) -> &'static str {
        "I12"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        let was = before.before(step).map(|object| &object["spec"]);
        let is_same = was.is_some() && was == step.after().map(|object| &object["spec"]);
        if is_same || !matches!(step.resource.as_str(), "services" | "httproutes") {
            return Vec::new();
        }
        let key = (step.resource.clone(), step.object.name().to_owned());
        let (was_ours, turns) = self.turns.entry(key.clone()).or_default();
        if *was_ours == step.by.is_some() {
            return Vec::new();
        }
        *was_ours = step.by.is_some();
        turns.push(step.at);
        turns.retain(|at| step.at.duration_since(*at) <= FIGHT_WITHIN);
        let fights = turns.len() > FIGHT && self.told.insert(key);
        fights
            .then(|| format!("{} is fought over", text(step.object.value(), "/metadata/name")))
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tale, blue_green, service};
    use serde_json::json;

    #[test]
    fn fields_of_others_that_are_written_are_found() {
        let tale = Tale::of(blue_green(2)).others("services", service("web-preview", "old"));
        assert_eq!(
            tale.clone().ours("services", service("web-preview", "new")).breaches(),
            [""; 0]
        );
        let mut taken = service("web-preview", "new");
        taken["spec"]["selector"]["app"] = json!("mine");
        let breach = "I12: services web-preview is changed at /spec/selector/app";
        assert_eq!(tale.clone().ours("services", taken).breaches(), [breach]);
        let gone = tale.deleted("services", service("web-preview", "old"));
        assert_eq!(gone.breaches(), ["I12: services web-preview is deleted"]);
    }

    #[test]
    fn what_is_ours_may_begin_to_go_and_what_is_not_may_not() {
        let going = |mut object: serde_json::Value| {
            object["metadata"]["deletionTimestamp"] = json!("2026-01-05T09:00:00Z");
            object
        };
        let job = json!({ "metadata": { "name": "probe", "namespace": "default" } });
        let tale = Tale::of(blue_green(2)).others("jobs", job.clone());
        assert_eq!(tale.ours("jobs", going(job)).breaches(), [""; 0]);
        let preview = service("web-preview", "old");
        let tale = Tale::of(blue_green(2)).others("services", preview.clone());
        let breach = "I12: services web-preview is deleted";
        assert_eq!(tale.ours("services", going(preview)).breaches(), [breach]);
    }

    #[test]
    fn kinds_of_others_that_are_made_are_found() {
        let tale = Tale::of(blue_green(2)).ours("configmaps", service("state", "new"));
        assert_eq!(tale.breaches(), ["I12: configmaps state is created"]);
    }

    #[test]
    fn a_fight_is_found() {
        let mut tale = Tale::of(blue_green(2));
        for _ in 0..8 {
            tale = tale.others("services", service("web-preview", "old"));
            tale = tale.after(1).ours("services", service("web-preview", "new"));
        }
        assert_eq!(tale.breaches(), ["I12: web-preview is fought over"]);
    }
}
