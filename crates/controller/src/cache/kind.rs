//! The kinds that are cached, and how each is slimmed and read.

use api::argo::{
    AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Experiment, Rollout, RolloutStatus,
    keys::{ANALYSIS_RUN_UID, CONTROLLER_INSTANCE_ID, POD_TEMPLATE_HASH},
};
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet, ReplicaSetStatus},
        batch::v1::Job,
        core::v1::{Pod, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::core::{ApiResource, GroupVersionKind};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};
use std::sync::Arc;
use vocab::ObjectRef;

/// The label that ties an EndpointSlice to its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Every label that some kind is found by.
pub(super) const LABELS: [&str; 3] = [ANALYSIS_RUN_UID, POD_TEMPLATE_HASH, SERVICE_NAME];

/// Every kind that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `argoproj.io` AnalysisRun.
    AnalysisRun,
    /// `argoproj.io` AnalysisTemplate.
    AnalysisTemplate,
    /// `argoproj.io` `ClusterAnalysisTemplate`.
    ClusterAnalysisTemplate,
    /// Deployments, for `workloadRef`.
    Deployment,
    /// EndpointSlices, to see which pods a service reaches.
    EndpointSlice,
    /// `argoproj.io` Experiment.
    Experiment,
    /// Gateway API routes.
    HttpRoute,
    /// Ingresses, for rollouts that NGINX splits.
    Ingress,
    /// Jobs of analysis runs.
    Job,
    /// Pods of those Jobs.
    JobPod,
    /// Pods of rollouts.
    Pod,
    /// ReplicaSets of rollouts.
    ReplicaSet,
    /// `argoproj.io` Rollout.
    Rollout,
    /// Services.
    Service,
}

/// Whether the controller can work while a kind does not exist on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Not ready without it.
    Required,
    /// Its absence is no error; it is picked up when it appears.
    Optional,
    /// Watched only once a rollout refers to one, and then optional.
    OnDemand,
}

/// An object in its own type.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    /// An AnalysisRun.
    AnalysisRun(Arc<AnalysisRun>),
    /// An AnalysisTemplate.
    AnalysisTemplate(Arc<AnalysisTemplate>),
    /// A `ClusterAnalysisTemplate`.
    ClusterAnalysisTemplate(Arc<ClusterAnalysisTemplate>),
    /// A Deployment.
    Deployment(Arc<Deployment>),
    /// An EndpointSlice.
    EndpointSlice(Arc<EndpointSlice>),
    /// An Experiment.
    Experiment(Arc<Experiment>),
    /// A Job.
    Job(Arc<Job>),
    /// An object that is handed on as it came.
    Raw(Arc<Value>),
    /// A Pod.
    Pod(Arc<Pod>),
    /// A ReplicaSet.
    ReplicaSet(Arc<ReplicaSet>),
    /// A Rollout.
    Rollout(Arc<Rollout>),
    /// A Service.
    Service(Arc<Service>),
    /// An object that does not fit its type.
    Broken(Arc<Broken>),
}

/// An object that cannot be understood.
#[derive(Debug)]
pub(crate) struct Broken {
    /// What is wrong with it.
    pub(crate) why: String,
    /// As it came.
    pub(crate) object: Value,
}

impl Kind {
    /// All kinds, in order.
    pub(crate) const ALL: [Self; 14] = [
        Self::AnalysisRun,
        Self::AnalysisTemplate,
        Self::ClusterAnalysisTemplate,
        Self::Deployment,
        Self::EndpointSlice,
        Self::Experiment,
        Self::HttpRoute,
        Self::Ingress,
        Self::Job,
        Self::JobPod,
        Self::Pod,
        Self::ReplicaSet,
        Self::Rollout,
        Self::Service,
    ];

    /// The kind an object reference speaks of, if it is cached.
    pub(crate) fn of(object: &ObjectRef) -> Option<Self> {
        let names = (object.api_version.as_str(), object.kind.as_str());
        let is_meant = |kind: &Self| *kind != Self::JobPod && kind.names() == names;
        Self::ALL.into_iter().find(is_meant)
    }

