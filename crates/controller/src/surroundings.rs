//! What a controller knows of where it runs: its own namespace, and what its environment tells.
//!
//! **Invariant.** The environment is read once, at the start, and no `Debug` output holds a value of it.

use providers::VARIABLES;
use std::{collections::BTreeMap, fmt};

/// Upstream's namespace, where nothing says which it is.
const USUAL_NAMESPACE: &str = "argo-rollouts";

/// Where a controller runs.
#[derive(Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// The controller's own namespace, which holds the Secrets of its metric providers.
    pub namespace: String,
    variables: BTreeMap<String, String>,
}

impl Surroundings {
    /// In `namespace`, with what the process's environment tells metric providers.
    pub fn of_process(namespace: &str) -> Self {
        let set = VARIABLES.iter().filter_map(|name| Some((*name, std::env::var(name).ok()?)));
        let variables = set.map(|(name, value)| (name.to_owned(), value)).collect();
        Self { namespace: namespace.to_owned(), variables }
    }

    /// In `namespace`, with an empty environment.
    pub fn in_namespace(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), variables: BTreeMap::new() }
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

/// In upstream's namespace, with an empty environment.
impl Default for Surroundings {
    fn default() -> Self {
        Self::in_namespace(USUAL_NAMESPACE)
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.variables.keys().collect();
        f.debug_struct("Surroundings")
            .field("namespace", &self.namespace)
            .field("variables", &names)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_printed() {
        let variables = BTreeMap::from([("DD_API_KEY".to_owned(), "s3cr3t".to_owned())]);
        let here = Surroundings { variables, ..Surroundings::default() };
        assert_eq!(here.variable("DD_API_KEY"), Some("s3cr3t"));
        let printed = format!("{here:?}");
        assert!(printed.contains("DD_API_KEY") && !printed.contains("s3cr3t"), "{printed}");
    }
}
