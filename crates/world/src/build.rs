//! Objects for unit tests, built by what matters about them.

use crate::objects::{Words, controlled_by};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::{Pod, PodCondition},
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::core::Resource;
use serde_json::json;

/// A moment, counted in seconds from an agreed start.
pub(crate) fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A ReplicaSet of `app: web` pods.
pub(crate) fn replica_set(name: &str, replicas: i32) -> ReplicaSet {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}"), "generation": 1},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template("blue")},
    }))
    .unwrap()
}

/// A Deployment of `app: web` pods.
pub(crate) fn deployment(name: &str, replicas: i32, colour: &str) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}"), "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(colour),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
        },
    }))
    .unwrap()
}

fn template(colour: &str) -> serde_json::Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": format!("argoproj/rollouts-demo:{colour}"),
            "ports": [{"name": "http", "containerPort": 8080}]}]},
    })
}

/// A pod of `owner` under construction.
pub(crate) struct PodBuilder(Pod);

/// Starts a pod with the owner's template labels, bound and running but not ready.
pub(crate) fn pod<K: Resource<DynamicType = ()>>(name: &str, owner: &K) -> PodBuilder {
    let mut pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}")},
        "spec": template("blue")["spec"].clone(),
        "status": {"phase": "Running", "podIP": "127.77.0.9"},
    }))
    .unwrap();
    pod.metadata.labels = Some(Words::from([("app".into(), "web".into())]));
    pod.metadata.owner_references = Some(vec![controlled_by(owner)]);
    pod.spec.as_mut().unwrap().node_name = Some("ringfence".into());
    PodBuilder(pod)
}

impl PodBuilder {
    /// Ready since `at`.
    pub(crate) fn ready(mut self, at: i64) -> Self {
        let status = self.0.status.as_mut().unwrap();
        status.conditions = Some(vec![PodCondition {
            type_: "Ready".into(),
            status: "True".into(),
            last_transition_time: Some(Time(second(at))),
            ..PodCondition::default()
        }]);
        self
    }

    /// Created at `at`.
    pub(crate) fn created(mut self, at: i64) -> Self {
        self.0.metadata.creation_timestamp = Some(Time(second(at)));
        self
    }

    /// In that phase.
    pub(crate) fn phase(mut self, phase: &str) -> Self {
        self.0.status.as_mut().unwrap().phase = Some(phase.into());
        self
    }

    /// With that annotation.
    pub(crate) fn annotated(mut self, key: &str, value: &str) -> Self {
        let annotations = self.0.metadata.annotations.get_or_insert_with(Words::new);
        annotations.insert(key.into(), value.into());
        self
    }

    /// Told to go at `at`.
    pub(crate) fn leaving(mut self, at: i64) -> Self {
        self.0.metadata.deletion_timestamp = Some(Time(second(at)));
        self
    }

    /// The pod.
    pub(crate) fn done(self) -> Pod {
        self.0
    }
}
