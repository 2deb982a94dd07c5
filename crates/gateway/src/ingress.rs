//! Ingresses as routes: what ingress-nginx would make of them, said in the words of Gateway API.
//!
//! Beside an Ingress there may be another one with the annotation `canary`: of what the first one gets for a
//! host and a path, it takes its weight. The prefix of the annotations does not matter here, and neither do
//! headers, cookies and regular expressions that they may name.

use crate::objects::{BackendRef, Key, MatchSpec, Objects, Route, RouteSpec, RuleSpec, ValueMatch};
use jiff::Timestamp;
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend, ServiceBackendPort};
use std::collections::BTreeMap;

/// The older way to say which controller serves an Ingress.
const CLASS: &str = "kubernetes.io/ingress.class";
/// What weights add up to when no annotation says so.
const DEFAULT_TOTAL: u32 = 100;

/// An Ingress, reduced to what matters for a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IngressObject {
    created: Option<Timestamp>,
    class: String,
    /// Weight and total of a canary.
    canary: Option<(u32, u32)>,
    places: Vec<Place>,
}

/// One path of a host, and where it leads.
#[derive(Clone, Debug, Default, PartialEq)]
struct Place {
    host: String,
    path: String,
    kind: &'static str,
    service: String,
    port: ServiceBackendPort,
}

impl IngressObject {
    /// What matters of an Ingress.
    pub fn of(ingress: &Ingress) -> Self {
        let annotations = ingress.metadata.annotations.clone().unwrap_or_default();
        let spec = ingress.spec.clone().unwrap_or_default();
        let rules = spec.rules.into_iter().flatten().flat_map(|rule| {
            let host = rule.host.unwrap_or_default();
            let paths = rule.http.into_iter().flat_map(|http| http.paths);
            paths.filter_map(move |path| {
                let kind = if path.path_type == "Exact" { "Exact" } else { "PathPrefix" };
                let at =
                    path.path.filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned());
                place((host.clone(), at, kind), path.backend)
            })
        });
        let otherwise = spec
            .default_backend
            .and_then(|backend| place((String::new(), "/".to_owned(), "PathPrefix"), backend));
        Self {
            created: ingress.metadata.creation_timestamp.as_ref().map(|time| time.0),
            class: annotations.get(CLASS).cloned().or(spec.ingress_class_name).unwrap_or_default(),
            canary: canary(&annotations),
            places: rules.chain(otherwise).collect(),
        }
    }
}

fn place(
    (host, path, kind): (String, String, &'static str),
    backend: IngressBackend,
) -> Option<Place> {
    let service = backend.service?;
    let port = service.port.unwrap_or_default();
    Some(Place { host, path, kind, service: service.name, port })
}

fn canary(annotations: &BTreeMap<String, String>) -> Option<(u32, u32)> {
    let is_marked =
        |(key, value): &(&String, &String)| key.ends_with("/canary") && *value == "true";
    let (key, _) = annotations.iter().find(is_marked)?;
    let number = |name: &str| annotations.get(&format!("{key}-{name}"))?.parse::<u32>().ok();
    let total = number("weight-total").unwrap_or(DEFAULT_TOTAL);
    Some((number("weight").unwrap_or(0).min(total), total))
}

/// The routes that the Ingresses are, one for each place.
pub(crate) fn routes(objects: &Objects) -> Vec<(Key, Route)> {
    let main = objects.ingresses.iter().filter(|(_, ingress)| ingress.canary.is_none());
    let each = main.flat_map(|(key, ingress)| {
        let routed = move |place| (key.clone(), route(objects, (key, ingress), place));
        ingress.places.iter().map(routed)
    });
    each.collect()
}

fn route(objects: &Objects, (key, ingress): (&Key, &IngressObject), place: &Place) -> Route {
    let backends = match beside(objects, (key, ingress), place) {
        Some((canary, (weight, total))) => vec![(place, total - weight), (canary, weight)],
        None => vec![(place, 1)],
    };
    let path = ValueMatch {
        kind: Some(place.kind.to_owned()),
        value: Some(place.path.clone()),
        ..ValueMatch::default()
    };
    let reference = |(place, weight): (&Place, u32)| BackendRef {
        name: place.service.clone(),
        port: number_of(objects, key, place),
        weight: Some(weight),
        ..BackendRef::default()
    };
    let rule = RuleSpec {
        matches: vec![MatchSpec { path: Some(path), ..MatchSpec::default() }],
        backend_refs: backends.into_iter().map(reference).collect(),
        ..RuleSpec::default()
    };
    let hostnames = Some(place.host.clone()).filter(|host| !host.is_empty());
    let spec = RouteSpec {
        hostnames: hostnames.into_iter().collect(),
        rules: vec![rule],
        ..RouteSpec::default()
    };
    Route { created: ingress.created, spec }
}

/// The canary of a place; only one counts.
fn beside<'a>(
    objects: &'a Objects,
    (key, ingress): (&Key, &IngressObject),
    place: &Place,
) -> Option<(&'a Place, (u32, u32))> {
    let same = |found: &&Place| {
        (&found.host, &found.path, found.kind) == (&place.host, &place.path, place.kind)
    };
    let canaries = objects.ingresses.iter().filter(|(other, canary)| {
        other.namespace == key.namespace && canary.class == ingress.class
    });
    let mut found =
        canaries.filter_map(|(_, canary)| Some((canary.places.iter().find(same)?, canary.canary?)));
    found.next_back()
}

