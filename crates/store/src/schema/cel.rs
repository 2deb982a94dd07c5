//! `x-kubernetes-validations`: rules in CEL, compiled with the definition, run on every write.
//!
//! A rule that uses `oldSelf` is a transition rule: it runs only when there is an old value at its place.

use std::fmt;
use std::sync::Arc;

use cel::{Context, Program, Value as CelValue};
use serde_json::Value;

use super::{ListKind, Schema, item_keys};
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
    runs_without_old: bool,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rule").field(&self.source).finish()
    }
}

/// Compiles a list of rules; one that does not compile is reported and left out.
pub(crate) fn compile(rules: &Value, errors: &mut Vec<String>) -> Vec<Rule> {
    items(rules).iter().filter_map(|rule| compile_rule(rule, errors)).collect()
}

fn compile_rule(rule: &Value, errors: &mut Vec<String>) -> Option<Rule> {
    let source = rule["rule"].as_str()?.to_owned();
    let mut program = |text: &str| match Program::compile(text) {
        Ok(program) => Some(Arc::new(program)),
        Err(error) => {
            errors.push(format!("rule {text:?} does not compile: {error}"));
            None
        }
    };
    let compiled = program(&source)?;
    let message_program = rule["messageExpression"].as_str().and_then(program);
    let reason = match rule["reason"].as_str() {
        Some("FieldValueForbidden") => ProblemKind::Forbidden,
        Some("FieldValueRequired") => ProblemKind::Required,
        Some("FieldValueDuplicate") => ProblemKind::Duplicate,
        _ => ProblemKind::Invalid,
    };
    Some(Rule {
        is_transition: compiled.references().has_variable("oldSelf"),
        runs_without_old: rule["optionalOldSelf"].as_bool().unwrap_or(false),
        message: rule["message"].as_str().map(str::to_owned),
        field_path: rule["fieldPath"].as_str().unwrap_or_default().to_owned(),
        program: compiled,
        message_program,
        source,
        reason,
    })
}

/// All broken rules.
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
    if !schema.has_cel {
        return;
    }
    problems.extend(schema.cel.iter().filter_map(|rule| run(rule, new, old, path)));
    match new {
        Value::Object(map) => {
            for (key, value) in map {
                let Some(field) = schema.field(key) else { continue };
                let before = old.and_then(|old| old.get(key));
                check(field, value, before, &join(path, key), problems);
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

/// The item a new item was before: only list-map items can be told.
fn old_item<'a>(schema: &Schema, old: &'a Value, item: &Value) -> Option<&'a Value> {
    let ListKind::Map(keys) = &schema.list else { return None };
    let identity = |item: &Value| item_keys(keys, schema.items.as_deref(), item);
    items(old).iter().find(|other| identity(other) == identity(item))
}

fn run(rule: &Rule, new: &Value, old: Option<&Value>, path: &str) -> Option<FieldProblem> {
    if rule.is_transition && old.is_none() && !rule.runs_without_old {
        return None;
    }
    let mut context = Context::default();
    context.add_variable_from_value("self", cel::to_value(new).ok()?);
    if let Some(old) = old.filter(|_| rule.is_transition) {
        context.add_variable_from_value("oldSelf", cel::to_value(old).ok()?);
    }
    let detail = match rule.program.execute(&context) {
        Ok(CelValue::Bool(true)) => return None,
        Ok(CelValue::Bool(false)) => message(rule, &context),
        Ok(_) => format!("rule compile error: {} must evaluate to a bool", rule.source),
        Err(error) => format!("rule: {}: {error}", rule.source),
    };
    let path = match rule.field_path.as_str() {
        "" => path.to_owned(),
        field => join(path, field.trim_start_matches('.')),
    };
    let value = match new {
        Value::Object(_) => Value::String("object".into()),
        Value::Array(_) => Value::String("array".into()),
        scalar => scalar.clone(),
    };
    Some(FieldProblem { path, kind: rule.reason, value, detail })
}

fn message(rule: &Rule, context: &Context<'_, '_>) -> String {
    let computed =
        rule.message_program.as_ref().and_then(|program| match program.execute(context) {
            Ok(CelValue::String(text)) => Some(text.to_string()),
            _ => None,
        });
    computed
        .or_else(|| rule.message.clone())
        .unwrap_or_else(|| format!("failed rule: {}", rule.source))
}

#[cfg(test)]
mod tests {
    use super::super::structural::compile as compile_schema;
    use super::*;
    use serde_json::json;

    fn said(schema: &Value, new: &Value, old: Option<&Value>) -> Vec<String> {
        let schema = compile_schema(schema, &mut |_| unreachable!(), &mut Vec::new());
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
        assert_eq!(bad, ["spec: Invalid value: \"object\": min above max"]);
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
