//! NGINX: splits by a second Ingress beside the stable one, with the canary annotations of ingress-nginx.
//!
//! ```yaml
//! trafficRouting:
//!   nginx:
//!     stableIngress: shop            # or stableIngresses: [shop, shop-internal]
//!     annotationPrefix: nginx.ingress.kubernetes.io
//!     additionalIngressAnnotations:  # the prefix is put before them
//!       canary-by-header: X-Canary
//!     canaryIngressAnnotations:      # taken as they are
//!       example.com/team: shop
//! ```
//!
//! Beside each stable Ingress there is one named `<rollout>-<ingress>-canary`, owned by the rollout. It has
//! those rules of the stable one that lead to the stable service, leading to the canary service, with its class
//! and TLS, and the weight as an annotation. It is made with the first weight, even when that is nothing, and goes
//! with the rollout. Annotations and labels that others put on it stay; an Ingress of that name that the rollout
//! does not own is left alone. ingress-nginx confirms nothing, so no weight is ever verified.

use crate::{Capabilities, Context, Objects, Observation, Router, Steering};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{ObjectRef, PatchType, Precondition, Reason, Subresource, Traffic, Weight, Write};

/// The router of `trafficRouting.nginx`.
pub struct Nginx;

const API_VERSION: &str = "networking.k8s.io/v1";
const KIND: &str = "Ingress";
const CONFIG_PATH: &str = "spec.strategy.canary.trafficRouting.nginx";
/// Prefix of annotations when the configuration names none.
const DEFAULT_PREFIX: &str = "nginx.ingress.kubernetes.io";
/// The older way to say which controller serves an Ingress.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const SUFFIX: &str = "-canary";
/// The longest name an object may have.
const NAME_MAX: usize = 253;
/// What weights add up to when no annotation says so.
const DEFAULT_TOTAL: u64 = 100;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    annotation_prefix: Option<String>,
    stable_ingress: Option<String>,
    stable_ingresses: Vec<String>,
    additional_ingress_annotations: BTreeMap<String, String>,
    canary_ingress_annotations: BTreeMap<String, String>,
}

impl Router for Nginx {
    fn name(&self) -> &'static str {
        "Nginx"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { weights: true, max_weight: true, ..Capabilities::default() }
    }

    fn is_configured(&self, config: &Value) -> bool {
        config.get("nginx").is_some_and(|nginx| !nginx.is_null())
    }

    fn reads(&self, context: &Context<'_>) -> Result<Vec<ObjectRef>, Vec<Reason>> {
        let config = match read(context) {
            Ok(config) => config,
            Err(reason) => return Err(vec![reason]),
        };
        let mut problems = missing_services(context);
        problems.extend(config.contradiction());
        problems.extend(config.clash(context));
        if !problems.is_empty() {
            return Err(problems);
        }
        let pairs = config.pairs(context).into_iter();
        Ok(pairs.flat_map(|pair| [pair.stable, pair.canary]).collect())
    }

    fn problems(&self, context: &Context<'_>, objects: &Objects) -> Vec<Reason> {
        let Ok(config) = read(context) else { return Vec::new() };
        let found = config.pairs(context).into_iter();
        found.filter_map(|pair| pair.problem(&config, context, objects)).collect()
    }

    fn observe(&self, context: &Context<'_>, objects: &Objects) -> Result<Observation, Reason> {
        let config = read(context)?;
        let mut greatest = Weight::ZERO;
        for pair in config.pairs(context) {
            let wanted = wanted(&config, context, pair.rules(context, objects)?, Weight::ZERO);
            if let Some(canary) = pair.canary_object(context, objects)? {
                let total = config.key("canary-weight-total");
                let (now, wanted) = (number_at(canary, &total), number_at(&wanted, &total));
                let parts = number_at(canary, &config.key("canary-weight")).unwrap_or(0);
                greatest = greatest.max(share(parts, now, wanted, max_weight(context.config)));
            }
        }
        Ok(Observation {
            canary_weight: greatest,
            additional: BTreeMap::new(),
            managed: BTreeSet::new(),
            verified: None,
        })
    }

    fn steer(
        &self,
        context: &Context<'_>,
        objects: &Objects,
        traffic: &Traffic,
    ) -> Result<Vec<Steering>, Reason> {
        let managed = traffic.managed.as_ref().is_some_and(|managed| !managed.is_empty());
        if managed || !traffic.additional.is_empty() {
            return Err(Reason::new(
                "Unsupported",
                "the Nginx router splits between stable and canary only".to_owned(),
                [],
            ));
        }
        let config = read(context)?;
        let mut writes = Vec::new();
        for pair in config.pairs(context) {
            let weight = traffic.canary_weight;
            let wanted = wanted(&config, context, pair.rules(context, objects)?, weight);
            match pair.canary_object(context, objects)? {
                None => writes.push(pair.created(context, wanted, weight)),
                Some(found) => writes.extend(pair.patched(&config, found, &wanted, weight)),
            }
        }
        Ok(writes)
    }
}

