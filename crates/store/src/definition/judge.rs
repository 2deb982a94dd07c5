//! Judging a definition: its names, versions, columns, subresources and converter.
//!
//! Start at [`validate`]. What all versions share is judged once, at the place where upstream keeps it.

use serde_json::{Value, json};

use super::schema_rules;
use crate::builtin::names::{subdomain, word_label};
use crate::error::FieldProblem;
use crate::object::{items, strings};

type Problems = Vec<FieldProblem>;

/// The annotation that groups of Kubernetes itself need.
const APPROVED: &str = "api-approved.kubernetes.io";
/// Where the rule about that annotation is written down.
const APPROVAL_PLACE: &str = "https://github.com/kubernetes/enhancements/pull/1111";
/// What a column may hold.
const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
/// The longest text about a version that goes away.
const DEPRECATION_LIMIT: usize = 256;
/// What answers of converters may be written in.
const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// The broken rules of a definition.
pub(crate) fn validate(old: Option<&Value>, definition: &Value) -> Problems {
    let spec = &definition["spec"];
    let mut problems = Problems::new();
    if old.is_none() {
        let name = text(&definition["metadata"]["name"]);
        if name != format!("{}.{}", text(&spec["names"]["plural"]), text(&spec["group"])) {
            let detail = "must be spec.names.plural+\".\"+spec.group";
            problems.push(FieldProblem::invalid("metadata.name", json!(name), detail));
        }
    }
    group_and_scope(spec, &mut problems);
    versions(spec, &mut problems);
    names_given(&spec["names"], &mut problems);
    shared(spec, &mut problems);
    converter(&spec["conversion"], &mut problems);
    if let Some(old) = old {
        unchanged(old, spec, &mut problems);
    }
    stored_versions(definition, &mut problems);
    approval(old, definition, &mut problems);
    problems
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn group_and_scope(spec: &Value, problems: &mut Problems) {
    let (group, scope) = (text(&spec["group"]), text(&spec["scope"]));
    if group.is_empty() {
        problems.push(FieldProblem::required("spec.group", ""));
    } else if let Some(bad) = subdomain(group) {
        problems.push(FieldProblem::invalid("spec.group", json!(group), bad));
    } else if !group.contains('.') {
        let detail = "should be a domain with at least one dot";
        problems.push(FieldProblem::invalid("spec.group", json!(group), detail));
    }
    let words = ["Cluster", "Namespaced"];
    if scope.is_empty() {
        problems.push(FieldProblem::required("spec.scope", ""));
    } else if !words.contains(&scope) {
        problems.push(FieldProblem::not_supported("spec.scope", json!(scope), words));
    }
}

/// What every version says for itself.
fn versions(spec: &Value, problems: &mut Problems) {
    let versions = items(&spec["versions"]);
    for (index, version) in versions.iter().enumerate() {
        if version["schema"]["openAPIV3Schema"].is_null() {
            let path = format!("spec.versions[{index}].schema.openAPIV3Schema");
            problems.push(FieldProblem::required(path, ""));
        }
    }
    for (index, version) in versions.iter().enumerate() {
        let path = format!("spec.versions[{index}]");
        if let Some(bad) = word_label(text(&version["name"])) {
            problems.push(FieldProblem::invalid(
                format!("{path}.name"),
                version["name"].clone(),
                bad,
            ));
        }
        deprecation(version, &path, problems);
        if common(versions, "schema").is_none() {
            schema(&version["schema"], version, &format!("{path}.schema"), problems);
        }
        if common(versions, "subresources").is_none() {
            scale(&version["subresources"]["scale"], &format!("{path}.subresources"), problems);
        }
        if common(versions, "additionalPrinterColumns").is_none() {
            columns(&version["additionalPrinterColumns"], &path, problems);
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    if !versions.iter().all(|version| seen.insert(text(&version["name"]))) {
        let detail = "must contain unique version names";
        problems.push(FieldProblem::invalid("spec.versions", shown(versions), detail));
    }
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        problems.push(FieldProblem::invalid("spec.versions", shown(versions), detail));
    }
    let first = versions.first().map_or("", |version| text(&version["name"]));
    if let Some(bad) = word_label(first).filter(|_| !first.is_empty()) {
        problems.push(FieldProblem::invalid("spec.version", json!(first), bad));
    }
}

/// The value that all versions have for a key, if they have the same.
fn common<'a>(versions: &'a [Value], key: &str) -> Option<&'a Value> {
    let first = versions.first()?.get(key).filter(|value| !value.is_null())?;
    versions.iter().all(|version| version.get(key) == Some(first)).then_some(first)
}

