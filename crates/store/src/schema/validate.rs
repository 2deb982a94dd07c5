//! Checking a custom object against its schema, in the words and the order of a Kubernetes server.
//!
//! Every check of a value is made, also after another failed, as upstream's validator does it.

use serde_json::{Number, Value, json};

use super::cel::old_item;
use super::{Bound, Schema, Shape, format};
use crate::error::{FieldProblem, ProblemKind};
use crate::path::join;

/// All broken rules. What an update leaves as it was is not held against it.
pub(crate) fn validate(schema: &Schema, value: &Value, old: Option<&Value>) -> Vec<FieldProblem> {
    let mut walk = Walk::default();
    walk.check(schema, value, old, "");
    walk.problems
}

/// The same for a part of an object; the texts name fields from there on.
pub(crate) fn validate_at(
    path: &str,
    schema: &Schema,
    value: &Value,
    old: Option<&Value>,
) -> Vec<FieldProblem> {
    let mut problems = validate(schema, value, old);
    for problem in &mut problems {
        problem.path =
            if problem.path.is_empty() { path.to_owned() } else { join(path, &problem.path) };
    }
    problems
}

/// What a walk over a value found, and how much it looked at.
#[derive(Default)]
struct Walk {
    problems: Vec<FieldProblem>,
    visited: usize,
}

impl Walk {
    fn check(&mut self, schema: &Schema, value: &Value, old: Option<&Value>, path: &str) {
        if old == Some(value) {
            return;
        }
        self.visited += 1;
        if value.is_null() && schema.nullable {
            return;
        }
        self.problems.extend(mistyped(schema, value, path));
        if value.is_null() {
            return;
        }
        self.check_combinations(schema, value, path);
        match value {
            Value::String(text) => self.problems.extend(bad_text(schema, text, path)),
            Value::Number(number) => check_number(schema, number, path, &mut self.problems),
            Value::Array(list) => self.check_items(schema, list, old, path),
            _ => {}
        }
        self.problems.extend(unlisted(schema, value, path));
        if let Value::Object(map) = value {
            self.check_fields(schema, map, old, path);
        }
    }

    fn check_fields(
        &mut self,
        schema: &Schema,
        map: &serde_json::Map<String, Value>,
        old: Option<&Value>,
        path: &str,
    ) {
        check_size(schema, map.len(), path, &mut self.problems);
        let before = |key: &str| old.and_then(|old| old.get(key));
        if let Some(other) = &schema.additional {
            let mut keys: Vec<&String> =
                map.keys().filter(|key| !schema.properties.contains_key(*key)).collect();
            keys.sort();
            for key in keys {
                self.check(other, &map[key], before(key), &format!("{path}.{key}"));
            }
        }
        for (key, field) in &schema.properties {
            if path.is_empty() && key == "metadata" {
                continue;
            }
            if let Some(value) = map.get(key) {
                self.check(field, value, before(key), &join(path, key));
            }
        }
        for key in schema.rules.required.iter().filter(|key| !map.contains_key(*key)) {
            self.problems.push(FieldProblem::required(join(path, key), ""));
        }
    }

    fn check_items(&mut self, schema: &Schema, list: &[Value], old: Option<&Value>, path: &str) {
        if let Some(items) = &schema.items {
            for (index, item) in list.iter().enumerate() {
                let before = old.and_then(|old| old_item(schema, old, item));
                self.check(items, item, before, &format!("{path}[{index}]"));
            }
        }
        let (least, most) = schema.rules.count;
        let count = u64::try_from(list.len()).unwrap_or(u64::MAX);
        if let Some(least) = least.filter(|least| count < *least) {
            let detail = format!("{path} in body should have at least {least} items");
            self.problems.push(FieldProblem::invalid(path, json!(count), detail));
        }
        if let Some(most) = most.filter(|most| count > *most) {
            self.problems.push(FieldProblem::too_many(path, list.len(), most));
        }
    }

    fn check_combinations(&mut self, schema: &Schema, value: &Value, path: &str) {
        let rules = &schema.rules;
        if !rules.any_of.is_empty() {
            let (good, best) = tried(&rules.any_of, value, path);
            if good == 0 {
                self.compound(format!("{path:?} must validate at least one schema (anyOf)"));
                self.problems.extend(best);
            }
        }
        if !rules.one_of.is_empty() {
            let (good, best) = tried(&rules.one_of, value, path);
            if good != 1 {
                let found = if good == 0 {
                    "none valid".to_owned()
                } else {
                    format!("{good} valid alternatives")
                };
                self.compound(format!(
                    "{path:?} must validate one and only one schema (oneOf). Found {found}"
                ));
                self.problems.extend(best);
            }
        }
        self.check_all_of(&rules.all_of, value, path);
        let forbidden = rules.not.as_deref().is_some_and(|not| tried_one(not, value, path).is_ok());
        if forbidden {
            self.compound(format!("{path:?} must not validate the schema (not)"));
        }
    }

