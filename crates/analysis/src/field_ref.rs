//! The arguments a rollout passes to its analysis: plain values, pod hashes and its own fields.
//!
//! Start with [`rollout_arguments`].

use api::argo::{AnalysisRunArgument, Argument, ArgumentValueFrom};
use serde_json::Value;

/// What a rollout's arguments may refer to.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Pod template hash of the stable version; empty when there is none.
    pub stable_hash: &'a str,
    /// Pod template hash of the newest version.
    pub latest_hash: &'a str,
    /// The whole rollout as JSON.
    pub rollout: &'a Value,
}

/// A field reference that led to no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldRefError {
    /// The path named nothing.
    #[error("invalid path {path} in rollout")]
    NotFound {
        /// The path.
        path: String,
    },
    /// A step into a list was no number.
    #[error("invalid index '{index}'")]
    InvalidIndex {
        /// What stood there.
        index: String,
    },
    /// A step into a list was beyond its end.
    #[error("index {index} out of range")]
    OutOfRange {
        /// The index.
        index: usize,
    },
    /// The path ended at a list or an object.
    #[error("path {path} in rollout must terminate in a primitive value")]
    NotPrimitive {
        /// The path.
        path: String,
    },
    /// The downward API has no such field.
    #[error("unsupported fieldPath: {path}")]
    Unsupported {
        /// The path.
        path: String,
    },
}

/// Whether a path below `metadata` is one that the downward API has.
pub fn is_metadata(path: &str) -> bool {
    metadata(&Value::Null, path).is_ok()
}

/// The key that a path such as `metadata.labels['key']` ends in, as the downward API compares keys.
pub fn subscript_key(path: &str) -> Option<String> {
    let (map, key) = subscript(path)?;
    Some(if map == "annotations" { key.to_lowercase() } else { key.to_owned() })
}

/// Works out the values of a rollout's arguments.
///
/// # Errors
/// [`FieldRefError`] for the first argument whose field is not there.
pub fn rollout_arguments(
    args: &[AnalysisRunArgument],
    subject: Subject<'_>,
) -> Result<Vec<Argument>, FieldRefError> {
    args.iter().map(|arg| argument(arg, subject)).collect()
}

/// The same for a rollout whose status is still to come: a field that is not there yet is empty.
///
/// # Errors
/// [`FieldRefError`] for the first argument whose path can never lead to a text.
pub fn rollout_arguments_so_far(
    args: &[AnalysisRunArgument],
    subject: Subject<'_>,
) -> Result<Vec<Argument>, FieldRefError> {
    let argument = |arg: &AnalysisRunArgument| match argument(arg, subject) {
        Err(FieldRefError::NotFound { .. } | FieldRefError::OutOfRange { .. }) => {
            Ok(given(arg, String::new()))
        }
        found => found,
    };
    args.iter().map(argument).collect()
}

fn argument(arg: &AnalysisRunArgument, subject: Subject<'_>) -> Result<Argument, FieldRefError> {
    let found = arg.value_from.as_ref().map_or(Ok(None), |from| value_from(from, subject))?;
    Ok(given(arg, found.unwrap_or_else(|| arg.value.clone().unwrap_or_default())))
}

fn given(arg: &AnalysisRunArgument, value: String) -> Argument {
    Argument { name: arg.name.clone(), value: Some(value), value_from: None }
}

fn value_from(
    from: &ArgumentValueFrom,
    subject: Subject<'_>,
) -> Result<Option<String>, FieldRefError> {
    match (from.pod_template_hash_value.as_deref(), &from.field_ref) {
        (Some("Latest"), _) => Ok(Some(subject.latest_hash.to_owned())),
        (Some("Stable"), _) => Ok(Some(subject.stable_hash.to_owned())),
        (Some(_), _) | (None, None) => Ok(None),
        (None, Some(field)) if field.field_path.starts_with("metadata") => {
            metadata(subject.rollout, &field.field_path).map(Some)
        }
        (None, Some(field)) => walk(subject.rollout, &field.field_path).map(Some),
    }
}

/// The downward API's way of naming metadata.
fn metadata(rollout: &Value, path: &str) -> Result<String, FieldRefError> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let fields = &rollout["metadata"];
    match path {
        "metadata.name" | "metadata.namespace" | "metadata.uid" => {
            Ok(text(&fields[&path["metadata.".len()..]]))
        }
        "metadata.labels" | "metadata.annotations" => {
            Ok(lines(&fields[&path["metadata.".len()..]]))
        }
        _ => {
            let (map, key) = subscript(path)
                .ok_or_else(|| FieldRefError::Unsupported { path: path.to_owned() })?;
            Ok(text(&fields[map][key]))
        }
    }
}

