//! Reading manifests, and refusing what no field of our kinds takes.
//!
//! Start with [`read`], then [`check`]. Nothing here asks a cluster.

mod texts;

use crate::Failure;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps as Schema, JSONSchemaPropsOrArray,
    JSONSchemaPropsOrBool,
};
use serde_json::Value;
use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
    sync::LazyLock,
};

/// A file longer than this is no manifest.
const FILE_MAX: u64 = 64 * 1024 * 1024;

/// What Go's YAML reader puts before what its JSON reader says.
const OF_YAML: &str = "error unmarshaling JSON: while decoding JSON: ";

/// One object of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    /// The object.
    pub(crate) object: Value,
    /// Whether the file is JSON throughout; complaints are worded accordingly.
    pub(crate) syntax: Syntax,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    Json,
    Yaml,
}

impl Document {
    /// The group of the object's kind; empty for the core group.
    pub(crate) fn group(&self) -> &str {
        let version = self.object["apiVersion"].as_str().unwrap_or_default();
        version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The object's kind.
    pub(crate) fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }

    /// The object as it is meant: what YAML takes for a boolean or a number is text where a field holds text.
    pub(crate) fn as_meant(&self) -> Value {
        let mut object = self.object.clone();
        if self.syntax == Syntax::Yaml {
            if let Some(schema) = schema_of(self) {
                texts::restore(schema, &mut object);
            }
            texts::restore_metadata(&mut object);
        }
        object
    }

    /// A complaint as upstream words it for files of this syntax.
    pub(crate) fn complaint(&self, words: &str) -> Failure {
        Failure::Wrong(match self.syntax {
            Syntax::Json => words.to_owned(),
            Syntax::Yaml => format!("{OF_YAML}{words}"),
        })
    }
}

/// Every object of a file in order; empty documents are passed over.
///
/// # Errors
/// [`Failure::Wrong`], which names the file, and where it can the line.
pub(crate) fn read(path: &Path) -> Result<Vec<Document>, Failure> {
    let shown = path.display();
    let text = text(path)
        .map_err(|error| Failure::Wrong(format!("open {shown}: {}", in_gos_words(&error))))?;
    let syntax = if text.trim_start().starts_with('{') { Syntax::Json } else { Syntax::Yaml };
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).map_err(|error| {
        let place = error
            .location()
            .map_or_else(String::new, |place| format!("{}:{}: ", place.line(), place.column()));
        let words = error.without_snippet().to_string();
        let first = words.lines().next().unwrap_or_default();
        Failure::Wrong(format!("{shown}:{place}{first}"))
    })?;
    let documents = documents.into_iter().filter(|object| !object.is_null());
    documents.map(|object| named_kind(Document { object, syntax })).collect()
}

/// What is in a file, as far as a manifest can be long.
fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_MAX {
        return Err(io::Error::other(format!("it is longer than {FILE_MAX} bytes")));
    }
    Ok(text)
}

fn in_gos_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => error.to_string(),
    }
}

fn named_kind(document: Document) -> Result<Document, Failure> {
    if document.kind().is_empty() {
        let words = format!("Object 'Kind' is missing in '{}'", document.object);
        return Err(document.complaint(&words));
    }
    Ok(document)
}

/// A field that does not fit the definition of its object's kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// Where it stands.
    pub(crate) path: String,
    /// What is wrong with it.
    pub(crate) fault: Fault,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no such field.
    Unknown,
    /// Its value is of another type than this one.
    Mistyped(String),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leaf = self.path.rsplit('.').next().unwrap_or_default();
        match &self.fault {
            Fault::Unknown => write!(f, "json: unknown field {leaf:?}"),
            Fault::Mistyped(wanted) => {
                write!(f, "json: field {} must be of type {wanted}", self.path)
            }
        }
    }
}

/// Refuses an object of ours that has fields which its kind does not have.
///
/// # Errors
/// [`Failure::Wrong`] with every such field, worded as upstream words the first.
pub(crate) fn check(document: &Document) -> Result<(), Failure> {
    let found: Vec<String> = misfits(document).iter().map(ToString::to_string).collect();
    if found.is_empty() { Ok(()) } else { Err(document.complaint(&found.join(", "))) }
}

/// Every field of an object of ours that does not fit; nothing is known of other kinds.
pub(crate) fn misfits(document: &Document) -> Vec<Misfit> {
    let mut found = Vec::new();
    if let Some(schema) = schema_of(document) {
        compare(schema, &document.as_meant(), "", &mut found);
    }
    found
}

/// What the definition of the object's kind says, if the kind is one of ours.
fn schema_of(document: &Document) -> Option<&'static Schema> {
    static DEFINITIONS: LazyLock<Vec<CustomResourceDefinition>> = LazyLock::new(api::crds);
    let mut definitions = DEFINITIONS.iter().map(|definition| &definition.spec);
    let definition = definitions
        .find(|spec| spec.group == document.group() && spec.names.kind == document.kind())?;
    definition.versions.first()?.schema.as_ref()?.open_api_v3_schema.as_ref()
}

