//! Functions that change labels.

use super::value::Element;
use super::{Generation, QueryError};
use crate::labels::is_label_name;
use regex::Regex;

/// Which texts may name a label.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names(pub(super) Generation);

impl Names {
    pub(super) fn allow(self, name: &str) -> bool {
        match self.0 {
            Generation::V2 => is_label_name(name),
            Generation::V3 => !name.is_empty(),
        }
    }
}

/// What `label_replace` is told.
pub(super) struct Replacement {
    pub(super) target: String,
    pub(super) template: String,
    pub(super) source: String,
    pub(super) pattern: String,
}

impl Replacement {
    pub(super) fn apply(
        &self,
        names: Names,
        elements: Vec<Element>,
    ) -> Result<Vec<Element>, QueryError> {
        let pattern = Regex::new(&format!("^(?s:{})$", self.pattern)).map_err(|_| {
            let pattern = &self.pattern;
            QueryError::failed(format!("invalid regular expression in label_replace(): {pattern}"))
        })?;
        check_name(names, &self.target, "destination label name in label_replace")?;
        let changed = elements.into_iter().map(|mut element| {
            if let Some(found) = pattern.captures(element.labels.get(&self.source)) {
                let mut value = String::new();
                found.expand(&self.template, &mut value);
                let mut labels = element.labels.edit();
                labels.set(self.target.as_str(), value);
                element.labels = labels.finish();
            }
            element
        });
        Ok(changed.collect())
    }
}

/// What `label_join` is told.
pub(super) struct Join {
    pub(super) target: String,
    pub(super) separator: String,
    pub(super) sources: Vec<String>,
}

pub(super) fn join(
    names: Names,
    elements: Vec<Element>,
    Join { target, separator, sources }: &Join,
) -> Result<Vec<Element>, QueryError> {
    for source in sources {
        check_name(names, source, "source label name in label_join")?;
    }
    check_name(names, target, "destination label name in label_join")?;
    let changed = elements.into_iter().map(|mut element| {
        let values: Vec<_> = sources.iter().map(|source| element.labels.get(source)).collect();
        let mut labels = element.labels.edit();
        labels.set(target.as_str(), values.join(separator));
        element.labels = labels.finish();
        element
    });
    Ok(changed.collect())
}

fn check_name(names: Names, name: &str, place: &str) -> Result<(), QueryError> {
    if names.allow(name) {
        return Ok(());
    }
    let (what, function) = place.split_once(" in ").unwrap_or((place, "query"));
    Err(QueryError::failed(format!("invalid {what} in {function}(): {name}")))
}
