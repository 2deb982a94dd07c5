//! One error budget for all comparisons of a release.
//!
//! The chance that any of them fails a release that is not worse is at most the sum of their alphas,
//! whatever depends on whatever. So the comparisons that state an alpha keep it, and the others share by
//! weight what those leave.

use super::reader::Reader;
use crate::conversation::Problems;
use judges::{
    combine::{Combination, Weight},
    settings::ErrorRate,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The plugin's name in a metric.
pub const PLUGIN: &str = "ringfence/compare";
/// Settings that say how much of the budget a comparison has, and nothing of what it compares.
const OF_BUDGET: [&str; 3] = ["alpha", "releaseAlpha", "weight"];
/// How far the sum may be above the budget by rounding, as a part of it.
const ROUNDING: f64 = 1e-9;

/// What a comparison is, without its part of the budget: the same text for the same comparison.
pub fn identity(config: &Value) -> String {
    let mut config = config.clone();
    if let Some(fields) = config.as_object_mut() {
        fields.retain(|key, _| !OF_BUDGET.contains(&key.as_str()));
    }
    config.to_string()
}

/// The alpha of each comparison, by the names they are given here; `budget` is that of the release.
///
/// # Errors
/// Everything that is wrong, in sentences that name budget and comparisons.
pub fn share(
    budget: &str,
    comparisons: &BTreeMap<String, &Value>,
) -> Result<BTreeMap<String, f64>, Vec<String>> {
    let number = budget.trim().parse::<f64>().ok().and_then(|value| ErrorRate::new(value).ok());
    let Some(budget) = number else {
        return Err(vec!["must be a number between 0 and 1, both excluded".to_owned()]);
    };
    let (mut stated, mut open, mut problems) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (name, config) in comparisons {
        match wanted(config) {
            Ok(Wanted::Alpha(alpha)) => drop(stated.insert(name.clone(), alpha)),
            Ok(Wanted::Weight(weight)) => drop(open.insert(name.clone(), weight)),
            Err(found) => problems.extend(
                found.into_iter().map(|(path, message)| format!("{name}: {path}: {message}")),
            ),
        }
    }
    let sum: f64 = stated.values().sum();
    let left = budget.get() - sum;
    if left < -budget.get() * ROUNDING {
        problems.push(too_much(budget, sum, &stated));
    } else if !open.is_empty() {
        match ErrorRate::new(left) {
            Ok(left) => stated.extend(by_weight(left, &open)),
            Err(_) => problems.push(nothing_left(budget, &open)),
        }
    }
    if problems.is_empty() { Ok(stated) } else { Err(problems) }
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

fn too_much(budget: ErrorRate, sum: f64, stated: &BTreeMap<String, f64>) -> String {
    let each = stated.iter().map(|(name, alpha)| format!("{name} {alpha}"));
    let each = each.collect::<Vec<_>>().join(", ");
    format!(
        "the release may spend {}, and its comparisons state {sum} together: {each}",
        budget.get()
    )
}

fn nothing_left(budget: ErrorRate, open: &BTreeMap<String, Weight>) -> String {
    let names = open.keys().cloned().collect::<Vec<_>>().join(", ");
    format!("the comparisons that state an alpha leave nothing of {} for {names}", budget.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shared(budget: &str, comparisons: &[(&str, Value)]) -> Result<Vec<(String, f64)>, String> {
        let comparisons =
            comparisons.iter().map(|(name, config)| ((*name).to_owned(), config)).collect();
        let shares = share(budget, &comparisons).map_err(|problems| problems.join("; "))?;
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

    #[test]
    fn a_comparison_is_the_same_whatever_its_part() {
        let one = json!({"judge": "rate", "alpha": 0.01, "weight": 2});
        assert_eq!(identity(&one), identity(&json!({"judge": "rate"})));
        assert_ne!(identity(&one), identity(&json!({"judge": "sign"})));
    }
}
