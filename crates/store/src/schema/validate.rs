//! Checking a custom object against its schema, in the words of a Kubernetes server.

use serde_json::{Value, json};

use super::{Bound, ListKind, Rules, Schema, Shape, format, item_keys};
use crate::error::{FieldProblem, ProblemKind};
use crate::path::join;

/// All broken rules, in the order of their paths whatever order the fields came in.
pub(crate) fn validate(schema: &Schema, value: &Value) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    check(schema, value, "", &mut problems);
    problems.sort_by(|one, other| one.path.cmp(&other.path));
    problems
}

fn check(schema: &Schema, value: &Value, path: &str, problems: &mut Vec<FieldProblem>) {
    if value.is_null() && schema.nullable {
        return;
    }
    if !has_shape(schema.shape, value) {
        problems.push(mistyped(schema.shape, value, path));
        return;
    }
    check_rules(schema, value, path, problems);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if path.is_empty() && key == "metadata" {
                    continue;
                }
                if let Some(field) = schema.field(key) {
                    let named = schema.properties.contains_key(key);
                    let below = if named { join(path, key) } else { format!("{path}.{key}") };
                    check(field, value, &below, problems);
                }
            }
        }
        Value::Array(list) => {
            check_items(schema, list, path, problems);
            let Some(items) = &schema.items else { return };
            for (index, item) in list.iter().enumerate() {
                check(items, item, &format!("{path}[{index}]"), problems);
            }
        }
        _ => {}
    }
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

fn mistyped(shape: Shape, value: &Value, path: &str) -> FieldProblem {
    let wanted = match shape {
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
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let detail = format!("{path} in body must be of type {wanted}: {found:?}");
    FieldProblem {
        path: path.to_owned(),
        kind: ProblemKind::TypeInvalid,
        value: json!(found),
        detail,
    }
}

fn check_rules(schema: &Schema, value: &Value, path: &str, problems: &mut Vec<FieldProblem>) {
    let rules = &schema.rules;
    let bad = |detail: String| {
        FieldProblem::invalid(path, value.clone(), format!("{path} in body {detail}"))
    };
    if !rules.one_of_values.is_empty() && !rules.one_of_values.contains(value) {
        let words: Vec<String> = rules
            .one_of_values
            .iter()
            .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
            .collect();
        let words = words.iter().map(String::as_str);
        problems.push(FieldProblem::not_supported(path, value.clone(), words));
    }
    match value {
        Value::Object(map) => {
            for key in rules.required.iter().filter(|key| !map.contains_key(*key)) {
                problems.push(FieldProblem::required(join(path, key), ""));
            }
            let (least, most) = rules.fields;
            let count = u64::try_from(map.len()).unwrap_or(u64::MAX);
            if let Some(least) = least.filter(|least| count < *least) {
                problems.push(bad(format!("should have at least {least} properties")));
            }
            if let Some(most) = most.filter(|most| count > *most) {
                problems.push(FieldProblem::too_many(path, map.len(), most));
            }
        }
        Value::String(text) => check_text(schema, text, path, problems),
        Value::Number(number) => {
            check_number(schema, number.as_f64().unwrap_or_default(), &bad, problems);
        }
        _ => {}
    }
    check_combinations(rules, value, path, problems);
}

fn check_text(schema: &Schema, text: &str, path: &str, problems: &mut Vec<FieldProblem>) {
    let rules = &schema.rules;
    let bad = |detail: String| {
        FieldProblem::invalid(path, json!(text), format!("{path} in body {detail}"))
    };
    let count = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    let (least, most) = rules.length;
    if let Some(least) = least.filter(|least| count < *least) {
        problems.push(bad(format!("should be at least {least} chars long")));
    }
    if let Some(most) = most.filter(|most| count > *most) {
        problems.push(FieldProblem::too_long(path, most));
    }
    if let Some(pattern) = rules.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
        problems.push(bad(format!("should match '{}'", pattern.as_str())));
    }
    if schema.shape == Shape::String && !format::holds(&schema.format, text) {
        let mut problem = bad(format!("must be of type {}: {text:?}", schema.format));
        problem.kind = ProblemKind::TypeInvalid;
        problems.push(problem);
    }
}

