//! The `JSONPath` dialect of Kubernetes: `{$.a.b[0]}`, `{.items[*].name}`, `{..c}`.
//!
//! Paths are rewritten for the standard `JSONPath` engine: braces fall away, the root may be left out,
//! and names may hold dashes and escaped dots.

use jsonpath_rust::JsonPath;
use serde_json::Value;

/// The path used when none is given: the whole answer.
pub(crate) const WHOLE: &str = "{$}";
/// Longest path in bytes.
const MAX_PATH_BYTES: usize = 1024;
/// Deepest nesting of brackets in a path.
const MAX_PATH_NESTING: usize = 16;

/// Finds the first value at a path.
///
/// # Errors
/// A sentence, when the path is malformed or leads nowhere.
pub(crate) fn first<'a>(path: &str, json: &'a Value) -> Result<&'a Value, String> {
    let standard = standard(path)?;
    let found =
        json.query(&standard).map_err(|error| format!("jsonPath {path} is malformed: {error}"))?;
    found.first().copied().ok_or_else(|| format!("{} is not found", missing(&standard, json)))
}

/// Reads a path without following it.
///
/// # Errors
/// A sentence, when the path is malformed.
pub(crate) fn check(path: &str) -> Result<(), String> {
    let standard = standard(path)?;
    let parsed = Value::Null.query(&standard).map(drop);
    parsed.map_err(|error| format!("jsonPath {path} is malformed: {error}"))
}

/// The same path in the words of RFC 9535.
fn standard(path: &str) -> Result<String, String> {
    let inner = path.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let inner = inner
        .ok_or_else(|| format!("jsonPath {path} must be enclosed in braces, like {{$.result}}"))?;
    let inner = inner.trim();
    let depth = inner.chars().filter(|it| matches!(it, '[' | '(')).count();
    if inner.len() > MAX_PATH_BYTES || depth > MAX_PATH_NESTING {
        return Err(format!(
            "jsonPath is longer than {MAX_PATH_BYTES} bytes or has more than {MAX_PATH_NESTING} brackets"
        ));
    }
    let steps = inner.strip_prefix(['$', '@']).unwrap_or(inner);
    let steps = if steps.is_empty() || steps.starts_with(['.', '[']) {
        steps.to_owned()
    } else {
        format!(".{steps}")
    };
    Ok(format!("${}", quoted_names(&steps)))
}

/// Writes names with characters that the standard does not allow after a dot as `['name']`.
fn quoted_names(steps: &str) -> String {
    let mut out = String::new();
    let mut rest = steps;
    while let Some(first) = rest.chars().next() {
        if first == '[' {
            let (bracket, after) = rest.split_at(bracket_length(rest));
            out.push_str(&in_bracket(bracket));
            rest = after;
            continue;
        }
        let dots = rest.len() - rest.trim_start_matches('.').len();
        let (name, after) = rest[dots..].split_at(name_length(&rest[dots..]));
        out.push_str(&step(&rest[..dots], name));
        rest = after;
    }
    out
}

/// A bracket in the words of the standard. As in Kubernetes, `['a.b']` is `b` of `a` and `['a\.b']` one name, and
/// what follows `@` in a filter is a path like any other.
fn in_bracket(bracket: &str) -> String {
    let name = bracket.strip_prefix("['").and_then(|rest| rest.strip_suffix("']"));
    match name {
        Some(name) if !name.contains('\'') => quoted_names(&format!(".{name}")),
        _ if bracket.starts_with("[?") => filter(bracket),
        _ => bracket.to_owned(),
    }
}

fn filter(bracket: &str) -> String {
    let (mut out, mut rest, mut quote) = (String::new(), bracket, None);
    while let Some(first) = rest.chars().next() {
        let (taken, after) = rest.split_at(first.len_utf8());
        out.push_str(taken);
        rest = after;
        match (quote, first) {
            (Some(open), _) if open == first => quote = None,
            (None, '\'' | '"') => quote = Some(first),
            (None, '@') => {
                let (path, after) = rest.split_at(path_length(rest));
                out.push_str(&quoted_names(path));
                rest = after;
            }
            _ => {}
        }
    }
    out
}

/// Length of the path within a filter that text begins with.
fn path_length(text: &str) -> usize {
    let mut length = 0;
    loop {
        let rest = &text[length..];
        length += match rest.chars().next() {
            Some('[') => bracket_length(rest),
            Some('.') => 1 + word_length(&rest[1..]),
            _ => return length,
        };
    }
}

/// Length of a name within a filter; a backslash keeps any character within it.
fn word_length(text: &str) -> usize {
    let mut escaped = false;
    let ends = |it: char| {
        let is_within = escaped || it.is_alphanumeric() || matches!(it, '_' | '-' | '*' | '\\');
        escaped = it == '\\' && !escaped;
        !is_within
    };
    text.find(ends).unwrap_or(text.len())
}

