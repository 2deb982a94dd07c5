//! Where traffic was sent, as the data plane saw it.

use crate::history::{History, Step};
use serde_json::Value;
use std::collections::BTreeMap;

/// The weight of a canary Ingress.
const CANARY_WEIGHT: &str = "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight";

/// What each route and each active service said, one entry for each time it said something else.
pub(crate) type Weights = BTreeMap<String, Vec<String>>;

/// The sequence of weights of every HTTPRoute and canary Ingress, and of selectors of every blue-green active service.
pub fn weights(history: &History) -> Weights {
    let mut seen = Weights::new();
    let mut active = std::collections::BTreeSet::new();
    for step in &history.steps {
        if let Some(service) = step.text("/spec/strategy/blueGreen/activeService") {
            active.insert((step.object.namespace().to_owned(), service.to_owned()));
        }
        let (namespace, name) = (step.object.namespace(), step.object.name());
        let is_active = || active.contains(&(namespace.to_owned(), name.to_owned()));
        let told = match step.resource.as_str() {
            "httproutes" => step.after().map(route),
            "ingresses" => step.text(CANARY_WEIGHT).map(str::to_owned),
            "services" if is_active() => selector(step),
            _ => None,
        };
        if let Some(told) = told {
            let sequence = seen.entry(format!("{} {namespace}/{name}", step.resource)).or_default();
            if sequence.last() != Some(&told) {
                sequence.push(told);
            }
        }
    }
    seen
}

fn selector(step: &Step) -> Option<String> {
    Some(step.after()?["spec"]["selector"]["rollouts-pod-template-hash"].as_str()?.to_owned())
}

/// The weights of a route as one word, such as `web-stable=80 web-canary=20`.
fn route(route: &Value) -> String {
    // A rule of one backend splits nothing, so it has no weights to tell of.
    let splits = |rule: &&Value| rule["backendRefs"].as_array().is_some_and(|all| all.len() > 1);
    let rules = route["spec"]["rules"].as_array().into_iter().flatten().filter(splits);
    let backends = rules.flat_map(|rule| rule["backendRefs"].as_array().into_iter().flatten());
    let words = backends.map(|backend| {
        let weight = backend["weight"].as_i64().unwrap_or(1);
        format!("{}={weight}", backend["name"].as_str().unwrap_or_default())
    });
    words.collect::<Vec<_>>().join(" ")
}
