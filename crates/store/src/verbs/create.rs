//! Create.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Written;
use super::write::{Draft, Ownership};
use crate::error::{ApiError, FieldProblem};
use crate::object::{is_deleting, meta_str, metadata_mut};
use crate::options::WriteOptions;
use crate::resource::{GroupResource, Origin, Resource, Scope, Subresource};
use crate::store::Store;

/// The longest name `generateName` makes, suffix included.
const GENERATED_NAME_LIMIT: usize = 63;
/// How often a generated name that is taken is tried anew.
const NAME_ATTEMPTS: usize = 8;
/// How much of a body is shown to tell it.
const SUMMARY_LENGTH: usize = 30;
/// Letters the suffix of a generated name takes.
const SUFFIX_LENGTH: usize = 5;

impl Store {
    /// Makes a new object.
    pub fn create(
        &mut self,
        scope: &Scope,
        mut body: Value,
        options: &WriteOptions,
        now: Timestamp,
    ) -> Result<Written, ApiError> {
        let resource = self.catalogue.get(&scope.resource)?;
        check_kind(&resource, &mut body)?;
        check_namespace(&resource, scope.namespace.as_deref(), &mut body)?;
        let ownership = Ownership::Changed;
        let subresource = Subresource::Main;
        self.finish(Draft { resource, subresource, old: None, new: body, options, ownership, now })
    }

    /// The last check of a new object: nothing of its name is there.
    pub(crate) fn check_absent(&self, resource: &Resource, body: &Value) -> Result<(), ApiError> {
        let (namespace, name) = (meta_str(body, "namespace"), meta_str(body, "name"));
        if let Some(there) = self.found(&resource.storage(), namespace, name) {
            let mut error = ApiError::already_exists(&resource.group_resource(), name);
            if is_deleting(there.value()) {
                error.message = format!("object is being deleted: {}", error.message);
            }
            return Err(error);
        }
        Ok(())
    }

    /// Makes a name where only its beginning was given.
    pub(crate) fn name_it(&mut self, resource: &Resource, body: &mut Value) {
        let base = meta_str(body, "generateName");
        if !meta_str(body, "name").is_empty() || base.is_empty() {
            return;
        }
        let kept = base.floor_char_boundary(GENERATED_NAME_LIMIT - SUFFIX_LENGTH);
        let (base, namespace) = (base[..kept].to_owned(), meta_str(body, "namespace"));
        let key = resource.storage();
        let mut name = format!("{base}{}", self.generator.suffix());
        for _ in 0..NAME_ATTEMPTS {
            if self.found(&key, namespace, &name).is_none() {
                break;
            }
            name = format!("{base}{}", self.generator.suffix());
        }
        metadata_mut(body).insert("name".into(), json!(name));
    }

    /// A new object needs a namespace that is there and stays.
    pub(crate) fn check_room(&self, resource: &Resource, body: &Value) -> Result<(), ApiError> {
        let (ns, name) = (meta_str(body, "namespace"), meta_str(body, "name"));
        if !resource.is_namespaced() {
            return Ok(());
        }
        let namespaces = GroupResource::new("", "namespaces");
        let Some(namespace) = self.found(&namespaces, "", ns) else {
            return Err(ApiError::not_found(&namespaces, ns));
        };
        if !is_deleting(namespace.value()) {
            return Ok(());
        }
        let why = format!(
            "unable to create new content in namespace {ns} because it is being terminated"
        );
        let mut error = ApiError::forbidden(&resource.group_resource(), name, &why);
        error.details.causes.push(crate::error::Cause {
            reason: "NamespaceTerminating".into(),
            message: format!("namespace {ns} is being terminated"),
            field: "metadata.namespace".into(),
        });
        Err(error)
    }
}

