//! What is shown of a ReplicaSet.

use super::{PodInfo, Pool, age, pod, revision};
use api::argo::{Rollout, keys};
use jiff::Timestamp;
use k8s_openapi::{api::apps::v1::ReplicaSet, apimachinery::pkg::apis::meta::v1::OwnerReference};
use serde::Serialize;

/// The part a ReplicaSet plays in a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Tag {
    /// The version users are on.
    Stable,
    /// The version under test.
    Canary,
    /// Behind the active service.
    Active,
    /// Behind the preview service.
    Preview,
    /// Behind the ping service.
    Ping,
    /// Behind the pong service.
    Pong,
}

impl Tag {
    /// The word shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
            Self::Active => "active",
            Self::Preview => "preview",
            Self::Ping => "ping",
            Self::Pong => "pong",
        }
    }
}

/// What is shown of a ReplicaSet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaSetInfo {
    /// Name.
    pub name: String,
    /// Revision; 0 when unknown.
    pub revision: u64,
    /// `Healthy`, `Progressing`, `ScaledDown` or `ReplicaFailure`.
    pub status: &'static str,
    /// How old it is.
    pub age: String,
    /// The parts it plays, in the order shown.
    pub tags: Vec<Tag>,
    /// The template of the experiment that it belongs to.
    pub template: Option<String>,
    /// How long until it is scaled down, or `passed`.
    pub delay: Option<String>,
    /// Pods that exist.
    pub replicas: i32,
    /// Pods that are available.
    pub available: i32,
    /// Images of its containers.
    pub images: Vec<String>,
    /// Its pods, oldest first.
    pub pods: Vec<PodInfo>,
}

/// An owner's ReplicaSets, newest revision first; those of an experiment play no part in a rollout.
pub(crate) fn all(
    owner: Option<&str>,
    rollout: Option<&Rollout>,
    pool: Pool<'_>,
    now: Timestamp,
) -> Vec<ReplicaSetInfo> {
    let of_owner = pool
        .replica_sets
        .iter()
        .filter(|set| is_owned(set.metadata.owner_references.as_deref(), owner));
    let mut infos: Vec<_> = of_owner.map(|set| info(set, rollout, pool, now)).collect();
    infos.sort_by(|one, other| {
        other.revision.cmp(&one.revision).then_with(|| one.name.cmp(&other.name))
    });
    infos
}

pub(crate) fn is_owned(owners: Option<&[OwnerReference]>, uid: Option<&str>) -> bool {
    owners.unwrap_or_default().iter().any(|owner| Some(owner.uid.as_str()) == uid)
}

fn info(
    set: &ReplicaSet,
    rollout: Option<&Rollout>,
    pool: Pool<'_>,
    now: Timestamp,
) -> ReplicaSetInfo {
    let annotation = |key: &str| set.metadata.annotations.as_ref().and_then(|all| all.get(key));
    let status = set.status.clone().unwrap_or_default();
    let containers = set
        .spec
        .as_ref()
        .and_then(|spec| spec.template.as_ref()?.spec.as_ref())
        .map(|spec| spec.containers.as_slice());
    ReplicaSetInfo {
        name: set.metadata.name.clone().unwrap_or_default(),
        revision: revision(&set.metadata),
        status: health(set),
        age: age::since(set.metadata.creation_timestamp.as_ref(), now),
        tags: rollout.map(|rollout| tags(rollout, set)).unwrap_or_default(),
        template: annotation(keys::EXPERIMENT_TEMPLATE_NAME)
            .filter(|name| !name.is_empty())
            .cloned(),
        delay: annotation(keys::SCALE_DOWN_DEADLINE).and_then(|text| delay(text, now)),
        replicas: status.replicas,
        available: status.available_replicas.unwrap_or(0),
        images: containers
            .unwrap_or_default()
            .iter()
            .filter_map(|container| container.image.clone())
            .collect(),
        pods: pod::of(set, pool.pods, now),
    }
}

fn health(set: &ReplicaSet) -> &'static str {
    let status = set.status.clone().unwrap_or_default();
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas);
    if set.metadata.generation.unwrap_or(0) > status.observed_generation.unwrap_or(0) {
        return "Progressing";
    }
    let conditions = status.conditions.unwrap_or_default();
    if conditions
        .iter()
        .any(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")
    {
        return "ReplicaFailure";
    }
    match wanted {
        Some(wanted) if status.available_replicas.unwrap_or(0) < wanted => "Progressing",
        Some(0) => "ScaledDown",
        _ => "Healthy",
    }
}

fn tags(rollout: &Rollout, set: &ReplicaSet) -> Vec<Tag> {
    let Some(status) = &rollout.status else { return Vec::new() };
    let hash = set
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(keys::POD_TEMPLATE_HASH))
        .map_or("", String::as_str);
    let is = |field: Option<&String>| field.is_some_and(|value| value == hash && !hash.is_empty());
    let is_stable = is(status.stable_rs.as_ref());
    let mut tags = Vec::new();
    if is_stable {
        tags.push(Tag::Stable);
    }
    if rollout.spec.strategy.canary.is_some() {
        let is_current = !is_stable && is(status.current_pod_hash.as_ref());
        if is_current {
            tags.push(Tag::Canary);
        }
        tags.extend(ping_pong(rollout, is_stable, is_current));
    } else if is(status.blue_green.active_selector.as_ref()) {
        tags.push(Tag::Active);
    } else if is(status.blue_green.preview_selector.as_ref()) {
        tags.push(Tag::Preview);
    }
    tags
}

fn ping_pong(rollout: &Rollout, is_stable: bool, is_current: bool) -> Option<Tag> {
    rollout.spec.strategy.canary.as_ref()?.ping_pong.as_ref()?;
    let stable_is_ping =
        rollout.status.as_ref()?.canary.stable_ping_pong.as_deref() == Some("ping");
    (is_stable || is_current).then_some(if is_stable == stable_is_ping {
        Tag::Ping
    } else {
        Tag::Pong
    })
}

fn delay(deadline: &str, now: Timestamp) -> Option<String> {
    let left = deadline.parse::<Timestamp>().ok()?.duration_since(now).as_secs();
    Some(if left < 0 { "passed".to_owned() } else { age::human_duration(left) })
}