/// What all versions have in common.
fn shared(spec: &Value, problems: &mut Problems) {
    let versions = items(&spec["versions"]);
    if let (Some(common), Some(version)) = (common(versions, "schema"), versions.first()) {
        schema(common, version, "spec.validation", problems);
    }
    if let Some(common) = common(versions, "subresources") {
        scale(&common["scale"], "spec.subresources", problems);
    }
    if let Some(common) = common(versions, "additionalPrinterColumns") {
        columns(common, "spec", problems);
    }
}

fn schema(validation: &Value, version: &Value, path: &str, problems: &mut Problems) {
    let schema = &validation["openAPIV3Schema"];
    if schema.is_null() {
        return;
    }
    if schema["nullable"] == true {
        let path = format!("{path}.openAPIV3Schema.nullable");
        problems.push(FieldProblem::forbidden(path, "nullable cannot be true at the root"));
    }
    problems.extend(schema_rules::validate(schema, &format!("{path}.openAPIV3Schema")));
    for (index, field) in items(&version["selectableFields"]).iter().enumerate() {
        if text(&field["jsonPath"]).is_empty() {
            let owner = path.rsplit_once('.').map_or(path, |(owner, _)| owner);
            let path = format!("{owner}.selectableFields[{index}].jsonPath");
            problems.push(FieldProblem::required(path, ""));
        }
    }
}

fn deprecation(version: &Value, path: &str, problems: &mut Problems) {
    let Some(warning) = version["deprecationWarning"].as_str() else { return };
    let detail = if version["deprecated"] != true {
        "can only be set for deprecated versions"
    } else if warning.len() > DEPRECATION_LIMIT {
        "must be <= 256 characters long"
    } else if warning.is_empty() {
        "must not be an empty string"
    } else {
        return;
    };
    let path = format!("{path}.deprecationWarning");
    problems.push(FieldProblem::invalid(path, json!(warning), detail));
}

fn scale(scale: &Value, path: &str, problems: &mut Problems) {
    if !scale.is_object() {
        return;
    }
    let places = [("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")];
    for (key, root) in places {
        let (path, given) = (format!("{path}.scale.{key}"), text(&scale[key]));
        if given.is_empty() {
            problems.push(FieldProblem::required(path, ""));
        } else if !given.starts_with('.') {
            let detail = "must be a simple json path starting with .";
            problems.push(FieldProblem::invalid(path, json!(given), detail));
        } else if !given.starts_with(root) {
            let detail = format!("should be a json path under {}", root.trim_end_matches('.'));
            problems.push(FieldProblem::invalid(path, json!(given), detail));
        }
    }
    let selector = text(&scale["labelSelectorPath"]);
    let good = [".spec.", ".status."].iter().any(|root| selector.starts_with(root));
    if !selector.is_empty() && !good {
        let detail = "should be a json path under either .spec or .status";
        let path = format!("{path}.scale.labelSelectorPath");
        problems.push(FieldProblem::invalid(path, json!(selector), detail));
    }
}