    /// `apiVersion` and `kind` as on the wire.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::AnalysisRun => (api::argo::API_VERSION, "AnalysisRun"),
            Self::AnalysisTemplate => (api::argo::API_VERSION, "AnalysisTemplate"),
            Self::ClusterAnalysisTemplate => (api::argo::API_VERSION, "ClusterAnalysisTemplate"),
            Self::Deployment => ("apps/v1", "Deployment"),
            Self::EndpointSlice => ("discovery.k8s.io/v1", "EndpointSlice"),
            Self::Experiment => (api::argo::API_VERSION, "Experiment"),
            Self::HttpRoute => ("gateway.networking.k8s.io/v1", "HTTPRoute"),
            Self::Ingress => ("networking.k8s.io/v1", "Ingress"),
            Self::Job => ("batch/v1", "Job"),
            Self::JobPod | Self::Pod => ("v1", "Pod"),
            Self::ReplicaSet => ("apps/v1", "ReplicaSet"),
            Self::Rollout => (api::argo::API_VERSION, "Rollout"),
            Self::Service => ("v1", "Service"),
        }
    }

    /// Whether the controller can do without.
    pub(crate) fn need(self) -> Need {
        match self {
            Self::HttpRoute
            | Self::ClusterAnalysisTemplate
            | Self::Experiment
            | Self::Job
            | Self::JobPod => Need::Optional,
            Self::Ingress => Need::OnDemand,
            _ => Need::Required,
        }
    }

    /// Whether objects of the kind live in namespaces.
    pub(crate) fn is_namespaced(self) -> bool {
        self != Self::ClusterAnalysisTemplate
    }

    /// The label that objects of the kind are found by; those without are none of ours.
    pub(crate) fn label(self) -> Option<&'static str> {
        match self {
            Self::Pod | Self::ReplicaSet => Some(POD_TEMPLATE_HASH),
            Self::Job | Self::JobPod => Some(ANALYSIS_RUN_UID),
            Self::EndpointSlice => Some(SERVICE_NAME),
            _ => None,
        }
    }

    /// Whether each object of the kind belongs to one instance of the controller, which its label names.
    pub(crate) fn is_of_instance(self) -> bool {
        matches!(
            self,
            Self::Rollout
                | Self::AnalysisRun
                | Self::Experiment
                | Self::AnalysisTemplate
                | Self::ClusterAnalysisTemplate
        )
    }

    /// Whether the watch of its kind tells a controller of that `instance` of `object`, which is `target`.
    pub(crate) fn is_watched(target: &ObjectRef, object: &Value, instance: Option<&str>) -> bool {
        let Some(kind) = Self::of(target) else { return false };
        let metadata = &object["metadata"];
        let labels = &metadata["labels"];
        let is_ours = match kind {
            _ if kind.is_of_instance() => labels[CONTROLLER_INSTANCE_ID].as_str() == instance,
            _ => kind.label().is_none_or(|label| labels.get(label).is_some()),
        };
        is_ours && metadata["name"] == target.name
    }

    /// Whether analysis runs are carried out with it.
    pub(crate) fn serves_analysis(self) -> bool {
        matches!(
            self,
            Self::AnalysisRun
                | Self::AnalysisTemplate
                | Self::ClusterAnalysisTemplate
                | Self::Job
                | Self::JobPod
        )
    }

    /// Names an object of this kind.
    pub(crate) fn reference(self, namespace: &str, name: &str) -> ObjectRef {
        let (api_version, kind) = self.names();
        ObjectRef::new(api_version, kind, namespace, name)
    }

    /// How the client addresses the kind.
    pub(crate) fn resource(self) -> ApiResource {
        let (api_version, kind) = self.names();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
    }

    /// The text of an object that the server sent, without the bulk that no planner looks at.
    pub(crate) fn slim(self, text: Box<str>) -> Arc<str> {
        let slim = match self {
            Self::JobPod | Self::Pod => serde_json::from_str::<SlimPod<'_>>(&text)
                .and_then(|pod| serde_json::to_string(&pod))
                .ok(),
            _ => None,
        };
        slim.map_or_else(|| text.into(), Arc::from)
    }

    /// Reads an object.
    pub(crate) fn read(self, text: &str) -> Kept {
        match self {
            Self::AnalysisRun => read_whole(text, Kept::AnalysisRun),
            Self::AnalysisTemplate => read_whole(text, Kept::AnalysisTemplate),
            Self::ClusterAnalysisTemplate => read_whole(text, Kept::ClusterAnalysisTemplate),
            Self::Deployment => read_whole(text, Kept::Deployment),
            Self::EndpointSlice => read_whole(text, Kept::EndpointSlice),
            Self::Experiment => read_whole(text, Kept::Experiment),
            Self::HttpRoute | Self::Ingress => self.read_raw(text),
            Self::Job => read_whole(text, Kept::Job),
            Self::JobPod | Self::Pod => read_whole(text, Kept::Pod),
            Self::ReplicaSet => read_whole(text, Kept::ReplicaSet),
            Self::Rollout => read_whole(text, Kept::Rollout),
            Self::Service => read_whole(text, Kept::Service),
        }
    }

    /// Reads an object that wants the same as it did `before`.
    pub(super) fn read_on(self, before: Kept, text: &str) -> Kept {
        match before {
            Kept::ReplicaSet(before) => read_whole(text, |rest: Arc<Rest<ReplicaSetStatus>>| {
                let Rest { metadata, status } = Arc::unwrap_or_clone(rest);
                let spec = Arc::unwrap_or_clone(before).spec;
                Kept::ReplicaSet(Arc::new(ReplicaSet { metadata, spec, status }))
            }),
            Kept::Rollout(before) => read_whole(text, |rest: Arc<Rest<RolloutStatus>>| {
                let Rest { metadata, status } = Arc::unwrap_or_clone(rest);
                let spec = Arc::unwrap_or_clone(before).spec;
                Kept::Rollout(Arc::new(Rollout { metadata, spec, status }))
            }),
            _ => self.read(text),
        }
    }

    /// Items of a list come without their type, which routers want to see.
    fn read_raw(self, text: &str) -> Kept {
        let mut object = match serde_json::from_str::<Value>(text) {
            Ok(object) if object.is_object() => object,
            _ => return broken("not an object".to_owned(), text),
        };
        let (api_version, kind) = self.names();
        object["apiVersion"] = Value::from(api_version);
        object["kind"] = Value::from(kind);
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.shift_remove("managedFields");
        }
        Kept::Raw(Arc::new(object))
    }
}

