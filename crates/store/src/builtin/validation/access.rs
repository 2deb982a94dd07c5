//! Rules on roles and bindings.

use serde_json::Value;

use super::{Problems, one_of, required};
use crate::error::FieldProblem;
use crate::object::items;
use crate::resource::Resource;

/// The group that users and groups are of.
const GROUP: &str = "rbac.authorization.k8s.io";

/// The rules on a role, in a namespace or not.
pub(super) fn role(resource: &Resource, new: &Value, out: &mut Problems) {
    for (index, rule) in items(&new["rules"]).iter().enumerate() {
        self::rule(rule, resource, &format!("rules[{index}]"), out);
    }
}

fn rule(rule: &Value, resource: &Resource, path: &str, out: &mut Problems) {
    if items(&rule["verbs"]).is_empty() {
        let why = "verbs must contain at least one value";
        out.push(FieldProblem::required(format!("{path}.verbs"), why));
    }
    let paths = &rule["nonResourceURLs"];
    if !items(paths).is_empty() {
        if resource.is_namespaced() {
            let why = "namespaced rules cannot apply to non-resource URLs";
            out.push(FieldProblem::invalid(format!("{path}.nonResourceURLs"), paths.clone(), why));
        }
        return;
    }
    for (key, what) in [("apiGroups", "api group"), ("resources", "resource")] {
        if items(&rule[key]).is_empty() {
            let why = format!("resource rules must supply at least one {what}");
            out.push(FieldProblem::required(format!("{path}.{key}"), why));
        }
    }
}

/// The rules on a binding.
pub(super) fn binding(resource: &Resource, old: Option<&Value>, new: &Value, out: &mut Problems) {
    let role = &new["roleRef"];
    one_of(&role["apiGroup"], &[GROUP], "roleRef.apiGroup", out);
    let kinds: &[&str] =
        if resource.is_namespaced() { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    one_of(&role["kind"], kinds, "roleRef.kind", out);
    required(&role["name"], "roleRef.name", out);
    for (index, subject) in items(&new["subjects"]).iter().enumerate() {
        let path = format!("subjects[{index}]");
        required(&subject["name"], format!("{path}.name"), out);
        let kinds = ["ServiceAccount", "User", "Group"];
        one_of(&subject["kind"], &kinds, format!("{path}.kind"), out);
        if subject["kind"] == "ServiceAccount" && resource.plural == "clusterrolebindings" {
            required(&subject["namespace"], format!("{path}.namespace"), out);
        }
    }
    if old.is_some_and(|old| old["roleRef"] != *role) {
        let text = |key: &str| role[key].clone();
        let value = Value::Array(vec![text("apiGroup"), text("kind"), text("name")]);
        let value = FieldProblem::record(&["APIGroup", "Kind", "Name"], &value);
        out.push(FieldProblem::invalid("roleRef", value, "cannot change roleRef"));
    }
}
