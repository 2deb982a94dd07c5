//! Functions that change labels.

use super::QueryError;
use super::value::Element;
use crate::labels::is_label_name;
use regex::Regex;

/// What `label_replace` is told.
pub(super) struct Replacement {
    pub(super) target: String,
    pub(super) template: String,
    pub(super) source: String,
    pub(super) pattern: String,
}

impl Replacement {
    pub(super) fn apply(&self, elements: Vec<Element>) -> Result<Vec<Element>, QueryError> {
        let pattern = Regex::new(&format!("^(?s:{})$", self.pattern)).map_err(|_| {
            let pattern = &self.pattern;
            QueryError::failed(format!("invalid regular expression in label_replace(): {pattern}"))
        })?;
        check_name(&self.target, "destination label name", "label_replace")?;
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

pub(super) fn join(
    elements: Vec<Element>,
    target: &str,
    separator: &str,
    sources: &[String],
) -> Result<Vec<Element>, QueryError> {
    for source in sources {
        check_name(source, "source label name", "label_join")?;
    }
    check_name(target, "destination label name", "label_join")?;
    let changed = elements.into_iter().map(|mut element| {
        let values: Vec<_> = sources.iter().map(|source| element.labels.get(source)).collect();
        let mut labels = element.labels.edit();
        labels.set(target, values.join(separator));
        element.labels = labels.finish();
        element
    });
    Ok(changed.collect())
}

fn check_name(name: &str, what: &str, function: &str) -> Result<(), QueryError> {
    if is_label_name(name) {
        return Ok(());
    }
    Err(QueryError::failed(format!("invalid {what} in {function}(): {name}")))
}
