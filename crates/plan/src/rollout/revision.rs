//! Getting the ReplicaSet of the wanted template in place: claiming, making, numbering.
//!
//! Start with [`prepare`]. When it changes anything the rest of the plan waits for the next pass, which
//! sees the result.

use super::{
    anti_affinity::without_injected,
    conditions,
    draft::Draft,
    reads, roles,
    sets::{self, SetExt},
    subject::{Subject, selects},
};
use api::argo::{
    AntiAffinity, PodTemplateMetadata, Rollout, RolloutCondition, RolloutStatus, keys,
};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::{ReplicaSet, ReplicaSetSpec},
        core::v1::{Affinity, PodAffinityTerm, PodTemplateSpec, WeightedPodAffinityTerm},
    },
    apimachinery::pkg::apis::meta::v1::{
        LabelSelector, LabelSelectorRequirement, ObjectMeta, OwnerReference,
    },
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use vocab::{Event, EventType, ObjectRef, PatchType, Subresource, Write};

/// Reason of the event that tells of a rollout's new number.
pub(super) const UPDATED: &str = "RolloutUpdated";

/// Annotations of the rollout that its ReplicaSets do not get.
const NOT_COPIED: [&str; 5] = [
    keys::LAST_APPLIED,
    keys::REVISION,
    keys::REVISION_HISTORY,
    keys::DESIRED_REPLICAS,
    keys::NOTIFIED,
];

/// The two lists of rules for pods that keep off each other.
const ANTI_AFFINITY_LISTS: [&str; 2] = [
    "preferredDuringSchedulingIgnoredDuringExecution",
    "requiredDuringSchedulingIgnoredDuringExecution",
];

/// Whether the rest of the plan may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prepared {
    /// Everything is in place.
    Yes,
    /// Something was put in place; look again first.
    LookAgain,
}

/// Puts in place what every strategy needs, one thing per pass.
pub(crate) fn prepare(subject: &Subject<'_>, draft: &mut Draft) -> Prepared {
    claim(subject, draft);
    repair(subject, draft);
    if draft.writes.is_empty() {
        complete_rollout(subject, draft);
    }
    if draft.writes.is_empty() {
        match subject.new_set() {
            None => create(subject, draft),
            Some(set) => renumber(subject, set, draft),
        }
    }
    if draft.writes.is_empty() && draft.status == subject.status {
        Prepared::Yes
    } else {
        Prepared::LookAgain
    }
}

/// Adopts ReplicaSets that nobody owns and lets go of those the selector no longer matches.
fn claim(subject: &Subject<'_>, draft: &mut Draft) {
    let uid = subject.rollout.metadata.uid.as_deref();
    for set in &subject.observed.replica_sets {
        let controller = sets::controller_uid(&set.metadata);
        let selected = selects(subject.selector(), set.metadata.labels.as_ref());
        if set.metadata.deletion_timestamp.is_some() || set.hash().is_empty() {
            continue;
        }
        let mut owners = set.metadata.owner_references.clone().unwrap_or_default();
        if controller.is_none() && selected {
            owners.push(owner(subject));
        } else if controller.is_some() && controller == uid && !selected {
            owners.retain(|owner| Some(owner.uid.as_str()) != uid);
        } else {
            continue;
        }
        draft.patch_set(set, json!({"metadata": {"ownerReferences": owners}}));
    }
}

/// Takes what cannot be read out of the rollout's own template, as upstream does: one such rollout keeps
/// clients written in Go from listing any in its namespace.
fn repair(subject: &Subject<'_>, draft: &mut Draft) {
    if subject.resolved.dropped.is_empty() || subject.rollout.spec.workload_ref.is_some() {
        return;
    }
    let remove = |path: &String| json!({"op": "remove", "path": path});
    let write = Write::Patch {
        target: subject.target(),
        subresource: Subresource::Main,
        patch_type: PatchType::Json,
        body: subject.resolved.dropped.iter().map(remove).collect(),
        precondition: sets::precondition(&subject.rollout.metadata),
    };
    if draft.write(write) {
        let message =
            format!("{} is no amount and was taken out", subject.resolved.dropped.join(", "));
        draft.warn(subject, "InvalidQuantity", message);
    }
}

