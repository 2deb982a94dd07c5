//! The install manifests: what `kubectl apply -n argo-rollouts -f` takes.
//!
//! Names are upstream's, so that applying them replaces its controller. The roles are made from
//! [`controller::RIGHTS`].

use controller::{RIGHTS, Reach, Right};
use std::fmt::Write;

/// Where the manifest of a whole cluster is, seen from the top of the workspace.
const INSTALL: &str = "manifests/install.yaml";
/// Where the manifest of one namespace is.
const NAMESPACE_INSTALL: &str = "manifests/namespace-install.yaml";

/// First lines of every manifest.
const HEADER: &str =
    "# Made by `cargo xtask codegen` from crates/api, crates/controller and xtask. Do not edit.\n";
/// The namespace a binding of the cluster has to name, as upstream's does.
const NAMESPACE: &str = "argo-rollouts";
const ACCOUNT: &str = include_str!("account.yaml");
const SERVICE: &str = include_str!("service.yaml");
const DEPLOYMENT: &str = include_str!("deployment.yaml");

/// What people may do with rollouts once they have one of Kubernetes' own roles.
const READ: [&str; 3] = ["get", "list", "watch"];
const CHANGE: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Both manifests, given the definitions.
pub(crate) fn files(definitions: &[String]) -> [(String, String); 2] {
    let mut whole = definitions.to_vec();
    whole.push(ACCOUNT.to_owned());
    whole.push(role("ClusterRole", &[Reach::Namespaces, Reach::Cluster]));
    whole.push(binding("ClusterRole"));
    whole.push(role("Role", &[Reach::Own]));
    whole.push(binding("Role"));
    whole.extend([("view", &READ[..]), ("edit", &CHANGE), ("admin", &CHANGE)].map(aggregate));
    whole.extend([SERVICE.to_owned(), deployment("[]")]);
    let single = vec![
        ACCOUNT.to_owned(),
        role("Role", &[Reach::Namespaces, Reach::Own]),
        binding("Role"),
        SERVICE.to_owned(),
        deployment("[\"--namespaced\"]"),
    ];
    [(INSTALL.to_owned(), joined(&whole)), (NAMESPACE_INSTALL.to_owned(), joined(&single))]
}

fn joined(documents: &[String]) -> String {
    format!("{HEADER}{}", documents.join("---\n"))
}

fn deployment(args: &str) -> String {
    let image = format!("ringfence:{}", env!("CARGO_PKG_VERSION"));
    DEPLOYMENT.replace("IMAGE", &image).replace("ARGS", args)
}

/// The controller's role, with a reason over each rule.
fn role(kind: &str, reaches: &[Reach]) -> String {
    let rights = RIGHTS.iter().filter(|right| reaches.contains(&right.reach));
    let mut text = heading(kind, "argo-rollouts", "rollouts-controller");
    text.push_str("rules:\n");
    text.extend(rights.map(rule));
    text
}

fn rule(right: &Right) -> String {
    let Right { group, resource, why, .. } = right;
    let verbs = right.verbs.iter().map(|verb| verb.name()).collect::<Vec<_>>().join(", ");
    format!(
        "# {why}\n- apiGroups: [\"{group}\"]\n  resources: [\"{resource}\"]\n  verbs: [{verbs}]\n"
    )
}

fn binding(kind: &str) -> String {
    let mut text = heading(&format!("{kind}Binding"), "argo-rollouts", "rollouts-controller");
    let _ = write!(
        text,
        "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: argo-rollouts\nsubjects:\n- kind: ServiceAccount\n  name: argo-rollouts\n"
    );
    if kind == "ClusterRole" {
        let _ = writeln!(text, "  namespace: {NAMESPACE}");
    }
    text
}

/// What Kubernetes adds to its own role of that name.
fn aggregate((role, verbs): (&str, &[&str])) -> String {
    let name = format!("argo-rollouts-aggregate-to-{role}");
    let mut text = heading("ClusterRole", &name, "aggregate-cluster-role");
    let label = format!("    rbac.authorization.k8s.io/aggregate-to-{role}: \"true\"\n");
    text.push_str(&label);
    let status = if role == "view" { "" } else { "rollouts/status, " };
    let _ = write!(
        text,
        "rules:\n- apiGroups: [argoproj.io]\n  resources: [rollouts, rollouts/scale, {status}experiments, analysistemplates, clusteranalysistemplates, analysisruns]\n  verbs: [{}]\n",
        verbs.join(", ")
    );
    text
}