fn read(context: &Context<'_>) -> Result<Config, Reason> {
    Config::deserialize(&context.config["nginx"])
        .map_err(|error| invalid_at(CONFIG_PATH, &format!("cannot be read: {error}")))
}

fn missing_services(context: &Context<'_>) -> Vec<Reason> {
    let named =
        [("stableService", context.stable_service), ("canaryService", context.canary_service)];
    let missing = named.into_iter().filter(|(_, service)| service.is_empty());
    let text = "Invalid value: \"\": Canary service and Stable service must to be set to use Traffic Routing";
    missing.map(|(field, _)| invalid_at(&format!("spec.strategy.{field}"), text)).collect()
}

impl Config {
    /// What is said twice or not at all.
    fn contradiction(&self) -> Option<Reason> {
        let one = self.stable_ingress.as_ref().is_some_and(|name| !name.is_empty());
        let what = match (one, !self.stable_ingresses.is_empty()) {
            (true, true) => "Both are",
            (false, false) => "Neither are",
            _ => return None,
        };
        let text = format!(
            "Internal error: Either StableIngress or StableIngresses must be configured. {what} configured."
        );
        Some(invalid_at(CONFIG_PATH, &text))
    }

    /// Names so long that two canary Ingresses would be one.
    fn clash(&self, context: &Context<'_>) -> Option<Reason> {
        let mut seen = BTreeSet::new();
        let pairs = self.pairs(context);
        let twice = pairs.iter().find(|pair| !seen.insert(&pair.canary.name))?;
        let text = format!("two ingresses would share the canary ingress `{}`", twice.canary.name);
        Some(invalid_at(&format!("{CONFIG_PATH}.stableIngresses"), &text))
    }

    fn pairs(&self, context: &Context<'_>) -> Vec<Pair> {
        let names = match self.stable_ingresses.as_slice() {
            [] => self.stable_ingress.as_slice(),
            several => several,
        };
        let mut seen = BTreeSet::new();
        let each = names.iter().filter(|name| !name.is_empty() && seen.insert(name.as_str()));
        each.map(|name| Pair::of(context.rollout, name)).collect()
    }

    fn prefix(&self) -> &str {
        match self.annotation_prefix.as_deref() {
            None | Some("") => DEFAULT_PREFIX,
            Some(prefix) => prefix,
        }
    }

    /// The whole name of an annotation.
    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix())
    }
}

/// A stable Ingress and the one that stands beside it.
struct Pair {
    stable: ObjectRef,
    canary: ObjectRef,
}

impl Pair {
    fn of(rollout: &ObjectRef, ingress: &str) -> Self {
        let named = |name: &str| ObjectRef::new(API_VERSION, KIND, &rollout.namespace, name);
        let whole = format!("{}-{ingress}", rollout.name);
        let kept: String = whole.chars().take(NAME_MAX - SUFFIX.len()).collect();
        Self { stable: named(ingress), canary: named(&format!("{kept}{SUFFIX}")) }
    }

    /// What the specification got wrong about the stable Ingress.
    fn problem(&self, config: &Config, context: &Context<'_>, objects: &Objects) -> Option<Reason> {
        let name = &self.stable.name;
        let (field, all) = match config.stable_ingresses.as_slice() {
            [] => ("stableIngress", json!(name)),
            several => ("stableIngresses", json!(several)),
        };
        let (value, detail) = match object(objects, &self.stable) {
            None => (all, format!("ingress.networking.k8s.io {name:?} not found")),
            Some(stable) if rules(context, stable).is_empty() => {
                (json!(name), no_rules(context, name))
            }
            Some(_) => return None,
        };
        let path = format!("{CONFIG_PATH}.{field}");
        Some(invalid_at(&path, &format!("Invalid value: {value}: {detail}")))
    }

