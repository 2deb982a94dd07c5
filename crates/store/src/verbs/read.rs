//! Get and list.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::List;
use crate::builtin;
use crate::error::ApiError;
use crate::object::Object;
use crate::options::ListOptions;
use crate::resource::{Address, Gvr, Resource, Scope, Subresource};
use crate::selector::Selectors;
use crate::store::Store;

/// Said when a `continue` token is older than what is remembered.
const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.";

/// Where a page ends, inside a `continue` token.
struct Place {
    version: u64,
    namespace: String,
    name: String,
}

impl Store {
    /// One object, or its scale.
    pub fn get(&self, address: &Address) -> Result<Arc<Object>, ApiError> {
        let resource = self.catalogue.get(&address.resource)?;
        let object = self.stored_at(&resource, address)?;
        match address.subresource {
            Subresource::Main | Subresource::Status | Subresource::Finalize => {
                Ok(show(object, &resource))
            }
            Subresource::Scale => crate::scale::of(&resource, &object),
        }
    }

    /// Refuses a version that is none, or that is not reached yet.
    pub fn reach(&self, version: &str) -> Result<(), ApiError> {
        let asked: u64 = version.parse().map_err(|_| ApiError::bad_request(no_version(version)))?;
        let newest = self.resource_version();
        if asked > newest { Err(too_large(asked, newest)) } else { Ok(()) }
    }

    /// Objects of a type, sorted by namespace and name, a page at a time if a limit is given.
    pub fn list(&self, scope: &Scope, options: &ListOptions) -> Result<List, ApiError> {
        let resource = self.catalogue.get(&scope.resource)?;
        check_fields(&resource, &options.selectors)?;
        let place = options.continue_token.as_deref().map(Place::decode).transpose()?;
        let version = self.list_version(options, place.as_ref())?;
        let overlay = self.changed_since(&resource, version, place.is_some())?;
        let selects_all = options.selectors.is_empty();
        let limit = options.limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let mut items: Vec<Arc<Object>> = Vec::new();
        let mut left = 0;
        for object in self.objects_at(scope, &resource, overlay) {
            if place.as_ref().is_some_and(|place| !place.is_before(&object))
                || !(selects_all || options.selectors.matches(object.value()))
            {
                continue;
            }
            if items.len() < limit { items.push(object) } else { left += 1 }
        }
        let token = items.last().filter(|_| left > 0).map(|last| Place::after(last, version));
        let items = items.into_iter().map(|object| show(object, &resource)).collect();
        let remaining = (token.is_some() && selects_all).then_some(left);
        let continue_token = token.map(|place| place.encode());
        Ok(List { items, resource_version: version, continue_token, remaining })
    }

    /// The objects a watch or list selects right now, as stored.
    pub(crate) fn selected<'a>(
        &'a self,
        scope: &'a Scope,
        selectors: &Selectors,
    ) -> impl Iterator<Item = Arc<Object>> {
        let storage = self.catalogue.find(&scope.resource).map(|resource| resource.storage());
        let rack = storage.and_then(|storage| self.racks.get(&storage));
        let namespace = scope.namespace.as_deref();
        rack.into_iter()
            .flat_map(move |rack| rack.within(namespace))
            .filter(|object| selectors.matches(object.value()))
            .cloned()
    }

    /// The object in the version a client asked for.
    pub(crate) fn in_version(&self, object: &Arc<Object>, gvr: &Gvr) -> Arc<Object> {
        match self.catalogue.find(gvr) {
            Some(resource) => show(Arc::clone(object), resource),
            None => Arc::clone(object),
        }
    }

    /// The stored object an address names; 404 if there is none.
    pub(crate) fn stored_at(
        &self,
        resource: &Resource,
        address: &Address,
    ) -> Result<Arc<Object>, ApiError> {
        self.found(&resource.storage(), address.namespace_key(), &address.name)
            .cloned()
            .ok_or_else(|| ApiError::not_found(&resource.group_resource(), &address.name))
    }

    fn list_version(&self, options: &ListOptions, place: Option<&Place>) -> Result<u64, ApiError> {
        let newest = self.resource_version();
        let asked = options.resource_version.as_deref().unwrap_or_default();
        if let Some(place) = place {
            if !matches!(asked, "" | "0") {
                let why = "specifying resource version is not allowed when using continue";
                return Err(ApiError::bad_request(why));
            }
            return Ok(place.version);
        }
        let Some(text) = options.resource_version.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(newest);
        };
        let asked: u64 = text.parse().map_err(|_| {
            ApiError::bad_request(format!("invalid resource version: {}", no_version(text)))
        })?;
        if asked > newest {
            return Err(too_large(asked, newest));
        }
        let exact = options.resource_version_match.as_deref() == Some("Exact");
        Ok(if exact { asked } else { newest })
    }

    /// What the objects changed after a version were at that version.
    fn changed_since(
        &self,
        resource: &Resource,
        version: u64,
        continuing: bool,
    ) -> Result<Overlay, ApiError> {
        let mut overlay = Overlay::new();
        let storage = resource.storage();
        let Some(rack) = self.racks.get(&storage) else { return Ok(overlay) };
        let Some(changes) = rack.log.after(version) else {
            let oldest = rack.log.forgotten();
            let too_old = ApiError::too_old(version, oldest);
            return Err(if continuing { ApiError::expired(CONTINUE_EXPIRED) } else { too_old });
        };
        for logged in changes {
            let key = (logged.now.namespace().to_owned(), logged.now.name().to_owned());
            overlay.entry(key).or_insert_with(|| logged.before.clone());
        }
        Ok(overlay)
    }

    fn objects_at<'a>(
        &'a self,
        scope: &'a Scope,
        resource: &Resource,
        overlay: Overlay,
    ) -> Box<dyn Iterator<Item = Arc<Object>> + 'a> {
        let namespace = scope.namespace.as_deref();
        let Some(rack) = self.racks.get(&resource.storage()) else {
            return Box::new(std::iter::empty());
        };
        if overlay.is_empty() {
            return Box::new(rack.within(namespace).cloned());
        }
        let key = |object: &Arc<Object>| (object.namespace().to_owned(), object.name().to_owned());
        let mut all: BTreeMap<_, _> =
            rack.within(namespace).map(|object| (key(object), Arc::clone(object))).collect();
        for (key, before) in overlay {
            match before {
                Some(object) if namespace.is_none_or(|wanted| wanted == key.0) => {
                    all.insert(key, object);
                }
                _ => {
                    all.remove(&key);
                }
            }
        }
        Box::new(all.into_values())
    }
}

