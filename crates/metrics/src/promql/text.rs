//! From text to expressions, with the limits that keep a query harmless.

use super::{MAX_DEPTH, MAX_QUERY_BYTES, QueryError};
use promql_parser::label::Matchers;
use promql_parser::parser::{self, Expr};
use std::{panic::catch_unwind, time::Duration};

/// Reads a query that can be evaluated here.
pub(super) fn parse(query: &str) -> Result<Expr, QueryError> {
    let expr = parse_syntax(query)?;
    check_matchers(query, &expr)?;
    Ok(expr)
}

/// Reads any query.
pub(super) fn parse_syntax(query: &str) -> Result<Expr, QueryError> {
    check_size(query)?;
    // The parser panics on a number in place of a duration that is no time: `up[1e300]`.
    let parsed = catch_unwind(|| parser::parse(query))
        .unwrap_or_else(|_| Err("a duration is out of range".to_owned()));
    let expr = parsed.map_err(|message| unparsed(query, message))?;
    if is_deeper(&expr, MAX_DEPTH) {
        return Err(QueryError::TooDeep { limit: MAX_DEPTH });
    }
    Ok(expr)
}

/// The matchers of a selector without range, offset or time: `up{job="a"}`.
pub fn parse_selector(selector: &str) -> Result<Matchers, QueryError> {
    match parse(selector)? {
        Expr::VectorSelector(found) if found.offset.is_none() && found.at.is_none() => {
            Ok(with_name(found.matchers, found.name))
        }
        _ => Err(QueryError::Unparsed("a series selector was expected".to_owned())),
    }
}

/// A duration as PromQL writes it: `1h30m`, `500ms`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    // The parser takes plain numbers too, and panics on those that are no time.
    if let Ok(seconds) = text.parse() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    promql_parser::util::parse_duration(text).ok()
}

pub(super) fn with_name(mut matchers: Matchers, name: Option<String>) -> Matchers {
    use promql_parser::label::{METRIC_NAME, MatchOp, Matcher};
    if let Some(name) = name {
        matchers.matchers.push(Matcher::new(MatchOp::Equal, METRIC_NAME, &name));
    }
    matchers
}

/// Line and column of the first place where `word` stands as a word of its own; the start of the
/// query when there is none.
pub(super) fn position(query: &str, word: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let stands_alone = |start: &usize| {
        let before = query[..*start].chars().next_back();
        let after = query[start + word.len()..].chars().next();
        let name = word.chars().all(is_word);
        !name || (!before.is_some_and(is_word) && !after.is_some_and(is_word))
    };
    let places = query.match_indices(word).map(|(start, _)| start);
    let start = places.into_iter().find(stands_alone).unwrap_or(0);
    let line = query[..start].matches('\n').count() + 1;
    let column = query[..start].chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("{line}:{column}")
}

fn check_size(query: &str) -> Result<(), QueryError> {
    let bytes = query.len();
    if bytes > MAX_QUERY_BYTES {
        return Err(QueryError::TooLong { bytes, limit: MAX_QUERY_BYTES });
    }
    // The parser recurses too, so brackets are counted before it sees them.
    let mut depth = 0_usize;
    for c in query.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(QueryError::TooDeep { limit: MAX_DEPTH });
        }
    }
    Ok(())
}

fn unparsed(query: &str, message: String) -> QueryError {
    let unknown = message.strip_prefix("unknown function with name '");
    match unknown.and_then(|rest| rest.split('\'').next()) {
        Some(name) => QueryError::Unparsed(format!(
            "{}: unknown function with name \"{name}\"",
            position(query, name)
        )),
        None if query.trim().is_empty() => {
            QueryError::Unparsed("no expression found in input".to_owned())
        }
        None => QueryError::Unparsed(message),
    }
}

/// The expressions right below one.
pub(super) fn children(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Aggregate(e) => e.param.iter().map(|p| &**p).chain([&*e.expr]).collect(),
        Expr::Unary(e) => vec![&e.expr],
        Expr::Binary(e) => vec![&e.lhs, &e.rhs],
        Expr::Paren(e) => vec![&e.expr],
        Expr::Subquery(e) => vec![&e.expr],
        Expr::Call(e) => e.args.args.iter().map(|arg| &**arg).collect(),
        _ => Vec::new(),
    }
}

fn is_deeper(expr: &Expr, limit: usize) -> bool {
    let mut open = vec![(expr, 1)];
    while let Some((expr, depth)) = open.pop() {
        if depth > limit {
            return true;
        }
        open.extend(children(expr).into_iter().map(|child| (child, depth + 1)));
    }
    false
}

fn check_matchers(query: &str, expr: &Expr) -> Result<(), QueryError> {
    let matchers = match expr {
        Expr::VectorSelector(selector) => Some(&selector.matchers),
        Expr::MatrixSelector(selector) => Some(&selector.vs.matchers),
        _ => None,
    };
    if matchers.is_some_and(|matchers| !matchers.or_matchers.is_empty()) {
        let position = position(query, "or");
        return Err(QueryError::Unsupported { position, what: "`or` between matchers".to_owned() });
    }
    children(expr).into_iter().try_for_each(|child| check_matchers(query, child))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_that_of_the_whole_word() {
        assert_eq!(position("xrate(a)\n + rate(b)", "rate"), "2:4");
        assert_eq!(position("a", "b"), "1:1");
    }

    #[test]
    fn a_number_that_is_no_time_is_no_duration() {
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_mins(90)));
        assert_eq!(parse_duration("1.5"), Some(Duration::from_millis(1_500)));
        for text in ["-1", "NaN", "inf", "1e300", "", "soon"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_range_or_an_offset_that_is_no_time_is_refused() {
        for query in ["up[18446744073709551616]", "up offset 1e300", "up[5m:1e300]", "up[NaN]"] {
            assert!(matches!(parse(query), Err(QueryError::Unparsed(_))), "{query}");
        }
    }

    #[test]
    fn an_unknown_function_is_named_with_its_place() {
        let error = parse("1 + foo_over_time(x[5m])").unwrap_err();
        assert_eq!(
            error.to_string(),
            "parse error: 1:5: unknown function with name \"foo_over_time\""
        );
    }

    #[test]
    fn deep_and_long_queries_are_refused() {
        let deep = format!("{}1{}", "(".repeat(MAX_DEPTH + 1), ")".repeat(MAX_DEPTH + 1));
        assert!(matches!(parse(&deep), Err(QueryError::TooDeep { .. })));
        let chain = vec!["1"; MAX_DEPTH + 2].join("+");
        assert!(matches!(parse(&chain), Err(QueryError::TooDeep { .. })));
        let long = " ".repeat(MAX_QUERY_BYTES + 1);
        assert!(matches!(parse(&long), Err(QueryError::TooLong { .. })));
    }
}
