//! The verbs of the resource API: parse, call the store, shape the answer.

use crate::body;
use crate::hub::Hub;
use crate::negotiate::{self, PatchFormat, Shape};
use crate::query::Query;
use crate::respond;
use crate::serve::Stopping;
use crate::shape;
use crate::watch::{self, Subject};
use axum::body::Body;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use store::{
    Address, ApiError, Deleted, Gvr, Patch, Resource, Scope, Subresource, WriteOptions, Written,
};

use crate::request::{Target, Verb};

/// One request at one resource, with everything but the body parsed.
pub(crate) struct Request {
    pub(crate) hub: Arc<Hub>,
    pub(crate) resource: Arc<Resource>,
    pub(crate) target: Target,
    pub(crate) parts: Parts,
    pub(crate) query: Query,
}

impl Request {
    /// Carries the request out.
    pub(crate) async fn carry_out(
        self,
        verb: Verb,
        body: Body,
    ) -> Result<Response<Body>, ApiError> {
        match verb {
            Verb::Get => self.get(),
            Verb::List => self.list(),
            Verb::Create => self.create(body).await,
            Verb::Update => self.update(body).await,
            Verb::Patch => self.patch(body).await,
            Verb::Delete => self.delete(body).await,
            Verb::DeleteCollection => self.delete_collection(body).await,
        }
    }

    fn get(&self) -> Result<Response<Body>, ApiError> {
        if self.query.is_watch() {
            return self.list();
        }
        let shape = self.shape()?;
        let object = self.hub.read().get(&self.address()?)?;
        Ok(shape::one(&self.hub, &self.resource, shape, StatusCode::OK, &object))
    }

    fn list(&self) -> Result<Response<Body>, ApiError> {
        let shape = self.shape()?;
        let scope = self.scope();
        if self.query.is_watch() {
            let options = self.query.watch(self.target.name.as_deref())?;
            let stopping = self.parts.extensions.get::<Stopping>();
            let stop =
                stopping.map_or_else(|| self.hub.shutdown.clone(), |stopping| stopping.0.clone());
            let subject = Subject { resource: &self.resource, scope: &scope, shape, stop };
            let body = watch::start(&self.hub, subject, &options)?;
            let mut response = Response::new(body);
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            return Ok(response);
        }
        let list = self.hub.read().list(&scope, &self.query.list()?)?;
        Ok(shape::list(&self.hub, &self.resource, shape, &list))
    }

    async fn create(self, body: Body) -> Result<Response<Body>, ApiError> {
        if self.target.subresource.is_some() {
            return Err(ApiError::method_not_allowed());
        }
        let shape = self.shape()?;
        let (value, options) = self.document(body).await?;
        let scope = self.scope();
        let written = self.hub.write(|store, now| store.create(&scope, value, &options, now))?;
        Ok(self.written(shape, &written))
    }

    async fn update(self, body: Body) -> Result<Response<Body>, ApiError> {
        let shape = self.shape()?;
        let (value, options) = self.document(body).await?;
        let address = self.address()?;
        let written = self.hub.write(|store, now| store.update(&address, value, &options, now))?;
        Ok(self.written(shape, &written))
    }

    async fn patch(self, body: Body) -> Result<Response<Body>, ApiError> {
        let shape = self.shape()?;
        let format = negotiate::patch_format(&self.parts.headers)
            .map_err(|_| respond::unsupported_media_type(PATCHES))?;
        let bytes = body::read(&self.parts.headers, body).await?;
        let document = match format {
            PatchFormat::Apply => body::yaml(&bytes)?,
            _ => body::json(&bytes)?,
        };
        let patch = match format {
            PatchFormat::Json => Patch::Json(document.value),
            PatchFormat::Merge => Patch::Merge(document.value),
            PatchFormat::Strategic => Patch::Strategic(document.value),
            PatchFormat::Apply => Patch::Apply(document.value),
        };
        let mut options = self.query.write(self.agent())?;
        if format == PatchFormat::Apply && self.query.get("fieldManager").is_none() {
            return Err(ApiError::bad_request("fieldManager is required for apply patch"));
        }
        options.duplicates = document.duplicates;
        let address = self.address()?;
        let written = self.hub.write(|store, now| store.patch(&address, patch, &options, now))?;
        Ok(self.written(shape, &written))
    }

