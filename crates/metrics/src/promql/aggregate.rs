//! Aggregation: many elements of a vector into few.

use super::arithmetic::{self, Sum};
use super::eval::Evaluator;
use super::label_functions::Names;
use super::value::{Element, Value};
use super::{Generation, QueryError};
use crate::labels::{Labels, METRIC_NAME};
use crate::number;
use groups::Groups;
use promql_parser::parser::{AggregateExpr, LabelModifier};

impl Evaluator<'_> {
    pub(super) fn aggregate(&self, expr: &AggregateExpr, at: i64) -> Result<Value, QueryError> {
        let elements = self.vector(&expr.expr, at)?;
        let name = expr.op.to_string();
        let groups = grouped(elements, expr.modifier.as_ref());
        let reduced = match name.as_str() {
            "topk" | "bottomk" => return self.ranked(expr, &name, groups, at),
            "count_values" => return self.count_values(expr, groups, at),
            "quantile" => {
                let q = self.parameter(expr, at)?;
                reduce(groups, |values| arithmetic::quantile(q, values.to_vec()))
            }
            _ => {
                let reducer = reducer(&name, self.options.generation);
                let reducer = reducer.ok_or_else(|| self.unsupported(&name))?;
                reduce(groups, reducer)
            }
        };
        Ok(Value::Vector(reduced))
    }

    fn parameter(&self, expr: &AggregateExpr, at: i64) -> Result<f64, QueryError> {
        match &expr.param {
            Some(param) => self.scalar(param, at),
            None => Err(QueryError::Unparsed(format!("{} takes a parameter", expr.op))),
        }
    }

    fn ranked(
        &self,
        expr: &AggregateExpr,
        name: &str,
        groups: Groups,
        at: i64,
    ) -> Result<Value, QueryError> {
        let most = self.parameter(expr, at)?;
        if most.is_nan() {
            return Err(QueryError::failed("Scalar value NaN overflows int64"));
        }
        let most = number::index(most);
        let mut kept = Vec::new();
        for (_, mut members) in groups.into_groups() {
            members.sort_by(|a, b| match name {
                "topk" => arithmetic::nan_last(-a.value, -b.value),
                _ => arithmetic::nan_last(a.value, b.value),
            });
            members.truncate(most);
            kept.extend(members);
        }
        Ok(Value::Vector(kept))
    }

    fn count_values(
        &self,
        expr: &AggregateExpr,
        groups: Groups,
        at: i64,
    ) -> Result<Value, QueryError> {
        let label = match &expr.param {
            Some(param) => self.string(param, at)?,
            None => String::new(),
        };
        if !Names(self.options.generation).allow(&label) {
            return Err(QueryError::failed(format!("invalid label name {label:?}")));
        }
        let mut counts = Groups::default();
        for (labels, members) in groups.into_groups() {
            for member in members {
                let mut named = labels.edit();
                named.set(label.as_str(), plain(member.value));
                counts.add(named.finish(), member);
            }
        }
        Ok(Value::Vector(reduce(counts, |values| number::float(values.len()))))
    }
}

/// Groups in the order in which their first member came.
mod groups {
    use super::{Element, Labels};
    use std::collections::BTreeMap;

    #[derive(Default)]
    pub(super) struct Groups {
        places: BTreeMap<Labels, usize>,
        groups: Vec<(Labels, Vec<Element>)>,
    }

    impl Groups {
        pub(super) fn add(&mut self, key: Labels, member: Element) {
            let next = self.groups.len();
            let place = *self.places.entry(key.clone()).or_insert(next);
            if place == next {
                self.groups.push((key, Vec::new()));
            }
            self.groups[place].1.push(member);
        }

        pub(super) fn into_groups(self) -> Vec<(Labels, Vec<Element>)> {
            self.groups
        }
    }
}

fn grouped(elements: Vec<Element>, modifier: Option<&LabelModifier>) -> Groups {
    let mut groups = Groups::default();
    for element in elements {
        groups.add(group_key(&element.labels, modifier), element);
    }
    groups
}

fn group_key(labels: &Labels, modifier: Option<&LabelModifier>) -> Labels {
    let lists = |names: &[String], name: &str| names.iter().any(|listed| listed == name);
    match modifier {
        None => Labels::default(),
        Some(LabelModifier::Include(names)) => labels.dropping(|name| !lists(&names.labels, name)),
        Some(LabelModifier::Exclude(names)) => {
            labels.dropping(|name| name == METRIC_NAME || lists(&names.labels, name))
        }
    }
}

fn reducer(name: &str, generation: Generation) -> Option<fn(&[f64]) -> f64> {
    Some(match name {
        "sum" => |values| Sum::of(values.iter().copied()),
        "avg" => arithmetic::mean,
        "min" => |values| arithmetic::smallest(values.iter().copied()),
        "max" => |values| arithmetic::largest(values.iter().copied()),
        "count" => |values| number::float(values.len()),
        "group" => |_| 1.0,
        "stdvar" if generation == Generation::V2 => variance_but_of_one,
        "stddev" if generation == Generation::V2 => |values| variance_but_of_one(values).sqrt(),
        "stdvar" => arithmetic::variance,
        "stddev" => |values| arithmetic::variance(values).sqrt(),
        _ => return None,
    })
}

/// The second generation takes a lone element to be where it is, be it infinite or no number.
fn variance_but_of_one(values: &[f64]) -> f64 {
    if values.len() == 1 { 0.0 } else { arithmetic::variance(values) }
}

fn reduce(groups: Groups, reducer: impl Fn(&[f64]) -> f64) -> Vec<Element> {
    let elements = groups.into_groups().into_iter().map(|(labels, members)| {
        let values: Vec<_> = members.iter().map(|member| member.value).collect();
        Element { labels, value: reducer(&values) }
    });
    elements.collect()
}

/// A number without an exponent, as `count_values` names its groups.
fn plain(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { number::format(value) }
}
