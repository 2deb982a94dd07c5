//! `x-kubernetes-validations`: rules in CEL, compiled with the definition, run on every write.
//!
//! A rule that uses `oldSelf` is a transition rule: it runs only when there is an old value at its place,
//! unless it says that it takes the old value as an optional one.

mod check;
mod library;
mod value;

use std::fmt;
use std::sync::Arc;

use cel::common::types::CelOptional;
use cel::common::value::Val;
use cel::{Context, ParseErrors, Program, Value as CelValue};
use serde_json::Value;

pub(crate) use self::check::{Wanted, judge};
use self::library::ENVIRONMENT;
use self::value::typed;
use super::{ListKind, Schema, Shape, cost, item_keys};
use crate::error::{FieldProblem, ProblemKind};
use crate::object::items;
use crate::path::join;

/// One compiled rule.
#[derive(Clone)]
pub(crate) struct Rule {
    source: String,
    program: Arc<Program>,
    message: Option<String>,
    message_program: Option<Arc<Program>>,
    reason: ProblemKind,
    field_path: String,
    is_transition: bool,
    takes_optional: bool,
    depth: u32,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rule").field(&self.source).finish()
    }
}

/// Compiles one expression.
fn parse(text: &str) -> Result<Program, ParseErrors> {
    ENVIRONMENT.compile(text)
}

/// Compiles a list of rules; one that does not compile is left out: its definition was refused for it.
pub(crate) fn compile(rules: &Value) -> Vec<Rule> {
    items(rules).iter().filter_map(compile_rule).collect()
}

fn compile_rule(rule: &Value) -> Option<Rule> {
    let source = rule["rule"].as_str()?.to_owned();
    let program = |text: &str| parse(text).ok().map(Arc::new);
    let compiled = program(&source)?;
    let message_program = rule["messageExpression"].as_str().and_then(program);
    let reason = match rule["reason"].as_str() {
        Some("FieldValueForbidden") => ProblemKind::Forbidden,
        Some("FieldValueRequired") => ProblemKind::Required,
        Some("FieldValueDuplicate") => ProblemKind::Duplicate,
        _ => ProblemKind::Invalid,
    };
    let message_depth =
        message_program.as_ref().map_or(0, |program| cost::depth(program.expression()));
    Some(Rule {
        depth: cost::depth(compiled.expression()).max(message_depth),
        is_transition: compiled.references().has_variable("oldSelf"),
        takes_optional: rule["optionalOldSelf"].as_bool().unwrap_or(false),
        message: rule["message"].as_str().map(str::to_owned),
        field_path: rule["fieldPath"].as_str().unwrap_or_default().to_owned(),
        program: compiled,
        message_program,
        source,
        reason,
    })
}

/// All broken rules; an old value that was the same is not judged anew, but by rules of change.
pub(crate) fn validate(schema: &Schema, new: &Value, old: Option<&Value>) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    if schema.has_cel {
        check(schema, new, old, "", &mut problems);
    }
    problems
}

fn check(
    schema: &Schema,
    new: &Value,
    old: Option<&Value>,
    path: &str,
    problems: &mut Vec<FieldProblem>,
) {
    if !schema.has_cel || new.is_null() {
        return;
    }
    let old = old.filter(|old| !old.is_null());
    problems.extend(schema.cel.iter().filter_map(|rule| run(rule, schema, (new, old), path)));
    match new {
        Value::Object(map) => {
            for (key, value) in map {
                let Some(field) = schema.field(key) else { continue };
                let before = old.and_then(|old| old.get(key));
                check(field, value, before, &below(schema, path, key), problems);
            }
        }
        Value::Array(list) => {
            let Some(inner) = &schema.items else { return };
            for (index, item) in list.iter().enumerate() {
                let before = old.and_then(|old| old_item(schema, old, item));
                check(inner, item, before, &format!("{path}[{index}]"), problems);
            }
        }
        _ => {}
    }
}

/// The path of a field of a structure, or of a value of a map.
fn below(schema: &Schema, path: &str, key: &str) -> String {
    let named = schema.properties.contains_key(key);
    if named { join(path, key) } else { format!("{path}[{key}]") }
}

/// The item a new item was before: only list-map items can be told.
pub(crate) fn old_item<'a>(schema: &Schema, old: &'a Value, item: &Value) -> Option<&'a Value> {
    let ListKind::Map(keys) = &schema.list else { return None };
    let identity = |item: &Value| item_keys(keys, schema.items.as_deref(), item);
    items(old).iter().find(|other| identity(other) == identity(item))
}

fn run(
    rule: &Rule,
    schema: &Schema,
    (new, old): (&Value, Option<&Value>),
    path: &str,
) -> Option<FieldProblem> {
    if rule.is_transition && old.is_none() && !rule.takes_optional {
        return None;
    }
    // What was there before and is the same is not held against a write.
    if !rule.is_transition && old == Some(new) {
        return None;
    }
    if !cost::is_bearable(rule.depth, std::iter::once(new).chain(old)) {
        return Some(too_costly(rule, path));
    }
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    context.add_variable_as_val("self", typed(Some(schema), new));
    if rule.is_transition {
        let old = old.map(|old| typed(Some(schema), old));
        match old {
            _ if rule.takes_optional => {
                let old: Box<dyn Val + '_> = Box::new(CelOptional::from(old));
                context.add_variable_as_val("oldSelf", old);
            }
            Some(old) => context.add_variable_as_val("oldSelf", old),
            None => {}
        }
    }
    let invalid = |detail: String| Some(FieldProblem::invalid(path, kind_word(schema), detail));
    match rule.program.execute(&context) {
        Ok(CelValue::Bool(true)) => None,
        Ok(CelValue::Bool(false)) => Some(broken(rule, schema, (new, path), &context)),
        Ok(_) => invalid("rule compile error: cel expression must evaluate to a bool".to_owned()),
        Err(error) => {
            let said = rule.message.as_deref().unwrap_or(&rule.source).trim();
            invalid(format!("{error} evaluating rule: {said}"))
        }
    }
}

