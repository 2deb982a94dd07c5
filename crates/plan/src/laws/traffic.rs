//! Laws on traffic and the pods that carry it.

use super::{Case, Law, Violation, violation};
use crate::rollout::{
    Observed,
    replicas::{pods_before, pods_for},
    restart, services,
    sets::{self, SetExt},
    subject::Subject,
    targets,
    traffic::View,
};
use api::argo::{TrafficWeights, keys};
use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Pod};
use serde_json::Value;
use std::sync::Arc;
use vocab::{PatchType, Write};

pub(super) fn check(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let (before, after) = case.progress();
    // What stands there already was right for the maximum of its time.
    if let Some(weights) = &after.canary.weights
        && before.canary.weights.as_ref() != Some(weights)
    {
        check_sum(case, weights, violations);
    }
    let before = View::of(&case.subject);
    let routed = before.as_ref().and_then(|view| view.weight.as_ref().ok().copied());
    let planned = view_after(case);
    check_further(case, before.as_ref(), planned.as_ref(), violations);
    check_managed(case, before.as_ref(), planned.as_ref(), violations);
    let steered = planned.and_then(|view| view.weight.ok()).or(routed);
    if let (Some(before), Some(after)) = (routed, steered) {
        check_endpoints(case, before, after, violations);
        check_stable(case, before.min(after), violations);
    }
    check_shrinking(case, before.as_ref(), violations);
    check_evicting(case, before.as_ref(), violations);
    check_basic(case, violations);
    check_order(case, violations);
}

fn check_sum(case: &Case<'_>, weights: &TrafficWeights, violations: &mut Vec<Violation>) {
    let max = case.subject.max_weight();
    let additional: i32 = weights.additional.iter().map(|destination| destination.weight).sum();
    let all = [weights.canary.weight, weights.stable.weight];
    let within = all
        .iter()
        .chain(weights.additional.iter().map(|destination| &destination.weight))
        .all(|weight| (0..=max).contains(weight));
    if !within || all.iter().sum::<i32>() + additional != max {
        violations.push(violation(Law::WeightsAddUp, format!("{weights:?} of {max}")));
    }
}

/// The split once the plan is carried out, if the plan writes a route.
fn view_after(case: &Case<'_>) -> Option<View> {
    let observed = case.subject.observed;
    let mut objects = observed.objects.clone();
    let mut written = false;
    for (_, target, patch_type, body) in case.patches() {
        let Some(Some(object)) = objects.get_mut(target) else { continue };
        written = true;
        apply(object, patch_type, body);
    }
    for (_, target, object) in case.creates() {
        if let Some(place) = objects.get_mut(&target) {
            *place = Some(object.clone());
            written = true;
        }
    }
    if !written {
        return None;
    }
    let after = Observed { objects, ..observed.clone() };
    View::of(&Subject::of(&after, case.subject.resolved, case.subject.now))
}

/// A destination beside stable and canary gains traffic only while it shows endpoints.
fn check_further(
    case: &Case<'_>,
    before: Option<&View>,
    after: Option<&View>,
    violations: &mut Vec<Violation>,
) {
    for (service, weight) in after.iter().flat_map(|view| &view.further) {
        let had = before.and_then(|view| view.further.get(service)).copied();
        if had.unwrap_or_default() < *weight && visible(case, service) == 0 {
            let detail = format!("{service} gets {weight}, and has no endpoints");
            violations.push(violation(Law::TrafficNeedsEndpoints, detail));
        }
    }
}

/// A managed route comes only where endpoints are, and what writes a route when the release is over leaves
/// none.
fn check_managed(
    case: &Case<'_>,
    before: Option<&View>,
    after: Option<&View>,
    violations: &mut Vec<Violation>,
) {
    let (Some(after), Some(canary)) = (after, case.subject.canary()) else { return };
    let names = |names: Vec<&String>| format!("{names:?}");
    let is_over = case.subject.status.abort || case.subject.is_fully_promoted();
    if is_over && !after.managed.is_empty() {
        let detail =
            format!("{} stays and the release is over", names(after.managed.iter().collect()));
        violations.push(violation(Law::RoutesEndWithTheRelease, detail));
    }
    let had = |name: &&String| before.is_some_and(|view| view.managed.contains(*name));
    let come: Vec<&String> = after.managed.iter().filter(|name| !had(name)).collect();
    let service = canary.canary_service.as_deref().unwrap_or_default();
    if !come.is_empty() && (visible(case, service) == 0 || is_switched(case, service)) {
        let detail = format!("{} leads to {service}, which has no endpoints", names(come));
        violations.push(violation(Law::TrafficNeedsEndpoints, detail));
    }
}

