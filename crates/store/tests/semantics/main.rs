//! What the store promises, verb by verb: each test is a sentence about Kubernetes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![expect(clippy::needless_pass_by_value, reason = "bodies are written where they are used")]

mod apply;
mod built_in;
mod custom;
mod garbage;
mod laws;
mod verbs;
mod watching;

use std::sync::Arc;

use serde_json::{Value, json};
use store::{
    Address, ApiError, DeleteOptions, Gvr, ListOptions, Object, Patch, Scope, Selectors, Store,
    Subresource, WriteOptions, Written,
};

/// A store, a clock that stands still until told, and short names for the verbs.
pub(crate) struct Cluster {
    pub(crate) store: Store,
    pub(crate) now: jiff::Timestamp,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        Self { store: Store::new(7, now), now }
    }

    pub(crate) fn gvr(kind: &str) -> Gvr {
        match kind {
            "deployments" | "replicasets" => Gvr::new("apps", "v1", kind),
            "jobs" => Gvr::new("batch", "v1", kind),
            "customresourcedefinitions" => Gvr::new("apiextensions.k8s.io", "v1", kind),
            "poddisruptionbudgets" => Gvr::new("policy", "v1", kind),
            "horizontalpodautoscalers" => Gvr::new("autoscaling", "v2", kind),
            "gadgets" | "widgets" => Gvr::new("example.com", "v1", kind),
            other => Gvr::new("", "v1", other),
        }
    }

    pub(crate) fn scope(kind: &str) -> Scope {
        if is_cluster_wide(kind) {
            return Scope::all(Self::gvr(kind));
        }
        Scope::namespaced(Self::gvr(kind), "default")
    }

    pub(crate) fn address(kind: &str, name: &str) -> Address {
        let namespace = (!is_cluster_wide(kind)).then_some("default");
        Address::new(Self::gvr(kind), namespace, name)
    }

    pub(crate) fn create(&mut self, kind: &str, body: Value) -> Result<Written, ApiError> {
        self.create_with(kind, body, &by("test"))
    }

    pub(crate) fn create_with(
        &mut self,
        kind: &str,
        body: Value,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        self.store.create(&Self::scope(kind), body, options, self.now)
    }

    pub(crate) fn make(&mut self, kind: &str, body: Value) -> Arc<Object> {
        self.create(kind, body).unwrap().object
    }

    pub(crate) fn get(&self, kind: &str, name: &str) -> Option<Arc<Object>> {
        self.store.get(&Self::address(kind, name)).ok()
    }

    pub(crate) fn value(&self, kind: &str, name: &str) -> Value {
        self.store.get(&Self::address(kind, name)).unwrap().value().clone()
    }

    pub(crate) fn update(&mut self, kind: &str, body: Value) -> Result<Written, ApiError> {
        let name = body["metadata"]["name"].as_str().unwrap().to_owned();
        self.store.update(&Self::address(kind, &name), body, &by("test"), self.now)
    }

    pub(crate) fn update_status(&mut self, kind: &str, body: Value) -> Result<Written, ApiError> {
        let name = body["metadata"]["name"].as_str().unwrap().to_owned();
        let address = Self::address(kind, &name).at(Subresource::Status);
        self.store.update(&address, body, &by("status-writer"), self.now)
    }

    pub(crate) fn patch(
        &mut self,
        kind: &str,
        name: &str,
        patch: Patch,
    ) -> Result<Written, ApiError> {
        self.store.patch(&Self::address(kind, name), patch, &by("test"), self.now)
    }

    pub(crate) fn apply(
        &mut self,
        kind: &str,
        mut body: Value,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        let name = body["metadata"]["name"].as_str().unwrap().to_owned();
        let address = Self::address(kind, &name);
        let resource = self.store.resource(&address.resource).unwrap();
        for (key, value) in
            [("apiVersion", resource.api_version()), ("kind", resource.kind.clone())]
        {
            body[key] = Value::String(value);
        }
        self.store.patch(&address, Patch::Apply(body), options, self.now)
    }

    pub(crate) fn delete(&mut self, kind: &str, name: &str, options: &DeleteOptions) {
        self.store.delete(&Self::address(kind, name), options, self.now).unwrap();
    }

    pub(crate) fn collect(&mut self) {
        while self.store.collect_garbage(self.now).more {}
    }

    pub(crate) fn names(&self, kind: &str, selectors: (&str, &str)) -> Vec<String> {
        let selectors = Selectors::parse(Some(selectors.0), Some(selectors.1)).unwrap();
        let options = ListOptions { selectors, ..ListOptions::default() };
        let list = self.store.list(&Self::scope(kind), &options).unwrap();
        list.items.iter().map(|object| object.name().to_owned()).collect()
    }
}

fn is_cluster_wide(kind: &str) -> bool {
    matches!(kind, "namespaces" | "nodes" | "customresourcedefinitions")
}

pub(crate) fn by(manager: &str) -> WriteOptions {
    WriteOptions { field_manager: manager.into(), ..WriteOptions::default() }
}

pub(crate) fn config_map(name: &str) -> Value {
    json!({"metadata": {"name": name}, "data": {"a": "1"}})
}

pub(crate) fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": "nginx:1"}]}})
}

pub(crate) fn deployment(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": "nginx:1"}]}},
    }})
}

pub(crate) fn widget(spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec})
}

pub(crate) fn widgets(schema: &Value) -> Value {
    json!({"metadata": {"name": "widgets.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
        "versions": [
            {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
             "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}},
             "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
             "selectableFields": [{"jsonPath": ".spec.color"}]},
            {"name": "v2", "served": true, "storage": false, "schema": {"openAPIV3Schema": schema}},
        ],
    }})
}
