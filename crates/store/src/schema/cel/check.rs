//! Judging an expression before it is kept: the fields it names exist, and it says what it is asked for.
//!
//! Types are followed as far as the schema knows them; where it does not, everything is allowed.

use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::{IdedExpr as Node, Program};

use super::value::spelled;
use crate::schema::{Schema, Shape};

/// What an expression is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// It says whether a rule is kept.
    Truth,
    /// It says how a rule is broken.
    Text,
}

/// What is known of a value.
#[derive(Clone, Copy)]
enum Kind<'s> {
    Any,
    Truth,
    Number,
    Text,
    /// A time, a span, bytes: nothing that has fields.
    Other,
    List(Option<&'s Schema>),
    Map(Option<&'s Schema>),
    Fields(&'s Schema),
}

impl<'s> Kind<'s> {
    fn of(schema: &'s Schema) -> Self {
        match schema.shape {
            Shape::Any | Shape::IntOrString => Self::Any,
            Shape::Boolean => Self::Truth,
            Shape::Integer | Shape::Number => Self::Number,
            Shape::String => match schema.format.as_str() {
                "duration" | "date-time" | "date" | "byte" => Self::Other,
                _ => Self::Text,
            },
            Shape::Array => Self::List(schema.items.as_deref()),
            Shape::Object if schema.preserve_unknown || schema.embedded => Self::Any,
            Shape::Object if schema.properties.is_empty() => {
                schema.additional.as_deref().map_or(Self::Any, |inner| Self::Map(Some(inner)))
            }
            Shape::Object => Self::Fields(schema),
        }
    }

    fn inner(schema: Option<&'s Schema>) -> Self {
        schema.map_or(Self::Any, Self::of)
    }
}

/// Compiles an expression over values of a schema; the error is upstream's.
pub(crate) fn judge(source: &str, schema: &Schema, wanted: Wanted) -> Result<(), String> {
    let prefix = if wanted == Wanted::Text { "messageExpression " } else { "" };
    let failed = |why: String| format!("{prefix}compilation failed: {why}");
    let program =
        super::parse(source).map_err(|error| failed(error.to_string().replace("\n|", "\n |")))?;
    let mut check = Check { program: &program, source, names: vec![("self", Kind::of(schema))] };
    let kind = check.infer(program.expression()).map_err(failed)?;
    match (wanted, kind) {
        (_, Kind::Any) | (Wanted::Truth, Kind::Truth) | (Wanted::Text, Kind::Text) => Ok(()),
        (Wanted::Truth, _) => Err("cel expression must evaluate to a bool".to_owned()),
        (Wanted::Text, _) => Err("messageExpression must evaluate to a string".to_owned()),
    }
}

struct Check<'e, 's> {
    program: &'e Program,
    source: &'e str,
    /// The variables in scope, innermost last.
    names: Vec<(&'e str, Kind<'s>)>,
}

impl<'e, 's> Check<'e, 's> {
    fn infer(&mut self, node: &'e Node) -> Result<Kind<'s>, String> {
        Ok(match &node.expr {
            Expr::Ident(name) => {
                let known = self.names.iter().rev().find(|(known, _)| known == name);
                known.map_or(Kind::Any, |(_, kind)| *kind)
            }
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Kind::Truth,
                LiteralValue::String(_) => Kind::Text,
                LiteralValue::Bytes(_) => Kind::Other,
                LiteralValue::Null => Kind::Any,
                _ => Kind::Number,
            },
            Expr::Select(select) => {
                let operand = self.infer(&select.operand)?;
                let field = self.field(node, operand, &select.field)?;
                if select.test { Kind::Truth } else { field }
            }
            Expr::Call(call) => {
                let target = call.target.as_deref().map(|target| self.infer(target)).transpose()?;
                let mut kinds = Vec::new();
                for argument in &call.args {
                    kinds.push(self.infer(argument)?);
                }
                outcome(&call.func_name, target.is_some(), &kinds)
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension)?,
            Expr::List(list) => {
                for element in &list.elements {
                    self.infer(element)?;
                }
                Kind::List(None)
            }
            Expr::Map(_) => Kind::Map(None),
            Expr::Struct(_) | Expr::Unspecified => Kind::Any,
        })
    }

    fn field(&self, node: &IdedExpr, operand: Kind<'s>, name: &str) -> Result<Kind<'s>, String> {
        match operand {
            Kind::Fields(schema) => {
                let spelling = |key: &&String| spelled(Some(schema), key) == name;
                let key = schema.properties.keys().find(spelling);
                let field = key.and_then(|key| schema.properties.get(key));
                let missing = || self.complaint(node.id, &format!("undefined field '{name}'"));
                field.map(|field| Kind::of(field)).ok_or_else(missing)
            }
            Kind::Map(inner) => Ok(Kind::inner(inner)),
            Kind::Truth | Kind::Number | Kind::Text | Kind::List(_) => {
                let word = match operand {
                    Kind::Truth => "bool",
                    Kind::Number => "int",
                    Kind::Text => "string",
                    _ => "list",
                };
                let why = format!("type '{word}' does not support field selection");
                Err(self.complaint(node.id, &why))
            }
            Kind::Any | Kind::Other => Ok(Kind::Any),
        }
    }

    fn comprehension(&mut self, inner: &'e ComprehensionExpr) -> Result<Kind<'s>, String> {
        let item = match self.infer(&inner.iter_range)? {
            Kind::List(items) if inner.iter_var2.is_none() => Kind::inner(items),
            Kind::Map(_) => Kind::Text,
            _ => Kind::Any,
        };
        let start = match self.infer(&inner.accu_init)? {
            Kind::List(_) => Kind::List(None),
            Kind::Truth => Kind::Truth,
            Kind::Number => Kind::Number,
            _ => Kind::Any,
        };
        let depth = self.names.len();
        self.names.push((&inner.iter_var, item));
        if let Some(second) = &inner.iter_var2 {
            self.names.push((second, Kind::Any));
        }
        self.names.push((&inner.accu_var, start));
        self.infer(&inner.loop_cond)?;
        self.infer(&inner.loop_step)?;
        let result = self.infer(&inner.result);
        self.names.truncate(depth);
        result
    }

    /// An error at a node, with the line it is in and a mark below.
    fn complaint(&self, id: u64, why: &str) -> String {
        let start = self.program.source_info().offset_for(id).map_or(0, |(start, _)| start);
        let start = usize::try_from(start).unwrap_or_default().min(self.source.len());
        let before = self.source.get(..start).unwrap_or_default();
        let (number, column) = (
            before.matches('\n').count(),
            before.len() - before.rfind('\n').map_or(0, |place| place + 1),
        );
        let line = self.source.lines().nth(number).unwrap_or_default();
        let dots = ".".repeat(column);
        format!("ERROR: <input>:{}:{}: {why}\n | {line}\n | {dots}^", number + 1, column + 1)
    }
}

/// What a call answers with.
fn outcome<'s>(function: &str, is_member: bool, kinds: &[Kind<'s>]) -> Kind<'s> {
    let first = kinds.first().copied().unwrap_or(Kind::Any);
    match function {
        operators::LOGICAL_AND
        | operators::LOGICAL_OR
        | operators::LOGICAL_NOT
        | operators::EQUALS
        | operators::NOT_EQUALS
        | operators::GREATER
        | operators::GREATER_EQUALS
        | operators::LESS
        | operators::LESS_EQUALS
        | operators::IN
        | operators::NOT_STRICTLY_FALSE => Kind::Truth,
        "startsWith" | "endsWith" | "matches" if is_member => Kind::Truth,
        operators::ADD => match (first, kinds.get(1)) {
            (Kind::Number, Some(Kind::Number)) => Kind::Number,
            (Kind::Text, Some(Kind::Text)) => Kind::Text,
            _ => Kind::Any,
        },
        "size" => Kind::Number,
        operators::INDEX => match first {
            Kind::List(inner) | Kind::Map(inner) => Kind::inner(inner),
            _ => Kind::Any,
        },
        _ => Kind::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::structural::compile;
    use serde_json::json;

    #[track_caller]
    fn check(source: &str, wanted: Wanted, expected: Option<&str>) {
        let schema = json!({"type": "object", "properties": {
            "n": {"type": "integer"}, "s": {"type": "string"},
            "list": {"type": "array", "items": {
                "type": "object", "properties": {"name": {"type": "string"}},
            }},
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
            "a-b": {"type": "string"}, "namespace": {"type": "string"},
        }});
        let schema = compile(&schema, &mut |_| unreachable!());
        let said = judge(source, &schema, wanted).err();
        let first = said.as_deref().and_then(|said| said.lines().next());
        assert_eq!(first, expected, "{source}");
    }

    #[test]
    fn rules_name_fields_that_are_there() {
        let good = [
            "self.n > 1",
            "!has(self.s) || self.s == 'x'",
            "self.list.all(item, item.name != '')",
            "self.open.whatever == 1",
            "self.map.any > 1",
            "self.a__dash__b == 'x' && self.__namespace__ == 'y'",
            "self.list.exists(one, self.list.exists_one(other, one.name == other.name))",
            "self.list.map(item, item.name).size() == 1",
            "self == oldSelf",
        ];
        for source in good {
            check(source, Wanted::Truth, None);
        }
        let bad = "compilation failed: ERROR: <input>:1:5: undefined field 'none'";
        check("self.none > 1", Wanted::Truth, Some(bad));
        let bad = "compilation failed: ERROR: <input>:1:28: undefined field 'nom'";
        check("self.list.exists(item, item.nom == '')", Wanted::Truth, Some(bad));
    }

    #[test]
    fn rules_say_true_or_false_and_messages_are_texts() {
        check("self.n + 1", Wanted::Truth, Some("cel expression must evaluate to a bool"));
        check("'too ' + self.s", Wanted::Text, None);
        check("self.n", Wanted::Text, Some("messageExpression must evaluate to a string"));
    }
}
