//! Holding expectations against the cluster.

use crate::{
    resources::{UnknownResource, dynamic},
    script::{Comparison, Expectation},
    stage::Stage,
};
use api::argo::{AnalysisRun, Rollout, RolloutStatus};
use k8s_openapi::{
    api::{apps::v1::ReplicaSet, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, api::ListParams};
use serde_json::Value;

/// What was the case: as expected, or what instead.
pub(crate) type Found = Result<(), String>;

/// Why an expectation could not be held against anything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckFailed {
    #[error("{0}")]
    Server(#[from] kube::Error),
    #[error(transparent)]
    UnknownResource(#[from] UnknownResource),
    #[error("{0}")]
    Misunderstood(#[from] serde_json::Error),
}

/// Which rollout lines are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RolloutName {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl RolloutName {
    /// The name that an object has.
    pub(crate) fn of(metadata: &ObjectMeta) -> Option<Self> {
        Some(Self { namespace: metadata.namespace.clone()?, name: metadata.name.clone()? })
    }

    /// The rollout as it is now.
    pub(crate) async fn read(&self, stage: &Stage) -> Result<Rollout, kube::Error> {
        Api::namespaced(stage.client.clone(), &self.namespace).get(&self.name).await
    }
}

/// Holds one expectation about a rollout against what is the case now.
pub(crate) async fn check(
    stage: &Stage,
    of: &RolloutName,
    expectation: &Expectation,
) -> Result<Found, CheckFailed> {
    if let Some(found) = about_traffic(stage, expectation) {
        return Ok(found);
    }
    if let Expectation::Field { resource, name, pointer, value } = expectation {
        return field(stage, &of.namespace, (resource, name), (pointer, value)).await;
    }
    let rollout = of.read(stage).await?;
    let status = rollout.status.clone().unwrap_or_default();
    Ok(match expectation {
        Expectation::StableImage(image) => {
            equal(&stable_image(stage, &of.namespace, &status).await?, image)
        }
        Expectation::Pods(bound) => {
            let ready = |set: ReplicaSet| set.status.and_then(|status| status.ready_replicas);
            let sets = owned_sets(stage, &rollout).await?.into_iter();
            compare(sets.filter_map(ready).sum::<i32>(), *bound)
        }
        Expectation::StablePods(bound) => {
            compare(ready_pods(stage, &of.namespace, status.stable_rs.as_deref()).await?, *bound)
        }
        Expectation::CanaryPods(bound) => compare(
            ready_pods(stage, &of.namespace, status.current_pod_hash.as_deref()).await?,
            *bound,
        ),
        Expectation::ReplicaSets(bound) => {
            compare(owned_sets(stage, &rollout).await?.len(), *bound)
        }
        Expectation::AnalysisRuns(bound) => {
            compare(owned_runs(stage, &rollout).await?.len(), *bound)
        }
        Expectation::Analysis(phase) => equal(&newest_run_phase(stage, &rollout).await?, phase),
        expectation => about_status(&rollout, &status, expectation),
    })
}

fn about_traffic(stage: &Stage, expectation: &Expectation) -> Option<Found> {
    let blast = crate::play::blast_radius(stage);
    Some(match expectation {
        Expectation::Failed(bound) => compare(blast.failed, *bound),
        Expectation::Unserved(bound) => compare(blast.unserved, *bound),
        Expectation::MetBad(bound) => compare(blast.met_bad, *bound),
        Expectation::Event(reason) => {
            is(stage.timeline.has_event(reason), || format!("no event {reason}"))
        }
        Expectation::NoEvent(reason) => {
            is(!stage.timeline.has_event(reason), || format!("an event {reason}"))
        }
        _ => return None,
    })
}

fn about_status(rollout: &Rollout, status: &RolloutStatus, expectation: &Expectation) -> Found {
    match expectation {
        Expectation::Phase(phase) => {
            let (found, message) = observed_phase(rollout, status);
            is(found == *phase, || format!("{found} ({message})"))
        }
        Expectation::Message(text) => {
            let message = status.message.clone().unwrap_or_default();
            is(message.contains(text), || format!("\"{message}\""))
        }
        Expectation::Step(step) => {
            let found = status.current_step_index.unwrap_or(0);
            is(i64::from(found) == i64::from(*step), || format!("step {found}"))
        }
        Expectation::Weight(weight) => {
            let found = status.canary.weights.as_ref().map_or(0, |weights| weights.canary.weight);
            is(i64::from(found) == i64::from(*weight), || format!("weight {found}"))
        }
        Expectation::Reason(code) => {
            let codes: Vec<_> = status.reasons.iter().map(|reason| reason.code.as_str()).collect();
            is(codes.contains(&code.as_str()), || format!("[{}]", codes.join(", ")))
        }
        Expectation::Condition { kind, status: wanted } => {
            let found = status.conditions.iter().find(|condition| condition.type_ == *kind);
            let found = found.map_or("absent", |condition| condition.status.as_str());
            equal(found, wanted)
        }
        _ => Err("this cannot be looked up".to_owned()),
    }
}

/// A status that speaks of an older generation says nothing about this one.
pub(crate) fn observed_phase(rollout: &Rollout, status: &RolloutStatus) -> (String, String) {
    let generation = rollout.metadata.generation.map(|generation| generation.to_string());
    if status.observed_generation != generation {
        return ("Progressing".to_owned(), "the latest change was not observed yet".to_owned());
    }
    (
        status.phase.map(|phase| phase.to_string()).unwrap_or_default(),
        status.message.clone().unwrap_or_default(),
    )
}

async fn stable_image(
    stage: &Stage,
    namespace: &str,
    status: &RolloutStatus,
) -> Result<String, kube::Error> {
    let set = set_with(stage, namespace, status.stable_rs.as_deref()).await?;
    let container = set.and_then(|set| set.spec?.template?.spec?.containers.into_iter().next());
    Ok(container.and_then(|container| container.image).unwrap_or_else(|| "none".to_owned()))
}

async fn ready_pods(
    stage: &Stage,
    namespace: &str,
    hash: Option<&str>,
) -> Result<usize, kube::Error> {
    let set = set_with(stage, namespace, hash).await?;
    let ready = set.and_then(|set| set.status?.ready_replicas).unwrap_or(0);
    Ok(usize::try_from(ready).unwrap_or(0))
}

/// The pods of one version.
pub(crate) async fn pods_of(
    stage: &Stage,
    namespace: &str,
    hash: Option<&str>,
) -> Result<Vec<Pod>, kube::Error> {
    let Some(hash) = hash else { return Ok(Vec::new()) };
    let api: Api<Pod> = Api::namespaced(stage.client.clone(), namespace);
    Ok(api.list(&labelled(hash)).await?.items)
}

async fn field(
    stage: &Stage,
    namespace: &str,
    (resource, name): (&str, &str),
    (pointer, wanted): (&str, &str),
) -> Result<Found, CheckFailed> {
    let object = dynamic(stage, namespace, resource)?.get_opt(name).await?;
    let object = object.map(serde_json::to_value).transpose()?;
    let found = match object.as_ref().and_then(|object| object.pointer(pointer)) {
        None => "absent".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Ok(equal(&found, wanted))
}

fn labelled(hash: &str) -> ListParams {
    ListParams::default().labels(&format!("rollouts-pod-template-hash={hash}"))
}

async fn set_with(
    stage: &Stage,
    namespace: &str,
    hash: Option<&str>,
) -> Result<Option<ReplicaSet>, kube::Error> {
    let Some(hash) = hash else { return Ok(None) };
    let api: Api<ReplicaSet> = Api::namespaced(stage.client.clone(), namespace);
    Ok(api.list(&labelled(hash)).await?.items.into_iter().next())
}

async fn owned_sets(stage: &Stage, rollout: &Rollout) -> Result<Vec<ReplicaSet>, kube::Error> {
    let namespace = rollout.metadata.namespace.as_deref().unwrap_or_default();
    let api: Api<ReplicaSet> = Api::namespaced(stage.client.clone(), namespace);
    let all = api.list(&ListParams::default()).await?.items;
    Ok(all.into_iter().filter(|set| is_owned(&set.metadata, rollout)).collect())
}

async fn owned_runs(stage: &Stage, rollout: &Rollout) -> Result<Vec<AnalysisRun>, kube::Error> {
    let namespace = rollout.metadata.namespace.as_deref().unwrap_or_default();
    let api: Api<AnalysisRun> = Api::namespaced(stage.client.clone(), namespace);
    let all = api.list(&ListParams::default()).await?.items;
    Ok(all.into_iter().filter(|run| is_owned(&run.metadata, rollout)).collect())
}

fn is_owned(metadata: &ObjectMeta, rollout: &Rollout) -> bool {
    metadata
        .owner_references
        .iter()
        .flatten()
        .any(|owner| Some(&owner.uid) == rollout.metadata.uid.as_ref())
}

async fn newest_run_phase(stage: &Stage, rollout: &Rollout) -> Result<String, kube::Error> {
    let runs = owned_runs(stage, rollout).await?;
    let newest = runs.into_iter().max_by_key(|run| {
        (run.metadata.creation_timestamp.as_ref().map(|time| time.0), run.metadata.name.clone())
    });
    Ok(newest
        .and_then(|run| run.status)
        .map_or_else(|| "no run".to_owned(), |status| status.phase.to_string()))
}

fn equal(found: &str, wanted: &str) -> Found {
    is(found == wanted, || found.to_owned())
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn compare(found: impl TryInto<u64>, bound: Comparison) -> Found {
    let found = found.try_into().unwrap_or(u64::MAX);
    is(bound.holds(found as f64), || found.to_string())
}

fn is(holds: bool, found: impl FnOnce() -> String) -> Found {
    if holds { Ok(()) } else { Err(found()) }
}
