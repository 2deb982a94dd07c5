//! The definitions carry the names, columns and subresources that clients rely on.

#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

fn definition(kind: &str) -> CustomResourceDefinition {
    api::crds().into_iter().find(|definition| definition.spec.names.kind == kind).unwrap()
}

#[test]
fn every_kind_has_the_names_that_clients_use() {
    let check = |kind: &str, plural: &str, short: &str, scope: &str| {
        let definition = definition(kind);
        let names = serde_json::to_value(&definition.spec.names).unwrap();
        let expected = json!({
            "kind": kind,
            "listKind": format!("{kind}List"),
            "plural": plural,
            "singular": kind.to_lowercase(),
            "shortNames": [short],
        });
        assert_eq!(names, expected);
        assert_eq!(definition.metadata.name, Some(format!("{plural}.argoproj.io")));
        assert_eq!(definition.spec.scope, scope);
        assert_eq!(definition.spec.versions[0].name, "v1alpha1");
    };
    check("Rollout", "rollouts", "ro", "Namespaced");
    check("AnalysisRun", "analysisruns", "ar", "Namespaced");
    check("AnalysisTemplate", "analysistemplates", "at", "Namespaced");
    check("ClusterAnalysisTemplate", "clusteranalysistemplates", "cat", "Cluster");
    check("Experiment", "experiments", "exp", "Namespaced");
}

#[test]
fn only_rollouts_have_subresources() {
    let check = |kind: &str, expected: Value| {
        let version = &definition(kind).spec.versions[0];
        assert_eq!(serde_json::to_value(&version.subresources).unwrap(), expected, "{kind}");
    };
    let scale = json!({
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.HPAReplicas",
        "labelSelectorPath": ".status.selector",
    });
    check("Rollout", json!({ "status": {}, "scale": scale }));
    check("AnalysisRun", Value::Null);
    check("Experiment", Value::Null);
    check("AnalysisTemplate", Value::Null);
    check("ClusterAnalysisTemplate", Value::Null);
}

#[test]
fn tables_show_the_known_columns_and_ours() {
    let check = |kind: &str, expected: &[(&str, &str)]| {
        let columns = definition(kind).spec.versions[0].additional_printer_columns.clone().unwrap();
        let columns: Vec<_> = columns
            .iter()
            .map(|column| (column.name.as_str(), column.json_path.as_str()))
            .collect();
        assert_eq!(columns, expected);
    };
    let age = ("Age", ".metadata.creationTimestamp");
    let rollout = [
        ("Desired", ".spec.replicas"),
        ("Current", ".status.replicas"),
        ("Up-to-date", ".status.updatedReplicas"),
        ("Available", ".status.availableReplicas"),
        ("Phase", ".status.phase"),
        ("Step", ".status.currentStepIndex"),
        ("Weight", ".status.canary.weights.canary.weight"),
        age,
        ("Message", ".status.message"),
    ];
    check("Rollout", &rollout);
    check("AnalysisRun", &[("Status", ".status.phase"), age]);
    check("Experiment", &[("Status", ".status.phase"), age]);
    check("AnalysisTemplate", &[age]);
    check("ClusterAnalysisTemplate", &[age]);
}

#[test]
fn every_schema_is_structural() {
    for definition in api::crds() {
        let schema = definition.spec.versions[0].schema.clone().unwrap().open_api_v3_schema;
        check_structural(&serde_json::to_value(schema).unwrap(), &definition.spec.names.kind);
    }
}

/// Each schema has a type or says why not, and nothing that a server refuses.
fn check_structural(schema: &Value, path: &str) {
    let open = ["x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"];
    let typed = schema["type"].is_string() || open.iter().any(|keyword| schema[*keyword] == true);
    assert!(typed, "{path} has no type");
    for keyword in ["$ref", "anyOf", "allOf", "oneOf", "not", "nullable", "const", "title"] {
        assert!(schema.get(keyword).is_none(), "{path} has {keyword}");
    }
    assert!(schema.get("x-finished").is_none(), "{path} is marked");
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        check_structural(property, &format!("{path}.{name}"));
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(keyword) {
            check_structural(inner, &format!("{path}.{keyword}"));
        }
    }
    let required = schema["required"].as_array().into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        assert!(schema["properties"][name].is_object(), "{path} requires {name}, which it lacks");
    }
}

/// Where the definitions have pod templates.
const TEMPLATES: [(&str, &str); 5] = [
    ("AnalysisRun", "spec.metrics[].provider.job.spec.template"),
    ("AnalysisTemplate", "spec.metrics[].provider.job.spec.template"),
    ("ClusterAnalysisTemplate", "spec.metrics[].provider.job.spec.template"),
    ("Experiment", "spec.templates[].template"),
    ("Rollout", "spec.template"),
];

/// What upstream's definitions leave open in a pod template, so that any value is taken there.
const OPEN_IN_PODS: [&str; 7] = [
    "spec.containers[].resources.limits",
    "spec.containers[].resources.requests",
    "spec.ephemeralContainers[].resources.limits",
    "spec.ephemeralContainers[].resources.requests",
    "spec.initContainers[].resources.limits",
    "spec.initContainers[].resources.requests",
    "spec.volumes",
];

#[test]
fn what_upstream_leaves_open_in_pods_is_open_here() {
    for (kind, template) in TEMPLATES {
        let schema = definition(kind).spec.versions[0].schema.clone().unwrap().open_api_v3_schema;
        let schema = serde_json::to_value(schema).unwrap();
        for path in OPEN_IN_PODS {
            let path = format!("{template}.{path}");
            let open = json!({ "x-kubernetes-preserve-unknown-fields": true });
            assert_eq!(at(&schema, &path), &open, "{kind} {path}");
        }
    }
}

/// The schema of a field, where `[]` stands for the items of a list.
fn at<'a>(schema: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(schema, |schema, step| match step.strip_suffix("[]") {
        Some(list) => &schema["properties"][list]["items"],
        None => &schema["properties"][step],
    })
}

#[test]
fn keys_and_references_in_pods_may_be_left_out() {
    let schema = definition("Rollout").spec.versions[0].schema.clone().unwrap().open_api_v3_schema;
    let schema = serde_json::to_value(schema).unwrap();
    let check = |path: &str, expected: &str| {
        let path =
            format!("/properties/spec/properties/template/properties/spec/properties/{path}");
        assert_eq!(schema.pointer(&path).unwrap()["default"], expected, "{path}");
    };
    check("containers/items/properties/ports/items/properties/protocol", "TCP");
    check("containers/items/properties/envFrom/items/properties/configMapRef/properties/name", "");
    check("imagePullSecrets/items/properties/name", "");
}

#[test]
fn every_field_of_ours_is_described() {
    let schema = definition("Rollout").spec.versions[0].schema.clone().unwrap().open_api_v3_schema;
    let schema = serde_json::to_value(schema).unwrap();
    check_described(&schema["properties"]["spec"], "spec");
    check_described(&schema["properties"]["status"], "status");
}

fn check_described(schema: &Value, path: &str) {
    assert!(schema["description"].is_string(), "{path} has no description");
    if ["template", "selector"].iter().any(|end| path.ends_with(end)) {
        return;
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        check_described(property, &format!("{path}.{name}"));
    }
    for (name, property) in schema["items"]["properties"].as_object().into_iter().flatten() {
        check_described(property, &format!("{path}[].{name}"));
    }
}