    /// The stable Ingress with those of its rules that lead to the stable service, leading to the canary.
    fn rules<'a>(
        &self,
        context: &Context<'_>,
        objects: &'a Objects,
    ) -> Result<(&'a Value, Vec<Value>), Reason> {
        let name = &self.stable.name;
        let evidence = [("ingress", self.stable.to_string())];
        let Some(stable) = object(objects, &self.stable) else {
            let text = format!("stable ingress `{name}` is not there");
            return Err(Reason::new("IngressMissing", text, evidence));
        };
        let rules = rules(context, stable);
        if rules.is_empty() {
            return Err(Reason::new("IngressWithoutRules", no_rules(context, name), evidence));
        }
        Ok((stable, rules))
    }

    /// The canary Ingress, unless it is not there yet.
    fn canary_object<'a>(
        &self,
        context: &Context<'_>,
        objects: &'a Objects,
    ) -> Result<Option<&'a Value>, Reason> {
        let found = object(objects, &self.canary);
        let is_ours = |found: &Value| {
            let owners = found["metadata"]["ownerReferences"].as_array();
            let mut controllers =
                owners.into_iter().flatten().filter(|owner| owner["controller"] == true);
            controllers.any(|owner| !context.uid.is_empty() && owner["uid"] == context.uid)
        };
        if found.is_some_and(|found| !is_ours(found)) {
            let name = &self.canary.name;
            let text = format!("canary ingress `{name}` controlled by different object");
            return Err(Reason::new(
                "IngressNotOwned",
                text,
                [("ingress", self.canary.to_string())],
            ));
        }
        Ok(found)
    }

    fn created(&self, context: &Context<'_>, mut wanted: Value, weight: Weight) -> Steering {
        let (name, rollout) = (&self.canary.name, context.rollout);
        wanted["apiVersion"] = json!(API_VERSION);
        wanted["kind"] = json!(KIND);
        wanted["metadata"]["name"] = json!(name);
        wanted["metadata"]["namespace"] = json!(self.canary.namespace);
        wanted["metadata"]["ownerReferences"] = json!([{
            "apiVersion": rollout.api_version,
            "kind": rollout.kind,
            "name": rollout.name,
            "uid": context.uid,
            "controller": true,
            "blockOwnerDeletion": true,
        }]);
        Steering {
            write: Write::Create { object: wanted },
            told: Some((
                "CreatingCanaryIngress",
                format!("Creating canary ingress `{name}` with weight `{weight}`"),
            )),
        }
    }

    fn patched(
        &self,
        config: &Config,
        found: &Value,
        wanted: &Value,
        weight: Weight,
    ) -> Option<Steering> {
        let body = difference(config, found, wanted)?;
        let text = |field: &str| found["metadata"][field].as_str().map(str::to_owned);
        let name = &self.canary.name;
        Some(Steering {
            write: Write::Patch {
                target: self.canary.clone(),
                subresource: Subresource::Main,
                patch_type: PatchType::Merge,
                body,
                precondition: Precondition {
                    uid: text("uid"),
                    resource_version: text("resourceVersion"),
                },
            },
            told: Some((
                "PatchingCanaryIngress",
                format!("Updating Ingress `{name}` to desiredWeight '{weight}'"),
            )),
        })
    }
}

fn object<'a>(objects: &'a Objects, target: &ObjectRef) -> Option<&'a Value> {
    objects.get(target).and_then(Option::as_ref)
}

fn no_rules(context: &Context<'_>, ingress: &str) -> String {
    format!("ingress `{ingress}` has no rules using service {} backend", context.stable_service)
}

/// Whole rules that lead to the stable service anywhere; their other paths come along as they are.
fn rules(context: &Context<'_>, stable: &Value) -> Vec<Value> {
    let all = stable["spec"]["rules"].as_array().into_iter().flatten();
    all.filter_map(|rule| towards_canary(context, rule)).collect()
}

fn towards_canary(context: &Context<'_>, rule: &Value) -> Option<Value> {
    let mut rule = rule.clone();
    let mut leads = false;
    for path in rule.pointer_mut("/http/paths")?.as_array_mut()? {
        if let Some(name) = path.pointer_mut("/backend/service/name")
            && *name == context.stable_service
        {
            *name = json!(context.canary_service);
            leads = true;
        }
    }
    leads.then_some(rule)
}

