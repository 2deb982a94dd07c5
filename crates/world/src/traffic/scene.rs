//! Where users' requests go, read from routes, services, endpoints and pods.

use super::{
    fault::Role,
    ingress,
    route::{self, Asked},
};
use crate::{
    app::Behaviour,
    cluster::Cluster,
    control::endpoints::SERVICE_NAME,
    objects::{controller_of, labels_of, name_of, namespace_of},
};
use k8s_openapi::api::{
    core::v1::{Pod, Service},
    discovery::v1::Endpoint,
};
use kube::core::DynamicObject;
use serde_json::Value;
use std::collections::BTreeSet;

/// Labels that tell a pod's template, the first one found counts.
const HASH_LABELS: [&str; 2] = ["rollouts-pod-template-hash", "pod-template-hash"];

/// The annotation that ties a service to its experiment.
const EXPERIMENT_NAME: &str = "experiment.argoproj.io/name";

/// One way in for users: a route, an Ingress, or a Service that neither leads to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Front {
    /// Its name among all fronts.
    pub(super) name: String,
    /// The name of the route or Ingress; empty for a Service.
    pub(super) route: String,
    pub(super) backends: Vec<Backend>,
    /// Backends that get copies of requests; the weight is the share of requests that are copied.
    pub(super) copies: Vec<Backend>,
    /// Other ways for those who send the headers that are asked for; the first that fits counts.
    pub(super) special: Vec<(Asked, Self)>,
}

impl Front {
    /// The way of somebody who sends this header.
    pub(super) fn way_of(&self, header: &(String, String)) -> &Self {
        let fits = |(asked, _): &&(Asked, Self)| asked.is_met_by(header);
        self.special.iter().find(fits).map_or(self, |(_, front)| front)
    }
}

/// One Service behind a front.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Backend {
    pub(super) namespace: String,
    pub(super) service: String,
    pub(super) weight: f64,
    pub(super) pods: Vec<Server>,
}

/// One pod that answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Server {
    pub(super) uid: String,
    pub(super) image: String,
    pub(super) hash: String,
    pub(super) workload: String,
    pub(super) role: Role,
    pub(super) behaviour: Option<Behaviour>,
}

/// All fronts by name.
pub(super) fn read(cluster: &Cluster) -> Vec<Front> {
    let mut routed = BTreeSet::new();
    let mut fronts = Vec::new();
    let ways = cluster.custom("HTTPRoute").map(|route| route::front(cluster, route));
    for front in ways.chain(ingress::fronts(cluster)) {
        routed.extend(
            front
                .backends
                .iter()
                .map(|backend| (backend.namespace.clone(), backend.service.clone())),
        );
        fronts.push(front);
    }
    routed.extend(cluster.custom("Rollout").flat_map(services_under_test));
    for service in cluster.services.iter() {
        let key =
            (namespace_of(&service.metadata).to_owned(), name_of(&service.metadata).to_owned());
        let selects = service.spec.as_ref().is_some_and(|spec| spec.selector.is_some());
        if selects && !routed.contains(&key) && !is_of_experiment(service) {
            let backend = backend(cluster, &key.0, &key.1, 1.0);
            fronts.push(Front {
                name: format!("{}/{}", key.0, key.1),
                backends: vec![backend],
                ..Front::default()
            });
        }
    }
    fronts
}

/// Services that a Rollout keeps for looking at a new version: users do not go there.
fn services_under_test(rollout: &DynamicObject) -> impl Iterator<Item = (String, String)> {
    let strategy = &rollout.data["spec"]["strategy"];
    let names = [&strategy["blueGreen"]["previewService"], &strategy["canary"]["canaryService"]];
    let namespace = namespace_of(&rollout.metadata);
    names.into_iter().filter_map(Value::as_str).map(|name| (namespace.to_owned(), name.to_owned()))
}

/// Users get to an experiment by a route or not at all.
fn is_of_experiment(service: &Service) -> bool {
    let annotations = service.metadata.annotations.as_ref();
    annotations.is_some_and(|annotations| annotations.contains_key(EXPERIMENT_NAME))
}

pub(super) fn backend(cluster: &Cluster, namespace: &str, service: &str, weight: f64) -> Backend {
    let ours = cluster.slices.within(namespace).filter(|slice| {
        labels_of(&slice.metadata).get(SERVICE_NAME).is_some_and(|name| name == service)
    });
    let endpoints: Vec<&Endpoint> =
        ours.flat_map(|slice| slice.endpoints.iter().flatten()).collect();
    let condition = |endpoint: &Endpoint, wanted: Wanted| {
        let conditions = endpoint.conditions.clone().unwrap_or_default();
        match wanted {
            Wanted::Ready => conditions.ready != Some(false),
            Wanted::Serving => conditions.serving == Some(true),
        }
    };
    let choose = |wanted: Wanted| -> Vec<Server> {
        let chosen = endpoints.iter().filter(|endpoint| condition(endpoint, wanted));
        chosen.filter_map(|endpoint| server(cluster, namespace, endpoint)).collect()
    };
    let ready = choose(Wanted::Ready);
    // Like any proxy: those that are leaving but still serve are better than none.
    let pods = if ready.is_empty() { choose(Wanted::Serving) } else { ready };
    Backend { namespace: namespace.to_owned(), service: service.to_owned(), weight, pods }
}

#[derive(Clone, Copy)]
enum Wanted {
    Ready,
    Serving,
}

fn server(cluster: &Cluster, namespace: &str, endpoint: &Endpoint) -> Option<Server> {
    let name = endpoint.target_ref.as_ref()?.name.as_deref()?;
    let pod = cluster.pods.get(namespace, name)?;
    let container = pod.spec.as_ref()?.containers.first()?;
    let hash = hash_of(pod);
    let owner = controller_of(&pod.metadata).map(|owner| owner.name.as_str()).unwrap_or_default();
    let workload = owner.strip_suffix(&format!("-{hash}")).unwrap_or(owner).to_owned();
    Some(Server {
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        image: container.image.clone().unwrap_or_default(),
        role: role(cluster, namespace, &workload, &hash),
        hash,
        workload,
        behaviour: Behaviour::of_pod(pod),
    })
}

fn hash_of(pod: &Pod) -> String {
    let labels = labels_of(&pod.metadata);
    HASH_LABELS.iter().find_map(|label| labels.get(*label)).cloned().unwrap_or_default()
}

fn role(cluster: &Cluster, namespace: &str, workload: &str, hash: &str) -> Role {
    let named = |rollout: &&DynamicObject| {
        namespace_of(&rollout.metadata) == namespace && name_of(&rollout.metadata) == workload
    };
    let Some(rollout) = cluster.custom("Rollout").find(named) else { return Role::None };
    let status = &rollout.data["status"];
    if status["stableRS"].as_str() == Some(hash) {
        Role::Stable
    } else if status["currentPodHash"].as_str() == Some(hash) {
        Role::Canary
    } else {
        Role::None
    }
}