/// A stored object in a resource's version.
pub(crate) fn show(object: Arc<Object>, resource: &Resource) -> Arc<Object> {
    if resource.is_stored() {
        return object;
    }
    let value = builtin::convert::from_storage(object.value().clone(), resource);
    Arc::new(Object::new(value, object.resource_version()))
}

type Overlay = BTreeMap<(String, String), Option<Arc<Object>>>;

fn too_large(asked: u64, newest: u64) -> ApiError {
    let message = format!("Timeout: Too large resource version: {asked}, current: {newest}");
    let mut error = ApiError::new(504, "Timeout", message);
    error.details.causes.push(crate::error::Cause {
        reason: "ResourceVersionTooLarge".into(),
        message: "Too large resource version".into(),
        field: String::new(),
    });
    error.retry_after_seconds = 1;
    error
}

/// Says that a text is no resource version.
pub fn no_version(text: &str) -> String {
    format!(
        "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
    )
}

/// Refuses a field selector on a field that the kind does not offer.
pub(crate) fn check_fields(resource: &Resource, selectors: &Selectors) -> Result<(), ApiError> {
    let bad = selectors.fields.paths().find(|path| !builtin::fields::is_selectable(resource, path));
    let Some(bad) = bad else { return Ok(()) };
    if builtin::fields::has_own(resource) {
        return Err(ApiError::bad_request(format!("field label not supported: {bad}")));
    }
    Err(ApiError::bad_request(format!(
        "{bad:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
    )))
}

impl Place {
    fn after(object: &Object, version: u64) -> Self {
        let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
        Self { version, namespace, name }
    }

    fn is_before(&self, object: &Object) -> bool {
        (self.namespace.as_str(), self.name.as_str()) < (object.namespace(), object.name())
    }

    fn encode(&self) -> String {
        let token = json!({ "v": "meta.k8s.io/v1", "rv": self.version, "ns": self.namespace, "start": self.name });
        URL_SAFE_NO_PAD.encode(token.to_string())
    }

    fn decode(token: &str) -> Result<Self, ApiError> {
        let refuse = |why: &str| {
            let message = format!("invalid continue token: continue key is not valid: {why}");
            ApiError::bad_request(message)
        };
        let bad = || refuse("it has no place");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| refuse(&error.to_string()))?;
        let value = crate::json::parse(&bytes).map_err(|error| refuse(&error.message))?.value;
        if value["v"] != "meta.k8s.io/v1" {
            let version = value["v"].as_str().unwrap_or_default();
            return Err(refuse(&format!(
                "server does not recognize this encoded version {version}"
            )));
        }
        let text = |key: &str| value[key].as_str().map(str::to_owned).ok_or_else(bad);
        let version = value["rv"].as_u64().ok_or_else(bad)?;
        Ok(Self { version, namespace: text("ns")?, name: text("start")? })
    }
}
