//! Calls: which function takes what.

use super::QueryError;
use super::arithmetic;
use super::calendar;
use super::eval::Evaluator;
use super::histogram;
use super::label_functions::{self, Join, Names, Replacement};
use super::over_time;
use super::range_functions::{self, Change, Counter};
use super::value::{Element, Matrix, SeriesPoints, Value};
use crate::labels::{Labels, METRIC_NAME};
use crate::number::seconds;
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Call, Expr};
use std::collections::BTreeMap;

impl Evaluator<'_> {
    pub(super) fn call(&self, call: &Call, at: i64) -> Result<Value, QueryError> {
        let name = call.func.name;
        let args: Vec<&Expr> = call.args.args.iter().map(|arg| &**arg).collect();
        let families = [Self::range_call, Self::number_call, Self::shape_call, Self::label_call];
        for family in families {
            if let Some(value) = family(self, name, &args, at)? {
                return Ok(value);
            }
        }
        Err(self.unsupported(name))
    }

    /// Functions of a range.
    fn range_call(&self, name: &str, args: &[&Expr], at: i64) -> Result<Option<Value>, QueryError> {
        if let Some(reducer) = over_time::reducer(name) {
            let matrix = self.matrix_arg(name, args, 0, at)?;
            let value = |series: &SeriesPoints| Some(reducer(&series.points));
            return Ok(Some(each_series(&matrix, over_time::keeps_name(name), value)));
        }
        let generation = self.options.generation;
        let change = |change| {
            let matrix = self.matrix_arg(name, args, 0, at)?;
            let value = |series: &SeriesPoints| {
                range_functions::extrapolated(change, &series.points, matrix.window, generation)
            };
            Ok(Some(each_series(&matrix, false, value)))
        };
        let simple = |reduce: fn(&[crate::series::Point]) -> Option<f64>| {
            let matrix = self.matrix_arg(name, args, 0, at)?;
            Ok(Some(each_series(&matrix, false, |series| reduce(&series.points))))
        };
        match name {
            "rate" => change(Change::Rate),
            "increase" => change(Change::Increase),
            "delta" => change(Change::Delta),
            "irate" => simple(|points| range_functions::instant(points, Counter::Yes)),
            "idelta" => simple(|points| range_functions::instant(points, Counter::No)),
            "deriv" => simple(range_functions::slope),
            "predict_linear" => {
                let matrix = self.matrix_arg(name, args, 0, at)?;
                let ahead = self.scalar_arg(name, args, 1, at)?;
                let value = |s: &SeriesPoints| range_functions::predicted(&s.points, at, ahead);
                Ok(Some(each_series(&matrix, false, value)))
            }
            "quantile_over_time" => {
                let q = self.scalar_arg(name, args, 0, at)?;
                let matrix = self.matrix_arg(name, args, 1, at)?;
                let value = |s: &SeriesPoints| Some(over_time::quantile(q, s));
                Ok(Some(each_series(&matrix, false, value)))
            }
            "absent_over_time" => {
                let matrix = self.matrix_arg(name, args, 0, at)?;
                Ok(Some(absent(matrix.series.is_empty(), args[0])))
            }
            _ => Ok(None),
        }
    }

    /// Functions of the value of each element.
    fn number_call(
        &self,
        name: &str,
        args: &[&Expr],
        at: i64,
    ) -> Result<Option<Value>, QueryError> {
        if let Some(map) = number_function(name) {
            return Ok(Some(each_element(self.vector_arg(name, args, 0, at)?, map)));
        }
        if let Some(part) = calendar::part(name) {
            let now = || vec![Element { labels: Labels::default(), value: seconds(at) }];
            let dates = if args.is_empty() { now() } else { self.vector_arg(name, args, 0, at)? };
            return Ok(Some(each_element(dates, part)));
        }
        let bound = |index| self.scalar_arg(name, args, index, at);
        let elements = || self.vector_arg(name, args, 0, at);
        Ok(Some(match name {
            "round" => {
                let to = if args.len() > 1 { bound(1)? } else { 1.0 };
                let inverse = 1.0 / to;
                each_element(elements()?, |v| (v * inverse + 0.5).floor() / inverse)
            }
            "clamp" => {
                let (low, high) = (bound(1)?, bound(2)?);
                if high < low {
                    return Ok(Some(Value::Vector(Vec::new())));
                }
                each_element(elements()?, |v| at_most(at_least(v, low), high))
            }
            "clamp_min" => {
                let low = bound(1)?;
                each_element(elements()?, |v| at_least(v, low))
            }
            "clamp_max" => {
                let high = bound(1)?;
                each_element(elements()?, |v| at_most(v, high))
            }
            _ => return Ok(None),
        }))
    }

    /// Functions that make or reshape vectors.
    fn shape_call(&self, name: &str, args: &[&Expr], at: i64) -> Result<Option<Value>, QueryError> {
        let elements = || self.vector_arg(name, args, 0, at);
        Ok(Some(match name {
            "time" => Value::Scalar(seconds(at)),
            "pi" => Value::Scalar(std::f64::consts::PI),
            "scalar" => Value::Scalar(match elements()?.as_slice() {
                [only] => only.value,
                _ => f64::NAN,
            }),
            "vector" => {
                let value = self.scalar_arg(name, args, 0, at)?;
                Value::Vector(vec![Element { labels: Labels::default(), value }])
            }
            "absent" => absent(elements()?.is_empty(), args[0]),
            "timestamp" => self.timestamps(name, args, at)?,
            "sort" | "sort_desc" => {
                let mut sorted = elements()?;
                let sign = if name == "sort" { 1.0 } else { -1.0 };
                sorted.sort_by(|a, b| arithmetic::nan_last(sign * a.value, sign * b.value));
                Value::Vector(sorted)
            }
            "histogram_quantile" => {
                let q = self.scalar_arg(name, args, 0, at)?;
                let buckets = self.vector_arg(name, args, 1, at)?;
                Value::Vector(histogram::quantiles(q, &buckets, self.options.generation))
            }
            _ => return Ok(None),
        }))
    }

    /// Functions of labels.
    fn label_call(&self, name: &str, args: &[&Expr], at: i64) -> Result<Option<Value>, QueryError> {
        let word = |index| self.string_arg(name, args, index, at);
        let names = Names(self.options.generation);
        Ok(Some(Value::Vector(match name {
            "label_replace" => {
                let elements = self.vector_arg(name, args, 0, at)?;
                let replacement = Replacement {
                    target: word(1)?,
                    template: word(2)?,
                    source: word(3)?,
                    pattern: word(4)?,
                };
                replacement.apply(names, elements)?
            }
            "label_join" => {
                let elements = self.vector_arg(name, args, 0, at)?;
                let sources: Result<Vec<_>, _> = (3..args.len()).map(word).collect();
                let join = Join { target: word(1)?, separator: word(2)?, sources: sources? };
                label_functions::join(names, elements, &join)?
            }
            _ => return Ok(None),
        })))
    }

    fn timestamps(&self, name: &str, args: &[&Expr], at: i64) -> Result<Value, QueryError> {
        if let Some(Expr::VectorSelector(selector)) = args.first().map(|arg| unwrapped(arg)) {
            let taken = self.newest(selector, at)?.into_iter().map(|(element, taken)| Element {
                labels: element.labels.without_name(),
                value: seconds(taken),
            });
            return Ok(Value::Vector(taken.collect()));
        }
        Ok(each_element(self.vector_arg(name, args, 0, at)?, |_| seconds(at)))
    }

    fn vector_arg(
        &self,
        name: &str,
        args: &[&Expr],
        index: usize,
        at: i64,
    ) -> Result<Vec<Element>, QueryError> {
        self.vector(argument(name, args, index)?, at)
    }

    fn matrix_arg(
        &self,
        name: &str,
        args: &[&Expr],
        index: usize,
        at: i64,
    ) -> Result<Matrix, QueryError> {
        self.matrix(argument(name, args, index)?, at)
    }

    fn scalar_arg(
        &self,
        name: &str,
        args: &[&Expr],
        index: usize,
        at: i64,
    ) -> Result<f64, QueryError> {
        self.scalar(argument(name, args, index)?, at)
    }

    fn string_arg(
        &self,
        name: &str,
        args: &[&Expr],
        index: usize,
        at: i64,
    ) -> Result<String, QueryError> {
        self.string(argument(name, args, index)?, at)
    }
}

