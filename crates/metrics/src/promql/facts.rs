//! What a query says about itself, without any samples.

use super::{QueryError, text};
use promql_parser::label::{METRIC_NAME, MatchOp};
use promql_parser::parser::{Expr, VectorSelector, value::ValueType};
use std::collections::BTreeSet;
use std::time::Duration;

/// What a query says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The metrics it names; one that is picked by a regular expression is not among them.
    pub names: BTreeSet<String>,
    /// How far back it looks, subqueries included; `None` when it asks for present values only.
    pub window: Option<Duration>,
    /// What it comes to.
    pub kind: Kind,
}

/// What a query comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One number.
    Scalar,
    /// One number for each series.
    Vector,
    /// Several numbers for each series.
    Matrix,
    /// Text.
    Text,
}

/// Reads a query without evaluating it; what only the evaluation here does not support is no error.
///
/// # Errors
/// [`QueryError`] when the text is not PromQL, or beyond the limits.
pub fn inspect(query: &str) -> Result<Facts, QueryError> {
    let expr = text::parse_syntax(query)?;
    let mut names = BTreeSet::new();
    gather_names(&expr, &mut names);
    let kind = match expr.value_type() {
        ValueType::Scalar => Kind::Scalar,
        ValueType::Vector => Kind::Vector,
        ValueType::Matrix => Kind::Matrix,
        ValueType::String => Kind::Text,
    };
    let window = Some(window(&expr)).filter(|window| !window.is_zero());
    Ok(Facts { names, window, kind })
}

fn gather_names(expr: &Expr, names: &mut BTreeSet<String>) {
    match expr {
        Expr::VectorSelector(selector) => names.extend(name_of(selector)),
        Expr::MatrixSelector(selector) => names.extend(name_of(&selector.vs)),
        _ => {}
    }
    for child in text::children(expr) {
        gather_names(child, names);
    }
}

fn name_of(selector: &VectorSelector) -> Option<String> {
    let is_name = |matcher: &&promql_parser::label::Matcher| {
        matcher.name == METRIC_NAME && matches!(matcher.op, MatchOp::Equal)
    };
    let matched = || selector.matchers.matchers.iter().find(is_name);
    selector.name.clone().or_else(|| matched().map(|matcher| matcher.value.clone()))
}

fn window(expr: &Expr) -> Duration {
    let below = text::children(expr).into_iter().map(window).max().unwrap_or_default();
    match expr {
        Expr::MatrixSelector(selector) => selector.range,
        Expr::Subquery(subquery) => subquery.range.saturating_add(below),
        _ => below,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, names: &[&str], minutes: u64, kind: Kind) {
        let facts = inspect(query).unwrap();
        let window = (minutes > 0).then(|| Duration::from_secs(60 * minutes));
        assert_eq!(facts.names.iter().map(String::as_str).collect::<Vec<_>>(), names, "{query}");
        assert_eq!((facts.window, facts.kind), (window, kind), "{query}");
    }

    #[test]
    fn a_query_tells_its_metrics_its_window_and_what_it_comes_to() {
        check("up", &["up"], 0, Kind::Vector);
        check("scalar(sum(rate(a_total[5m])))", &["a_total"], 5, Kind::Scalar);
        check("sum(rate(a[1m])) / sum(rate(b[2m]))", &["a", "b"], 2, Kind::Vector);
        check("max_over_time(rate(a[5m])[30m:1m])", &["a"], 35, Kind::Vector);
        check(r#"{__name__="a", job="x"}[5m]"#, &["a"], 5, Kind::Matrix);
        check(r#"{__name__=~"a.*"}"#, &[], 0, Kind::Vector);
        check("1 + 1", &[], 0, Kind::Scalar);
        check("topk(2, a)", &["a"], 0, Kind::Vector);
    }

    #[test]
    fn what_is_not_promql_is_an_error_and_what_is_not_evaluated_is_none() {
        assert!(inspect("sum(rate(a[5m])").is_err());
        assert!(inspect("").is_err());
        assert!(inspect(r#"up{a="1" or b="2"}"#).is_ok());
    }
}