/// Fills in what clients expect the rollout itself to say.
fn complete_rollout(subject: &Subject<'_>, draft: &mut Draft) {
    let metadata = &subject.rollout.metadata;
    let mut body = Map::new();
    let workload =
        subject.observed.workload.as_ref().filter(|_| subject.rollout.spec.workload_ref.is_some());
    if let Some(generation) = workload.and_then(|workload| workload.metadata.generation) {
        let text = generation.to_string();
        if sets::annotation(metadata, keys::WORKLOAD_GENERATION) != Some(&text) {
            let note = json!({"annotations": {keys::WORKLOAD_GENERATION: text}});
            body.insert("metadata".to_owned(), note);
        }
    } else if subject.rollout.spec.workload_ref.is_none()
        && sets::annotation(metadata, keys::WORKLOAD_GENERATION).is_some()
    {
        let note = json!({"annotations": {keys::WORKLOAD_GENERATION: null}});
        body.insert("metadata".to_owned(), note);
    }
    if subject.rollout.spec.replicas.is_none() {
        // An autoscaler works only on a count that is there.
        body.insert("spec".to_owned(), json!({"replicas": subject.replicas()}));
    }
    if !body.is_empty() {
        draft.patch(subject.target(), sets::precondition(metadata), Value::Object(body));
    }
}

fn create(subject: &Subject<'_>, draft: &mut Draft) {
    let hash = subject.template_hash();
    let name = format!("{}-{hash}", subject.name());
    if subject.observed.replica_sets.iter().any(|set| set.name() == name) {
        // Another template has taken the name; the count gives the next attempt another hash.
        draft.status.collision_count = Some(subject.status.collision_count.unwrap_or(0) + 1);
        return;
    }
    let revision = next_revision(subject);
    let set = new_set(subject, &name, &hash, revision);
    let Ok(object) = serde_json::to_value(set) else { return };
    number(subject, revision, draft);
    draft.write(Write::Create { object });
    draft.note_write(
        subject,
        conditions::SET_CREATED,
        format!("Created ReplicaSet {name} (revision {revision})"),
    );
}

/// One more than the greatest revision of the other ReplicaSets.
fn next_revision(subject: &Subject<'_>) -> i64 {
    subject.older_sets().into_iter().map(SetExt::revision).max().unwrap_or(0) + 1
}

fn new_set(subject: &Subject<'_>, name: &str, hash: &str, revision: i64) -> ReplicaSet {
    let mut template = without_injected(subject.template());
    if hash != subject.stable_hash() {
        add_anti_affinity(subject, &mut template);
    }
    let metadata = template.metadata.get_or_insert_default();
    metadata
        .labels
        .get_or_insert_default()
        .insert(keys::POD_TEMPLATE_HASH.to_owned(), hash.to_owned());
    let labels = metadata.labels.clone();
    let mut annotations = copied_annotations(subject);
    annotations.retain(|_, value| !value.is_empty());
    annotations.insert(keys::REVISION.to_owned(), revision.to_string());
    annotations.insert(keys::DESIRED_REPLICAS.to_owned(), subject.replicas().to_string());
    if let Some(role) = role_metadata(subject).filter(|role| !roles::is_own(&template, role)) {
        add_role_metadata(role, &mut template, &mut annotations);
    }
    let mut selector = subject.selector().clone();
    selector
        .match_labels
        .get_or_insert_default()
        .insert(keys::POD_TEMPLATE_HASH.to_owned(), hash.to_owned());
    ReplicaSet {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(subject.namespace().to_owned()),
            labels,
            annotations: Some(annotations),
            owner_references: Some(vec![owner(subject)]),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec {
            replicas: Some(0),
            min_ready_seconds: Some(subject.rollout.spec.min_ready_seconds),
            selector,
            template: Some(template),
        }),
        status: None,
    }
}

/// The reference that makes an object the rollout's own.
pub(crate) fn owner(subject: &Subject<'_>) -> OwnerReference {
    sets::owner("Rollout", &subject.rollout.metadata)
}

fn copied_annotations(subject: &Subject<'_>) -> BTreeMap<String, String> {
    let annotations = subject.rollout.metadata.annotations.clone().unwrap_or_default();
    let has_workload = subject.rollout.spec.workload_ref.is_some();
    let is_copied = |key: &str| {
        !NOT_COPIED.contains(&key) && (has_workload || key != keys::WORKLOAD_GENERATION)
    };
    annotations.into_iter().filter(|(key, _)| is_copied(key)).collect()
}

