//! The kinds that scripts may name, by the words that kubectl takes for them.

use crate::stage::Stage;
use kube::{
    Api,
    api::DynamicObject,
    core::{ApiResource, GroupVersionKind},
};
use store::Change;

/// A word that names no kind.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no resource `{0}` here; there are rollout, analysisrun, analysistemplate, experiment, replicaset, \
         deployment, httproute, ingress, service, pod, configmap, secret and horizontalpodautoscaler"
)]
pub(crate) struct UnknownResource(String);

/// Group, version and kind of everything a script may name.
type Kind = (&'static str, &'static str, &'static str);

/// Every kind with the words for it, without a plural's `s`.
const KINDS: [(&[&str], Kind); 13] = [
    (&["rollout", "ro"], ("argoproj.io", "v1alpha1", "Rollout")),
    (&["analysisrun", "ar"], ("argoproj.io", "v1alpha1", "AnalysisRun")),
    (&["analysistemplate", "at"], ("argoproj.io", "v1alpha1", "AnalysisTemplate")),
    (&["experiment", "exp"], ("argoproj.io", "v1alpha1", "Experiment")),
    (&["replicaset", "r"], ("apps", "v1", "ReplicaSet")),
    (&["deployment", "deploy"], ("apps", "v1", "Deployment")),
    (&["httproute"], ("gateway.networking.k8s.io", "v1", "HTTPRoute")),
    (&["ingre", "ingresse", "ing"], ("networking.k8s.io", "v1", "Ingress")),
    (&["service", "svc"], ("", "v1", "Service")),
    (&["pod", "po"], ("", "v1", "Pod")),
    (&["configmap", "cm"], ("", "v1", "ConfigMap")),
    (&["secret"], ("", "v1", "Secret")),
    (&["horizontalpodautoscaler", "hpa"], ("autoscaling", "v2", "HorizontalPodAutoscaler")),
];

/// The kind of what has changed, if a script may name it.
pub(crate) fn followed_kind(change: &Change) -> Option<&'static str> {
    let found = change.object.value()["kind"].as_str()?;
    let is_it = |kind: &Kind| kind.0 == change.resource.group && kind.2 == found;
    KINDS.iter().map(|(_, kind)| kind).find(|kind| is_it(kind)).map(|(_, _, kind)| *kind)
}

/// Every kind that a script may name.
pub(crate) fn every_kind() -> impl Iterator<Item = ApiResource> {
    KINDS.into_iter().map(|(_, kind)| described(kind))
}

/// The kind that a word means.
pub(crate) fn kind_of(resource: &str) -> Result<&'static str, UnknownResource> {
    named(resource).map(|(_, _, kind)| kind)
}

/// The objects of a kind in a namespace.
pub(crate) fn dynamic(
    stage: &Stage,
    namespace: &str,
    resource: &str,
) -> Result<Api<DynamicObject>, UnknownResource> {
    let described = described(named(resource)?);
    Ok(Api::namespaced_with(stage.client.clone(), namespace, &described))
}

fn named(resource: &str) -> Result<Kind, UnknownResource> {
    let word = resource.trim_end_matches('s');
    let found = KINDS.into_iter().find(|(words, _)| words.contains(&word));
    found.map(|(_, kind)| kind).ok_or_else(|| UnknownResource(resource.to_owned()))
}

fn described((group, version, kind): Kind) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}
