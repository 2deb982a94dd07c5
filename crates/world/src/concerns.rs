//! Which controller looks at which object again when something changes.

use crate::{
    cluster::{Cluster, Shelf},
    control::{endpoints::SERVICE_NAME, gateway::parents},
    objects::{contains_all, controller_of, labels_of, name_of, namespace_of, selects},
};
use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
        autoscaling::v2::HorizontalPodAutoscaler,
        batch::v1::Job,
        core::v1::{Endpoints, Node, Pod, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::core::DynamicObject;
use serde::de::DeserializeOwned;

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Desk {
    Node,
    Kubelet,
    ReplicaSet,
    Deployment,
    StatefulSet,
    DaemonSet,
    Job,
    Endpoints,
    Autoscaler,
    Gateway,
}

/// One object at one desk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) desk: Desk,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(desk: Desk, namespace: &str, name: &str) -> Self {
        Self { desk, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The desk for an object.
    pub(crate) fn of(desk: Desk, meta: &ObjectMeta) -> Self {
        Self::new(desk, namespace_of(meta), name_of(meta))
    }

    /// Whether it is one that the scheduler and the kubelets look at.
    pub(crate) fn is_of_nodes(&self) -> bool {
        matches!(self.desk, Desk::Node | Desk::Kubelet)
    }

    fn owner(meta: &ObjectMeta) -> Option<Self> {
        let owner = controller_of(meta)?;
        let desk = match owner.kind.as_str() {
            "ReplicaSet" => Desk::ReplicaSet,
            "Deployment" => Desk::Deployment,
            "StatefulSet" => Desk::StatefulSet,
            "DaemonSet" => Desk::DaemonSet,
            "Job" => Desk::Job,
            _ => return None,
        };
        Some(Self::new(desk, namespace_of(meta), &owner.name))
    }
}

/// A kind of object that is kept.
pub(crate) trait Kept: DeserializeOwned {
    /// Where its objects are.
    fn shelf(cluster: &mut Cluster) -> &mut Shelf<Self>;

    /// Its metadata.
    fn meta(&self) -> &ObjectMeta;

    /// Who has to look again when this object came, changed or went.
    fn concerns(&self, cluster: &Cluster) -> Vec<Key>;

    /// Keeps what is counted of all its objects up to date.
    fn count(_: &mut Cluster, _old: Option<&Self>, _new: Option<&Self>) {}

    /// Its place on the shelf.
    fn shelf_key(&self) -> (String, String) {
        (namespace_of(self.meta()).to_owned(), name_of(self.meta()).to_owned())
    }
}

macro_rules! kept {
    ($kind:ty, $shelf:ident, |$object:ident, $cluster:ident| $concerns:expr $(, $count:expr)?) => {
        impl Kept for $kind {
            fn shelf(cluster: &mut Cluster) -> &mut Shelf<Self> {
                &mut cluster.$shelf
            }

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn concerns(&self, $cluster: &Cluster) -> Vec<Key> {
                let $object = self;
                $concerns
            }

            $(fn count(cluster: &mut Cluster, old: Option<&Self>, new: Option<&Self>) {
                $count(cluster, old, new);
            })?
        }
    };
}

kept!(Pod, pods, |pod, cluster| pod_concerns(pod, cluster), Cluster::count_pod);
kept!(Node, nodes, |node, cluster| node_concerns(node, cluster));
kept!(ReplicaSet, replica_sets, |set, cluster| set_concerns(set, cluster));
kept!(Deployment, deployments, |object, _cluster| vec![Key::of(
    Desk::Deployment,
    &object.metadata
)]);
kept!(StatefulSet, stateful_sets, |object, _cluster| vec![Key::of(
    Desk::StatefulSet,
    &object.metadata
)]);
kept!(DaemonSet, daemon_sets, |object, _cluster| vec![Key::of(Desk::DaemonSet, &object.metadata)]);
kept!(Job, jobs, |object, _cluster| vec![Key::of(Desk::Job, &object.metadata)]);
kept!(Service, services, |object, _cluster| vec![Key::of(Desk::Endpoints, &object.metadata)]);
kept!(Endpoints, endpoints, |object, _cluster| vec![Key::of(Desk::Endpoints, &object.metadata)]);
kept!(EndpointSlice, slices, |slice, _cluster| {
    let service = labels_of(&slice.metadata).get(SERVICE_NAME);
    let namespace = namespace_of(&slice.metadata);
    service.map(|service| Key::new(Desk::Endpoints, namespace, service)).into_iter().collect()
});
kept!(HorizontalPodAutoscaler, autoscalers, |object, _cluster| {
    vec![Key::of(Desk::Autoscaler, &object.metadata)]
});

impl Kept for DynamicObject {
    fn shelf(cluster: &mut Cluster) -> &mut Shelf<Self> {
        &mut cluster.custom
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn shelf_key(&self) -> (String, String) {
        let kind = self.types.as_ref().map(|types| types.kind.as_str()).unwrap_or_default();
        (namespace_of(&self.metadata).to_owned(), format!("{kind}/{}", name_of(&self.metadata)))
    }

    fn concerns(&self, _: &Cluster) -> Vec<Key> {
        let (namespace, name) = self.shelf_key();
        let parents: Vec<Key> = parents(self)
            .map(|parent| Key::new(Desk::Gateway, &namespace, &format!("Gateway/{parent}")))
            .collect();
        parents.into_iter().chain([Key { desk: Desk::Gateway, namespace, name }]).collect()
    }
}

/// A node that changed may take pods that wait, and those it has may fare differently.
fn node_concerns(node: &Node, cluster: &Cluster) -> Vec<Key> {
    let name = name_of(&node.metadata);
    let on = |pod: &&Pod| {
        let spec = pod.spec.as_ref();
        spec.and_then(|spec| spec.node_name.as_deref()).is_none_or(|on| on == name)
    };
    let pods = cluster.pods.iter().filter(on).map(|pod| Key::of(Desk::Kubelet, &pod.metadata));
    pods.chain([Key::new(Desk::Node, "", name)]).collect()
}

fn pod_concerns(pod: &Pod, cluster: &Cluster) -> Vec<Key> {
    let (meta, namespace) = (&pod.metadata, namespace_of(&pod.metadata));
    let labels = labels_of(meta);
    let mut keys = vec![Key::of(Desk::Kubelet, meta)];
    if let Some(owner) = Key::owner(meta) {
        // The set's Deployment counts its pods when it recreates.
        let set = cluster.replica_sets.get(namespace, &owner.name);
        keys.extend(set.and_then(|set| Key::owner(&set.metadata)));
        keys.push(owner);
    } else {
        let sets = cluster.replica_sets.within(namespace);
        let choosing = sets
            .filter(|set| set.spec.as_ref().is_some_and(|spec| selects(&spec.selector, labels)));
        keys.extend(choosing.map(|set| Key::of(Desk::ReplicaSet, &set.metadata)));
    }
    let chooses = |service: &&Service| {
        let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        selector.is_some_and(|selector| contains_all(selector, labels))
    };
    let services = cluster.services.within(namespace).filter(chooses);
    keys.extend(services.map(|service| Key::of(Desk::Endpoints, &service.metadata)));
    let autoscalers = cluster.autoscalers.within(namespace);
    keys.extend(autoscalers.map(|autoscaler| Key::of(Desk::Autoscaler, &autoscaler.metadata)));
    keys
}

fn set_concerns(set: &ReplicaSet, cluster: &Cluster) -> Vec<Key> {
    let meta = &set.metadata;
    let mut keys = vec![Key::of(Desk::ReplicaSet, meta)];
    keys.extend(Key::owner(meta));
    if controller_of(meta).is_none() {
        let deployments = cluster.deployments.within(namespace_of(meta)).filter(|deployment| {
            deployment.spec.as_ref().is_some_and(|spec| selects(&spec.selector, labels_of(meta)))
        });
        keys.extend(deployments.map(|deployment| Key::of(Desk::Deployment, &deployment.metadata)));
    }
    keys
}