fn subscript(path: &str) -> Option<(&str, &str)> {
    let (map, key) = path.strip_suffix("']")?.split_once("['")?;
    let map = map.strip_prefix("metadata.")?;
    matches!(map, "labels" | "annotations").then_some((map, key))
}

fn lines(map: &Value) -> String {
    let line =
        |(key, value): (&String, &Value)| format!("{key}={:?}", value.as_str().unwrap_or_default());
    let lines: Vec<String> = map.as_object().into_iter().flatten().map(line).collect();
    lines.join("\n")
}

/// Follows `spec.foo[0].bar` to a plain value.
fn walk(rollout: &Value, path: &str) -> Result<String, FieldRefError> {
    let mut here = rollout;
    for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
        here = match here {
            Value::Array(items) => {
                let index: usize = step
                    .parse()
                    .map_err(|_| FieldRefError::InvalidIndex { index: step.to_owned() })?;
                items.get(index).ok_or(FieldRefError::OutOfRange { index })?
            }
            Value::Object(fields) => fields.get(step).unwrap_or(&Value::Null),
            _ => return Err(FieldRefError::NotFound { path: path.to_owned() }),
        };
    }
    match here {
        Value::Null => Err(FieldRefError::NotFound { path: path.to_owned() }),
        Value::Array(_) | Value::Object(_) => {
            Err(FieldRefError::NotPrimitive { path: path.to_owned() })
        }
        Value::String(text) => Ok(text.clone()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(go_float(number.as_f64().unwrap_or(f64::NAN))),
    }
}

/// Writes a number as Go's `%v` writes a float: with an exponent below 1e-4 and from 1e6 on.
fn go_float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&power) || number == 0.0 {
        return number.to_string();
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", power.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(arg: &Value, expected: Result<&str, &str>) {
        let rollout = json!({
            "metadata": {"name": "web", "labels": {"app": "x", "tier": "y"}},
            "spec": {"replicas": 5, "list": [{"a": "b"}], "flag": true, "half": 0.5, "large": 1_200_000},
        });
        let subject = Subject { stable_hash: "aaa", latest_hash: "bbb", rollout: &rollout };
        let arg: AnalysisRunArgument = serde_json::from_value(arg.clone()).unwrap();
        let got = rollout_arguments(&[arg], subject).map_err(|error| error.to_string());
        let value = got.as_ref().map(|args| args[0].value.as_deref().unwrap());
        assert_eq!(value.map_err(String::as_str), expected);
    }

    #[test]
    fn plain_values_and_hashes_are_taken() {
        check(&json!({"name": "a", "value": "v"}), Ok("v"));
        check(&json!({"name": "a"}), Ok(""));
        check(&json!({"name": "a", "valueFrom": {"podTemplateHashValue": "Stable"}}), Ok("aaa"));
        check(&json!({"name": "a", "valueFrom": {"podTemplateHashValue": "Latest"}}), Ok("bbb"));
    }

    #[test]
    fn fields_are_followed_to_plain_values() {
        let field =
            |path: &str| json!({"name": "a", "valueFrom": {"fieldRef": {"fieldPath": path}}});
        check(&field("metadata.name"), Ok("web"));
        check(&field("metadata.labels['app']"), Ok("x"));
        check(&field("metadata.labels['none']"), Ok(""));
        check(&field("metadata.labels"), Ok("app=\"x\"\ntier=\"y\""));
        check(&field("metadata.generation"), Err("unsupported fieldPath: metadata.generation"));
        check(&field("spec.replicas"), Ok("5"));
        check(&field("spec.half"), Ok("0.5"));
        check(&field("spec.large"), Ok("1.2e+06"));
        check(&field("spec.flag"), Ok("true"));
        check(&field("spec.list[0].a"), Ok("b"));
        check(&field("spec.list[7].a"), Err("index 7 out of range"));
        check(&field("spec.list[x]"), Err("invalid index 'x'"));
        check(&field("spec.none"), Err("invalid path spec.none in rollout"));
        check(
            &field("spec.list"),
            Err("path spec.list in rollout must terminate in a primitive value"),
        );
    }

    #[test]
    fn what_is_not_there_yet_is_empty_and_what_can_never_be_is_not() {
        let rollout = json!({"metadata": {"name": "web"}, "status": {"list": []}});
        let subject = Subject { stable_hash: "aaa", latest_hash: "bbb", rollout: &rollout };
        let check = |path: &str, is_possible: bool| {
            let field = json!({"name": "a", "valueFrom": {"fieldRef": {"fieldPath": path}}});
            let arg: AnalysisRunArgument = serde_json::from_value(field).unwrap();
            let found = rollout_arguments_so_far(&[arg], subject);
            assert_eq!(found.is_ok(), is_possible, "{path}");
        };
        check("metadata.name", true);
        check("status.canary.weights.canary.weight", true);
        check("status.list[0].name", true);
        check("status.list[x]", false);
        check("metadata.generation", false);
    }
}
