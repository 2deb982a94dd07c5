//! The five kinds as Kubernetes objects.
//!
//! Each is written with its `apiVersion` and `kind` and works with `kube::Api`. No kind reads or
//! writes its own status here.

use super::{
    analysis::{AnalysisRunSpec, AnalysisRunStatus, AnalysisTemplateSpec},
    experiment::{ExperimentSpec, ExperimentStatus},
    rollout::RolloutSpec,
    rollout_status::RolloutStatus,
};
use crate::schema::shape;
use k8s_openapi::{
    ClusterResourceScope, ListableResource, Metadata, NamespaceResourceScope, Resource,
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

/// The API group of the five kinds.
pub const GROUP: &str = "argoproj.io";
/// The one version of the five kinds.
pub const VERSION: &str = "v1alpha1";
/// The group and the version as `apiVersion` has them.
pub const API_VERSION: &str = "argoproj.io/v1alpha1";

/// Declares one kind: its struct, its names and how it is written.
macro_rules! kind {
    ($(#[$meta:meta])* $name:ident, $list:literal, $plural:literal, $scope:ident, $spec:ident $(, $status:ident)?) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
        pub struct $name {
            /// Name, labels, owner and the like.
            #[serde(default)]
            #[schemars(schema_with = "shape::object")]
            pub metadata: ObjectMeta,
            /// What is wanted.
            pub spec: $spec,
            $(
                /// What is true now, as far as the controller knows.
                #[serde(default)]
                pub status: Option<$status>,
            )?
        }

        impl Resource for $name {
            const API_VERSION: &'static str = API_VERSION;
            const GROUP: &'static str = GROUP;
            const KIND: &'static str = stringify!($name);
            const VERSION: &'static str = VERSION;
            const URL_PATH_SEGMENT: &'static str = $plural;
            type Scope = $scope;
        }

        impl ListableResource for $name {
            const LIST_KIND: &'static str = $list;
        }

        impl Metadata for $name {
            type Ty = ObjectMeta;

            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn metadata_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, target: S) -> Result<S::Ok, S::Error> {
                let mut object = target.serialize_struct(Self::KIND, 5)?;
                object.serialize_field("apiVersion", Self::API_VERSION)?;
                object.serialize_field("kind", Self::KIND)?;
                object.serialize_field("metadata", &self.metadata)?;
                object.serialize_field("spec", &self.spec)?;
                $(
                    let status: Option<&$status> = self.status.as_ref();
                    if let Some(status) = status {
                        object.serialize_field("status", status)?;
                    }
                )?
                object.end()
            }
        }
    };
}

kind! {
    /// A workload whose updates proceed step by step and turn back when an analysis fails.
    Rollout, "RolloutList", "rollouts", NamespaceResourceScope, RolloutSpec, RolloutStatus
}

kind! {
    /// A set of metrics that analysis runs in the same namespace are made from.
    AnalysisTemplate, "AnalysisTemplateList", "analysistemplates", NamespaceResourceScope,
    AnalysisTemplateSpec
}

kind! {
    /// A set of metrics that analysis runs in any namespace are made from.
    ClusterAnalysisTemplate, "ClusterAnalysisTemplateList", "clusteranalysistemplates",
    ClusterResourceScope, AnalysisTemplateSpec
}

kind! {
    /// One run of an analysis, with its measurements and its verdict.
    AnalysisRun, "AnalysisRunList", "analysisruns", NamespaceResourceScope, AnalysisRunSpec,
    AnalysisRunStatus
}

kind! {
    /// ReplicaSets that run beside each other for a while and are compared.
    Experiment, "ExperimentList", "experiments", NamespaceResourceScope, ExperimentSpec,
    ExperimentStatus
}
