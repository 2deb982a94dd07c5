//! Looking for what notices a mutant, the cheapest first.

use super::{Mutant, mutants};
use crate::{
    divergence::Divergence,
    examine::{Against, examine},
    run::{Reference, run},
    season::each,
    story::Story,
    suites::{Case, SUITES},
};
use rehearsal::Conditions;
use serde::Serialize;

/// About so many cases of a suite and story are tried on a mutant that nothing else noticed.
const CASES: usize = 12;

/// The suite in which nothing goes wrong.
const UNDISTURBED: &str = "T14";

/// What noticed a mutant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Caught {
    /// The mutant's name.
    pub mutant: String,
    /// What it does wrong.
    pub about: String,
    /// The suite that noticed; `None` when none did.
    pub suite: Option<String>,
    /// The invariant, expectation or comparison that noticed.
    pub by: Option<String>,
    /// The story in which it was noticed.
    pub story: Option<String>,
}

/// Hunts every mutant, two at a time.
pub fn hunt(stories: &[Story], seed: u64) -> Vec<Caught> {
    let mutants: Vec<_> = mutants().collect();
    let mut found = each(2, &mutants, |mutant| hunt_one(mutant, stories, seed));
    found.sort_by(|one, other| one.mutant.cmp(&other.mutant));
    found
}

/// Hunts one mutant: through its stories undisturbed, and then with the controller dying now and then.
///
/// What is wrong by itself counts before what is only other than in a run without the mutant, for which a
/// bug of our own would have no such run to be held against.
pub fn hunt_one(mutant: &Mutant, stories: &[Story], seed: u64) -> Caught {
    let likely = mutant
        .stories
        .iter()
        .flat_map(|part| stories.iter().filter(move |story| story.name.contains(part)));
    let caught = |suite: &str, by: String, story: &Story| Caught {
        mutant: mutant.name.to_owned(),
        about: mutant.about.to_owned(),
        suite: Some(suite.to_owned()),
        by: Some(by),
        story: Some(story.name.clone()),
    };
    let (mut references, mut differs) = (Vec::new(), None);
    for story in likely {
        let Ok(reference) = Reference::of(story, Conditions::default()) else { continue };
        let found = noticed(story, &reference, mutant.within(Conditions::default()));
        if let Some(wrong) = found.iter().find(|divergence| !divergence.is_relative()) {
            return caught(UNDISTURBED, wrong.to_string(), story);
        }
        let by = found.first().map(|difference| caught(UNDISTURBED, difference.to_string(), story));
        differs = differs.or(by);
        references.push((story, reference));
    }
    if let Some(differs) = differs {
        return differs;
    }
    for (story, reference) in &references {
        for suite in SUITES {
            let cases = (suite.cases)(story, reference, seed);
            // An odd step meets every sort of case: suites list as many sorts for each write.
            let step = (cases.len() / CASES) | 1;
            for case in cases.into_iter().step_by(step) {
                let conditions = mutant.within(case.conditions.clone());
                let found = Case { conditions, ..case }.judge(story, reference);
                if let Some(by) = found.first() {
                    return caught(suite.name, by.to_string(), story);
                }
            }
        }
    }
    let (mutant, about) = (mutant.name.to_owned(), mutant.about.to_owned());
    Caught { mutant, about, suite: None, by: None, story: None }
}

/// What is wrong with an undisturbed run.
fn noticed(story: &Story, reference: &Reference, conditions: Conditions) -> Vec<Divergence> {
    let ran = match run(story, conditions) {
        Ok(ran) => ran,
        Err(why) => return vec![Divergence::Broken { why }],
    };
    let mut found = examine(&ran, reference, Against::SameStory);
    found.extend(ran.report.failures.iter().map(Divergence::unmet));
    found
}
