//! Applying manifests, the way `kubectl apply --server-side` does.

use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
    discovery::{self, Scope},
};
use serde_json::Value;

/// The field manager of everything applied.
const FIELD_MANAGER: &str = "ringfence";

/// Why a manifest was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The text is not YAML.
    #[error("{file}:{line}:{column}: {message}")]
    Unreadable {
        /// Name of the manifest.
        file: String,
        /// Line, counted from 1.
        line: u64,
        /// Column, counted from 1.
        column: u64,
        /// What is wrong.
        message: String,
    },
    /// An object lacks what every object has.
    #[error("{file}: object {index} has no {field}")]
    Incomplete {
        /// Name of the manifest.
        file: String,
        /// Which object, counted from 1.
        index: usize,
        /// The field it lacks.
        field: &'static str,
    },
    /// The API server knows no such kind.
    #[error("{file}: there is no kind {kind} in {api_version}")]
    UnknownKind {
        /// Name of the manifest.
        file: String,
        /// The kind.
        kind: String,
        /// Its group and version.
        api_version: String,
    },
    /// The API server refused the object.
    #[error("{file}: {object}: {message}")]
    Refused {
        /// Name of the manifest.
        file: String,
        /// Kind and name.
        object: String,
        /// The server's words.
        message: String,
    },
}

/// Reads every object of a manifest; lists are taken apart.
///
/// # Errors
/// [`ApplyError::Unreadable`] with line and column.
pub fn read(file: &str, text: &str) -> Result<Vec<Value>, ApplyError> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|error| unreadable(file, &error))?;
    let parts = |document: Value| match document.get("items") {
        Some(Value::Array(items)) if document["kind"] == "List" => items.clone(),
        _ => vec![document],
    };
    Ok(documents.into_iter().filter(|document| !document.is_null()).flat_map(parts).collect())
}

fn unreadable(file: &str, error: &serde_saphyr::Error) -> ApplyError {
    let place = error.location();
    let words = error.without_snippet().to_string();
    ApplyError::Unreadable {
        file: file.to_owned(),
        line: place.map_or(1, |place| place.line()),
        column: place.map_or(1, |place| place.column()),
        message: words.lines().next().unwrap_or_default().to_owned(),
    }
}

/// Applies every object of a manifest in order; objects without a namespace go to `namespace`.
///
/// # Errors
/// [`ApplyError`] for the first object that cannot be applied; those before it stay.
pub async fn apply(
    client: &Client,
    namespace: &str,
    (file, text): (&str, &str),
) -> Result<Vec<DynamicObject>, ApplyError> {
    let mut applied = Vec::new();
    for (index, object) in read(file, text)?.iter().enumerate() {
        applied.push(apply_object(client, namespace, (file, index + 1), object).await?);
    }
    Ok(applied)
}

/// Applies one object, which is the one of that number, counted from 1, in its file.
///
/// # Errors
/// [`ApplyError`] when it cannot be applied.
pub async fn apply_object(
    client: &Client,
    namespace: &str,
    (file, number): (&str, usize),
    object: &Value,
) -> Result<DynamicObject, ApplyError> {
    let field = |name: &'static str| {
        let found = object.pointer(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        found.map(str::to_owned).ok_or(ApplyError::Incomplete {
            file: file.to_owned(),
            index: number,
            field: name.trim_start_matches('/'),
        })
    };
    let (api_version, kind, name) =
        (field("/apiVersion")?, field("/kind")?, field("/metadata/name")?);
    let unknown = || ApplyError::UnknownKind {
        file: file.to_owned(),
        kind: kind.clone(),
        api_version: api_version.clone(),
    };
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let kind_of = GroupVersionKind::gvk(group, version, &kind);
    let (resource, capabilities) =
        discovery::pinned_kind(client, &kind_of).await.map_err(|_| unknown())?;
    let own = object.pointer("/metadata/namespace").and_then(Value::as_str);
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            Api::namespaced_with(client.clone(), own.unwrap_or(namespace), &resource)
        }
    };
    let refused = |error: kube::Error| ApplyError::Refused {
        file: file.to_owned(),
        object: format!("{kind} {name}"),
        message: words(error),
    };
    let options = PatchParams {
        field_validation: Some(kube::api::ValidationDirective::Strict),
        ..PatchParams::apply(FIELD_MANAGER).force()
    };
    api.patch(&name, &options, &Patch::Apply(object)).await.map_err(refused)
}

fn words(error: kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