fn columns(columns: &Value, path: &str, problems: &mut Problems) {
    for (index, column) in items(columns).iter().enumerate() {
        let path = |key: &str| format!("{path}.additionalPrinterColumns[{index}].{key}");
        let (name, kind, place) =
            (text(&column["name"]), text(&column["type"]), text(&column["jsonPath"]));
        let types = format!("must be one of {}", COLUMN_TYPES.join(","));
        if name.is_empty() {
            problems.push(FieldProblem::required(path("name"), ""));
        }
        if kind.is_empty() {
            problems.push(FieldProblem::required(path("type"), types));
        } else if !COLUMN_TYPES.contains(&kind) {
            problems.push(FieldProblem::invalid(path("type"), json!(kind), types));
        }
        if place.is_empty() {
            problems.push(FieldProblem::required(path("JSONPath"), ""));
        } else if !place.starts_with('.') {
            let detail = "must be a simple json path starting with .";
            problems.push(FieldProblem::invalid(path("JSONPath"), json!(place), detail));
        }
    }
}

/// All names of a kind; the lower-case ones are labels.
fn names_given(given: &Value, problems: &mut Problems) {
    let keys = ["plural", "singular", "kind", "listKind"];
    for key in keys.into_iter().filter(|key| text(&given[*key]).is_empty()) {
        problems.push(FieldProblem::required(format!("spec.names.{key}"), ""));
    }
    for key in keys.into_iter().filter(|key| !text(&given[*key]).is_empty()) {
        let (path, name) = (format!("spec.names.{key}"), text(&given[key]));
        let bad = if key.ends_with("ind") {
            let bad = word_label(&name.to_lowercase());
            bad.map(|bad| format!("may have mixed case, but should otherwise match: {bad}"))
        } else {
            word_label(name)
        };
        if let Some(bad) = bad {
            problems.push(FieldProblem::invalid(path, json!(name), bad));
        }
    }
    for key in ["shortNames", "categories"] {
        for (index, name) in strings(&given[key]).enumerate() {
            if let Some(bad) = word_label(name) {
                let path = format!("spec.names.{key}[{index}]");
                problems.push(FieldProblem::invalid(path, json!(name), bad));
            }
        }
    }
    let (kind, list) = (text(&given["kind"]), text(&given["listKind"]));
    if !kind.is_empty() && kind == list {
        let detail = "kind and listKind may not be the same";
        problems.push(FieldProblem::invalid("spec.names.listKind", json!(list), detail));
    }
}

fn converter(conversion: &Value, problems: &mut Problems) {
    if !conversion.is_object() {
        return;
    }
    let strategy = text(&conversion["strategy"]);
    let words = ["None", "Webhook"];
    let path = "spec.conversion.strategy";
    if strategy.is_empty() {
        problems.push(FieldProblem::required(path, ""));
    } else if !words.contains(&strategy) {
        problems.push(FieldProblem::not_supported(path, json!(strategy), words));
    }
    let (config, versions) = (
        &conversion["webhook"]["clientConfig"],
        items(&conversion["webhook"]["conversionReviewVersions"]),
    );
    let config_path = "spec.conversion.webhookClientConfig";
    let versions_path = "spec.conversion.conversionReviewVersions";
    if strategy != "Webhook" {
        let detail = "should not be set when strategy is not set to Webhook";
        if !config.is_null() {
            problems.push(FieldProblem::forbidden(config_path, detail));
        }
        if !versions.is_empty() {
            problems.push(FieldProblem::forbidden(versions_path, detail));
        }
        return;
    }
    if config.is_null() {
        let detail = "required when strategy is set to Webhook";
        problems.push(FieldProblem::required(config_path, detail));
    } else if config["url"].is_null() == config["service"].is_null() {
        let detail = "exactly one of url or service is required";
        problems.push(FieldProblem::required(config_path, detail));
    }
    if versions.is_empty() {
        problems.push(FieldProblem::required(versions_path, ""));
    } else if !versions.iter().any(|version| REVIEW_VERSIONS.contains(&text(version))) {
        let detail = format!("must include at least one of {}", REVIEW_VERSIONS.join(", "));
        problems.push(FieldProblem::invalid(versions_path, json!(versions), detail));
    }
}

