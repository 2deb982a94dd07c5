//! Label and field selectors: parsing and matching.
//!
//! Start at [`Selectors`]. Matching reads an object and never changes it.

mod requirements;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::error::ApiError;
use crate::path;

/// Both selectors of a list or watch. Empty selectors match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selectors {
    /// By labels.
    pub labels: LabelSelector,
    /// By fields.
    pub fields: FieldSelector,
}

impl Selectors {
    /// Parses the query parameters `labelSelector` and `fieldSelector`; a syntax error is a 400.
    pub fn parse(labels: Option<&str>, fields: Option<&str>) -> Result<Self, ApiError> {
        let labels = LabelSelector::parse(labels.unwrap_or_default())?;
        let fields = FieldSelector::parse(fields.unwrap_or_default())?;
        Ok(Self { labels, fields })
    }

    /// Whether the object is selected.
    pub fn matches(&self, object: &Value) -> bool {
        self.labels.matches(&object["metadata"]["labels"]) && self.fields.matches(object)
    }

    /// Whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.labels.requirements.is_empty() && self.fields.requirements.is_empty()
    }
}

/// A label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

impl LabelSelector {
    /// Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let requirements = requirements::parse(text).map_err(ApiError::bad_request)?;
        Ok(Self { requirements })
    }

    /// Reads a `LabelSelector` object (`matchLabels`, `matchExpressions`); an unknown operator selects nothing.
    pub fn from_object(selector: &Value) -> Self {
        let mut requirements = Vec::new();
        for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
            let values = BTreeSet::from([value.as_str().unwrap_or_default().to_owned()]);
            requirements.push(Requirement { key: key.clone(), test: Test::In(values) });
        }
        for expression in crate::object::items(&selector["matchExpressions"]) {
            let key = expression["key"].as_str().unwrap_or_default().to_owned();
            let values = crate::object::strings(&expression["values"]).map(str::to_owned).collect();
            let test = match expression["operator"].as_str().unwrap_or_default() {
                "In" => Test::In(values),
                "NotIn" => Test::NotIn(values),
                "Exists" => Test::Exists,
                "DoesNotExist" => Test::Absent,
                _ => Test::In(BTreeSet::new()),
            };
            requirements.push(Requirement { key, test });
        }
        Self { requirements }
    }

    /// Whether these labels (a JSON object, or null for none) are selected.
    pub fn matches(&self, labels: &Value) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(labels))
    }

    /// Whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }
}

impl std::fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            requirement.write(f)?;
        }
        Ok(())
    }
}

impl Requirement {
    fn matches(&self, labels: &Value) -> bool {
        let value = labels.get(&self.key).and_then(Value::as_str);
        let number = || value.and_then(|text| text.parse::<i64>().ok());
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.contains(value)),
            Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Above(limit) => number().is_some_and(|number| number > *limit),
            Test::Below(limit) => number().is_some_and(|number| number < *limit),
        }
    }

    fn write(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = &self.key;
        let list = |values: &BTreeSet<String>| {
            values.iter().map(String::as_str).collect::<Vec<_>>().join(",")
        };
        match &self.test {
            Test::In(values) if values.len() == 1 => write!(f, "{key}={}", list(values)),
            Test::In(values) => write!(f, "{key} in ({})", list(values)),
            Test::NotIn(values) if values.len() == 1 => write!(f, "{key}!={}", list(values)),
            Test::NotIn(values) => write!(f, "{key} notin ({})", list(values)),
            Test::Exists => f.write_str(key),
            Test::Absent => write!(f, "!{key}"),
            Test::Above(limit) => write!(f, "{key}>{limit}"),
            Test::Below(limit) => write!(f, "{key}<{limit}"),
        }
    }
}

/// A field selector: equalities and inequalities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    requirements: Vec<FieldRequirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldRequirement {
    path: String,
    equal: bool,
    value: String,
}

impl FieldSelector {
    /// Parses `a.b=c,d!=e`.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let parts = text.split(',').filter(|part| !part.trim().is_empty());
        let parse = |part: &str| {
            let (path, equal, value) = if let Some((path, value)) = part.split_once("!=") {
                (path, false, value)
            } else {
                let (path, value) = part.split_once("==").or_else(|| part.split_once('='))?;
                (path, true, value)
            };
            let (path, value) = (path.trim().to_owned(), value.trim().to_owned());
            Some(FieldRequirement { path, equal, value })
        };
        let requirements = parts
            .map(|part| {
                parse(part).ok_or_else(|| {
                    ApiError::bad_request(format!(
                        "invalid selector: '{text}'; can't understand '{part}'"
                    ))
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { requirements })
    }

    /// Whether the object is selected.
    pub fn matches(&self, object: &Value) -> bool {
        self.requirements.iter().all(|requirement| {
            (field_text(object, &requirement.path) == requirement.value) == requirement.equal
        })
    }

    /// The paths the selector looks at.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.requirements.iter().map(|requirement| requirement.path.as_str())
    }
}

fn field_text(object: &Value, dotted: &str) -> String {
    // Events are kept as those of the core group, whatever group asks.
    if let Some(field) = dotted.strip_prefix("regarding.")
        && object.get("regarding").is_none()
    {
        return field_text(object, &format!("involvedObject.{field}"));
    }
    if dotted == "status.successful" {
        return path::get(object, "status.succeeded").unwrap_or(&Value::from(0)).to_string();
    }
    match path::get(object, dotted) {
        Some(Value::Object(source)) if dotted == "source" => {
            let component = source.get("component").and_then(Value::as_str);
            component.unwrap_or_default().to_owned()
        }
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        _ if dotted == "spec.hostNetwork" => false.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn label_selectors_select_by_equality_and_sets() {
        let labels = json!({"app": "web", "tier": "front", "rank": "3"});
        let check = |text: &str, expected: bool| {
            let selector = LabelSelector::parse(text).unwrap();
            assert_eq!(selector.matches(&labels), expected, "{text}");
        };
        check("", true);
        check("app=web", true);
        check("app==web,tier!=back", true);
        check("app in (api, web)", true);
        check("app notin (api,web)", false);
        check("missing notin (x)", true);
        check("app,!missing", true);
        check("missing", false);
        check("rank>2", true);
        check("rank<2", false);
        check("app in (web),tier in (back)", false);
        check("in=x", false);
    }

    #[test]
    fn a_selector_prints_as_it_parses() {
        for text in ["app=web", "a in (b,c)", "!x", "a!=b,c"] {
            let parsed = LabelSelector::parse(text).unwrap();
            assert_eq!(LabelSelector::parse(&parsed.to_string()).unwrap(), parsed);
        }
    }

    #[test]
    fn a_broken_selector_is_a_bad_request() {
        for text in ["a in b", "=x", "a b c", "rank>high"] {
            assert_eq!(LabelSelector::parse(text).unwrap_err().code, 400, "{text}");
        }
        assert_eq!(FieldSelector::parse("metadata.name").unwrap_err().code, 400);
    }

    #[test]
    fn field_selectors_read_the_object() {
        let pod = json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n1"}, "status": {}});
        let check = |text: &str, expected: bool| {
            assert_eq!(FieldSelector::parse(text).unwrap().matches(&pod), expected, "{text}");
        };
        check("metadata.name=a", true);
        check("spec.nodeName!=n1", false);
        check("status.phase=", true);
        check("metadata.name=a,status.phase!=Running", true);
    }
}
