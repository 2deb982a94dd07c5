//! The rule that keeps a version off the nodes of the stable one: what it looks like in a template, and the
//! template without it.
//!
//! It is put into ReplicaSets, never into the rollout; an undo copies it into the rollout all the same.

use api::argo::keys;
use k8s_openapi::api::core::v1::{Affinity, PodAffinityTerm, PodAntiAffinity, PodTemplateSpec};

/// A template without what was put into it for `antiAffinity`.
pub(crate) fn without_injected(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut bare = template.clone();
    if let Some(spec) = &mut bare.spec {
        spec.affinity = spec.affinity.take().and_then(bare_affinity);
    }
    bare
}

fn bare_affinity(mut affinity: Affinity) -> Option<Affinity> {
    affinity.pod_anti_affinity = affinity.pod_anti_affinity.and_then(bare_rules);
    Some(affinity).filter(|affinity| *affinity != Affinity::default())
}

fn bare_rules(rules: PodAntiAffinity) -> Option<PodAntiAffinity> {
    let preferred = rules.preferred_during_scheduling_ignored_during_execution;
    let required = rules.required_during_scheduling_ignored_during_execution;
    let bare = PodAntiAffinity {
        preferred_during_scheduling_ignored_during_execution: others(preferred, |weighted| {
            &weighted.pod_affinity_term
        }),
        required_during_scheduling_ignored_during_execution: others(required, |term| term),
    };
    Some(bare).filter(|rules| *rules != PodAntiAffinity::default())
}

/// The terms that were not injected; a list of none says as much as no list.
fn others<T>(terms: Option<Vec<T>>, term: fn(&T) -> &PodAffinityTerm) -> Option<Vec<T>> {
    let kept = terms?.into_iter().filter(|found| !is_injected(term(found))).collect::<Vec<_>>();
    Some(kept).filter(|kept| !kept.is_empty())
}

fn is_injected(term: &PodAffinityTerm) -> bool {
    let selector = term.label_selector.as_ref();
    let expressions = selector.and_then(|selector| selector.match_expressions.as_deref());
    matches!(expressions, Some([only]) if only.key == keys::POD_TEMPLATE_HASH && only.operator == "In")
}
