//! The kinds that scripts may name, by the words that kubectl takes for them.

use crate::stage::Stage;
use kube::{
    Api,
    api::DynamicObject,
    core::{ApiResource, GroupVersionKind},
};

/// A word that names no kind.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no resource `{0}` here; there are rollout, analysisrun, analysistemplate, replicaset, \
         deployment, httproute, service, pod, configmap, secret and horizontalpodautoscaler"
)]
pub(crate) struct UnknownResource(String);

/// The objects of a kind in a namespace.
pub(crate) fn dynamic(
    stage: &Stage,
    namespace: &str,
    resource: &str,
) -> Result<Api<DynamicObject>, UnknownResource> {
    let (group, version, kind) = match resource.trim_end_matches('s') {
        "rollout" | "ro" => ("argoproj.io", "v1alpha1", "Rollout"),
        "analysisrun" | "ar" => ("argoproj.io", "v1alpha1", "AnalysisRun"),
        "analysistemplate" | "at" => ("argoproj.io", "v1alpha1", "AnalysisTemplate"),
        "replicaset" | "r" => ("apps", "v1", "ReplicaSet"),
        "deployment" | "deploy" => ("apps", "v1", "Deployment"),
        "httproute" => ("gateway.networking.k8s.io", "v1", "HTTPRoute"),
        "service" | "svc" => ("", "v1", "Service"),
        "pod" | "po" => ("", "v1", "Pod"),
        "configmap" | "cm" => ("", "v1", "ConfigMap"),
        "secret" => ("", "v1", "Secret"),
        "horizontalpodautoscaler" | "hpa" => ("autoscaling", "v2", "HorizontalPodAutoscaler"),
        _ => return Err(UnknownResource(resource.to_owned())),
    };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Ok(Api::namespaced_with(stage.client.clone(), namespace, &resource))
}
