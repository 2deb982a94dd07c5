//! Replace, of an object or a subresource.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Written;
use super::create::{check_kind, check_namespace};
use super::read::show;
use super::write::{Draft, Ownership};
use crate::error::{ApiError, FieldProblem};
use crate::object::{Object, meta_str, metadata_mut};
use crate::options::WriteOptions;
use crate::resource::{Address, Origin, Resource, Subresource};
use crate::scale;
use crate::store::Store;

impl Store {
    /// Replaces an object, or its status or scale.
    pub fn update(
        &mut self,
        address: &Address,
        mut body: Value,
        options: &WriteOptions,
        now: Timestamp,
    ) -> Result<Written, ApiError> {
        let resource = self.catalogue.get(&address.resource)?;
        let old = self.current(&resource, address)?;
        let mut ownership = Ownership::Changed;
        if address.subresource == Subresource::Scale {
            check_scale(&body)?;
            check_name(address, &mut body)?;
            body = scale::applied(&resource, old.value(), &body)?;
            ownership = Ownership::Dropped;
        } else {
            check_kind(&resource, &mut body)?;
            check_namespace(&resource, address.namespace.as_deref(), &mut body)?;
            check_name(address, &mut body)?;
            check_version(&resource, address, &body)?;
        }
        let subresource = address.subresource;
        let (old, new) = (Some(old), body);
        self.replace(Draft { resource, subresource, old, new, options, ownership, now })
    }

    /// The object an address names, in the version asked for.
    pub(crate) fn current(
        &self,
        resource: &Resource,
        address: &Address,
    ) -> Result<Arc<Object>, ApiError> {
        if address.subresource == Subresource::Status && !resource.subresources.status {
            return Err(ApiError::no_such_resource());
        }
        Ok(show(self.stored_at(resource, address)?, resource))
    }

    /// Writes a changed object; a scale is answered as a scale.
    pub(crate) fn replace(&mut self, draft: Draft<'_>) -> Result<Written, ApiError> {
        let (resource, subresource) = (Arc::clone(&draft.resource), draft.subresource);
        let mut written = self.finish(draft)?;
        if subresource == Subresource::Scale {
            written.object = scale::of(&resource, &written.object)?;
        }
        Ok(written)
    }
}

/// Some kinds are only replaced by who says which version is replaced.
fn check_version(resource: &Resource, address: &Address, body: &Value) -> Result<(), ApiError> {
    if !matches!(meta_str(body, "resourceVersion"), "" | "0") || !needs_version(resource) {
        return Ok(());
    }
    let why = "must be specified for an update";
    let problem = FieldProblem::invalid("metadata.resourceVersion", json!(0), why);
    let plural = &resource.plural;
    Err(ApiError::invalid(&resource.group, plural, &address.name, &[problem]))
}

/// Whether an update must say which version it changes.
fn needs_version(resource: &Resource) -> bool {
    const KINDS: [&str; 8] = [
        "customresourcedefinitions",
        "leases",
        "mutatingwebhookconfigurations",
        "poddisruptionbudgets",
        "runtimeclasses",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "validatingwebhookconfigurations",
    ];
    resource.origin == Origin::Custom || KINDS.contains(&resource.plural.as_str())
}

/// Makes sure a body is a scale.
fn check_scale(body: &Value) -> Result<(), ApiError> {
    let Some(kind) = body["kind"].as_str().filter(|kind| *kind != "Scale") else { return Ok(()) };
    let version = body["apiVersion"].as_str().unwrap_or_default();
    let version = version.rsplit('/').next().unwrap_or_default();
    Err(ApiError::bad_request(format!(
        "{kind} in version {version:?} cannot be handled as a Scale: converting ({version}.{kind}) to (autoscaling.Scale): unknown conversion"
    )))
}

/// Makes sure a body has the name its address says.
pub(crate) fn check_name(address: &Address, body: &mut Value) -> Result<(), ApiError> {
    let said = meta_str(body, "name");
    if !said.is_empty() && said != address.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({said}) does not match the name on the URL ({})",
            address.name
        )));
    }
    metadata_mut(body).insert("name".into(), json!(address.name));
    Ok(())
}
