//! One error budget for all comparisons of a release.
//!
//! The chance that any of them fails a release that is not worse is at most the sum of their alphas,
//! whatever depends on whatever. So the comparisons that state an alpha keep it, and the others share by
//! weight what those leave.
//!
//! A comparison that the release has begun has had its part, whatever became of it: it keeps that, and what was
//! given to one that nobody asks for any more does not come back. So templates that change under way
//! never make a release spend more than its budget.

use super::reader::Reader;
use crate::conversation::Problems;
use judges::{
    combine::{Combination, Weight},
    settings::ErrorRate,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The plugin's name in a metric.
pub const PLUGIN: &str = "ringfence/compare";
/// Settings that say how much of the budget a comparison has, and nothing of what it compares.
const OF_BUDGET: [&str; 3] = ["alpha", "releaseAlpha", "weight"];
/// How far the sum may be above the budget by rounding, as a part of it.
const ROUNDING: f64 = 1e-9;

/// What can be done where a release has spent its budget.
const WAYS_OUT: &str = "take back what was edited, state a larger budget, or abort and retry";
/// Bytes of the mark of a comparison.
const MARK_BYTES: usize = 8;

/// What a release has given to comparisons that it has begun.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spent {
    /// To those that are asked for still, by the names they are given here.
    pub kept: BTreeMap<String, f64>,
    /// To those that nobody asks for any more, each with the name of its metric.
    pub gone: Vec<(String, f64)>,
}

impl Spent {
    fn is_nothing(&self) -> bool {
        self.kept.is_empty() && self.gone.is_empty()
    }

    fn parts(&self) -> impl Iterator<Item = (&str, f64)> {
        let gone = self.gone.iter().map(|(name, alpha)| (name.as_str(), *alpha));
        self.kept.iter().map(|(name, alpha)| (name.as_str(), *alpha)).chain(gone)
    }
}