/// What the new pods carry for the role they begin in.
fn role_metadata<'a>(subject: &'a Subject<'_>) -> Option<&'a PodTemplateMetadata> {
    match (subject.canary(), subject.blue_green(), subject.stable_set()) {
        (Some(canary), _, Some(_)) => canary.canary_metadata.as_ref(),
        (Some(canary), _, None) => canary.stable_metadata.as_ref(),
        (None, Some(blue_green), Some(_)) => blue_green.preview_metadata.as_ref(),
        (None, Some(blue_green), None) => blue_green.active_metadata.as_ref(),
        (None, None, _) => None,
    }
}

fn add_role_metadata(
    role: &PodTemplateMetadata,
    template: &mut PodTemplateSpec,
    annotations: &mut BTreeMap<String, String>,
) {
    let metadata = template.metadata.get_or_insert_default();
    metadata.labels.get_or_insert_default().extend(role.labels.clone());
    metadata.annotations.get_or_insert_default().extend(role.annotations.clone());
    if let Ok(note) = serde_json::to_string(role) {
        annotations.insert(keys::EPHEMERAL_METADATA.to_owned(), note);
    }
}

/// Keeps new pods off the nodes of the stable ones, as `antiAffinity` asks; stable ones would keep each other off.
fn add_anti_affinity(subject: &Subject<'_>, template: &mut PodTemplateSpec) {
    let canary = subject.canary().and_then(|canary| canary.anti_affinity.as_ref());
    let blue_green = subject.blue_green().and_then(|blue_green| blue_green.anti_affinity.as_ref());
    let Some(rule) = canary.or(blue_green).filter(|_| !subject.stable_hash().is_empty()) else {
        return;
    };
    let term = PodAffinityTerm {
        label_selector: Some(LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: keys::POD_TEMPLATE_HASH.to_owned(),
                operator: "In".to_owned(),
                values: Some(vec![subject.stable_hash().to_owned()]),
            }]),
            match_labels: None,
        }),
        namespaces: Some(vec![subject.namespace().to_owned()]),
        topology_key: "kubernetes.io/hostname".to_owned(),
        ..PodAffinityTerm::default()
    };
    add_term(rule, term, template);
}

fn add_term(rule: &AntiAffinity, term: PodAffinityTerm, template: &mut PodTemplateSpec) {
    let spec = template.spec.get_or_insert_default();
    let affinity = spec.affinity.get_or_insert_default().pod_anti_affinity.get_or_insert_default();
    if let Some(preferred) = &rule.preferred_during_scheduling_ignored_during_execution {
        let weighted =
            WeightedPodAffinityTerm { weight: preferred.weight, pod_affinity_term: term };
        affinity
            .preferred_during_scheduling_ignored_during_execution
            .get_or_insert_default()
            .push(weighted);
    } else {
        affinity
            .required_during_scheduling_ignored_during_execution
            .get_or_insert_default()
            .push(term);
    }
}

/// Keeps the number and the copied annotations of the new ReplicaSet, and the rollout's own number, up to date.
fn renumber(subject: &Subject<'_>, set: &ReplicaSet, draft: &mut Draft) {
    let revision = set.revision().max(next_revision(subject));
    let mut changes = Map::new();
    for (key, value) in copied_annotations(subject) {
        if set.annotation(&key).unwrap_or_default() != value {
            changes.insert(key, json!(value));
        }
    }
    if revision != set.revision() {
        changes.insert(keys::REVISION.to_owned(), json!(revision.to_string()));
        changes.extend(
            former_revisions(set).map(|text| (keys::REVISION_HISTORY.to_owned(), json!(text))),
        );
    }
    let mut body = Map::new();
    if !changes.is_empty() {
        body.insert("metadata".to_owned(), json!({"annotations": changes}));
    }
    let mut spec = Map::new();
    let min_ready = subject.rollout.spec.min_ready_seconds;
    if set.spec.as_ref().and_then(|spec| spec.min_ready_seconds).unwrap_or(0) != min_ready {
        spec.insert("minReadySeconds".to_owned(), json!(min_ready));
    }
    if revision != set.revision() {
        spec.extend(other_affinity(subject, set));
    }
    if !spec.is_empty() {
        body.insert("spec".to_owned(), Value::Object(spec));
    }
    if !body.is_empty() {
        draft.patch_set(set, Value::Object(body));
    }
    number(subject, revision, draft);
}

/// Gives the rollout the number of the revision that it asks for.
fn number(subject: &Subject<'_>, revision: i64, draft: &mut Draft) {
    if revision == subject.revision() {
        return;
    }
    let body = json!({"metadata": {"annotations": {keys::REVISION: revision.to_string()}}});
    draft.patch(subject.target(), sets::precondition(&subject.rollout.metadata), body);
    draft.note_write(subject, UPDATED, format!("Rollout updated to revision {revision}"));
}