    fn check_all_of(&mut self, schemas: &[Schema], value: &Value, path: &str) {
        let mut good = 0;
        for schema in schemas {
            match tried_one(schema, value, path) {
                Ok(_) => good += 1,
                Err(walk) => self.problems.extend(walk.problems),
            }
        }
        if good != schemas.len() {
            let none = if good == 0 { ". None validated" } else { "" };
            self.compound(format!("{path:?} must validate all the schemas (allOf){none}"));
        }
    }

    /// A problem of several schemas together, which has no place of its own.
    fn compound(&mut self, detail: String) {
        self.problems.push(FieldProblem::invalid("", json!(""), detail));
    }
}

fn tried_one(schema: &Schema, value: &Value, path: &str) -> Result<Walk, Walk> {
    let mut walk = Walk::default();
    walk.check(schema, value, None, path);
    if walk.problems.is_empty() { Ok(walk) } else { Err(walk) }
}

/// How many schemas hold, and the problems of the one that came furthest if none does.
fn tried(schemas: &[Schema], value: &Value, path: &str) -> (usize, Vec<FieldProblem>) {
    let mut good = 0;
    let mut best: Option<Walk> = None;
    for schema in schemas {
        match tried_one(schema, value, path) {
            Ok(_) => good += 1,
            Err(walk) if best.as_ref().is_none_or(|best| walk.visited > best.visited) => {
                best = Some(walk);
            }
            Err(_) => {}
        }
    }
    let best = best.filter(|_| good == 0);
    (good, best.map(|walk| walk.problems).unwrap_or_default())
}

fn has_shape(shape: Shape, value: &Value) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Object => value.is_object(),
        Shape::Array => value.is_array(),
        Shape::String => value.is_string(),
        Shape::Integer => is_whole(value),
        Shape::Number => value.is_number(),
        Shape::Boolean => value.is_boolean(),
        Shape::IntOrString => value.is_string() || is_whole(value),
    }
}

fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn mistyped(schema: &Schema, value: &Value, path: &str) -> Option<FieldProblem> {
    if has_shape(schema.shape, value) {
        return None;
    }
    let by_format =
        !schema.format.is_empty() && !matches!(value, Value::String(_) | Value::Array(_));
    let wanted = match schema.shape {
        _ if by_format && !value.is_null() => schema.format.as_str(),
        Shape::Object => "object",
        Shape::Array => "array",
        Shape::String => "string",
        Shape::Integer => "integer",
        Shape::Number => "number",
        Shape::Boolean => "boolean",
        Shape::IntOrString => "integer,string",
        Shape::Any => "any",
    };
    let found = match value {
        Value::Null => "null",
        Value::Number(number) if by_format && number.is_f64() => "float64",
        Value::Number(_) if by_format => "int64",
        _ if by_format => "",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let detail = format!("{path} in body must be of type {wanted}: {found:?}");
    let (path, kind) = (path.to_owned(), ProblemKind::TypeInvalid);
    Some(FieldProblem { path, kind, value: json!(found), detail })
}

/// A value that is not one of those a schema lists.
fn unlisted(schema: &Schema, value: &Value, path: &str) -> Option<FieldProblem> {
    let listed = &schema.rules.one_of_values;
    if listed.is_empty() || listed.contains(value) {
        return None;
    }
    let text = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
    let words: Vec<String> = listed.iter().map(text).collect();
    let words = words.iter().map(String::as_str);
    Some(FieldProblem::not_supported(path, value.clone(), words))
}

fn check_size(schema: &Schema, count: usize, path: &str, problems: &mut Vec<FieldProblem>) {
    let (least, most) = schema.rules.fields;
    let size = u64::try_from(count).unwrap_or(u64::MAX);
    if let Some(least) = least.filter(|least| size < *least) {
        let detail = format!("{path} in body should have at least {least} properties");
        problems.push(FieldProblem::invalid(path, json!(size), detail));
    }
    if let Some(most) = most.filter(|most| size > *most) {
        problems.push(FieldProblem::too_many(path, count, most));
    }
}

/// The first rule on texts that a text breaks, and then its format.
fn bad_text(schema: &Schema, text: &str, path: &str) -> Vec<FieldProblem> {
    let rules = &schema.rules;
    let bad = |detail: String| {
        FieldProblem::invalid(path, json!(text), format!("{path} in body {detail}"))
    };
    let count = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    let (least, most) = rules.length;
    let pattern = rules.pattern.as_ref().filter(|pattern| !pattern.is_match(text));
    let mut problems = Vec::new();
    if let Some(most) = most.filter(|most| count > *most) {
        problems.push(FieldProblem::too_long(path, most));
    } else if let Some(least) = least.filter(|least| count < *least) {
        problems.push(bad(format!("should be at least {least} chars long")));
    } else if let Some(pattern) = pattern {
        problems.push(bad(format!("should match '{}'", pattern.as_str())));
    }
    if schema.shape == Shape::String && !format::holds(&schema.format, text) {
        let mut problem = bad(format!("must be of type {}: {text:?}", schema.format));
        problem.kind = ProblemKind::TypeInvalid;
        problems.push(problem);
    }
    problems
}

fn check_number(schema: &Schema, number: &Number, path: &str, problems: &mut Vec<FieldProblem>) {
    let rules = &schema.rules;
    let amount = number.as_f64().unwrap_or_default();
    let bad = |detail: String| {
        FieldProblem::invalid(path, json!(number), format!("{path} in body {detail}"))
    };
    if let Some(kind) = beyond_type(schema, number) {
        let detail = format!("Checked value must be of type {kind} in {path}");
        problems.push(FieldProblem::invalid("", json!(""), detail));
    }
    problems.extend(rules.multiple_of.and_then(|step| bad_multiple(number, step, path)));
    match rules.minimum {
        Some((least, Bound::Inclusive)) if amount < least => {
            problems.push(bad(format!("should be greater than or equal to {least}")));
        }
        Some((least, Bound::Exclusive)) if amount <= least => {
            problems.push(bad(format!("should be greater than {least}")));
        }
        _ => {}
    }
    match rules.maximum {
        Some((most, Bound::Inclusive)) if amount > most => {
            problems.push(bad(format!("should be less than or equal to {most}")));
        }
        Some((most, Bound::Exclusive)) if amount >= most => {
            problems.push(bad(format!("should be less than {most}")));
        }
        _ => {}
    }
}

/// The type of whole numbers that a number does not fit into.
fn beyond_type(schema: &Schema, number: &Number) -> Option<&'static str> {
    let whole = number.as_i64();
    let (fits, kind) = match (schema.shape, schema.format.as_str()) {
        (Shape::Integer, "int32") => {
            let small = whole.is_some_and(|whole| i32::try_from(whole).is_ok());
            (small, "integer with format int32")
        }
        (Shape::Integer, "int64") => (whole.is_some(), "integer with format int64"),
        (Shape::Integer, _) => {
            (whole.is_some() || is_whole(&json!(number)), "integer (default format)")
        }
        _ => (true, ""),
    };
    (!fits).then_some(kind)
}

