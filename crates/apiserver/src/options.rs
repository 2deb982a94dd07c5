//! The rules on the options of a request; a broken one names its field as one of an object would be.

use serde_json::{Value, json};
use store::{ApiError, FieldProblem};

/// The longest name of a field manager.
const MANAGER_MAX: usize = 128;

/// Whose options they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Create,
    Update,
    Patch,
    Apply,
    Delete,
    List,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Create => "CreateOptions",
            Self::Update => "UpdateOptions",
            Self::Patch | Self::Apply => "PatchOptions",
            Self::Delete => "DeleteOptions",
            Self::List => "ListOptions",
        }
    }

    /// Refuses the options if there are problems.
    pub(crate) fn check(self, problems: &[FieldProblem]) -> Result<(), ApiError> {
        if problems.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid("meta.k8s.io", self.word(), "", problems))
    }
}

/// The rules on who writes.
pub(crate) fn manager(name: &str) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    if name.len() > MANAGER_MAX {
        problems.push(FieldProblem::too_long("fieldManager", 128));
    }
    let bad = name.char_indices().find(|(_, character)| character.is_control());
    if let Some((at, character)) = bad {
        let why = format!("invalid character U+{:04X} (at position {at})", u32::from(character));
        problems.push(FieldProblem::invalid("fieldManager", json!(name), why));
    }
    problems
}

/// The rule on words of which only some are known.
pub(crate) fn one_of(field: &str, given: Value, known: &[&str]) -> FieldProblem {
    FieldProblem::not_supported(field, given, known.iter().copied())
}
