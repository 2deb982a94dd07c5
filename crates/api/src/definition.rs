//! The `CustomResourceDefinition` of each kind.
//!
//! Start at [`crds`]. Nothing here is written to a cluster; `cargo xtask codegen` writes the files
//! under `deploy/crds`.

use crate::{
    argo::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Experiment, Rollout},
    schema,
};
use k8s_openapi::{
    ListableResource,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::{
        CustomResourceColumnDefinition as Column, CustomResourceDefinition,
        CustomResourceDefinitionNames, CustomResourceDefinitionSpec,
        CustomResourceDefinitionVersion, CustomResourceSubresourceScale,
        CustomResourceSubresourceStatus, CustomResourceSubresources, CustomResourceValidation,
        JSONSchemaProps,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use schemars::JsonSchema;
use serde_json::json;

/// The definitions of all kinds, built from their types.
///
/// # Panics
/// Never, as the tests build every definition.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
        rollouts(),
        analysis_runs(),
        analysis_templates(),
        cluster_analysis_templates(),
        experiments(),
    ]
}

fn rollouts() -> CustomResourceDefinition {
    let mut version = version::<Rollout>(vec![
        column("Desired", "integer", ".spec.replicas", "Pods wanted"),
        column("Current", "integer", ".status.replicas", "Pods of all versions"),
        column("Up-to-date", "integer", ".status.updatedReplicas", "Pods of the wanted version"),
        column("Available", "integer", ".status.availableReplicas", "Pods that are available"),
        column("Phase", "string", ".status.phase", "One word for the state"),
        column("Step", "integer", ".status.currentStepIndex", "Index of the step under way"),
        column("Weight", "integer", ".status.canary.weights.canary.weight", "The canary's share"),
        age(),
        Column {
            priority: Some(1),
            ..column("Message", "string", ".status.message", "Why the phase is what it is")
        },
    ]);
    version.subresources = Some(CustomResourceSubresources {
        status: Some(CustomResourceSubresourceStatus(json!({}))),
        scale: Some(CustomResourceSubresourceScale {
            spec_replicas_path: ".spec.replicas".to_owned(),
            status_replicas_path: ".status.HPAReplicas".to_owned(),
            label_selector_path: Some(".status.selector".to_owned()),
        }),
    });
    definition::<Rollout>("ro", "Namespaced", version)
}

fn analysis_runs() -> CustomResourceDefinition {
    let status = column("Status", "string", ".status.phase", "Phase of the run");
    definition::<AnalysisRun>("ar", "Namespaced", version::<AnalysisRun>(vec![status, age()]))
}

fn analysis_templates() -> CustomResourceDefinition {
    definition::<AnalysisTemplate>("at", "Namespaced", version::<AnalysisTemplate>(vec![age()]))
}

fn cluster_analysis_templates() -> CustomResourceDefinition {
    let version = version::<ClusterAnalysisTemplate>(vec![age()]);
    definition::<ClusterAnalysisTemplate>("cat", "Cluster", version)
}

fn experiments() -> CustomResourceDefinition {
    let status = column("Status", "string", ".status.phase", "Phase of the experiment");
    definition::<Experiment>("exp", "Namespaced", version::<Experiment>(vec![status, age()]))
}

fn definition<K: ListableResource>(
    short_name: &str,
    scope: &str,
    version: CustomResourceDefinitionVersion,
) -> CustomResourceDefinition {
    CustomResourceDefinition {
        metadata: ObjectMeta {
            name: Some(format!("{}.{}", K::URL_PATH_SEGMENT, K::GROUP)),
            ..ObjectMeta::default()
        },
        spec: CustomResourceDefinitionSpec {
            group: K::GROUP.to_owned(),
            names: CustomResourceDefinitionNames {
                kind: K::KIND.to_owned(),
                list_kind: Some(K::LIST_KIND.to_owned()),
                plural: K::URL_PATH_SEGMENT.to_owned(),
                short_names: Some(vec![short_name.to_owned()]),
                singular: Some(K::KIND.to_lowercase()),
                ..CustomResourceDefinitionNames::default()
            },
            scope: scope.to_owned(),
            versions: vec![version],
            ..CustomResourceDefinitionSpec::default()
        },
        status: None,
    }
}

fn version<K: ListableResource + JsonSchema>(
    columns: Vec<Column>,
) -> CustomResourceDefinitionVersion {
    CustomResourceDefinitionVersion {
        name: K::VERSION.to_owned(),
        served: true,
        storage: true,
        additional_printer_columns: Some(columns),
        schema: Some(CustomResourceValidation { open_api_v3_schema: Some(root_schema::<K>()) }),
        ..CustomResourceDefinitionVersion::default()
    }
}

/// The schema of a kind with the fields that every object has.
fn root_schema<K: JsonSchema>() -> JSONSchemaProps {
    let mut schema = schema::structural::<K>();
    let text = |description: &str| json!({ "type": "string", "description": description });
    schema["properties"]["apiVersion"] = text("Group and version of the object's kind.");
    schema["properties"]["kind"] = text("Kind of the object.");
    schema["properties"]["metadata"] = json!({ "type": "object" });
    serde_json::from_value::<JSONSchemaProps>(schema).unwrap_or_else(|error: serde_json::Error| {
        unreachable!("the schema of a kind is always a schema: {error}")
    })
}

fn column(name: &str, kind: &str, path: &str, description: &str) -> Column {
    Column {
        name: name.to_owned(),
        type_: kind.to_owned(),
        json_path: path.to_owned(),
        description: Some(description.to_owned()),
        ..Column::default()
    }
}

fn age() -> Column {
    column("Age", "date", ".metadata.creationTimestamp", "Time since the object was made")
}
