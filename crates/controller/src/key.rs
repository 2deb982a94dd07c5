//! Naming what is reconciled.

use std::fmt;
use vocab::ObjectRef;

/// A namespaced name; `namespace` is empty for cluster-scoped objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// Namespace, or empty.
    pub(crate) namespace: String,
    /// Object name.
    pub(crate) name: String,
}

impl Name {
    /// Names an object by its two parts.
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl From<&ObjectRef> for Name {
    fn from(object: &ObjectRef) -> Self {
        Self::new(&object.namespace, &object.name)
    }
}

/// One object that a planner decides about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A Rollout.
    Rollout(Name),
    /// An AnalysisRun.
    Run(Name),
    /// An Experiment.
    Experiment(Name),
}

impl Key {
    /// The object behind the key.
    pub(crate) fn object(&self) -> ObjectRef {
        let (kind, name) = match self {
            Self::Rollout(name) => ("Rollout", name),
            Self::Run(name) => ("AnalysisRun", name),
            Self::Experiment(name) => ("Experiment", name),
        };
        ObjectRef::new(api::argo::API_VERSION, kind, &name.namespace, &name.name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object().fmt(f)
    }
}
