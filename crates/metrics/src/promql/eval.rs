//! The evaluator: what an expression is worth at one time.

use super::value::{Element, Matrix, PromValue, SeriesPoints, Value, Window};
use super::{MAX_SUBQUERY_STEPS, Options, QueryError, text};
use crate::Labels;
use crate::series::{Point, Ring, SeriesStore};
use promql_parser::parser::{Expr, SubqueryExpr, UnaryExpr};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

type Selection<'a> = Rc<[(&'a Labels, &'a Ring)]>;

/// One query under way.
pub(super) struct Evaluator<'a> {
    pub(super) store: &'a SeriesStore,
    pub(super) options: &'a Options,
    /// Start and end of the whole query.
    pub(super) bounds: (i64, i64),
    /// Selections by the address of their selector, which lives as long as the query.
    pub(super) selections: RefCell<BTreeMap<usize, Selection<'a>>>,
    query: &'a str,
    samples_left: Cell<usize>,
    subquery_steps_left: Cell<usize>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        store: &'a SeriesStore,
        query: &'a str,
        options: &'a Options,
        bounds: (i64, i64),
    ) -> Self {
        Self {
            store,
            options,
            bounds,
            selections: RefCell::default(),
            query,
            samples_left: Cell::new(options.max_samples),
            subquery_steps_left: Cell::new(MAX_SUBQUERY_STEPS),
        }
    }

    pub(super) fn instant(&self, expr: &Expr, at: i64) -> Result<PromValue, QueryError> {
        Ok(match self.eval(expr, at)? {
            Value::Scalar(value) => PromValue::Scalar(Point { at, value }),
            Value::String(text) => PromValue::String(at, text),
            Value::Vector(elements) => PromValue::Vector(at, elements),
            Value::Matrix(matrix) => PromValue::Matrix(matrix.series),
        })
    }

    pub(super) fn range(&self, expr: &Expr, step: i64) -> Result<PromValue, QueryError> {
        let (start, end) = self.bounds;
        self.steps(expr, Window { start, end }, step).map(PromValue::Matrix)
    }

    pub(super) fn eval(&self, expr: &Expr, at: i64) -> Result<Value, QueryError> {
        Ok(match expr {
            Expr::NumberLiteral(number) => Value::Scalar(number.val),
            Expr::StringLiteral(text) => Value::String(text.val.clone()),
            Expr::Paren(inner) => self.eval(&inner.expr, at)?,
            Expr::Unary(unary) => self.negate(unary, at)?,
            Expr::VectorSelector(selector) => {
                Value::Vector(self.newest(selector, at)?.into_iter().map(|(e, _)| e).collect())
            }
            Expr::MatrixSelector(selector) => Value::Matrix(self.window_of(selector, at)?),
            Expr::Subquery(subquery) => Value::Matrix(self.subquery(subquery, at)?),
            Expr::Call(call) => distinct(self.call(call, at)?)?,
            Expr::Aggregate(aggregate) => distinct(self.aggregate(aggregate, at)?)?,
            Expr::Binary(binary) => distinct(self.binary(binary, at)?)?,
            Expr::Extension(_) => return Err(self.unsupported("extension")),
        })
    }

    pub(super) fn vector(&self, expr: &Expr, at: i64) -> Result<Vec<Element>, QueryError> {
        match self.eval(expr, at)? {
            Value::Vector(elements) => Ok(elements),
            other => Err(mismatch("instant vector", &other)),
        }
    }

    pub(super) fn scalar(&self, expr: &Expr, at: i64) -> Result<f64, QueryError> {
        match self.eval(expr, at)? {
            Value::Scalar(value) => Ok(value),
            other => Err(mismatch("scalar", &other)),
        }
    }

    pub(super) fn string(&self, expr: &Expr, at: i64) -> Result<String, QueryError> {
        match self.eval(expr, at)? {
            Value::String(text) => Ok(text),
            other => Err(mismatch("string", &other)),
        }
    }

    pub(super) fn matrix(&self, expr: &Expr, at: i64) -> Result<Matrix, QueryError> {
        match self.eval(expr, at)? {
            Value::Matrix(matrix) => Ok(matrix),
            other => Err(mismatch("range vector", &other)),
        }
    }

    pub(super) fn unsupported(&self, what: &str) -> QueryError {
        let position = text::position(self.query, what);
        QueryError::Unsupported { position, what: what.to_owned() }
    }

    pub(super) fn lookback_millis(&self) -> i64 {
        i64::try_from(self.options.lookback.as_millis()).unwrap_or(i64::MAX)
    }

    pub(super) fn spend(&self, samples: usize) -> Result<(), QueryError> {
        let left = self.samples_left.get().checked_sub(samples);
        self.samples_left.set(left.ok_or(QueryError::TooManySamples)?);
        Ok(())
    }

    fn negate(&self, unary: &UnaryExpr, at: i64) -> Result<Value, QueryError> {
        match self.eval(&unary.expr, at)? {
            Value::Scalar(value) => Ok(Value::Scalar(-value)),
            Value::Vector(elements) => {
                let negated = elements
                    .into_iter()
                    .map(|e| Element { labels: e.labels.without_name(), value: -e.value });
                distinct(Value::Vector(negated.collect()))
            }
            other => Err(mismatch("scalar or instant vector", &other)),
        }
    }

    fn subquery(&self, subquery: &SubqueryExpr, at: i64) -> Result<Matrix, QueryError> {
        let end = self.shifted(at, subquery.at.as_ref(), subquery.offset.as_ref());
        let window =
            Window { start: end.saturating_sub(super::select::millis(subquery.range)), end };
        let own = subquery.step.map(super::select::millis);
        let default = i64::try_from(self.options.subquery_step.as_millis()).unwrap_or(i64::MAX);
        let step = own.unwrap_or(default).max(1);
        let mut first = window.start.div_euclid(step) * step;
        while !self.is_within(first, window.start) {
            first += step;
        }
        let count = usize::try_from((end - first) / step + 1).unwrap_or(0);
        let left = self.subquery_steps_left.get().checked_sub(count);
        let limit = MAX_SUBQUERY_STEPS;
        self.subquery_steps_left.set(left.ok_or(QueryError::TooManySubquerySteps { limit })?);
        let series = self.steps(&subquery.expr, Window { start: first, end }, step)?;
        Ok(Matrix { series, window })
    }

    fn steps(
        &self,
        expr: &Expr,
        window: Window,
        step: i64,
    ) -> Result<Vec<SeriesPoints>, QueryError> {
        let mut series: BTreeMap<Labels, Vec<Point>> = BTreeMap::new();
        let mut at = window.start;
        while at <= window.end {
            let elements = match self.eval(expr, at)? {
                Value::Scalar(value) => vec![Element { labels: Labels::default(), value }],
                Value::Vector(elements) => elements,
                other => return Err(QueryError::NotForRange(other.type_name())),
            };
            self.spend(elements.len())?;
            for element in elements {
                let point = Point { at, value: element.value };
                series.entry(element.labels).or_default().push(point);
            }
            let Some(next) = at.checked_add(step) else { break };
            at = next;
        }
        let named = |(labels, points)| SeriesPoints { labels, points };
        Ok(series.into_iter().map(named).collect())
    }
}

fn mismatch(expected: &str, got: &Value) -> QueryError {
    QueryError::Unparsed(format!("expected type {expected}, got {}", got.type_name()))
}

fn distinct(value: Value) -> Result<Value, QueryError> {
    if let Value::Vector(elements) = &value {
        let labels: BTreeSet<_> = elements.iter().map(|e| &e.labels).collect();
        if labels.len() < elements.len() {
            return Err(QueryError::same_labels());
        }
    }
    Ok(value)
}
