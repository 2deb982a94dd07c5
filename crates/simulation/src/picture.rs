//! The objects of a cluster at one moment of a history.

use crate::history::Step;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use store::{EventKind, Object};

/// Plural of the kind, namespace and name.
pub type ObjectKey = (String, String, String);

/// The objects at one moment.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    objects: BTreeMap<ObjectKey, Arc<Object>>,
}

impl Step {
    /// The object's place.
    pub fn key(&self) -> ObjectKey {
        let (namespace, name) = (self.object.namespace().to_owned(), self.object.name().to_owned());
        (self.resource.clone(), namespace, name)
    }

    /// The object after the change; `None` when it is gone.
    pub fn after(&self) -> Option<&Value> {
        (self.kind != EventKind::Deleted).then(|| self.object.value())
    }

    /// A text of the object after the change by JSON pointer.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.after()?.pointer(pointer)?.as_str()
    }
}

impl Picture {
    /// Takes in the next change.
    pub fn apply(&mut self, step: &Step) {
        if step.kind == EventKind::Deleted {
            self.objects.remove(&step.key());
        } else {
            self.objects.insert(step.key(), Arc::clone(&step.object));
        }
    }

    /// One object.
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<&Value> {
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.objects.get(&key).map(|object| object.value())
    }

    /// The object of a step as it was before it.
    pub fn before(&self, step: &Step) -> Option<&Value> {
        self.objects.get(&step.key()).map(|object| object.value())
    }

    /// All objects of a kind.
    pub fn all<'a>(&'a self, resource: &'a str) -> impl Iterator<Item = &'a Value> {
        let from = (resource.to_owned(), String::new(), String::new());
        self.objects
            .range(from..)
            .take_while(move |((of, _, _), _)| of == resource)
            .map(|(_, object)| object.value())
    }

    /// All objects of a kind in a namespace.
    pub fn within<'a>(
        &'a self,
        resource: &'a str,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Value> {
        self.all(resource).filter(move |object| object["metadata"]["namespace"] == namespace)
    }
}