fn step(dots: &str, name: &str) -> String {
    let plain = |it: char| it.is_alphanumeric() || it == '_';
    let starts_well = !name.starts_with(|it: char| it.is_ascii_digit());
    if name.is_empty() || name == "*" || (name.chars().all(plain) && starts_well) {
        return format!("{dots}{name}");
    }
    let name = name.replace("\\.", ".").replace('\\', "").replace('\'', "\\'");
    let descent = if dots == ".." { ".." } else { "" };
    format!("{descent}['{name}']")
}

/// Length of a name up to the next dot or bracket; a backslash keeps either within the name.
fn name_length(rest: &str) -> usize {
    let mut escaped = false;
    let ends = |it: char| {
        let ends = !escaped && matches!(it, '.' | '[');
        escaped = it == '\\' && !escaped;
        ends
    };
    rest.find(ends).unwrap_or(rest.len())
}

/// Length of a bracket with all it holds; quotes may hold brackets.
fn bracket_length(rest: &str) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, it) in rest.char_indices() {
        match (quote, it) {
            (Some(open), _) if open == it => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(it),
            (None, '[') => depth += 1,
            (None, ']') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + it.len_utf8();
        }
    }
    rest.len()
}

/// The first step of a path that finds nothing, for a sentence.
fn missing(standard: &str, json: &Value) -> String {
    let ends =
        standard.char_indices().skip(1).filter(|(_, it)| matches!(it, '.' | '[')).map(|(at, _)| at);
    let ends: Vec<usize> = ends.chain([standard.len()]).collect();
    let lost = |end: &usize| json.query(&standard[..*end]).is_ok_and(|found| found.is_empty());
    let end = ends.into_iter().find(lost).unwrap_or(standard.len());
    standard[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check_path(path: &str, expected: Result<Value, &str>) {
        let json = json!({
            "key": [{"key2": {"value": "1"}}, {"key2": {"value": "2"}}],
            "with-dash": {"a.b": 3},
            "n": 1,
            "checks": [{"check-name": "db", "a.b": 7, "ok": true}, {"check-name": "web", "ok": false}],
        });
        let got = first(path, &json).cloned();
        match (&got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(*got, expected, "{path}"),
            (Err(got), Err(expected)) => {
                assert!(got.contains(expected), "{got:?} lacks {expected:?}");
            }
            _ => panic!("{path}: {got:?}"),
        }
    }

    #[test]
    fn paths_of_kubernetes_lead_where_they_should() {
        check_path("{$.key[0].key2.value}", Ok(json!("1")));
        check_path("{.key[1].key2.value}", Ok(json!("2")));
        check_path("{key[0]['key2'].value}", Ok(json!("1")));
        check_path("{.key[-1].key2.value}", Ok(json!("2")));
        check_path("{.key[*].key2.value}", Ok(json!("1")));
        check_path("{..value}", Ok(json!("1")));
        check_path("{.with-dash.a\\.b}", Ok(json!(3)));
        check_path("{.key[?(@.key2.value=='2')].key2.value}", Ok(json!("2")));
        check_path("{$.n}", Ok(json!(1)));
    }

    #[test]
    fn names_in_brackets_and_filters_are_read_as_kubernetes_reads_them() {
        check_path("{.with-dash['a\\.b']}", Ok(json!(3)));
        check_path("{['with-dash']['a\\.b']}", Ok(json!(3)));
        check_path("{.key[0]['key2.value']}", Ok(json!("1")));
        check_path("{.key[0]['a.b']}", Err("is not found"));
        check_path("{.key[0][\"key2\"].value}", Ok(json!("1")));
        check_path("{.checks[?(@.check-name==\"db\")].ok}", Ok(json!(true)));
        check_path("{.checks[?(@.check-name == 'web')].ok}", Ok(json!(false)));
        check_path("{.checks[?(@.a\\.b > 6)].check-name}", Ok(json!("db")));
        check_path("{.checks[?(@['check-name']=='@.check-name')].ok}", Err("is not found"));
        check_path("{.key[?(@.key2.value != '1' && @.key2)].key2.value}", Ok(json!("2")));
    }

    #[test]
    fn a_path_that_leads_nowhere_says_where_it_ended() {
        check_path("{$.key[0].key2.novalue}", Err("$.key[0].key2.novalue is not found"));
        check_path("{$.gone.further}", Err("$.gone is not found"));
        check_path("{$.key[9]}", Err("$.key[9] is not found"));
    }

    #[test]
    fn a_malformed_path_is_an_error() {
        check_path("$.key", Err("must be enclosed in braces"));
        check_path("{$.key[}", Err("is malformed"));
        check_path("{$.key[?(@.a ==)]}", Err("is malformed"));
        check_path(&format!("{{{}}}", "[".repeat(40)), Err("brackets"));
        assert!(check("{$.a[0]}").is_ok());
    }
}