/// A short word for what a comparison is, to be written down.
pub fn mark(identity: &str) -> String {
    let hash = Sha256::digest(identity);
    let bytes = hash.iter().take(MARK_BYTES);
    format!("{:016x}", bytes.fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
}

/// The alpha that a comparison has by its settings.
pub fn alpha(config: &Value) -> f64 {
    match wanted(config) {
        Ok(Wanted::Alpha(alpha)) => alpha,
        _ => ErrorRate::USUAL.get(),
    }
}

/// What a comparison is, without its part of the budget: the same text for the same comparison.
pub fn identity(config: &Value) -> String {
    let mut config = config.clone();
    if let Some(fields) = config.as_object_mut() {
        fields.retain(|key, _| !OF_BUDGET.contains(&key.as_str()));
    }
    config.to_string()
}

/// The alpha of each comparison, by the names they are given here; `budget` is that of the release, and `spent`
/// what it has given already. A comparison that was begun and states nothing keeps what it had.
///
/// # Errors
/// Everything that is wrong, in sentences that name budget and comparisons.
pub fn share(
    budget: &str,
    comparisons: &BTreeMap<String, &Value>,
    spent: &Spent,
) -> Result<BTreeMap<String, f64>, Vec<String>> {
    let number = budget.trim().parse::<f64>().ok().and_then(|value| ErrorRate::new(value).ok());
    let Some(budget) = number else {
        return Err(vec!["must be a number between 0 and 1, both excluded".to_owned()]);
    };
    let (mut stated, mut open, mut problems) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (name, config) in comparisons {
        match (wanted(config), spent.kept.get(name)) {
            (Ok(Wanted::Alpha(alpha)), _) => drop(stated.insert(name.clone(), alpha)),
            (Ok(Wanted::Weight(_)), Some(had)) => drop(stated.insert(name.clone(), *had)),
            (Ok(Wanted::Weight(weight)), None) => drop(open.insert(name.clone(), weight)),
            (Err(found), _) => problems.extend(
                found.into_iter().map(|(path, message)| format!("{name}: {path}: {message}")),
            ),
        }
    }
    let left = budget.get() - taken(&stated, spent);
    if left < -budget.get() * ROUNDING {
        problems.push(too_much(budget, &stated, spent));
    } else if !open.is_empty() {
        match ErrorRate::new(left) {
            Ok(left) if left.get() > budget.get() * ROUNDING => {
                stated.extend(by_weight(left, &open));
            }
            _ => problems.push(nothing_left(budget, &open, spent)),
        }
    }
    if problems.is_empty() { Ok(stated) } else { Err(problems) }
}

/// What is gone of the budget: of a comparison that was begun with one part and has another one now, the larger.
fn taken(stated: &BTreeMap<String, f64>, spent: &Spent) -> f64 {
    let gone: f64 = spent.gone.iter().map(|(_, alpha)| alpha).sum();
    let had = |name: &str| spent.kept.get(name).copied().unwrap_or_default();
    let going: f64 = stated.iter().map(|(name, alpha)| alpha.max(had(name))).sum();
    gone + going
}

/// What a comparison wants of the budget.
enum Wanted {
    Alpha(f64),
    Weight(Weight),
}

fn wanted(config: &Value) -> Result<Wanted, Problems> {
    let none = Map::new();
    let fields = config.as_object().unwrap_or(&none);
    let mut reader = Reader::of_budget(fields);
    let (alpha, weight) = (reader.stated_alpha(), reader.weight());
    match (alpha, weight) {
        _ if !reader.problems.is_empty() => Err(reader.problems),
        (Some(alpha), _) => Ok(Wanted::Alpha(alpha.get())),
        (None, weight) => Ok(Wanted::Weight(weight)),
    }
}

fn by_weight(left: ErrorRate, open: &BTreeMap<String, Weight>) -> BTreeMap<String, f64> {
    let weights = open.iter().map(|(name, weight)| (name.clone(), *weight));
    let Ok(shared) = Combination::new(left, weights) else { return BTreeMap::new() };
    let alpha = |name: &String| Some((name.clone(), shared.alpha_of(name)?.get()));
    open.keys().filter_map(alpha).collect()
}

fn too_much(budget: ErrorRate, stated: &BTreeMap<String, f64>, spent: &Spent) -> String {
    let each = listed(stated.iter().map(|(name, alpha)| (name.as_str(), *alpha)));
    if !spent.is_nothing() {
        return format!("{}: too little is left for {each}; {WAYS_OUT}", given(budget, spent));
    }
    let sum: f64 = stated.values().sum();
    format!(
        "the release may spend {}, and its comparisons state {sum} together: {each}",
        budget.get()
    )
}

fn nothing_left(budget: ErrorRate, open: &BTreeMap<String, Weight>, spent: &Spent) -> String {
    let names = open.keys().cloned().collect::<Vec<_>>().join(", ");
    if !spent.is_nothing() {
        return format!("{}: nothing is left for {names}; {WAYS_OUT}", given(budget, spent));
    }
    format!("the comparisons that state an alpha leave nothing of {} for {names}", budget.get())
}

fn given(budget: ErrorRate, spent: &Spent) -> String {
    let each = listed(spent.parts());
    format!("the release may spend {}, and what it has begun has {each} of that", budget.get())
}

fn listed<'a>(parts: impl Iterator<Item = (&'a str, f64)>) -> String {
    parts.map(|(name, alpha)| format!("{name} {alpha}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shared(budget: &str, comparisons: &[(&str, Value)]) -> Result<Vec<(String, f64)>, String> {
        let comparisons =
            comparisons.iter().map(|(name, config)| ((*name).to_owned(), config)).collect();
        let spent = Spent::default();
        let shares = share(budget, &comparisons, &spent).map_err(|problems| problems.join("; "))?;
        let rounded = |alpha: f64| (alpha * 1e9).round() / 1e9;
        Ok(shares.into_iter().map(|(name, alpha)| (name, rounded(alpha))).collect())
    }

    #[track_caller]
    fn check(budget: &str, comparisons: &[(&str, Value)], expected: &[(&str, f64)]) {
        let expected = expected.iter().map(|(name, alpha)| ((*name).to_owned(), *alpha)).collect();
        assert_eq!(shared(budget, comparisons), Ok(expected));
    }

    #[test]
    fn what_is_stated_is_kept_and_the_rest_shared_by_weight() {
        check("0.05", &[("a", json!({}))], &[("a", 0.05)]);
        check("0.05", &[("a", json!({})), ("b", json!({}))], &[("a", 0.025), ("b", 0.025)]);
        let some = [
            ("a", json!({"weight": "3"})),
            ("b", json!({"weight": 1})),
            ("c", json!({"alpha": "0.01"})),
        ];
        check("0.05", &some, &[("a", 0.03), ("b", 0.01), ("c", 0.01)]);
        let all = [("a", json!({"alpha": 0.02})), ("b", json!({"alpha": 0.03}))];
        check("0.05", &all, &[("a", 0.02), ("b", 0.03)]);
        check("0.05", &[], &[]);
    }

    #[test]
    fn more_than_the_budget_is_refused_with_all_that_is_wrong() {
        let problem =
            |budget, comparisons: &[(&str, Value)]| shared(budget, comparisons).unwrap_err();
        let rate = "must be a number between 0 and 1, both excluded";
        assert_eq!(problem("5%", &[]), rate);
        let over = [
            ("a", json!({"alpha": 0.04})),
            ("b", json!({"alpha": 0.02})),
            ("c", json!({"weight": 0})),
            ("d", json!({"alpha": "x"})),
        ];
        let expected = "c: weight: weight is 0: must be above 0 and at most 1000; \
            d: alpha: must be a number; \
            the release may spend 0.05, and its comparisons state 0.06 together: a 0.04, b 0.02";
        assert_eq!(problem("0.05", &over), expected);
        let none = [("a", json!({"alpha": 0.05})), ("b", json!({}))];
        let expected = "the comparisons that state an alpha leave nothing of 0.05 for b";
        assert_eq!(problem("0.05", &none), expected);
    }

    /// Shares .05 among comparisons, of which the release has begun some, and others that are gone.
    fn after(
        comparisons: &[(&str, Value)],
        kept: &[(&str, f64)],
        gone: &[(&str, f64)],
    ) -> Result<BTreeMap<String, f64>, Vec<String>> {
        let comparisons =
            comparisons.iter().map(|(name, config)| ((*name).to_owned(), config)).collect();
        let owned = |(name, alpha): &(&str, f64)| ((*name).to_owned(), *alpha);
        let kept = kept.iter().map(owned).collect();
        share("0.05", &comparisons, &Spent { kept, gone: gone.iter().map(owned).collect() })
    }

    #[test]
    fn what_a_release_has_begun_keeps_its_part_and_gives_none_back() {
        let two = [("a", json!({})), ("b", json!({}))];
        let shared = after(&two, &[("a", 0.03)], &[]).unwrap();
        assert_eq!(shared["a"].to_bits(), 0.03_f64.to_bits());
        assert!((shared["b"] - 0.02).abs() < 1e-9);
        let shared = after(&two, &[], &[("a", 0.02)]).unwrap();
        assert!((shared["a"] - 0.015).abs() < 1e-9 && (shared["b"] - 0.015).abs() < 1e-9);
        // Stating less than it had gives nothing back.
        let less = [("a", json!({"alpha": 0.01})), ("b", json!({}))];
        let shared = after(&less, &[("a", 0.04)], &[]).unwrap();
        assert!((shared["a"] - 0.01).abs() < 1e-9 && (shared["b"] - 0.01).abs() < 1e-9);
    }

    #[test]
    fn a_release_that_has_given_its_budget_has_nothing_for_what_is_new() {
        let new = [("a", json!({}))];
        let expected = "the release may spend 0.05, and what it has begun has a 0.05 of that: \
            nothing is left for a; take back what was edited, state a larger budget, or abort and retry";
        assert_eq!(after(&new, &[], &[("a", 0.05)]).unwrap_err(), [expected]);
        let both = [("a", json!({})), ("b", json!({}))];
        let error = after(&both, &[("a", 0.05)], &[]).unwrap_err().join("");
        assert!(error.contains("nothing is left for b"), "{error}");
        let stated = [("a", json!({"alpha": 0.04}))];
        let error = after(&stated, &[], &[("a", 0.02)]).unwrap_err().join("");
        assert!(
            error.contains("has a 0.02 of that: too little is left for a 0.04; take"),
            "{error}"
        );
        assert!(after(&new, &[("a", 0.05)], &[]).is_ok());
    }

    /// However templates change from run to run, what all comparisons ever had adds up to the budget at most.
    #[test]
    fn no_history_of_edits_spends_more_than_the_budget() {
        let mut chance = 7_u64;
        let mut draw = |below: u64| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (chance >> 33) % below
        };
        let mut refused = 0;
        for _ in 0..200 {
            let mut ever = BTreeMap::<String, f64>::new();
            for _ in 0..6 {
                let names: Vec<String> = (0..=draw(3)).map(|_| format!("m{}", draw(6))).collect();
                let config = match draw(3) {
                    0 => json!({"alpha": 0.01}),
                    weight => json!({"weight": weight}),
                };
                let asked = names.iter().map(|name| (name.clone(), &config)).collect();
                let (kept, gone): (Vec<_>, Vec<_>) =
                    ever.clone().into_iter().partition(|(name, _)| names.contains(name));
                let spent = Spent { kept: kept.into_iter().collect(), gone };
                let Ok(shares) = share("0.05", &asked, &spent) else {
                    refused += 1;
                    continue;
                };
                for (name, alpha) in shares {
                    assert!(alpha > 0.0);
                    let most = ever.entry(name).or_default();
                    *most = most.max(alpha);
                }
                assert!(ever.values().sum::<f64>() <= 0.05 * (1.0 + 1e-6), "{ever:?}");
            }
        }
        assert!(refused > 0, "nothing was ever at stake");
    }

    #[test]
    fn a_comparison_is_the_same_whatever_its_part() {
        let one = json!({"judge": "rate", "alpha": 0.01, "weight": 2});
        assert_eq!(identity(&one), identity(&json!({"judge": "rate"})));
        assert_ne!(identity(&one), identity(&json!({"judge": "sign"})));
    }
}