/// Whole numbers are divided by the whole part of the step, as upstream does it.
fn bad_multiple(number: &Number, step: f64, path: &str) -> Option<FieldProblem> {
    let whole = number.is_i64() || number.is_u64();
    let step = if whole { step.trunc() } else { step };
    if step <= 0.0 {
        let detail = format!("factor MultipleOf declared for {path} must be positive: {step}");
        let value = if whole { json!(0) } else { json!(step) };
        return Some(FieldProblem::invalid(path, value, detail));
    }
    let times = number.as_f64().unwrap_or_default() / step;
    let detail = format!("{path} in body should be a multiple of {step}");
    (times.fract() != 0.0).then(|| FieldProblem::invalid(path, json!(number), detail))
}

#[cfg(test)]
mod tests {
    use super::super::{collections, structural::compile};
    use super::*;

    fn said(schema: &Value, value: &Value) -> Vec<String> {
        let schema = compile(schema, &mut |_| unreachable!());
        let problems = validate(&schema, value, None);
        let mut problems = problems.into_iter().chain(collections::validate(&schema, value));
        problems.by_ref().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn each_rule_speaks_as_a_server_does() {
        let check = |field: Value, value: Value, expected: &str| {
            let schema = json!({"type": "object", "properties": {"a": field}, "required": ["a"]});
            assert_eq!(said(&schema, &json!({"a": value})), [expected]);
        };
        check(
            json!({"type": "integer"}),
            json!("x"),
            "a: Invalid value: \"string\": a in body must be of type integer: \"string\"",
        );
        check(
            json!({"type": "string", "enum": ["x", "y"]}),
            json!("z"),
            "a: Unsupported value: \"z\": supported values: \"x\", \"y\"",
        );
        check(
            json!({"type": "integer", "minimum": 0}),
            json!(-1),
            "a: Invalid value: -1: a in body should be greater than or equal to 0",
        );
        check(
            json!({"type": "string", "pattern": "^a$"}),
            json!("b"),
            "a: Invalid value: \"b\": a in body should match '^a$'",
        );
        check(
            json!({"type": "string", "maxLength": 1}),
            json!("ab"),
            "a: Too long: may not be more than 1 bytes",
        );
        check(
            json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}),
            json!(["x", "x"]),
            "a[1]: Duplicate value: \"x\"",
        );
        check(
            json!({"type": "array", "maxItems": 1, "items": {"type": "string"}}),
            json!(["x", "y"]),
            "a: Too many: 2: must have at most 1 items",
        );
    }

    #[test]
    fn every_problem_is_listed_and_good_values_have_none() {
        let schema = json!({"type": "object", "required": ["a", "b"], "properties": {
            "a": {"type": "string"}, "b": {"type": "string"},
            "n": {"type": "string", "nullable": true}, "p": {"x-kubernetes-int-or-string": true},
        }});
        let missing = ["a: Required value", "b: Required value"];
        assert_eq!(said(&schema, &json!({})), missing);
        assert!(said(&schema, &json!({"a": "", "b": "", "n": null, "p": "5%"})).is_empty());
        assert!(said(&schema, &json!({"a": "", "b": "", "p": 5})).is_empty());
    }
}
