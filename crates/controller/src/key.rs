//! Naming what is reconciled.

use crate::cache::Kind;
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
    /// Of which kind the object behind the key is.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Rollout(_) => Kind::Rollout,
            Self::Run(_) => Kind::AnalysisRun,
            Self::Experiment(_) => Kind::Experiment,
        }
    }

    /// What the object behind the key is called.
    pub(crate) fn name(&self) -> &Name {
        match self {
            Self::Rollout(name) | Self::Run(name) | Self::Experiment(name) => name,
        }
    }

    /// The object behind the key.
    pub(crate) fn object(&self) -> ObjectRef {
        let Name { namespace, name } = self.name();
        self.kind().reference(namespace, name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object().fmt(f)
    }
}
