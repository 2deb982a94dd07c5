//! What an API server would say: fields that no kind has, values of the wrong type, names that are none.

use crate::document::{Document, Problem};
use api::crds;
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionSpec;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::{ApiError, DryRun, Gvr, Scope, Store, WriteOptions};

/// The namespace that objects without one are taken to.
const NAMESPACE: &str = "default";

/// The definitions, installed in a store of their own.
pub(super) struct Schemas {
    store: Store,
    /// Where objects of a kind are.
    scopes: BTreeMap<String, Scope>,
}

impl Schemas {
    /// Installs the definitions.
    pub(super) fn new() -> Self {
        let now = Timestamp::UNIX_EPOCH;
        let mut store = Store::new(1, now);
        let scope = Scope::all(Gvr::new("apiextensions.k8s.io", "v1", "customresourcedefinitions"));
        let mut scopes = BTreeMap::new();
        for definition in crds() {
            scopes.insert(definition.spec.names.kind.clone(), scope_of(&definition.spec));
            let body = serde_json::to_value(definition).unwrap_or_default();
            // One that is refused makes every object of its kind a problem, which is loud enough.
            let _ = store.create(&scope, body, &WriteOptions::default(), now);
        }
        Self { store, scopes }
    }

    /// Everything that an API server holds against an object.
    pub(super) fn problems(&mut self, document: &Document) -> Vec<Problem> {
        let Some(scope) = self.scopes.get(document.text("/kind")) else { return Vec::new() };
        let options = WriteOptions { dry_run: DryRun::All, ..WriteOptions::default() };
        let body = prepared(&document.value, scope.namespace.as_deref());
        match self.store.create(scope, body, &options, Timestamp::UNIX_EPOCH) {
            Ok(written) => unknown_fields(document, &written.warnings),
            Err(error) => {
                let mut problems = unknown_fields(document, &error.warnings);
                problems.extend(refusals(document, &error));
                problems
            }
        }
    }
}

fn scope_of(definition: &CustomResourceDefinitionSpec) -> Scope {
    let version = definition.versions.first().map(|version| version.name.clone());
    let resource =
        Gvr::new(&definition.group, version.unwrap_or_default(), &definition.names.plural);
    match definition.scope.as_str() {
        "Namespaced" => Scope::namespaced(resource, NAMESPACE),
        _ => Scope::all(resource),
    }
}

/// The object as a client would send it to the one namespace there is, without its status.
fn prepared(object: &Value, namespace: Option<&str>) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for written_by_servers in ["uid", "resourceVersion", "managedFields"] {
            metadata.remove(written_by_servers);
        }
        metadata.remove("namespace");
        if let Some(namespace) = namespace {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
    }
    object
}

fn unknown_fields(document: &Document, warnings: &[String]) -> Vec<Problem> {
    let problem = |warning: &String| {
        let path = warning.strip_prefix("unknown field \"").and_then(|it| it.strip_suffix('"'));
        match path {
            Some(path) => document.problem(path, "unknown field"),
            None => document.problem("", warning),
        }
    };
    warnings.iter().map(problem).collect()
}

fn refusals(document: &Document, error: &ApiError) -> Vec<Problem> {
    if error.details.causes.is_empty() {
        return vec![document.problem("", &error.message)];
    }
    let causes = error.details.causes.iter();
    causes.map(|cause| document.problem(&cause.field, &cause.message)).collect()
}
