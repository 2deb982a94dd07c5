//! Labels and annotations that pods carry for the role they play, kept in step with the role.
//!
//! They are written to the ReplicaSet's template and to the pods that exist; the ReplicaSet remembers what
//! was written, so that only that is taken away again. Pods are looked at every time: one that was made
//! from the template of before may be seen only after the ReplicaSet was changed.

use super::{
    draft::Draft,
    sets::{self, SetExt},
    subject::Subject,
};
use api::argo::{PodTemplateMetadata, keys};
use k8s_openapi::{
    api::{
        apps::v1::ReplicaSet,
        core::v1::{Pod, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc};
use vocab::ObjectRef;

/// Gives every ReplicaSet the metadata of its role, before it has pods if it has a role.
pub(crate) fn reconcile(subject: &Subject<'_>, draft: &mut Draft) {
    let plays =
        |set: &&ReplicaSet| set.wanted() > 0 || set.has_role() || role_of(subject, set).is_some();
    for set in subject.sets().filter(plays) {
        let role = role_of(subject, set).cloned().unwrap_or_default();
        let before = set.role();
        let own = own_metadata(subject, set, &before);
        // Pods first: the note on the ReplicaSet says that those that were seen are done.
        change_pods(subject, set, &metadata_patch(&of_any(subject, &before), &role, &own), draft);
        change_template(subject, set, &role, draft);
    }
}

fn change_template(
    subject: &Subject<'_>,
    set: &ReplicaSet,
    role: &PodTemplateMetadata,
    draft: &mut Draft,
) {
    let before = set.role();
    if before != *role {
        let change = metadata_patch(&before, role, &own_metadata(subject, set, &before));
        // What a version has of its own is not noted, for it is not to be taken away when the role goes.
        if !carries(&template_metadata(set), &change) {
            change_set(set, role, &change, draft);
        }
    }
}

/// Gives the new version the metadata of its role before it gets its first pods again: what looks at pods when
/// they are made would miss it.
pub(crate) fn prepare(subject: &Subject<'_>, draft: &mut Draft) {
    let Some(set) = subject.new_set().filter(|set| set.wanted() == 0 && set.actual() == 0) else {
        return;
    };
    let role = role_of(subject, set).cloned().unwrap_or_default();
    change_template(subject, set, &role, draft);
}

/// What the pods of a ReplicaSet begin with.
fn template_metadata(set: &ReplicaSet) -> ObjectMeta {
    let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
    template.and_then(|template| template.metadata.clone()).unwrap_or_default()
}

/// Everything that a pod may carry because of a role, be it one of before.
fn of_any(subject: &Subject<'_>, before: &PodTemplateMetadata) -> PodTemplateMetadata {
    let canary = subject.canary().map(|canary| [&canary.stable_metadata, &canary.canary_metadata]);
    let blue_green =
        subject.blue_green().map(|active| [&active.active_metadata, &active.preview_metadata]);
    let mut all = before.clone();
    for role in canary.into_iter().chain(blue_green).flatten().flatten() {
        all.labels.extend(role.labels.clone());
        all.annotations.extend(role.annotations.clone());
    }
    all
}

/// What the pods of `set` shall carry: stable or new, and nothing once it is neither.
fn role_of<'a>(subject: &'a Subject<'_>, set: &ReplicaSet) -> Option<&'a PodTemplateMetadata> {
    let is = |other: Option<&ReplicaSet>| other.is_some_and(|other| other.hash() == set.hash());
    let settled =
        is(subject.stable_set()) || (subject.stable_set().is_none() && is(subject.new_set()));
    match (subject.canary(), subject.blue_green()) {
        (Some(canary), _) if settled => canary.stable_metadata.as_ref(),
        (Some(canary), _) if is(subject.new_set()) => canary.canary_metadata.as_ref(),
        (None, Some(blue_green)) if settled => blue_green.active_metadata.as_ref(),
        (None, Some(blue_green)) if is(subject.new_set()) => blue_green.preview_metadata.as_ref(),
        _ => None,
    }
}

/// What a ReplicaSet remembers of its role.
trait Role {
    fn has_role(&self) -> bool;
    fn role(&self) -> PodTemplateMetadata;
}

impl Role for ReplicaSet {
    fn has_role(&self) -> bool {
        self.annotation(keys::EPHEMERAL_METADATA).is_some()
    }

    fn role(&self) -> PodTemplateMetadata {
        let note = self.annotation(keys::EPHEMERAL_METADATA);
        note.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

fn change_pods(subject: &Subject<'_>, set: &ReplicaSet, body: &Value, draft: &mut Draft) {
    let uid = set.metadata.uid.as_deref();
    let pods = subject.observed.pods.iter().map(Arc::as_ref);
    for pod in pods.filter(|pod| uid.is_some() && sets::controller_uid(&pod.metadata) == uid) {
        if pod.metadata.deletion_timestamp.is_none() && !carries(&pod.metadata, body) {
            draft.patch(pod_ref(pod), sets::precondition(&pod.metadata), json!({"metadata": body}));
        }
    }
}

fn change_set(set: &ReplicaSet, role: &PodTemplateMetadata, body: &Value, draft: &mut Draft) {
    let empty = role.labels.is_empty() && role.annotations.is_empty();
    let note = serde_json::to_string(role).ok().filter(|_| !empty);
    draft.patch_set(
        set,
        json!({
            "metadata": {"annotations": {keys::EPHEMERAL_METADATA: note}},
            "spec": {"template": {"metadata": body}},
        }),
    );
}

/// What the version itself gives its pods: by the rollout's template, and for older versions by the
/// ReplicaSet's, where what a role covered is not known any more.
fn own_metadata(
    subject: &Subject<'_>,
    set: &ReplicaSet,
    before: &PodTemplateMetadata,
) -> PodTemplateMetadata {
    let is_new = subject.new_set().is_some_and(|new| new.hash() == set.hash());
    let of_set = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
    let template = if is_new { Some(subject.template()) } else { of_set };
    let metadata = template.and_then(|template| template.metadata.clone()).unwrap_or_default();
    let mut own = PodTemplateMetadata {
        labels: metadata.labels.unwrap_or_default(),
        annotations: metadata.annotations.unwrap_or_default(),
    };
    if !is_new {
        own.labels.retain(|key, _| !before.labels.contains_key(key));
        own.annotations.retain(|key, _| !before.annotations.contains_key(key));
    }
    own
}

/// Gives back what was covered, takes away what was written and is not wanted, and writes what is.
fn metadata_patch(
    before: &PodTemplateMetadata,
    role: &PodTemplateMetadata,
    own: &PodTemplateMetadata,
) -> Value {
    json!({
        "labels": entries(&before.labels, &role.labels, &own.labels),
        "annotations": entries(&before.annotations, &role.annotations, &own.annotations),
    })
}

fn entries(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
) -> Map<String, Value> {
    let gone = before
        .keys()
        .filter(|key| !after.contains_key(*key))
        .map(|key| (key.clone(), own.get(key).map_or(Value::Null, |value| json!(value))));
    let written = after.iter().map(|(key, value)| (key.clone(), json!(value)));
    gone.chain(written).collect()
}

/// Whether metadata is already as the patch would make it.
fn carries(metadata: &ObjectMeta, body: &Value) -> bool {
    let all = |part: &str, found: &dyn Fn(&str) -> Option<String>| {
        let entries = body[part].as_object().into_iter().flatten();
        entries.into_iter().all(|(key, value)| found(key).as_deref() == value.as_str())
    };
    all("labels", &|key| sets::label(metadata, key).map(ToString::to_string))
        && all("annotations", &|key| sets::annotation(metadata, key).map(ToString::to_string))
}

/// Whether a template has of its own what a role gives.
pub(crate) fn is_own(template: &PodTemplateSpec, role: &PodTemplateMetadata) -> bool {
    let change = metadata_patch(&PodTemplateMetadata::default(), role, role);
    template.metadata.as_ref().is_some_and(|metadata| carries(metadata, &change))
}

fn pod_ref(pod: &Pod) -> ObjectRef {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    ObjectRef::new("v1", "Pod", &text(&pod.metadata.namespace), &text(&pod.metadata.name))
}
