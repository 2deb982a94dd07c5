//! The part of `JSONPath` that printer columns use.
//!
//! Kubernetes' dialect is older than the RFC: dots in keys are escaped with a backslash, and filters
//! compare one path with one literal (`.status.conditions[?(@.type=="Ready")].status`).

use serde_json::Value;

/// A parsed path of a printer column.
#[derive(Debug, PartialEq)]
pub(crate) struct Path(Vec<Step>);

#[derive(Debug, PartialEq)]
enum Step {
    Key(String),
    Index(i64),
    All,
    Filter { path: Path, equal: bool, literal: String },
}

impl Path {
    /// Reads a path; `None` when it uses more of `JSONPath` than columns may.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = match rest.strip_prefix('[') {
                Some(inner) => bracket(inner)?,
                None => key(rest.strip_prefix('.').unwrap_or(rest))?,
            };
            steps.extend(step);
            rest = after;
        }
        Some(Self(steps))
    }

    /// The first value the path leads to.
    pub(crate) fn first<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.all(root).into_iter().next()
    }

    fn all<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        let step = |found: Vec<&'a Value>, step: &Step| {
            found.into_iter().flat_map(|value| step.apply(value)).collect()
        };
        self.0.iter().fold(vec![root], step)
    }
}

impl Step {
    fn apply<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Key(key) => value.get(key).into_iter().collect(),
            Self::Index(index) => at(value, *index).into_iter().collect(),
            Self::All => children(value),
            Self::Filter { path, equal, literal } => {
                let holds = |item: &&Value| {
                    path.first(item).is_some_and(|found| (text(found) == *literal) == *equal)
                };
                children(value).into_iter().filter(holds).collect()
            }
        }
    }
}

fn at(value: &Value, index: i64) -> Option<&Value> {
    let items = value.as_array()?;
    let from_end = || items.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
    items.get(usize::try_from(index).ok().or_else(from_end)?)
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(map) => map.values().collect(),
        _ => Vec::new(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A key up to the next unescaped dot or bracket; a lone dot is no step at all.
fn key(text: &str) -> Option<(Option<Step>, &str)> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, letter)) = chars.next() {
        match letter {
            '\\' => key.push(chars.next()?.1),
            '.' | '[' => return Some((step(key), &text[at..])),
            _ => key.push(letter),
        }
    }
    Some((step(key), ""))
}

fn step(key: String) -> Option<Step> {
    match key.as_str() {
        "" => None,
        "*" => Some(Step::All),
        _ => Some(Step::Key(key)),
    }
}

/// The inside of `[…]` and what follows it.
fn bracket(text: &str) -> Option<(Option<Step>, &str)> {
    if let Some(filter) = text.strip_prefix("?(") {
        let (inner, rest) = filter.split_once(")]")?;
        return Some((Some(comparison(inner)?), rest));
    }
    if let Some(quoted) = text.strip_prefix('\'').or_else(|| text.strip_prefix('"')) {
        let end = quoted.find(text.chars().next()?)?;
        let rest = quoted[end + 1..].strip_prefix(']')?;
        return Some((Some(Step::Key(quoted[..end].to_owned())), rest));
    }
    let (inner, rest) = text.split_once(']')?;
    match inner.trim() {
        "*" => Some((Some(Step::All), rest)),
        index => Some((Some(Step::Index(index.parse().ok()?)), rest)),
    }
}

fn comparison(text: &str) -> Option<Step> {
    let (left, equal, right) = match text.split_once("==") {
        Some((left, right)) => (left, true, right),
        None => text.split_once("!=").map(|(left, right)| (left, false, right))?,
    };
    let path = Path::parse(left.trim().strip_prefix('@')?)?;
    let literal = right.trim().trim_matches(['"', '\'']).to_owned();
    Some(Step::Filter { path, equal, literal })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(path: &str, expected: &Value) {
        let object = json!({
            "metadata": {"labels": {"app.kubernetes.io/name": "web"}},
            "spec": {"ports": [{"port": 80}, {"port": 443}]},
            "status": {"conditions": [
                {"type": "Progressing", "status": "True"},
                {"type": "Available", "status": "False"},
            ]},
        });
        let found = Path::parse(path).and_then(|path| path.first(&object).cloned());
        assert_eq!(found.unwrap_or_default(), *expected, "{path}");
    }

    #[test]
    fn paths_of_real_columns_lead_to_their_value() {
        check(".spec.ports[0].port", &json!(80));
        check(".spec.ports[-1].port", &json!(443));
        check("{.spec.ports[*].port}", &json!(80));
        check(r".metadata.labels.app\.kubernetes\.io/name", &json!("web"));
        check(".metadata.labels['app.kubernetes.io/name']", &json!("web"));
        check(r#".status.conditions[?(@.type=="Available")].status"#, &json!("False"));
        check(".status.conditions[?(@.type!='Available')].type", &json!("Progressing"));
        check(".status.missing.deeper", &Value::Null);
    }

    #[test]
    fn what_columns_may_not_use_is_no_path() {
        assert_eq!(Path::parse(".spec[?(@.a > 1)]"), None);
        assert_eq!(Path::parse(".spec[1"), None);
    }
}
