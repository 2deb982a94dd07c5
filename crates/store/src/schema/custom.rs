//! Judging a custom object: its schema, its replicas, its lists, and then its rules.

use serde_json::Value;

use super::{Schema, cel, collections, validate};
use crate::error::{FieldProblem, ProblemKind};
use crate::resource::{ScalePaths, Subresource};

/// Said where rules were not run because the object is broken already.
const NOT_CHECKED: &str = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

/// A write of a custom object.
pub(crate) struct Judged<'a> {
    pub(crate) subresource: Subresource,
    pub(crate) scale: Option<&'a ScalePaths>,
    pub(crate) old: Option<&'a Value>,
    pub(crate) new: &'a Value,
}

/// Adds the broken rules to those of the metadata.
pub(crate) fn validate(schema: &Schema, judged: &Judged<'_>, problems: &mut Vec<FieldProblem>) {
    let (old, new) = (judged.old, judged.new);
    if judged.subresource == Subresource::Status {
        let status = schema.properties.get("status").filter(|_| new.get("status").is_some());
        if let Some(status) = status {
            let before = old.map(|old| &old["status"]);
            problems.extend(validate::validate_at("status", status, &new["status"], before));
        }
    } else {
        problems.extend(validate::validate(schema, new, old));
    }
    if let Some(paths) = judged.scale {
        if judged.subresource != Subresource::Status {
            problems.extend(bad_count(new, &paths.spec_replicas));
        }
        problems.extend(bad_count(new, &paths.status_replicas));
        problems.extend(paths.selector.as_deref().and_then(|path| bad_selector(new, path)));
    }
    problems.extend(collections::validate_embedded(schema, new));
    if old.is_none_or(|old| collections::validate(schema, old).is_empty()) {
        problems.extend(collections::validate(schema, new));
    }
    if !schema.has_cel {
        return;
    }
    if problems.iter().any(blocks) {
        problems.push(FieldProblem::invalid("", Value::Null, NOT_CHECKED));
    } else {
        problems.extend(cel::validate(schema, new, old));
    }
}

/// Whether rules make no sense on an object with such a problem.
fn blocks(problem: &FieldProblem) -> bool {
    matches!(
        problem.kind,
        ProblemKind::NotSupported
            | ProblemKind::Required
            | ProblemKind::TooLong
            | ProblemKind::TooMany
            | ProblemKind::TypeInvalid
    )
}

/// What is wrong with a number of replicas.
fn bad_count(object: &Value, dotted: &str) -> Option<FieldProblem> {
    let invalid = |count: i64, why: String| Some(FieldProblem::invalid(dotted, count.into(), why));
    match found(object, dotted, "int64", Value::as_i64) {
        Err(why) => invalid(0, why),
        Ok(Some(count)) if count < 0 => {
            invalid(count, "should be a non-negative integer".to_owned())
        }
        Ok(Some(count)) if count > i64::from(i32::MAX) => {
            invalid(count, format!("should be less than or equal to {}", i32::MAX))
        }
        Ok(_) => None,
    }
}

fn bad_selector(object: &Value, dotted: &str) -> Option<FieldProblem> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let why = found(object, dotted, "string", text).err()?;
    Some(FieldProblem::invalid(dotted, Value::from(""), why))
}

/// The value at a path; an error where there is one of another type.
fn found<T>(
    object: &Value,
    dotted: &str,
    wanted: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<Option<T>, String> {
    let dotted = dotted.trim_start_matches('.');
    let wrong = |value: &Value, wanted: &str| {
        let shown = value.as_str().map_or_else(|| go_text(value), str::to_owned);
        format!(
            ".{dotted} accessor error: {shown} is of the type {}, expected {wanted}",
            go_type(value)
        )
    };
    let mut place = object;
    for part in dotted.split('.') {
        if place.is_null() {
            return Ok(None);
        }
        let map = place.as_object().ok_or_else(|| wrong(place, "map[string]interface{}"))?;
        match map.get(part) {
            Some(value) => place = value,
            None => return Ok(None),
        }
    }
    read(place).map(Some).ok_or_else(|| wrong(place, wanted))
}

fn go_text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

/// The type Go gives a value it reads without a schema.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::structural::compile;
    use serde_json::json;

    fn said(old: Option<&Value>, new: &Value) -> Vec<String> {
        let schema = compile(
            &json!({"type": "object", "properties": {
                "spec": {"type": "object", "properties": {
                    "replicas": {"type": "integer"},
                    "mode": {"type": "string", "enum": ["on", "off"]},
                    "other": {"type": "string"},
                }, "x-kubernetes-validations": [{"rule": "self.replicas < 5"}]},
            }}),
            &mut |_| unreachable!(),
        );
        let scale = ScalePaths {
            spec_replicas: ".spec.replicas".into(),
            status_replicas: ".status.replicas".into(),
            selector: None,
        };
        let judged = Judged { subresource: Subresource::Main, scale: Some(&scale), old, new };
        let mut problems = Vec::new();
        validate(&schema, &judged, &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn replicas_are_counts() {
        let wrong = json!({"spec": {"replicas": "3"}});
        let text = ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: 3 is of the type string, expected int64";
        assert_eq!(said(None, &wrong)[1], text);
        let negative = json!({"spec": {"replicas": -1}});
        let text = ".spec.replicas: Invalid value: -1: should be a non-negative integer";
        assert_eq!(said(None, &negative), [text]);
    }

    #[test]
    fn rules_are_not_run_on_what_is_broken() {
        let broken = json!({"spec": {"replicas": 9, "mode": "maybe"}});
        let said = said(None, &broken);
        assert!(said[0].starts_with("spec.mode: Unsupported value"), "{said:?}");
        assert!(said[1].ends_with(NOT_CHECKED), "{said:?}");
        assert_eq!(said.len(), 2);
    }

    #[test]
    fn what_an_update_leaves_alone_is_not_held_against_it() {
        let old = json!({"spec": {"replicas": 1, "mode": "maybe", "other": "a"}});
        let new = json!({"spec": {"replicas": 1, "mode": "maybe", "other": "b"}});
        assert!(said(Some(&old), &new).is_empty());
        let worse = json!({"spec": {"replicas": 1, "mode": "perhaps", "other": "a"}});
        assert_eq!(said(Some(&old), &worse).len(), 2);
    }
}