fn heading(kind: &str, name: &str, component: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {name}\n  labels:\n    app.kubernetes.io/component: {component}\n    app.kubernetes.io/name: {name}\n    app.kubernetes.io/part-of: argo-rollouts\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::{
        apps::v1::Deployment,
        rbac::v1::{ClusterRole, PolicyRule, Role},
    };
    use serde_json::Value;

    /// The documents of a manifest, by kind and name.
    fn documents(place: &str) -> Vec<(String, Value)> {
        let made = files(&[]).into_iter().find(|(path, _)| path == place);
        let (_, text) = made.expect("both manifests are made");
        let parsed = text.split("---\n").map(|document| {
            let value: Value = serde_saphyr::from_str(document).unwrap();
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (format!("{} {}", word(&value["kind"]), word(&value["metadata"]["name"])), value)
        });
        parsed.collect()
    }

    fn names(place: &str) -> Vec<String> {
        documents(place).into_iter().map(|(name, _)| name).collect()
    }

    fn find(place: &str, name: &str) -> Value {
        let found = documents(place).into_iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value).unwrap_or_default()
    }

    #[test]
    fn what_is_installed_has_upstreams_names() {
        let expected = [
            "ServiceAccount argo-rollouts",
            "ClusterRole argo-rollouts",
            "ClusterRoleBinding argo-rollouts",
            "Role argo-rollouts",
            "RoleBinding argo-rollouts",
            "ClusterRole argo-rollouts-aggregate-to-view",
            "ClusterRole argo-rollouts-aggregate-to-edit",
            "ClusterRole argo-rollouts-aggregate-to-admin",
            "Service argo-rollouts-metrics",
            "Deployment argo-rollouts",
        ];
        assert_eq!(names(INSTALL), expected);
    }

    #[test]
    fn one_namespace_needs_nothing_beyond_it() {
        let names = names(NAMESPACE_INSTALL);
        assert!(names.iter().all(|name| !name.starts_with("Cluster")), "{names:?}");
        let role: Role =
            serde_json::from_value(find(NAMESPACE_INSTALL, "Role argo-rollouts")).unwrap();
        let resources =
            role.rules.iter().flatten().flat_map(|rule| rule.resources.iter().flatten());
        let resources: Vec<&String> = resources.collect();
        assert!(!resources.iter().any(|resource| resource.starts_with("cluster")));
        assert!(resources.iter().any(|resource| *resource == "leases"));
        let deployment = find(NAMESPACE_INSTALL, "Deployment argo-rollouts");
        let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        assert_eq!(args, &serde_json::json!(["--namespaced"]));
    }

    #[test]
    fn the_cluster_role_reads_secrets_by_name_only_and_holds_no_lease() {
        let role: ClusterRole =
            serde_json::from_value(find(INSTALL, "ClusterRole argo-rollouts")).unwrap();
        let rules = role.rules.unwrap();
        let about = |resource: &str| {
            let names =
                |rule: &&PolicyRule| rule.resources.iter().flatten().any(|found| found == resource);
            rules.iter().filter(names).map(|rule| rule.verbs.clone()).collect::<Vec<_>>()
        };
        assert_eq!(about("secrets"), [["get"]]);
        assert!(about("leases").is_empty());
    }

    #[test]
    fn the_pod_may_do_nothing_to_its_node_and_is_asked_for_its_health() {
        let deployment: Deployment =
            serde_json::from_value(find(INSTALL, "Deployment argo-rollouts")).unwrap();
        let pod = deployment.spec.unwrap().template.spec.unwrap();
        assert_eq!(pod.security_context.unwrap().run_as_non_root, Some(true));
        let container = &pod.containers[0];
        let bounds = container.security_context.as_ref().unwrap();
        assert_eq!(bounds.read_only_root_filesystem, Some(true));
        assert_eq!(bounds.allow_privilege_escalation, Some(false));
        assert!(container.liveness_probe.is_some() && container.readiness_probe.is_some());
    }
}