/// The type of a value, as a text in a problem.
fn kind_word(schema: &Schema) -> Value {
    Value::from(match schema.shape {
        Shape::Object => "object",
        Shape::Array => "array",
        Shape::String => "string",
        Shape::Integer => "integer",
        Shape::Number => "number",
        Shape::Boolean => "boolean",
        Shape::IntOrString | Shape::Any => "",
    })
}

fn broken(
    rule: &Rule,
    schema: &Schema,
    (new, path): (&Value, &str),
    context: &Context<'_, '_>,
) -> FieldProblem {
    let path = match rule.field_path.as_str() {
        "" => path.to_owned(),
        field => join(path, field.trim_start_matches('.')),
    };
    let whole = matches!(schema.shape, Shape::Object | Shape::Array);
    let value = if whole { FieldProblem::omitted() } else { new.clone() };
    FieldProblem { path, kind: rule.reason, value, detail: message(rule, context) }
}

fn too_costly(rule: &Rule, path: &str) -> FieldProblem {
    let detail = format!(
        "rule: {}: its loops would take more than {} turns over this value; shorten the value or bound its lists",
        rule.source,
        cost::TURNS_MAX,
    );
    let (path, value) = (path.to_owned(), Value::String("too long".into()));
    FieldProblem { path, kind: ProblemKind::Forbidden, value, detail }
}

fn message(rule: &Rule, context: &Context<'_, '_>) -> String {
    let computed =
        rule.message_program.as_ref().and_then(|program| match program.execute(context) {
            Ok(CelValue::String(text)) => Some(text.trim().to_owned()),
            _ => None,
        });
    computed
        .filter(|text| !text.is_empty() && !text.contains('\n'))
        .or_else(|| rule.message.as_deref().map(|text| text.trim().to_owned()))
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| format!("failed rule: {}", rule.source.trim()))
}

#[cfg(test)]
mod tests {
    use super::super::structural::compile as compile_schema;
    use super::*;
    use serde_json::json;

    fn said(schema: &Value, new: &Value, old: Option<&Value>) -> Vec<String> {
        let schema = compile_schema(schema, &mut |_| unreachable!());
        validate(&schema, new, old).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules_run_where_they_stand() {
        let schema = json!({"type": "object", "properties": {"spec": {
            "type": "object",
            "properties": {"min": {"type": "integer"}, "max": {"type": "integer"}},
            "x-kubernetes-validations": [{"rule": "self.min <= self.max", "message": "min above max"}],
        }}});
        assert!(said(&schema, &json!({"spec": {"min": 1, "max": 2}}), None).is_empty());
        let bad = said(&schema, &json!({"spec": {"min": 3, "max": 2}}), None);
        assert_eq!(bad, ["spec: Invalid value: min above max"]);
    }

    #[test]
    fn rules_calculate_with_the_schemas_types() {
        let check = |rule: &str, value: Value, good: bool| {
            let schema = json!({"type": "object", "properties": {
                "n": {"type": "integer"}, "d": {"type": "number"}, "s": {"type": "string"},
                "l": {"type": "array", "items": {"type": "integer"}},
            }, "x-kubernetes-validations": [{"rule": rule}]});
            assert_eq!(said(&schema, &value, None).is_empty(), good, "{rule}");
        };
        check("self.n + 1 > 3", json!({"n": 3}), true);
        check("self.n - 5 < 0", json!({"n": 3}), true);
        check("self.d * 2.0 == 4.0", json!({"d": 2}), true);
        check("!has(self.n) || self.n > 0", json!({}), true);
        check("self.l.all(x, x < 3)", json!({"l": [1, 2]}), true);
        check("self.l.exists(x, x == 9)", json!({"l": [1, 2]}), false);
        check("self.s.matches('^a+$') && size(self.s) == 2", json!({"s": "aa"}), true);
        check("self.s.startsWith('b') ? false : true", json!({"s": "aa"}), true);
        check("self.s.lowerAscii() == 'aa'", json!({"s": "AA"}), true);
        check("self.n in [1, 2]", json!({"n": 3}), false);
    }

    #[test]
    fn a_transition_rule_needs_an_old_value() {
        let schema = json!({"type": "object", "properties": {"mode": {
            "type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}],
        }}});
        let (one, two) = (json!({"mode": "a"}), json!({"mode": "b"}));
        assert!(said(&schema, &one, None).is_empty());
        assert!(said(&schema, &one, Some(&one)).is_empty());
        let bad = said(&schema, &two, Some(&one));
        assert_eq!(bad, ["mode: Invalid value: \"b\": failed rule: self == oldSelf"]);
    }
}
