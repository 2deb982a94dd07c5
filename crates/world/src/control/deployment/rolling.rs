//! The rolling update: up within the surge, down within what may be unavailable.

use super::{Look, available_of, wanted_of};
use crate::effect::Decision;
use k8s_openapi::{api::apps::v1::ReplicaSet, apimachinery::pkg::util::intstr::IntOrString};

/// How a percentage becomes a number of pods.
#[derive(Clone, Copy)]
enum Rounding {
    Up,
    Down,
}

/// The pods that may exist beyond the wanted number.
pub(super) fn surge(look: &Look<'_>) -> i32 {
    bounds(look).0
}

/// The pods that may be missing from the wanted number.
pub(super) fn unavailable(look: &Look<'_>) -> i32 {
    bounds(look).1
}

fn bounds(look: &Look<'_>) -> (i32, i32) {
    let strategy = look.deployment.spec.as_ref().and_then(|spec| spec.strategy.as_ref());
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.clone()).unwrap_or_default();
    let quarter = IntOrString::String("25%".into());
    let surge =
        resolve(rolling.max_surge.as_ref().unwrap_or(&quarter), look.wanted(), Rounding::Up);
    let down = rolling.max_unavailable.as_ref().unwrap_or(&quarter);
    let missing = resolve(down, look.wanted(), Rounding::Down);
    // Nothing could ever move with both at zero.
    (surge, if surge == 0 && missing == 0 { 1 } else { missing.min(look.wanted()) })
}

fn resolve(value: &IntOrString, of: i32, rounding: Rounding) -> i32 {
    let text = match value {
        IntOrString::Int(number) => return (*number).max(0),
        IntOrString::String(text) => text,
    };
    let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
    let parts = percent.max(0).saturating_mul(i64::from(of));
    let whole = match rounding {
        Rounding::Up => parts.saturating_add(99) / 100,
        Rounding::Down => parts / 100,
    };
    i32::try_from(whole).unwrap_or(i32::MAX)
}

/// The size the new set starts with.
pub(super) fn first_size(look: &Look<'_>) -> i32 {
    grown(look, 0)
}

fn grown(look: &Look<'_>, present: i32) -> i32 {
    let all: i32 = look.sets.iter().map(|set| wanted_of(set)).sum();
    let room = look.wanted() + surge(look) - all;
    present + room.clamp(0, (look.wanted() - present).max(0))
}

/// One step: grow the new set, or else shrink the old ones.
pub(super) fn roll(look: &Look<'_>, new: &ReplicaSet, decision: &mut Decision) {
    let present = wanted_of(new);
    let size = if present > look.wanted() { look.wanted() } else { grown(look, present) };
    look.resize(new, size, decision);
    if decision.effects.is_empty() {
        shrink(look, new, decision);
    }
}

fn shrink(look: &Look<'_>, new: &ReplicaSet, decision: &mut Decision) {
    let all: i32 = look.sets.iter().map(|set| wanted_of(set)).sum();
    let least = look.wanted() - unavailable(look);
    let waiting = wanted_of(new) - available_of(new);
    let mut budget = all - least - waiting.max(0);
    let available: i32 = look.sets.iter().map(|set| available_of(set)).sum();
    let mut spare = available - least;
    for set in look.old() {
        let size = wanted_of(set);
        let broken = (size - available_of(set)).clamp(0, budget.max(0));
        let healthy = (size - broken).min(spare.max(0)).min((budget - broken).max(0));
        budget -= broken + healthy;
        spare -= healthy;
        if broken + healthy > 0 {
            look.resize(set, size - broken - healthy, decision);
        }
    }
}
