//! Scaling a Deployment in the middle of an update: every live set keeps its share.

use super::{DESIRED, Look, rolling, wanted_of};
use crate::{effect::Decision, objects::annotation};
use k8s_openapi::api::apps::v1::ReplicaSet;

/// Whether the wanted number changed since the live sets were sized.
pub(super) fn was_scaled(look: &Look<'_>) -> bool {
    let wanted = look.wanted().to_string();
    let live = look.sets.iter().filter(|set| wanted_of(set) > 0);
    live.filter_map(|set| annotation(&set.metadata, DESIRED)).any(|desired| desired != wanted)
}

/// Gives each live set its share of the wanted number.
pub(super) fn scale(look: &Look<'_>, decision: &mut Decision) {
    let live: Vec<&ReplicaSet> =
        look.sets.iter().copied().filter(|set| wanted_of(set) > 0).collect();
    match live.as_slice() {
        [] => {
            if let Some(latest) = look.new.or(look.sets.last().copied()) {
                look.resize(latest, look.wanted(), decision);
            }
        }
        [only] => look.resize(only, look.wanted(), decision),
        several => share(look, several, decision),
    }
}

/// Spreads the change over the live sets in proportion; what rounding leaves goes to the largest.
fn share(look: &Look<'_>, live: &[&ReplicaSet], decision: &mut Decision) {
    let present: i32 = live.iter().map(|set| wanted_of(set)).sum();
    let allowed = if look.wanted() == 0 || look.recreates() {
        look.wanted()
    } else {
        look.wanted() + rolling::surge(look)
    };
    let mut largest_first = live.to_vec();
    largest_first.sort_by_key(|set| (std::cmp::Reverse(wanted_of(set)), set.metadata.name.clone()));
    let mut sizes: Vec<i32> = Vec::with_capacity(live.len());
    for set in &largest_first {
        let share = i64::from(wanted_of(set)) * i64::from(allowed) / i64::from(present.max(1));
        sizes.push(i32::try_from(share).unwrap_or(i32::MAX));
    }
    let left = allowed - sizes.iter().sum::<i32>();
    if let Some(first) = sizes.first_mut() {
        *first = (*first + left).max(0);
    }
    for (set, size) in largest_first.into_iter().zip(sizes) {
        look.resize(set, size, decision);
    }
}