fn compare(schema: &Schema, value: &Value, path: &str, found: &mut Vec<Misfit>) {
    let wanted = schema.type_.as_deref().filter(|wanted| !is_a(value, wanted));
    if let Some(wanted) = wanted {
        let fault = Fault::Mistyped(wanted.to_owned());
        return found.push(Misfit { path: path.to_owned(), fault });
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare_field(schema, (name, value), path, found);
            }
        }
        Value::Array(items) => {
            let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items else { return };
            for (index, item) in items.iter().enumerate() {
                compare(schema, item, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

fn compare_field(
    schema: &Schema,
    (name, value): (&str, &Value),
    path: String,
    found: &mut Vec<Misfit>,
) {
    let known = schema.properties.as_ref().and_then(|properties| properties.get(name));
    let open =
        schema.properties.is_none() || schema.x_kubernetes_preserve_unknown_fields == Some(true);
    match (known, &schema.additional_properties) {
        // A definition names two fields of a template's metadata; all that objects have are taken.
        (Some(known), _) if name == "metadata" => {
            if !value.is_object() && !value.is_null() {
                compare(known, value, &path, found);
            }
        }
        (Some(schema), _) => compare(schema, value, &path, found),
        (None, Some(JSONSchemaPropsOrBool::Schema(schema))) => {
            compare(schema, value, &path, found);
        }
        (None, _) if open => {}
        (None, _) => found.push(Misfit { path, fault: Fault::Unknown }),
    }
}

/// Whether a value is of a schema's type; null is of every type.
fn is_a(value: &Value, wanted: &str) -> bool {
    match (wanted, value) {
        (_, Value::Null)
        | ("object", Value::Object(_))
        | ("array", Value::Array(_))
        | ("string", Value::String(_))
        | ("boolean", Value::Bool(_))
        | ("number", Value::Number(_)) => true,
        ("integer", Value::Number(number)) => {
            number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check_misfits(object: &Value, wanted: &[&str]) {
        let document = Document { object: object.clone(), syntax: Syntax::Yaml };
        let found: Vec<String> = misfits(&document).iter().map(ToString::to_string).collect();
        assert_eq!(found, wanted);
    }

    fn rollout(spec: &Value) -> Value {
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "metadata": { "name": "web", "labels": { "team": "a" } },
            "spec": spec,
        })
    }

    #[test]
    fn what_no_field_takes_is_named_all_of_it() {
        let container = json!({ "name": "app", "image": "a", "imag": "b" });
        let spec = json!({
            "replicas": "five",
            "template": { "metadata": { "name": "x", "creationTimestamp": null }, "spec": { "containers": [container] } },
            "strategies": {},
        });
        let wanted = [
            "json: field spec.replicas must be of type integer",
            "json: unknown field \"imag\"",
            "json: unknown field \"strategies\"",
        ];
        check_misfits(&rollout(&spec), &wanted);
    }

    #[test]
    fn what_a_field_takes_in_several_forms_is_taken() {
        let resources = json!({ "limits": { "cpu": 1, "memory": "1Gi" } });
        let container = json!({ "name": "app", "image": "a", "resources": resources });
        let spec = json!({
            "replicas": 2.0,
            "template": { "spec": { "containers": [container] } },
            "strategy": { "canary": {
                "maxSurge": "25%", "maxUnavailable": 0,
                "steps": [{ "pause": { "duration": 10 } }, { "pause": { "duration": "10s" } }, { "pause": {} }],
                "trafficRouting": { "plugins": { "argoproj-labs/gatewayAPI": { "httpRoute": "web" } } },
            } },
        });
        check_misfits(&rollout(&spec), &[]);
    }

    #[test]
    fn what_yaml_takes_for_a_boolean_or_a_number_is_text_where_a_field_holds_text() {
        let labels = json!({ "app": true, "version": 1.1, "build": 7 });
        let mut object =
            rollout(&json!({ "replicas": 2, "template": { "metadata": { "labels": labels } } }));
        object["metadata"]["labels"] = labels;
        check_misfits(&object, &[]);
        let mut document = Document { object, syntax: Syntax::Yaml };
        let meant = document.as_meant();
        let texts = json!({ "app": "true", "version": "1.1", "build": "7" });
        assert_eq!(meant["metadata"]["labels"], texts);
        assert_eq!(meant["spec"]["template"]["metadata"]["labels"], texts);
        assert_eq!(meant["spec"]["replicas"], 2);
        document.syntax = Syntax::Json;
        assert_eq!(document.as_meant(), document.object, "JSON has no such doubt");
    }

    #[test]
    fn nothing_is_said_of_kinds_that_are_not_ours() {
        check_misfits(&json!({ "apiVersion": "v1", "kind": "Service", "specs": 1 }), &[]);
    }
}