/// What the canary Ingress shall be: annotations and spec.
fn wanted(
    config: &Config,
    context: &Context<'_>,
    (stable, rules): (&Value, Vec<Value>),
    weight: Weight,
) -> Value {
    let mut annotations = Map::new();
    if let Some(class) = stable["metadata"]["annotations"].get(CLASS_ANNOTATION) {
        annotations.insert(CLASS_ANNOTATION.to_owned(), class.clone());
    }
    for (key, value) in &config.additional_ingress_annotations {
        let whole = key.starts_with(config.prefix());
        let key = if whole { key.clone() } else { config.key(key) };
        annotations.insert(key, json!(value));
    }
    for (key, value) in &config.canary_ingress_annotations {
        annotations.insert(key.clone(), json!(value));
    }
    annotations.insert(config.key("canary"), json!("true"));
    annotations.insert(config.key("canary-weight"), json!(weight.to_string()));
    if let Some(max) = context.config["maxTrafficWeight"].as_u64() {
        annotations.insert(config.key("canary-weight-total"), json!(max.to_string()));
    }
    let mut spec = Map::new();
    for field in ["ingressClassName", "tls"] {
        if let Some(value) = stable["spec"].get(field) {
            spec.insert(field.to_owned(), value.clone());
        }
    }
    spec.insert("rules".to_owned(), Value::Array(rules));
    json!({"metadata": {"annotations": annotations}, "spec": spec})
}

/// A merge patch from what is there to what is wanted; none when nothing differs.
fn difference(config: &Config, found: &Value, wanted: &Value) -> Option<Value> {
    // Annotations of others stay. These two have a meaning even where we do not want them.
    let ours = [CLASS_ANNOTATION.to_owned(), config.key("canary-weight-total")];
    let annotations =
        changes(&found["metadata"]["annotations"], &wanted["metadata"]["annotations"], |key| {
            ours.iter().any(|own| own == key)
        });
    let spec = changes(&found["spec"], &wanted["spec"], |_| true);
    let mut body = Map::new();
    if !annotations.is_empty() {
        body.insert("metadata".to_owned(), json!({ "annotations": annotations }));
    }
    if !spec.is_empty() {
        body.insert("spec".to_owned(), Value::Object(spec));
    }
    (!body.is_empty()).then_some(Value::Object(body))
}

/// Fields to set, and those to remove of which `removes` says so.
fn changes(found: &Value, wanted: &Value, removes: impl Fn(&str) -> bool) -> Map<String, Value> {
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let (found, wanted) = (fields(found), fields(wanted));
    let gone = found.keys().filter(|key| !wanted.contains_key(*key) && removes(key));
    let gone = gone.map(|key| (key.clone(), Value::Null)).collect::<Vec<_>>();
    let set = wanted.into_iter().filter(|(key, value)| found.get(key) != Some(value));
    set.chain(gone).collect()
}

fn number_at(ingress: &Value, annotation: &str) -> Option<u64> {
    ingress["metadata"]["annotations"].get(annotation)?.as_str()?.parse().ok()
}

/// The weight that `parts` mean. Under another total than the wanted one they are another share, rounded up so
/// that a little traffic is never taken for none.
fn share(parts: u64, total: Option<u64>, wanted: Option<u64>, max: Weight) -> Weight {
    let (total, wanted) = (total.unwrap_or(DEFAULT_TOTAL), wanted.unwrap_or(DEFAULT_TOTAL));
    let parts = if total == wanted {
        parts
    } else {
        parts.saturating_mul(u64::from(max.parts())).div_ceil(total.max(1))
    };
    Weight::max_of(u32::try_from(parts).unwrap_or(u32::MAX)).min(max)
}

fn max_weight(config: &Value) -> Weight {
    let parts = config["maxTrafficWeight"].as_u64().and_then(|parts| u32::try_from(parts).ok());
    parts.map_or(Weight::HUNDRED, Weight::max_of)
}

fn invalid_at(path: &str, problem: &str) -> Reason {
    Reason::new("InvalidSpec", format!("{path} {problem}"), [("path", path.to_owned())])
}

#[cfg(test)]
#[path = "nginx_tests.rs"]
mod tests;
