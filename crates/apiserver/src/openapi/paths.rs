//! The `paths` of a document: what may be done at which address.
//!
//! Clients look here for the kind behind an address (`kubectl explain`), and for which media types and
//! parameters a PATCH takes (`kubectl apply`).

use serde_json::{Map, Value, json};
use store::{Origin, Resource};

/// The media types of a PATCH of every kind.
const PATCHES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
    "application/apply-patch+cbor",
];

/// The media type that only built-in kinds take.
const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// Every path of one resource, below the group-version's own path.
pub(super) fn of(base: &str, resource: &Resource, definition: &str) -> Vec<(String, Value)> {
    let plural = &resource.plural;
    let operations = Operations { resource, definition };
    let collection = if resource.is_namespaced() {
        format!("{base}/namespaces/{{namespace}}/{plural}")
    } else {
        format!("{base}/{plural}")
    };
    let one = format!("{collection}/{{name}}");
    let mut paths = Vec::new();
    if resource.is_namespaced() {
        paths.push((format!("{base}/{plural}"), json!({"get": operations.read("list")})));
    }
    if resource.subresources.status {
        paths.push((format!("{one}/status"), operations.part()));
    }
    if resource.subresources.scale.is_some() {
        paths.push((format!("{one}/scale"), scale()));
    }
    paths.push((collection, operations.collection()));
    paths.push((one, operations.one()));
    paths
}

struct Operations<'a> {
    resource: &'a Resource,
    definition: &'a str,
}

impl Operations<'_> {
    fn collection(&self) -> Value {
        json!({
            "get": self.read("list"),
            "post": self.write("post"),
            "delete": self.operation("deletecollection", "io.k8s.apimachinery.pkg.apis.meta.v1.Status"),
        })
    }

    fn one(&self) -> Value {
        let mut all = self.part();
        all["delete"] = self.operation("delete", "io.k8s.apimachinery.pkg.apis.meta.v1.Status");
        all
    }

    fn part(&self) -> Value {
        json!({"get": self.read("get"), "put": self.write("put"), "patch": self.patch()})
    }

    fn read(&self, action: &str) -> Value {
        self.operation(action, self.definition)
    }

    fn write(&self, action: &str) -> Value {
        let mut operation = self.operation(action, self.definition);
        operation["parameters"] = parameters(&["dryRun", "fieldManager", "fieldValidation"]);
        operation["requestBody"] =
            json!({"required": true, "content": {"*/*": {"schema": reference(self.definition)}}});
        operation
    }

    fn patch(&self) -> Value {
        let mut operation = self.operation("patch", self.definition);
        operation["parameters"] =
            parameters(&["dryRun", "fieldManager", "fieldValidation", "force"]);
        let strategic = (self.resource.origin == Origin::BuiltIn).then_some(STRATEGIC);
        let any = json!({"schema": {"type": "object"}});
        let content: Map<String, Value> = PATCHES
            .into_iter()
            .chain(strategic)
            .map(|media| (media.to_owned(), any.clone()))
            .collect();
        operation["requestBody"] = json!({"required": true, "content": content});
        operation
    }

    fn operation(&self, action: &str, definition: &str) -> Value {
        let schema = json!({"schema": reference(definition)});
        json!({
            "responses": {"200": {"description": "OK", "content": {"application/json": schema}}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {
                "group": self.resource.group,
                "version": self.resource.version,
                "kind": self.resource.kind,
            },
        })
    }
}

fn scale() -> Value {
    let operation = |action: &str| {
        json!({
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind":
                {"group": "autoscaling", "version": "v1", "kind": "Scale"},
        })
    };
    json!({"get": operation("get"), "put": operation("put"), "patch": operation("patch")})
}

fn parameters(names: &[&str]) -> Value {
    let parameter = |name: &&str| {
        let kind = if *name == "force" { "boolean" } else { "string" };
        json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}})
    };
    names.iter().map(parameter).collect()
}

/// A reference to a definition of the same document.
fn reference(definition: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{definition}")})
}