    async fn delete(self, body: Body) -> Result<Response<Body>, ApiError> {
        if self.target.subresource.is_some() {
            return Err(ApiError::method_not_allowed());
        }
        let shape = self.shape()?;
        let options = self.query.delete(&self.options(body).await?)?;
        let address = self.address()?;
        let deleted = self.hub.write(|store, now| store.delete(&address, &options, now))?;
        Ok(match deleted {
            Deleted::Marked(object) => {
                shape::one(&self.hub, &self.resource, shape, StatusCode::OK, &object)
            }
            Deleted::Gone(object) => respond::value(&json!({
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": {
                    "name": object.name(),
                    "group": self.resource.group,
                    "kind": self.resource.plural,
                    "uid": object.uid(),
                },
            })),
        })
    }

    async fn delete_collection(self, body: Body) -> Result<Response<Body>, ApiError> {
        let shape = self.shape()?;
        let options = self.query.delete(&self.options(body).await?)?;
        let (scope, selection) = (self.scope(), self.query.list()?);
        let list = self
            .hub
            .write(|store, now| store.delete_collection(&scope, &selection, &options, now))?;
        Ok(shape::list(&self.hub, &self.resource, shape, &list))
    }

    fn written(&self, shape: Shape, written: &Written) -> Response<Body> {
        let code = if written.created { StatusCode::CREATED } else { StatusCode::OK };
        let mut response = shape::one(&self.hub, &self.resource, shape, code, &written.object);
        respond::warn(&mut response, &written.warnings);
        response
    }

    fn shape(&self) -> Result<Shape, ApiError> {
        negotiate::shape(&self.parts.headers, self.query.include())
            .map_err(|_| respond::not_acceptable())
    }

    fn agent(&self) -> &str {
        let agent = self.parts.headers.get(USER_AGENT);
        agent.and_then(|agent| agent.to_str().ok()).unwrap_or_default()
    }

    async fn document(&self, body: Body) -> Result<(Value, WriteOptions), ApiError> {
        let mut options = self.query.write(self.agent())?;
        let bytes = body::read(&self.parts.headers, body).await?;
        let document = body::document(&self.parts.headers, &bytes)?;
        options.duplicates = document.duplicates;
        Ok((document.value, options))
    }

    /// The options in a delete's body; null when there is no body.
    async fn options(&self, body: Body) -> Result<Value, ApiError> {
        let bytes = body::read(&self.parts.headers, body).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        Ok(body::document(&self.parts.headers, &bytes)?.value)
    }

    fn scope(&self) -> Scope {
        Scope { resource: self.resource.gvr(), namespace: self.target.namespace.clone() }
    }

    fn address(&self) -> Result<Address, ApiError> {
        let name = self.target.name.clone().unwrap_or_default();
        let address = Address::new(self.resource.gvr(), self.target.namespace.as_deref(), name);
        match self.target.subresource.as_deref() {
            None => Ok(address),
            Some("status") if self.resource.subresources.status => {
                Ok(address.at(Subresource::Status))
            }
            Some("scale") if self.resource.subresources.scale.is_some() => {
                Ok(address.at(Subresource::Scale))
            }
            Some(_) => Err(ApiError::no_such_resource()),
        }
    }
}

/// The media types of a PATCH.
const PATCHES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// Finds the resource of a target.
pub(crate) fn resource(hub: &Hub, target: &Target) -> Result<Arc<Resource>, ApiError> {
    let gvr = Gvr::new(target.group.clone(), target.version.clone(), target.resource.clone());
    let found = hub.read().resource(&gvr).cloned().ok_or_else(ApiError::no_such_resource)?;
    let misplaced = target.name.is_some() && found.is_namespaced() != target.namespace.is_some();
    if misplaced || (target.namespace.is_some() && !found.is_namespaced()) {
        return Err(ApiError::no_such_resource());
    }
    Ok(found)
}