/// The rules for nodes of a version that is wanted again, where they are not what they are by now: other
/// pods are stable than when it was made.
fn other_affinity(subject: &Subject<'_>, set: &ReplicaSet) -> Option<(String, Value)> {
    let mut template = without_injected(subject.template());
    if set.hash() != subject.stable_hash() {
        add_anti_affinity(subject, &mut template);
    }
    let affinity =
        |template: &PodTemplateSpec| template.spec.as_ref().and_then(|spec| spec.affinity.clone());
    let wanted = affinity(&template);
    let found = set.spec.as_ref()?.template.as_ref().and_then(affinity);
    let change = json!({"spec": {"affinity": in_place(wanted.as_ref())}});
    (wanted != found).then(|| ("template".to_owned(), change))
}

/// A merge patch leaves alone what it does not name, so that what is not wanted has to be named too.
fn in_place(affinity: Option<&Affinity>) -> Value {
    let mut whole = json!(affinity);
    if let Some(affinity) = whole.as_object_mut() {
        let rules = affinity.entry("podAntiAffinity").or_insert(Value::Null);
        if let Some(rules) = rules.as_object_mut() {
            for list in ANTI_AFFINITY_LISTS {
                rules.entry(list).or_insert(Value::Null);
            }
        }
    }
    whole
}

/// The numbers a ReplicaSet had before it was wanted again.
fn former_revisions(set: &ReplicaSet) -> Option<String> {
    let current = set.annotation(keys::REVISION)?;
    let history = set.annotation(keys::REVISION_HISTORY).filter(|text| !text.is_empty());
    Some(history.map_or_else(|| current.to_owned(), |history| format!("{history},{current}")))
}

/// Tells that a rollout is seen for the first time.
pub(crate) fn added(rollout: &Rollout) -> Event {
    let target = reads::rollout_ref(rollout);
    let message =
        format!("Rollout resource added to informer: {}/{}", target.namespace, target.name);
    of_presence(target, "RolloutAddedToInformer", message)
}

/// Tells that `rollout` is gone; upstream names it before its namespace.
pub fn deleted(rollout: ObjectRef) -> Event {
    let message = format!("Rollout {}/{} is deleted.", rollout.name, rollout.namespace);
    of_presence(rollout, "RolloutDeleted", message)
}

fn of_presence(regarding: ObjectRef, reason: &str, message: String) -> Event {
    let (event_type, evidence) = (EventType::Normal, BTreeMap::new());
    Event { event_type, regarding, reason: reason.to_owned(), message, evidence, after: None }
}

/// Notes the ReplicaSet that is looked at for the first time, so that its deadline counts from now: made by
/// the pass before this one, or found by a rollout that knows of none.
pub(crate) fn note_first(subject: &mut Subject<'_>) {
    let Some(set) = subject.new_set() else { return };
    let progressing = subject.condition(keys::CONDITION_PROGRESSING);
    let known_since = progressing.map(|found| found.last_update_time.0);
    let since = known_since.or_else(|| timestamp(&subject.rollout.metadata));
    let is_new = subject.status.current_pod_hash.as_deref() != Some(set.hash());
    let name = set.name();
    let created = || format!("Created new replica set \"{name}\"");
    let text = match progressing {
        _ if is_new && timestamp(&set.metadata) >= since => (conditions::SET_CREATED, created()),
        Some(found) if !is_new && found.reason == conditions::SET_CREATED => {
            let created = created();
            return reword(&mut subject.status, created);
        }
        Some(found) if found.reason != keys::SET_CREATE_ERROR => return,
        _ => (conditions::SET_FOUND, format!("Found new replica set \"{name}\"")),
    };
    let kind = keys::CONDITION_PROGRESSING;
    let condition = conditions::condition(kind, conditions::TRUE, text, subject.now);
    conditions::remove(&mut subject.status, kind);
    conditions::set(&mut subject.status, condition);
}

/// Says that the ReplicaSet is there, of which the status before it could say only that it is being made.
fn reword(status: &mut RolloutStatus, created: String) {
    let is_told = |found: &&mut RolloutCondition| found.type_ == keys::CONDITION_PROGRESSING;
    if let Some(told) = status.conditions.iter_mut().find(is_told) {
        told.message = created;
    }
}

fn timestamp(metadata: &ObjectMeta) -> Option<Timestamp> {
    metadata.creation_timestamp.as_ref().map(|time| time.0)
}