fn apply(object: &mut Value, patch_type: PatchType, body: &Value) {
    match patch_type {
        PatchType::Json => {
            if let Ok(patch) = serde_json::from_value::<json_patch::Patch>(body.clone()) {
                // A patch that does not apply changes nothing, here as on the server.
                let _ = json_patch::patch(object, &patch);
            }
        }
        PatchType::Merge | PatchType::Strategic | PatchType::Apply => {
            json_patch::merge(object, body);
        }
    }
}

/// Whichever version gains traffic must show endpoints behind its service.
fn check_endpoints(case: &Case<'_>, before: i32, after: i32, violations: &mut Vec<Violation>) {
    let Some(canary) = case.subject.canary() else { return };
    let (gains, loses) = match after.cmp(&before) {
        std::cmp::Ordering::Equal => return,
        std::cmp::Ordering::Greater => (&canary.canary_service, None),
        std::cmp::Ordering::Less => (&canary.stable_service, canary.canary_service.as_deref()),
    };
    let service = gains.as_deref().unwrap_or_default();
    // Taking traffic from a canary that answers nobody harms nobody: so begins every first deployment.
    let harms = loses.is_none_or(|loser| visible(case, loser) > 0);
    if harms && visible(case, service) == 0 && case.subject.replicas() > 0 {
        let detail = format!("weight {before} to {after}, and service {service} has no endpoints");
        violations.push(violation(Law::TrafficNeedsEndpoints, detail));
    }
    if is_switched(case, service) && after > before {
        let detail = format!("service {service} is switched in the plan that sends it more");
        violations.push(violation(Law::TrafficNeedsEndpoints, detail));
    }
}

/// Whether the plan makes a service select another version.
fn is_switched(case: &Case<'_>, service: &str) -> bool {
    case.patches().any(|(_, target, _, _)| target.kind == "Service" && target.name == service)
}

/// Ready endpoints of a service.
fn visible(case: &Case<'_>, service: &str) -> i32 {
    let hashes = case.subject.observed.endpoints.get(service);
    hashes.into_iter().flat_map(|hashes| hashes.values()).sum()
}

/// Stable keeps pods for the greatest share it has before, during and after the plan.
fn check_stable(case: &Case<'_>, canary_weight: i32, violations: &mut Vec<Violation>) {
    let subject = &case.subject;
    let Some(stable) = subject.distinct_stable() else { return };
    let needed =
        pods_before(subject.replicas(), subject.share(subject.max_weight() - canary_weight));
    let after = case.size_after(stable.name());
    if after < needed.min(stable.wanted()) {
        let detail = format!("{} gets {after} pods and needs {needed}", stable.name());
        violations.push(violation(Law::StableKeepsItsCapacity, detail));
    }
}

/// No ReplicaSet loses pods that something read back still leads traffic to.
fn check_shrinking(case: &Case<'_>, view: Option<&View>, violations: &mut Vec<Violation>) {
    for (_, name, size) in case.new_sizes() {
        let Some(set) = case.subject.sets().find(|set| set.name() == name) else { continue };
        let needed = needed(case, view, set);
        if size < needed.min(set.wanted()) {
            let detail = format!(
                "{name} shrinks from {} to {size} and carries traffic for {needed}",
                set.wanted()
            );
            violations.push(violation(Law::TrafficLeavesFirst, detail));
        }
    }
}

