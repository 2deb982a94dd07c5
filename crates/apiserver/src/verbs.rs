//! The verbs of the resource API: parse, call the store, shape the answer.

use crate::body;
use crate::hub::Hub;
use crate::negotiate::{self, PatchFormat, Shape};
use crate::options::Kind;
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
    Address, ApiError, Deleted, Gvr, Object, Patch, Resource, Scope, Subresource, WriteOptions,
    Written,
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
        if self.target.watches {
            return self.list();
        }
        let shape = self.shape()?;
        if let Some(version) = self.query.get("resourceVersion") {
            let reached = self.hub.read().reach(version);
            reached.map_err(|error| match error.code {
                400 => ApiError::unnamed(error.message),
                _ => error,
            })?;
        }
        let object = self.hub.read().get(&self.address()?)?;
        Ok(shape::one(&self.hub, &self.resource, shape, StatusCode::OK, &object))
    }

    fn list(&self) -> Result<Response<Body>, ApiError> {
        let shape = self.shape()?;
        let scope = self.scope();
        if self.watches() {
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
        let (value, options) = self.document(body, Kind::Create).await?;
        let scope = self.scope();
        let written = self.hub.write(|store, now| store.create(&scope, value, &options, now))?;
        Ok(self.written(shape, &written))
    }

    async fn update(self, body: Body) -> Result<Response<Body>, ApiError> {
        let shape = self.shape()?;
        let (value, options) = self.document(body, Kind::Update).await?;
        let address = self.address()?;
        let written = self.hub.write(|store, now| store.update(&address, value, &options, now))?;
        Ok(self.written(shape, &written))
    }

    async fn patch(self, body: Body) -> Result<Response<Body>, ApiError> {
        let shape = self.shape()?;
        let format =
            negotiate::patch_format(&self.parts.headers).map_err(|_| respond::no_such_patch())?;
        let kind = if format == PatchFormat::Apply { Kind::Apply } else { Kind::Patch };
        let mut options = self.query.write(self.agent(), kind)?;
        let bytes = body::read(&self.parts.headers, body).await?;
        let document = body::patch(format, &bytes)?;
        let patch = match format {
            PatchFormat::Json => Patch::Json(document.value),
            PatchFormat::Merge => Patch::Merge(document.value),
            PatchFormat::Strategic => Patch::Strategic(document.value),
            PatchFormat::Apply => Patch::Apply(document.value),
        };
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
            // Pods end gracefully, even at once.
            Deleted::Gone(object) if self.resource.plural == "pods" => {
                shape::one(&self.hub, &self.resource, shape, StatusCode::OK, &object)
            }
            Deleted::Gone(object) => respond::value(&self.gone(&object)),
        })
    }

    fn gone(&self, object: &Object) -> Value {
        let mut details = json!({
            "name": object.name(), "kind": self.resource.plural, "uid": object.uid(),
        });
        if !self.resource.group.is_empty() {
            details["group"] = json!(self.resource.group);
        }
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": details,
        })
    }

    async fn delete_collection(self, body: Body) -> Result<Response<Body>, ApiError> {
        if !self.resource.verbs.contains(&"deletecollection") {
            return Err(ApiError::method_not_allowed());
        }
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

    fn watches(&self) -> bool {
        self.query.is_watch() || self.target.watches
    }

    fn shape(&self) -> Result<Shape, ApiError> {
        if !negotiate::takes_known_format(&self.parts.headers) {
            return Err(respond::no_such_format());
        }
        let shape = negotiate::shape(&self.parts.headers, self.query.include())
            .map_err(|_| respond::not_acceptable())?;
        if let (Shape::Table(_), Some(problem)) = (shape, self.query.unknown_include()) {
            let why = format!("Unable to convert to Table as requested: {problem}");
            return Err(ApiError::bad_request(why));
        }
        Ok(shape)
    }

    pub(crate) fn agent(&self) -> &str {
        let agent = self.parts.headers.get(USER_AGENT);
        agent.and_then(|agent| agent.to_str().ok()).unwrap_or_default()
    }

    async fn document(&self, body: Body, kind: Kind) -> Result<(Value, WriteOptions), ApiError> {
        let mut options = self.query.write(self.agent(), kind)?;
        let bytes = body::read(&self.parts.headers, body).await?;
        let expected = match self.target.subresource.as_deref() {
            Some("scale") => "Scale",
            _ => &self.resource.kind,
        };
        let document = body::object(&self.parts.headers, &bytes, expected)?;
        options.duplicates = document.duplicates;
        Ok((document.value, options))
    }

    /// The options in a delete's body; null when there is no body.
    async fn options(&self, body: Body) -> Result<Value, ApiError> {
        let bytes = body::read(&self.parts.headers, body).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        let unreadable = |error: ApiError| {
            let why = format!("couldn't get version/kind; json parse error: {}", error.message);
            ApiError::bad_request(why)
        };
        let document = body::document(&self.parts.headers, &bytes);
        Ok(document
            .map_err(|error| if error.code == 400 { unreadable(error) } else { error })?
            .value)
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