/// Makes sure a body is of the kind its address says; fills the kind in when it is absent.
pub(crate) fn check_kind(resource: &Resource, body: &mut Value) -> Result<(), ApiError> {
    if !body.is_object() {
        return Err(ApiError::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            resource.kind,
            resource.version,
            resource.kind,
            crate::schema::decode::go_kind(body),
        )));
    }
    let expected = resource.api_version();
    if resource.origin == Origin::Custom {
        return check_custom_kind(resource, body, &expected);
    }
    let (kind, version) = (body["kind"].as_str(), body["apiVersion"].as_str());
    if let Some(kind) = kind.filter(|kind| !kind.is_empty() && *kind != resource.kind) {
        let said = version.unwrap_or(&expected);
        return Err(other_kind(resource, kind, said, body));
    }
    if let Some(version) = version.filter(|version| !version.is_empty() && *version != expected) {
        return Err(other_kind(resource, &resource.kind, version, body));
    }
    body["kind"] = json!(resource.kind);
    body["apiVersion"] = json!(expected);
    Ok(())
}

/// A custom object says itself what it is.
fn check_custom_kind(resource: &Resource, body: &Value, expected: &str) -> Result<(), ApiError> {
    let text = |key: &str| body[key].as_str().unwrap_or_default();
    let (kind, version) = (text("kind"), text("apiVersion"));
    if kind.is_empty() {
        let whole = body.to_string();
        let start = &whole[..whole.floor_char_boundary(SUMMARY_LENGTH)];
        return Err(ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing in '{whole}' ({start} ...)",
            resource.kind
        )));
    }
    let metadata = &body["metadata"];
    if !metadata.is_null() && !metadata.is_object() {
        let found = crate::schema::decode::go_kind(metadata);
        return Err(ApiError::bad_request(format!(
            "{kind} in version {:?} cannot be handled as a {}: json: cannot unmarshal {found} into Go value of type v1.ObjectMeta",
            resource.version, resource.kind
        )));
    }
    if version != expected {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        )));
    }
    if kind != resource.kind {
        let why = format!("must be {}", resource.kind);
        let problem = FieldProblem::invalid("kind", json!(kind), why);
        let name = meta_str(body, "name");
        return Err(ApiError::invalid(&resource.group, kind, name, &[problem]));
    }
    Ok(())
}

/// Why a body cannot even be read as the kind it says it is.
fn unread(api_version: &str, kind: &str, body: &Value) -> Option<String> {
    let schema = crate::builtin::kinds::schema(api_version, kind)?;
    crate::schema::decode::mistyped(&schema, body)
}

/// A body of another kind or version; known kinds cannot be converted, others are not known.
fn other_kind(resource: &Resource, kind: &str, api_version: &str, body: &Value) -> ApiError {
    let short = |api_version: &str| {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let first = group.split('.').next().unwrap_or_default().to_owned();
        (if first.is_empty() { "core".to_owned() } else { first }, version.to_owned())
    };
    let (_, version) = short(api_version);
    let (group, _) = short(&resource.api_version());
    let known = crate::builtin::kinds::is_known(api_version, kind);
    let why = if let Some(why) = unread(api_version, kind, body) {
        why
    } else if known {
        format!("converting ({version}.{kind}) to ({group}.{}): unknown conversion", resource.kind)
    } else {
        crate::error::unregistered(kind, api_version)
    };
    ApiError::bad_request(format!(
        "{kind} in version {version:?} cannot be handled as a {}: {why}",
        resource.kind
    ))
}

/// Makes sure a body is in the namespace its address says; fills the namespace in when it is absent.
pub(crate) fn check_namespace(
    resource: &Resource,
    namespace: Option<&str>,
    body: &mut Value,
) -> Result<(), ApiError> {
    let said = meta_str(body, "namespace");
    if !resource.is_namespaced() {
        metadata_mut(body).remove("namespace");
        return Ok(());
    }
    let wanted = namespace.unwrap_or("default");
    if !said.is_empty() && said != wanted {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    metadata_mut(body).insert("namespace".into(), json!(wanted));
    Ok(())
}