/// What decides where objects are kept stays as it is.
fn unchanged(old: &Value, spec: &Value, problems: &mut Problems) {
    let conditions = items(&old["status"]["conditions"]).iter();
    let is_established = conditions
        .into_iter()
        .any(|condition| condition["type"] == "Established" && condition["status"] == "True");
    let before = &old["spec"];
    let mut same = |path: &str, one: &Value, other: &Value| {
        if one != other {
            problems.push(FieldProblem::invalid(path, one.clone(), "field is immutable"));
        }
    };
    if is_established {
        same("spec.scope", &spec["scope"], &before["scope"]);
        same("spec.names.kind", &spec["names"]["kind"], &before["names"]["kind"]);
    }
    same("spec.group", &spec["group"], &before["group"]);
    same("spec.names.plural", &spec["names"]["plural"], &before["names"]["plural"]);
}

/// The versions that objects were kept in are still there.
fn stored_versions(definition: &Value, problems: &mut Problems) {
    let path = "status.storedVersions";
    let (stored, versions) =
        (items(&definition["status"]["storedVersions"]), items(&definition["spec"]["versions"]));
    if stored.is_empty() {
        let detail = "must have at least one stored version";
        problems.push(FieldProblem::invalid(path, Value::Null, detail));
        return;
    }
    for version in versions.iter().filter(|version| version["storage"] == true) {
        if !stored.contains(&version["name"]) {
            let detail = format!("must have the storage version {}", text(&version["name"]));
            problems.push(FieldProblem::invalid(path, json!(stored), detail));
        }
    }
    for (index, gone) in stored.iter().enumerate() {
        if !versions.iter().any(|version| version["name"] == *gone) {
            let name = text(gone);
            let detail = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            );
            problems.push(FieldProblem::invalid(format!("{path}[{index}]"), gone.clone(), detail));
        }
    }
}

/// Groups of Kubernetes itself need a word of approval.
fn approval(old: Option<&Value>, definition: &Value, problems: &mut Problems) {
    let group = text(&definition["spec"]["group"]);
    let own = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|domain| group == *domain || group.ends_with(&format!(".{domain}")));
    let given = |object: &Value| text(&object["metadata"]["annotations"][APPROVED]).to_owned();
    let approval = given(definition);
    let is_good = |approval: &str| approval.starts_with("unapproved") || approval.contains("://");
    let same = old.is_some_and(|old| {
        let before = given(old);
        (before.is_empty(), is_good(&before)) == (approval.is_empty(), is_good(&approval))
    });
    if !own || same || is_good(&approval) {
        return;
    }
    let path = format!("metadata.annotations[{APPROVED}]");
    problems.push(if approval.is_empty() {
        let detail = format!("protected groups must have approval annotation {APPROVED:?}, see {APPROVAL_PLACE}");
        FieldProblem::required(path, detail)
    } else {
        let detail = format!("protected groups must have approval annotation {APPROVED:?} with either a URL or a reason starting with \"unapproved\", see {APPROVAL_PLACE}");
        FieldProblem::invalid(path, json!(approval), detail)
    });
}

/// Versions as upstream's messages show them, without what they have in common.
fn shown(versions: &[Value]) -> Value {
    let flag = |version: &Value, key: &str| version[key].as_bool().unwrap_or(false);
    let one = |version: &Value| {
        let fields = [
            "Name",
            "Served",
            "Storage",
            "Deprecated",
            "DeprecationWarning",
            "Schema",
            "Subresources",
            "AdditionalPrinterColumns",
            "SelectableFields",
        ];
        let values = json!([
            version["name"],
            flag(version, "served"),
            flag(version, "storage"),
            flag(version, "deprecated"),
            version["deprecationWarning"],
            null,
            null,
            null,
            null
        ]);
        FieldProblem::record(&fields, &values)
    };
    versions.iter().map(one).collect()
}
