//! Where requests go that come in by an Ingress, as ingress-nginx would have it.
//!
//! Beside an Ingress there may be another one with the annotation `canary`: of what the first one gets for a
//! host and a path, it takes its weight. Under which prefix the annotations stand does not matter here.

use super::scene::{Backend, Front, backend};
use crate::{
    cluster::Cluster,
    objects::{name_of, namespace_of},
};
use kube::core::DynamicObject;
use serde_json::Value;

/// The older way to say which controller serves an Ingress.
const CLASS: &str = "kubernetes.io/ingress.class";
/// What weights add up to when no annotation says so.
const DEFAULT_TOTAL: f64 = 100.0;

/// What makes an Ingress the canary of another.
#[derive(Clone, Copy)]
struct Canary<'a> {
    ingress: &'a DynamicObject,
    share: f64,
}

/// The way of modelled users through each Ingress: a plain request for `/`.
pub(super) fn fronts(cluster: &Cluster) -> impl Iterator<Item = Front> {
    let canaries: Vec<Canary<'_>> = cluster.custom("Ingress").filter_map(canary).collect();
    let main = cluster.custom("Ingress").filter(|ingress| canary(ingress).is_none());
    main.map(move |ingress| front(cluster, ingress, &canaries))
}

/// The share that an Ingress takes of another's requests, if it is a canary.
fn canary(ingress: &DynamicObject) -> Option<Canary<'_>> {
    let annotations = ingress.metadata.annotations.as_ref()?;
    let is_marked =
        |(key, value): &(&String, &String)| key.ends_with("/canary") && *value == "true";
    let (key, _) = annotations.iter().find(is_marked)?;
    let number = |name: &str| annotations.get(&format!("{key}-{name}"))?.parse::<f64>().ok();
    let total = number("weight-total").unwrap_or(DEFAULT_TOTAL).max(1.0);
    let share = (number("weight").unwrap_or(0.0) / total).clamp(0.0, 1.0);
    Some(Canary { ingress, share })
}

fn front(cluster: &Cluster, ingress: &DynamicObject, canaries: &[Canary<'_>]) -> Front {
    let (namespace, name) = (namespace_of(&ingress.metadata), name_of(&ingress.metadata));
    Front {
        name: format!("{namespace}/Ingress/{name}"),
        route: name.to_owned(),
        backends: backends(cluster, ingress, canaries),
        ..Front::default()
    }
}

fn backends(cluster: &Cluster, ingress: &DynamicObject, canaries: &[Canary<'_>]) -> Vec<Backend> {
    let namespace = namespace_of(&ingress.metadata);
    let reached = |service: &str, share: f64| backend(cluster, namespace, service, share);
    let Some(place) = places(ingress).find(|place| matches!(place.path, "/" | "")) else {
        let service = ingress.data.pointer("/spec/defaultBackend/service/name");
        return service
            .and_then(Value::as_str)
            .map(|name| reached(name, 1.0))
            .into_iter()
            .collect();
    };
    let beside = canaries.iter().filter(|canary| {
        namespace_of(&canary.ingress.metadata) == namespace
            && class(canary.ingress) == class(ingress)
    });
    let mut taken = beside.filter_map(|canary| {
        let same = |found: &Place<'_>| (found.host, found.path) == (place.host, place.path);
        Some((places(canary.ingress).find(same)?.service, canary.share))
    });
    // Only one canary counts for a place.
    match taken.next_back() {
        Some((canary, share)) => vec![reached(place.service, 1.0 - share), reached(canary, share)],
        None => vec![reached(place.service, 1.0)],
    }
}

/// One path of a host, and the service behind it.
struct Place<'a> {
    host: &'a str,
    path: &'a str,
    service: &'a str,
}

fn places(ingress: &DynamicObject) -> impl Iterator<Item = Place<'_>> {
    let rules = ingress.data["spec"]["rules"].as_array().into_iter().flatten();
    rules.flat_map(|rule| {
        let host = rule["host"].as_str().unwrap_or_default();
        let paths = rule.pointer("/http/paths").and_then(Value::as_array);
        paths.into_iter().flatten().filter_map(move |path| {
            let service = path.pointer("/backend/service/name")?.as_str()?;
            Some(Place { host, path: path["path"].as_str().unwrap_or_default(), service })
        })
    })
}

fn class(ingress: &DynamicObject) -> &str {
    let annotated = ingress.metadata.annotations.as_ref().and_then(|found| found.get(CLASS));
    let named = || ingress.data["spec"]["ingressClassName"].as_str();
    annotated.map(String::as_str).or_else(named).unwrap_or_default()
}