/// An object without what it wants.
#[derive(Clone, Deserialize)]
struct Rest<S> {
    #[serde(default)]
    metadata: ObjectMeta,
    status: Option<S>,
}

/// What is kept of a pod: its specification is most of it, and the ReplicaSet has it too.
#[derive(Deserialize, Serialize)]
struct SlimPod<'a> {
    #[serde(borrow)]
    metadata: &'a RawValue,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    status: Option<&'a RawValue>,
}

/// One broken object must not blind the controller to all others, so it is kept as broken.
fn read_whole<K: DeserializeOwned>(text: &str, keep: impl FnOnce(Arc<K>) -> Kept) -> Kept {
    let whole = serde_json::from_str(text).map(Arc::new);
    whole.map_or_else(|error| broken(plainly(&error), text), keep)
}

fn broken(why: String, text: &str) -> Kept {
    let object = serde_json::from_str(text).unwrap_or_default();
    Kept::Broken(Arc::new(Broken { why, object }))
}

/// What is wrong, without the place in a text that nobody will ever see.
fn plainly(error: &serde_json::Error) -> String {
    let mut words = error.to_string();
    words.truncate(words.rfind(" at line ").unwrap_or(words.len()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn every_label_that_a_kind_is_found_by_is_kept() {
        let found_by = Kind::ALL.into_iter().filter_map(Kind::label).collect::<BTreeSet<_>>();
        assert_eq!(found_by, BTreeSet::from(LABELS));
    }

    #[test]
    fn an_object_without_the_label_of_its_kind_is_none_that_is_watched() {
        let target = Kind::ReplicaSet.reference("shop", "web-1");
        let set = |name, labels| json!({"metadata": {"name": name, "labels": labels}});
        for (object, expected) in [
            (set("web-1", json!({POD_TEMPLATE_HASH: "1"})), true),
            (set("web-1", json!({"app": "web"})), false),
            (set("web-2", json!({POD_TEMPLATE_HASH: "1"})), false),
            (json!({"kind": "ReplicaSetList", "items": []}), false),
        ] {
            assert_eq!(Kind::is_watched(&target, &object, Some("blue")), expected, "{object}");
        }
    }

    #[test]
    fn another_instances_object_is_none_that_is_watched() {
        let of = |labels| json!({"metadata": {"name": "web", "labels": labels}});
        let blue = of(json!({CONTROLLER_INSTANCE_ID: "blue"}));
        let nobodys = json!({"metadata": {"name": "web"}});
        for kind in [Kind::Rollout, Kind::AnalysisTemplate] {
            let target = kind.reference("shop", "web");
            for (object, instance, expected) in [
                (&blue, Some("blue"), true),
                (&blue, Some("green"), false),
                (&blue, None, false),
                (&nobodys, None, true),
                (&nobodys, Some("blue"), false),
            ] {
                assert_eq!(Kind::is_watched(&target, object, instance), expected, "{instance:?}");
            }
        }
    }
}
