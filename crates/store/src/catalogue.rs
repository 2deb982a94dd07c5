//! Which resource types exist right now: the built-in ones and those that definitions add.
//!
//! Nothing here holds objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::builtin;
use crate::error::ApiError;
use crate::resource::{GroupResource, Gvr, Resource};

/// All resource types by group, version and plural.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    by_gvr: BTreeMap<Gvr, Arc<Resource>>,
}

impl Catalogue {
    pub(crate) fn built_in() -> Self {
        let entries = builtin::kinds::resources().into_iter();
        Self { by_gvr: entries.map(|one| (one.gvr(), Arc::new(one))).collect() }
    }

    pub(crate) fn find(&self, gvr: &Gvr) -> Option<&Arc<Resource>> {
        self.by_gvr.get(gvr)
    }

    pub(crate) fn get(&self, gvr: &Gvr) -> Result<Arc<Resource>, ApiError> {
        self.find(gvr).cloned().ok_or_else(ApiError::no_such_resource)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.by_gvr.values()
    }

    /// The resource in the version its objects are kept in.
    pub(crate) fn stored(&self, key: &GroupResource) -> Option<&Arc<Resource>> {
        self.all()
            .find(|one| one.plural == key.resource && one.group == key.group && one.is_stored())
    }

    pub(crate) fn insert(&mut self, resource: Resource) {
        self.by_gvr.insert(resource.gvr(), Arc::new(resource));
    }

    /// Forgets every version of a resource.
    pub(crate) fn remove(&mut self, key: &GroupResource) {
        self.by_gvr.retain(|gvr, _| gvr.group != key.group || gvr.resource != key.resource);
    }
}
