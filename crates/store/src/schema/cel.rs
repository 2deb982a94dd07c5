//! `x-kubernetes-validations`: rules in CEL, compiled with the definition, run on every write.
//!
//! A rule that uses `oldSelf` is a transition rule: it runs only when there is an old value at its place.

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, Program, Value as CelValue, extensions};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

use super::{ListKind, Schema, Shape, cost, item_keys};
use crate::error::{FieldProblem, ProblemKind};
use crate::object::items;
use crate::path::join;

/// What rules may use: the standard functions and those on strings and lists.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    for extension in [extensions::strings, extensions::lists] {
        // An extension that clashed with the standard functions would only leave its own out.
        let _ = env.add_extension(extension);
    }
    Arc::new(env)
});

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
    depth: u32,
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
    let mut program = |text: &str| match ENVIRONMENT.compile(text) {
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
    let message_depth =
        message_program.as_ref().map_or(0, |program| cost::depth(program.expression()));
    Some(Rule {
        depth: cost::depth(compiled.expression()).max(message_depth),
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
    problems.extend(schema.cel.iter().filter_map(|rule| run(rule, schema, (new, old), path)));
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

fn run(
    rule: &Rule,
    schema: &Schema,
    (new, old): (&Value, Option<&Value>),
    path: &str,
) -> Option<FieldProblem> {
    if rule.is_transition && old.is_none() && !rule.runs_without_old {
        return None;
    }
    if !cost::is_bearable(rule.depth, std::iter::once(new).chain(old)) {
        return Some(too_costly(rule, path));
    }
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    context.add_variable_from_value("self", cel::to_value(Typed(Some(schema), new)).ok()?);
    if let Some(old) = old.filter(|_| rule.is_transition) {
        context.add_variable_from_value("oldSelf", cel::to_value(Typed(Some(schema), old)).ok()?);
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

fn too_costly(rule: &Rule, path: &str) -> FieldProblem {
    let detail = format!(
        "rule: {}: its loops would take more than {} turns over this value; shorten the value or bound its lists",
        rule.source,
        cost::TURNS_MAX,
    );
    let (path, value) = (path.to_owned(), Value::String("too long".into()));
    FieldProblem { path, kind: ProblemKind::Forbidden, value, detail }
}

/// A value with its schema: whole numbers become `int`, others `double`, as the schema says.
struct Typed<'a>(Option<&'a Schema>, &'a Value);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(schema, value) = *self;
        match value {
            Value::Object(map) => {
                let mut fields = serializer.serialize_map(Some(map.len()))?;
                for (key, value) in map {
                    let field = schema.and_then(|schema| schema.field(key)).map(AsRef::as_ref);
                    fields.serialize_entry(key, &Typed(field, value))?;
                }
                fields.end()
            }
            Value::Array(list) => {
                let inner = schema.and_then(|schema| schema.items.as_deref());
                let mut items = serializer.serialize_seq(Some(list.len()))?;
                for item in list {
                    items.serialize_element(&Typed(inner, item))?;
                }
                items.end()
            }
            Value::Number(number) => {
                let decimal = schema.is_some_and(|schema| schema.shape == Shape::Number);
                match number.as_i64().filter(|_| !decimal) {
                    Some(whole) => serializer.serialize_i64(whole),
                    None => serializer.serialize_f64(number.as_f64().unwrap_or(f64::NAN)),
                }
            }
            scalar => scalar.serialize(serializer),
        }
    }
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