fn number_of(objects: &Objects, key: &Key, place: &Place) -> Option<u16> {
    if let Some(number) = place.port.number {
        return u16::try_from(number).ok();
    }
    let service = objects.services.get(&Key::new(&key.namespace, &place.service))?;
    let named = service.ports.iter().find(|(_, name)| Some(name) == place.port.name.as_ref());
    named.map(|(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn ingress(annotations: &Value, host: &str, service: &str) -> IngressObject {
        let object = json!({
            "metadata": {"annotations": annotations},
            "spec": {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": service, "port": {"name": "http"}}},
            }]}}]},
        });
        IngressObject::of(&serde_json::from_value(object).unwrap())
    }

    /// The backends of the first route of `web`, with a canary Ingress beside it.
    fn backends(canary: IngressObject) -> Vec<(String, Option<u16>, Option<u32>)> {
        let mut objects = Objects::default();
        let key = |name: &str| Key::new("shop", name);
        objects.ingresses.insert(key("web"), ingress(&json!({}), "shop.example", "stable"));
        objects.ingresses.insert(key("web-canary"), canary);
        for service in ["stable", "canary"] {
            let ports = vec![(80, "http".to_owned())];
            let object = crate::objects::ServiceObject { ports, ..Default::default() };
            objects.services.insert(key(service), object);
        }
        let routes = routes(&objects);
        assert_eq!(routes.len(), 1);
        assert_eq!(routes[0].1.spec.hostnames, ["shop.example"]);
        let backends = routes[0].1.spec.rules[0].backend_refs.iter();
        backends.map(|backend| (backend.name.clone(), backend.port, backend.weight)).collect()
    }

    fn annotations(weight: &str) -> Value {
        json!({"nginx.example/canary": "true", "nginx.example/canary-weight": weight})
    }

    #[test]
    fn a_canary_ingress_takes_its_weight_of_the_place_it_shares() {
        let named = |stable: u32, canary: u32| {
            [
                ("stable".to_owned(), Some(80), Some(stable)),
                ("canary".to_owned(), Some(80), Some(canary)),
            ]
        };
        let canary = |annotations: &Value| ingress(annotations, "shop.example", "canary");
        assert_eq!(backends(canary(&annotations("20"))), named(80, 20));
        assert_eq!(backends(canary(&annotations("900"))), named(0, 100));
        let mut of_more = annotations("20");
        of_more["nginx.example/canary-weight-total"] = json!("200");
        assert_eq!(backends(canary(&of_more)), named(180, 20));
    }

    #[test]
    fn a_canary_of_another_place_takes_nothing() {
        let other = ingress(&annotations("20"), "other.example", "canary");
        assert_eq!(backends(other), [("stable".to_owned(), Some(80), Some(1))]);
    }
}
