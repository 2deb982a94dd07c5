//! A Deployment's ReplicaSets: finding the one of the present template, making it, numbering it.

use super::{DESIRED, Look, MAX, REVISION, REVISION_HISTORY, TEMPLATE_HASH, rolling};
use crate::{
    effect::{Decision, Effect, Part, wire},
    objects::{Words, annotation, controlled_by, labels_of, name_of, reference, whole},
};
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde_json::json;

/// Annotations of a Deployment that its sets do not inherit.
const OWN: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAX,
];
/// The letters of a template hash: no vowels, so that no words appear.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Whether a set was made from the Deployment's present template.
pub(super) fn has_template_of(set: &ReplicaSet, deployment: &Deployment) -> bool {
    let Some(wanted) = deployment.spec.as_ref().map(|spec| &spec.template) else { return false };
    let Some(template) = set.spec.as_ref().and_then(|spec| spec.template.as_ref()) else {
        return false;
    };
    labels_of(&set.metadata).get(TEMPLATE_HASH) == Some(&hash(wanted))
        || bare(template) == bare(wanted)
}

fn bare(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    if let Some(labels) = template.metadata.as_mut().and_then(|meta| meta.labels.as_mut()) {
        labels.remove(TEMPLATE_HASH);
    }
    template
}

/// A short name for a pod template: FNV-1a of its wire form.
pub(super) fn hash(template: &PodTemplateSpec) -> String {
    let mut sum: u32 = 0x811c_9dc5;
    for byte in wire(&bare(template)).to_string().bytes() {
        sum = (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    let letter = |digit: u8| char::from(LETTERS[usize::from(digit - b'0') * 2 + 1]);
    sum.to_string().bytes().map(letter).collect()
}

/// The number of a ReplicaSet or Deployment; 0 when it has none.
pub(super) fn revision_of(meta: &ObjectMeta) -> u64 {
    annotation(meta, REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What every set remembers of its Deployment's size.
pub(super) fn remembered(look: &Look<'_>) -> Words {
    let max = look.wanted() + if look.recreates() { 0 } else { rolling::surge(look) };
    Words::from([(DESIRED.into(), look.wanted().to_string()), (MAX.into(), max.to_string())])
}

/// The name that the set of the present template gets.
pub(super) fn new_name(look: &Look<'_>) -> String {
    let hash = look.deployment.spec.as_ref().map(|spec| hash(&spec.template)).unwrap_or_default();
    format!("{}-{hash}", name_of(&look.deployment.metadata))
}

/// Creates the set of the present template with `replicas` pods.
pub(super) fn create(look: &Look<'_>, replicas: i32, decision: &mut Decision) {
    let Some(spec) = look.deployment.spec.as_ref() else { return };
    let hash = hash(&spec.template);
    let mut template = spec.template.clone();
    let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
    labels.insert(TEMPLATE_HASH.into(), hash.clone());
    let labels = labels.clone();
    let mut selector = spec.selector.clone();
    selector.match_labels.get_or_insert_default().insert(TEMPLATE_HASH.into(), hash);
    let name = new_name(look);
    let mut annotations = inherited(look);
    annotations.insert(REVISION.into(), next_revision(look).to_string());
    annotations.extend(remembered(look));
    let set = ReplicaSet {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: look.deployment.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: Some(vec![controlled_by(look.deployment)]),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec {
            replicas: Some(replicas),
            min_ready_seconds: spec.min_ready_seconds,
            selector,
            template: Some(template),
        }),
        status: None,
    };
    decision.push(Effect::Create(whole(&set)));
    let message = format!("Scaled up replica set {name} from 0 to {replicas}");
    decision.tell(look.deployment, "ScalingReplicaSet", message);
}

fn inherited(look: &Look<'_>) -> Words {
    let own = |key: &str| OWN.contains(&key);
    let all = look.deployment.metadata.annotations.iter().flatten();
    all.filter(|(key, _)| !own(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn next_revision(look: &Look<'_>) -> u64 {
    look.old().map(|set| revision_of(&set.metadata)).max().unwrap_or(0) + 1
}

/// Numbers the present set above all older ones, and the Deployment like its present set.
pub(super) fn renumber(look: &Look<'_>, decision: &mut Decision) {
    let Some(new) = look.new else { return };
    let present = revision_of(&new.metadata);
    let revision = present.max(next_revision(look));
    let mut changed = inherited(look);
    changed.retain(|key, value| annotation(&new.metadata, key) != Some(value));
    if revision != present {
        changed.insert(REVISION.into(), revision.to_string());
        changed.extend(history(new, present));
    }
    let ready = look.deployment.spec.as_ref().and_then(|spec| spec.min_ready_seconds);
    let same_wait = new.spec.as_ref().and_then(|spec| spec.min_ready_seconds) == ready;
    if !changed.is_empty() || !same_wait {
        let body = json!({
            "metadata": {"uid": new.metadata.uid, "annotations": changed},
            "spec": {"minReadySeconds": ready},
        });
        decision.push(Effect::Patch { target: reference(new), part: Part::Main, body });
    }
    if revision_of(&look.deployment.metadata) != revision {
        let body = json!({"metadata": {
            "uid": look.deployment.metadata.uid,
            "annotations": {REVISION: revision.to_string()},
        }});
        decision.push(Effect::Patch { target: reference(look.deployment), part: Part::Main, body });
    }
}

fn history(set: &ReplicaSet, left: u64) -> Option<(String, String)> {
    let before = annotation(&set.metadata, REVISION_HISTORY);
    let list = before.map_or_else(|| left.to_string(), |before| format!("{before},{left}"));
    (left > 0).then(|| (REVISION_HISTORY.to_owned(), list))
}