fn check_number(
    schema: &Schema,
    number: f64,
    bad: &dyn Fn(String) -> FieldProblem,
    problems: &mut Vec<FieldProblem>,
) {
    let rules = &schema.rules;
    match rules.minimum {
        Some((least, Bound::Inclusive)) if number < least => {
            problems.push(bad(format!("should be greater than or equal to {least}")));
        }
        Some((least, Bound::Exclusive)) if number <= least => {
            problems.push(bad(format!("should be greater than {least}")));
        }
        _ => {}
    }
    match rules.maximum {
        Some((most, Bound::Inclusive)) if number > most => {
            problems.push(bad(format!("should be less than or equal to {most}")));
        }
        Some((most, Bound::Exclusive)) if number >= most => {
            problems.push(bad(format!("should be less than {most}")));
        }
        _ => {}
    }
    if let Some(step) = rules.multiple_of
        && step > 0.0
        && (number / step).fract() != 0.0
    {
        problems.push(bad(format!("should be a multiple of {step}")));
    }
    let small = f64::from(i32::MIN)..=f64::from(i32::MAX);
    if schema.format == "int32" && !small.contains(&number) {
        problems.push(bad("must be of type int32".to_owned()));
    }
}

fn check_items(schema: &Schema, list: &[Value], path: &str, problems: &mut Vec<FieldProblem>) {
    let (least, most) = schema.rules.count;
    let count = u64::try_from(list.len()).unwrap_or(u64::MAX);
    if let Some(least) = least.filter(|least| count < *least) {
        let detail = format!("{path} in body should have at least {least} items");
        problems.push(FieldProblem::invalid(path, json!(count), detail));
    }
    if let Some(most) = most.filter(|most| count > *most) {
        problems.push(FieldProblem::too_many(path, list.len(), most));
    }
    let identity = |item: &Value| -> Option<Value> {
        match &schema.list {
            ListKind::Map(keys) => {
                let keys = item_keys(keys, schema.items.as_deref(), item);
                Some(Value::Object(keys.into_iter().collect()))
            }
            ListKind::Set => Some(item.clone()),
            ListKind::Atomic => schema.rules.unique.then(|| item.clone()),
        }
    };
    let mut seen: Vec<Value> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let Some(identity) = identity(item) else { return };
        if seen.contains(&identity) {
            problems.push(FieldProblem::duplicate(format!("{path}[{index}]"), identity));
        } else {
            seen.push(identity);
        }
    }
}

fn check_combinations(rules: &Rules, value: &Value, path: &str, problems: &mut Vec<FieldProblem>) {
    for schema in &rules.all_of {
        check(schema, value, path, problems);
    }
    let holds = |schema: &Schema| {
        let mut inner = Vec::new();
        check(schema, value, path, &mut inner);
        inner.is_empty()
    };
    let bad = |word: &str| {
        FieldProblem::invalid(
            path,
            value.clone(),
            format!("{path} in body must validate {word}").trim().to_owned(),
        )
    };
    if !rules.any_of.is_empty() && !rules.any_of.iter().any(holds) {
        problems.push(bad("at least one schema (anyOf)"));
    }
    if !rules.one_of.is_empty() && rules.one_of.iter().filter(|one| holds(one)).count() != 1 {
        problems.push(bad("one and only one schema (oneOf)"));
    }
    if rules.not.as_deref().is_some_and(holds) {
        problems.push(bad("must not validate the schema (not)"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::structural::compile;
    use super::*;

    fn said(schema: &Value, value: &Value) -> Vec<String> {
        let schema = compile(schema, &mut |_| unreachable!(), &mut Vec::new());
        validate(&schema, value).iter().map(ToString::to_string).collect()
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
