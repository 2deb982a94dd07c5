//! Create.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Written;
use super::write::{Draft, Ownership};
use crate::error::{ApiError, FieldProblem};
use crate::object::{is_deleting, meta_str, metadata_mut};
use crate::options::WriteOptions;
use crate::resource::{GroupResource, Resource, Scope, Subresource};
use crate::store::Store;

/// The longest name `generateName` makes, suffix included.
const GENERATED_NAME_LIMIT: usize = 63;
/// How often a generated name that is taken is tried anew.
const NAME_ATTEMPTS: usize = 8;
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
        self.check_new(&resource, &mut body)?;
        let ownership = Ownership::Changed;
        let subresource = Subresource::Main;
        self.finish(Draft { resource, subresource, old: None, new: body, options, ownership, now })
    }

    /// Names a new object and makes sure there is room for it.
    pub(crate) fn check_new(
        &mut self,
        resource: &Resource,
        body: &mut Value,
    ) -> Result<(), ApiError> {
        if !matches!(meta_str(body, "resourceVersion"), "" | "0") {
            return Err(ApiError::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        self.name_it(resource, body)?;
        let (namespace, name) = (meta_str(body, "namespace"), meta_str(body, "name"));
        self.check_room(resource, namespace, name)?;
        if self.found(&resource.storage(), namespace, name).is_some() {
            return Err(ApiError::already_exists(&resource.group_resource(), name));
        }
        Ok(())
    }

    fn name_it(&mut self, resource: &Resource, body: &mut Value) -> Result<(), ApiError> {
        if !meta_str(body, "name").is_empty() {
            return Ok(());
        }
        let base = meta_str(body, "generateName");
        if base.is_empty() {
            let problem =
                FieldProblem::required("metadata.name", "name or generateName is required");
            return Err(ApiError::invalid(&resource.group, &resource.kind, "", &[problem]));
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
        Ok(())
    }

    fn check_room(&self, resource: &Resource, ns: &str, name: &str) -> Result<(), ApiError> {
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
    let (kind, version) = (body["kind"].as_str(), body["apiVersion"].as_str());
    if let Some(kind) = kind.filter(|kind| !kind.is_empty() && *kind != resource.kind) {
        return Err(ApiError::bad_request(format!(
            "{kind} in version {:?} cannot be handled as a {}: no kind {kind:?} is registered for version {expected:?}",
            version.unwrap_or_default(),
            resource.kind,
        )));
    }
    if let Some(version) = version.filter(|version| !version.is_empty() && *version != expected) {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        )));
    }
    body["kind"] = json!(resource.kind);
    body["apiVersion"] = json!(expected);
    Ok(())
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