fn argument<'e>(name: &str, args: &[&'e Expr], index: usize) -> Result<&'e Expr, QueryError> {
    let missing = || QueryError::Unparsed(format!("expected more arguments in call to {name}"));
    args.get(index).copied().ok_or_else(missing)
}

fn unwrapped(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(paren) => unwrapped(&paren.expr),
        other => other,
    }
}

fn number_function(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "exp" => f64::exp,
        "ln" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "sqrt" => f64::sqrt,
        "sgn" => |v| {
            if v > 0.0 {
                1.0
            } else if v < 0.0 {
                -1.0
            } else {
                v
            }
        },
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "asinh" => f64::asinh,
        "acosh" => f64::acosh,
        "atanh" => f64::atanh,
        "deg" => f64::to_degrees,
        "rad" => f64::to_radians,
        _ => return None,
    })
}

fn at_least(value: f64, low: f64) -> f64 {
    if value.is_nan() || low.is_nan() { f64::NAN } else { value.max(low) }
}

fn at_most(value: f64, high: f64) -> f64 {
    if value.is_nan() || high.is_nan() { f64::NAN } else { value.min(high) }
}

fn each_element(elements: Vec<Element>, map: impl Fn(f64) -> f64) -> Value {
    let mapped = elements
        .into_iter()
        .map(|e| Element { labels: e.labels.without_name(), value: map(e.value) });
    Value::Vector(mapped.collect())
}

fn each_series(
    matrix: &Matrix,
    keeps_name: bool,
    value: impl Fn(&SeriesPoints) -> Option<f64>,
) -> Value {
    let reduced = matrix.series.iter().filter(|s| !s.points.is_empty()).filter_map(|series| {
        let kept = || series.labels.clone();
        let labels = if keeps_name { kept() } else { series.labels.without_name() };
        Some(Element { labels, value: value(series)? })
    });
    Value::Vector(reduced.collect())
}

/// One element when nothing was found, with the labels that the selector asks to be equal.
fn absent(nothing: bool, selector: &Expr) -> Value {
    let found = || Element { labels: labels_asked_for(selector), value: 1.0 };
    Value::Vector(nothing.then(found).into_iter().collect())
}

fn labels_asked_for(expr: &Expr) -> Labels {
    let matchers = match expr {
        Expr::VectorSelector(selector) => &selector.matchers,
        Expr::MatrixSelector(selector) => &selector.vs.matchers,
        _ => return Labels::default(),
    };
    let mut asked: BTreeMap<&str, Vec<&Matcher>> = BTreeMap::new();
    for matcher in matchers.matchers.iter().filter(|m| m.name != METRIC_NAME) {
        asked.entry(&matcher.name).or_default().push(matcher);
    }
    Labels::new(asked.into_iter().filter_map(|(name, matchers)| match matchers.as_slice() {
        [only] if only.op == MatchOp::Equal => Some((name, only.value.as_str())),
        _ => None,
    }))
}
