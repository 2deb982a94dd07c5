//! Many outcomes, put together.

use crate::{
    deliberate::{DELIBERATE, Deliberate},
    play::Outcome,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many seeds are named for a class.
const NAMED: usize = 8;

/// What came out of a run.
#[derive(Debug, Default)]
pub struct Report {
    outcomes: Vec<Outcome>,
}

impl Report {
    /// Puts outcomes together.
    pub fn of(mut outcomes: Vec<Outcome>) -> Self {
        outcomes.sort_by_key(|outcome| outcome.seed);
        Self { outcomes }
    }

    /// How many seeds differ and should not.
    pub fn differing(&self) -> usize {
        self.outcomes.iter().filter(|outcome| !outcome.differences.is_empty()).count()
    }

    /// How many seeds differ in nothing but what is meant.
    pub fn meant(&self) -> usize {
        let is_meant =
            |outcome: &&Outcome| outcome.differences.is_empty() && !outcome.meant.is_empty();
        self.outcomes.iter().filter(is_meant).count()
    }

    /// The entries of what is meant whose own seeds were all played through and need them no more.
    pub fn unshown(&self) -> Vec<&'static Deliberate> {
        let needs_not = |seed: &u64, row: &Deliberate| {
            let own = self.outcomes.iter().find(|outcome| outcome.seed == *seed);
            own.is_some_and(|own| own.differences.is_empty() && !own.rows().contains(row.name))
        };
        let silent = |row: &&Deliberate| row.seeds.iter().all(|seed| needs_not(seed, row));
        DELIBERATE.iter().filter(silent).collect()
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let mut deliberate: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for outcome in &self.outcomes {
            for name in outcome.rows() {
                deliberate.entry(name).or_default().push(outcome.seed);
            }
        }
        let unshown: Vec<&str> = self.unshown().into_iter().map(|row| row.name).collect();
        json!({
            "seeds": self.outcomes.len(),
            "acts": self.outcomes.iter().map(|outcome| outcome.acts).sum::<usize>(),
            "equal": self.outcomes.len() - self.differing() - self.meant(),
            "meant": self.meant(),
            "differing": self.differing(),
            "restless": self.outcomes.iter().filter(|outcome| outcome.restless).map(|outcome| outcome.seed).collect::<Vec<_>>(),
            "deliberate": deliberate,
            "unshown": unshown,
            "classes": self.classes().into_iter().map(|(class, seeds)| json!({ "class": class, "seeds": seeds })).collect::<Vec<_>>(),
        })
    }

    /// For people: the classes of differences, the most frequent first.
    pub fn text(&self) -> String {
        let (all, meant, differing) = (self.outcomes.len(), self.meant(), self.differing());
        let mut lines = vec![format!("{all} seeds, {differing} differ, {meant} only as is meant")];
        for (class, seeds) in self.classes() {
            let named: Vec<String> = seeds.iter().take(NAMED).map(u64::to_string).collect();
            lines.push(format!("{:5} × {class}\n        seeds {}", seeds.len(), named.join(" ")));
        }
        let told = |row: &Deliberate| {
            let seeds: Vec<String> = row.seeds.iter().map(u64::to_string).collect();
            format!("nothing shows `{}` any more, played with seed {}", row.name, seeds.join(" "))
        };
        lines.extend(self.unshown().into_iter().map(told));
        lines.join("\n")
    }

    /// Which seeds show which class, the most frequent first.
    fn classes(&self) -> Vec<(String, Vec<u64>)> {
        let mut classes: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for outcome in &self.outcomes {
            for difference in &outcome.differences {
                let seeds = classes.entry(difference.class()).or_default();
                if seeds.last() != Some(&outcome.seed) {
                    seeds.push(outcome.seed);
                }
            }
        }
        let mut classes: Vec<_> = classes.into_iter().collect();
        classes.sort_by_key(|(_, seeds)| std::cmp::Reverse(seeds.len()));
        classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compare::Difference, play::Meant};

    fn outcome(seed: u64, places: &[&str]) -> Outcome {
        let difference =
            |place: &&str| Difference { place: (*place).to_owned(), peer: None, ours: None };
        Outcome {
            seed,
            acts: 1,
            differences: places.iter().map(difference).collect(),
            ..Outcome::default()
        }
    }

    #[test]
    fn the_most_frequent_class_comes_first() {
        let report = Report::of(vec![
            outcome(1, &["a"]),
            outcome(3, &["b"]),
            outcome(2, &["b"]),
            outcome(4, &[]),
        ]);
        let json = report.json();
        assert_eq!((json["equal"].clone(), json["differing"].clone()), (json!(1), json!(3)));
        assert_eq!(json["classes"][0]["seeds"], json!([2, 3]));
    }

    #[test]
    fn a_row_whose_seed_needs_it_no_more_is_told() {
        let row = &DELIBERATE[0];
        let seed = row.seeds[0];
        let difference = Difference { place: "a".to_owned(), peer: None, ours: None };
        let mut shown = outcome(seed, &[]);
        shown.meant = vec![Meant { row: row.name, difference }];
        let json = Report::of(vec![shown.clone(), outcome(1, &[]), outcome(2, &["b"])]).json();
        assert_eq!([&json["equal"], &json["meant"], &json["differing"]], [1, 1, 1]);
        let names = |outcomes| {
            let unshown = Report::of(outcomes).unshown();
            unshown.into_iter().map(|row| row.name).collect::<Vec<_>>()
        };
        assert!(names(vec![outcome(seed, &[])]).contains(&row.name));
        assert!(!names(vec![shown]).contains(&row.name));
        assert!(names(vec![outcome(seed, &["b"])]).is_empty());
        assert!(names(Vec::new()).is_empty());
    }

    #[test]
    fn a_row_of_several_seeds_is_shown_by_any_of_them() {
        let row = DELIBERATE.iter().find(|row| row.seeds.len() > 1).unwrap();
        let difference = Difference { place: "a".to_owned(), peer: None, ours: None };
        let mut outcomes: Vec<_> = row.seeds.iter().map(|seed| outcome(*seed, &[])).collect();
        let is_told = |outcomes: &[Outcome]| {
            let unshown = Report::of(outcomes.to_vec()).unshown();
            unshown.iter().any(|told| told.name == row.name)
        };
        assert!(is_told(&outcomes));
        assert!(!is_told(&outcomes[1..]));
        outcomes[1].meant = vec![Meant { row: row.name, difference }];
        assert!(!is_told(&outcomes));
    }
}
