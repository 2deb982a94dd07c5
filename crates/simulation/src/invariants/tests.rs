//! Small histories made by hand.

use super::check;
use crate::{
    divergence::Divergence,
    history::{History, Step},
};
use faults::Sender;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use store::{EventKind, Object};

/// A history and how far its clock went.
#[derive(Clone)]
pub(super) struct Tale {
    history: History,
    now: Timestamp,
}

impl Tale {
    /// Begins with a rollout.
    pub(super) fn of(rollout: Value) -> Self {
        let tale = Self { history: History::default(), now: Timestamp::UNIX_EPOCH };
        tale.others("rollouts", rollout)
    }

    /// Something a controller writes.
    pub(super) fn ours(self, resource: &str, object: Value) -> Self {
        self.by("rehearsal-1-1", resource, object)
    }

    /// Something a certain controller writes.
    pub(super) fn by(self, name: &str, resource: &str, object: Value) -> Self {
        let sender = Sender { name: name.to_owned(), life: 0 };
        self.happens(Some(sender), resource, (EventKind::Modified, object))
    }

    /// Something anybody else writes.
    pub(super) fn others(self, resource: &str, object: Value) -> Self {
        self.happens(None, resource, (EventKind::Modified, object))
    }

    /// Something a controller deletes.
    pub(super) fn deleted(self, resource: &str, object: Value) -> Self {
        let sender = Sender { name: "rehearsal-1-1".to_owned(), life: 0 };
        self.happens(Some(sender), resource, (EventKind::Deleted, object))
    }

    /// Time passes.
    pub(super) fn after(mut self, seconds: i64) -> Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    fn happens(
        mut self,
        by: Option<Sender>,
        resource: &str,
        (kind, object): (EventKind, Value),
    ) -> Self {
        let object = Arc::new(Object::new(object, 1));
        self.history.steps.push(Step {
            request: None,
            at: self.now,
            by,
            resource: resource.to_owned(),
            kind,
            object,
        });
        self
    }

    /// What is found wrong.
    pub(super) fn breaches(&self) -> Vec<String> {
        let found = check(&self.history).into_iter();
        let words = found.map(|divergence| match divergence {
            Divergence::Breach { invariant, found, .. } => format!("{invariant}: {found}"),
            other => other.to_string(),
        });
        words.collect()
    }
}

fn rollout(replicas: i64, strategy: &Value) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "default", "uid": "u", "generation": 1},
        "spec": {"replicas": replicas, "strategy": strategy},
        "status": {"observedGeneration": "1"},
    })
}

/// A canary behind the route `web`.
pub(super) fn routed(replicas: i64) -> Value {
    rollout(
        replicas,
        &json!({"canary": {
            "stableService": "web-stable", "canaryService": "web-canary",
            "trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web"}}},
            "steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": "1m"}}],
        }}),
    )
}

/// A canary by pods.
pub(super) fn basic(replicas: i64) -> Value {
    rollout(replicas, &json!({"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}))
}

/// A blue-green rollout.
pub(super) fn blue_green(replicas: i64) -> Value {
    rollout(replicas, &json!({"blueGreen": {"activeService": "web-active"}}))
}

/// A ReplicaSet of the rollout.
pub(super) fn set(hash: &str, wanted: i64, available: i64) -> Value {
    json!({
        "metadata": {"name": format!("web-{hash}"), "namespace": "default",
            "labels": {"rollouts-pod-template-hash": hash},
            "ownerReferences": [{"kind": "Rollout", "name": "web", "uid": "u", "controller": true}]},
        "spec": {"replicas": wanted}, "status": {"availableReplicas": available},
    })
}

/// A service that selects a version.
pub(super) fn service(name: &str, hash: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"rollouts-pod-template-hash": hash}},
    })
}