/// The new version does not lose its last ready pod while users are led there and stable could take them.
fn check_evicting(case: &Case<'_>, view: Option<&View>, violations: &mut Vec<Violation>) {
    let (Some(new), Some(stable)) = (case.subject.new_set(), case.subject.distinct_stable()) else {
        return;
    };
    let through = view.and_then(|view| view.leads_to(&case.subject, new.hash()));
    let Some(through) = through.filter(|_| stable.wanted() > 0) else { return };
    let goes = |pod: &Pod| {
        case.plan.writes.iter().any(|write| match write {
            Write::Evict { target, .. } => pod.metadata.name.as_ref() == Some(&target.name),
            _ => false,
        })
    };
    let pods = case.subject.observed.pods.iter().map(Arc::as_ref);
    let ready = pods.filter(|pod| restart::is_ready(pod));
    let own = ready.filter(|pod| {
        sets::controller_uid(&pod.metadata).is_some()
            && sets::controller_uid(&pod.metadata) == new.metadata.uid.as_deref()
    });
    let (going, staying): (Vec<_>, Vec<_>) = own.partition(|pod| goes(pod));
    if !going.is_empty() && staying.is_empty() {
        let detail = format!("{} loses its last pod and {through} leads there", new.name());
        violations.push(violation(Law::TrafficLeavesFirst, detail));
    }
}

/// Pods that the traffic in force needs of `set`.
fn needed(case: &Case<'_>, view: Option<&View>, set: &ReplicaSet) -> i32 {
    let subject = &case.subject;
    let replicas = subject.replicas();
    if let Some(blue_green) = subject.blue_green() {
        let active = &blue_green.active_service;
        let selected = services::selected(subject, active);
        let after = services::selected_after(subject, active, &case.plan.writes);
        return if [selected, after].contains(&Some(set.hash())) { replicas } else { 0 };
    }
    let Some(view) = view.filter(|view| view.leads_to(subject, set.hash()).is_some()) else {
        return 0;
    };
    let Ok(weight) = view.weight else { return set.wanted() };
    let is_stable = subject.stable_set().is_some_and(|stable| stable.hash() == set.hash());
    let is_new = subject.new_set().is_some_and(|new| new.hash() == set.hash());
    let least = i32::from(!view.managed.is_empty());
    match (is_stable, is_new) {
        (true, _) => pods_before(replicas, subject.share(subject.max_weight() - weight)),
        (false, true) if targets::explicit_scale(subject).is_some() => weight.min(1).max(least),
        (false, true) => pods_for(replicas, subject.share(weight)).max(least),
        (false, false) => set.wanted(),
    }
}

/// Without a router the pods themselves are the split: enough of them stay available.
fn check_basic(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let subject = &case.subject;
    if subject.is_routed() || subject.blue_green().is_some() {
        return;
    }
    let least = subject.replicas() - subject.size().max_unavailable;
    let before: i32 = subject.sets().map(|set| set.available().min(set.wanted())).sum();
    let after: i32 =
        subject.sets().map(|set| set.available().min(case.size_after(set.name()))).sum();
    if after < before.min(least) {
        let detail = format!("{after} available pods are left and {least} are needed");
        violations.push(violation(Law::StableKeepsItsCapacity, detail));
    }
}

/// Routes and selectors are written before any ReplicaSet shrinks.
fn check_order(case: &Case<'_>, violations: &mut Vec<Violation>) {
    let routes = |target: &vocab::ObjectRef| case.subject.observed.objects.contains_key(target);
    let switches = |body: &Value| body["spec"]["selector"].get(keys::POD_TEMPLATE_HASH).is_some();
    let last = case
        .patches()
        .filter(|(_, target, _, body)| routes(target) || switches(body))
        .map(|(place, ..)| place);
    let made = case.creates().filter(|(_, target, _)| routes(target)).map(|(place, ..)| place);
    let last = last.chain(made).max();
    let before =
        |name: &str| case.subject.sets().find(|set| set.name() == name).map_or(0, SetExt::wanted);
    let early = case
        .new_sizes()
        .into_iter()
        .find(|(place, name, size)| *size < before(name) && last.is_some_and(|last| *place < last));
    if let Some((_, name, _)) = early {
        violations.push(violation(
            Law::TrafficIsWrittenFirst,
            format!("{name} shrinks before traffic moves"),
        ));
    }
}
