//! Operators between expressions.

use super::QueryError;
use super::arithmetic::Operator;
use super::eval::Evaluator;
use super::matching::{Matching, Operation, Returns};
use super::value::{Element, Value};
use promql_parser::parser::{BinaryExpr, VectorMatchFillValues};
use std::collections::BTreeSet;

impl Evaluator<'_> {
    pub(super) fn binary(&self, expr: &BinaryExpr, at: i64) -> Result<Value, QueryError> {
        let name = expr.op.to_string();
        let modifier = expr.modifier.as_ref();
        if modifier.is_some_and(|m| m.fill_values != VectorMatchFillValues::default()) {
            return Err(self.unsupported("fill"));
        }
        let (left, right) = (self.eval(&expr.lhs, at)?, self.eval(&expr.rhs, at)?);
        let matching = Matching::of(modifier);
        if let ("and" | "or" | "unless", Value::Vector(l), Value::Vector(r)) =
            (name.as_str(), &left, &right)
        {
            return Ok(Value::Vector(combine(&name, &matching, l, r)));
        }
        let operator = Operator::named(&name).ok_or_else(|| self.unsupported(&name))?;
        let returns = if expr.return_bool() { Returns::Truth } else { Returns::Matches };
        let generation = self.options.generation;
        let operation = Operation { operator, returns, generation };
        Ok(match (left, right) {
            (Value::Scalar(l), Value::Scalar(r)) => {
                Value::Scalar(operation.value(l, r).unwrap_or(f64::NAN))
            }
            (Value::Vector(l), Value::Scalar(r)) => each(l, operation, |v| operation.value(v, r)),
            (Value::Scalar(l), Value::Vector(r)) => {
                // A comparison that filters keeps the vector's own value.
                let kept = |v, result| if operation.filters() { v } else { result };
                each(r, operation, |v| operation.value(l, v).map(|result| kept(v, result)))
            }
            (Value::Vector(l), Value::Vector(r)) => Value::Vector(matching.pairs(operation, l, r)?),
            (left, right) => return Err(self.unsuited(&name, &left, &right)),
        })
    }

    fn unsuited(&self, operator: &str, left: &Value, right: &Value) -> QueryError {
        let (left, right) = (left.type_name(), right.type_name());
        self.unsupported(&format!("{operator} between {left} and {right}"))
    }
}

fn each(elements: Vec<Element>, operation: Operation, value: impl Fn(f64) -> Option<f64>) -> Value {
    let results = elements.into_iter().filter_map(|element| {
        let value = value(element.value)?;
        Some(Element { labels: operation.labels(&element.labels), value })
    });
    Value::Vector(results.collect())
}

fn combine(
    operator: &str,
    matching: &Matching<'_>,
    left: &[Element],
    right: &[Element],
) -> Vec<Element> {
    let signatures = |elements: &[Element]| -> BTreeSet<_> {
        elements.iter().map(|element| matching.signature(&element.labels)).collect()
    };
    let filtered = |elements: &[Element], others: &BTreeSet<_>, wanted: bool| -> Vec<_> {
        let same = |e: &&Element| others.contains(&matching.signature(&e.labels)) == wanted;
        elements.iter().filter(same).cloned().collect()
    };
    match operator {
        "and" => filtered(left, &signatures(right), true),
        "unless" => filtered(left, &signatures(right), false),
        _ => {
            let mut all = left.to_vec();
            all.extend(filtered(right, &signatures(left), false));
            all
        }
    }
}
