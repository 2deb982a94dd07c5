//! What came of playing suites, as people and programs read it.

use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// What came of everything that was played.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    /// By suite.
    pub suites: BTreeMap<Named, SuiteTally>,
    /// Known bugs put in on purpose.
    pub mutants: Mutants,
    /// Bugs of others, told as stories.
    pub regressions: Regressions,
}

impl Tally {
    /// Whether nothing diverged, no mutant got through and every regression stays away.
    pub fn is_good(&self) -> bool {
        self.suites.values().all(|suite| suite.divergences == 0)
            && self.mutants.killed == self.mutants.total
            && self.regressions.passing == self.regressions.total
    }
}

/// What came of a suite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SuiteTally {
    /// How many stories had a part in it.
    pub scenarios: usize,
    /// How many runs were made.
    pub runs: usize,
    /// How many of them were not as they had to be.
    pub divergences: usize,
    /// How long it took in real time.
    pub seconds: f64,
}

/// How many mutants there are and how many of them were noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mutants {
    /// All of them.
    pub total: usize,
    /// Those that some suite noticed.
    pub killed: usize,
}

/// How many stories of bugs there are and how many of them go well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Regressions {
    /// All of them.
    pub total: usize,
    /// Those whose every expectation came true.
    pub passing: usize,
}

/// A suite's name; they are in order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Named(pub &'static str);

impl Named {
    fn key(self) -> (usize, &'static str) {
        (self.0.len(), self.0)
    }
}

impl PartialOrd for Named {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Named {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<6} {:>9} {:>7} {:>11} {:>8}",
            "suite", "scenarios", "runs", "divergences", "seconds"
        )?;
        for (Named(name), suite) in &self.suites {
            let SuiteTally { scenarios, runs, divergences, seconds } = suite;
            writeln!(f, "{name:<6} {scenarios:>9} {runs:>7} {divergences:>11} {seconds:>8.1}")?;
        }
        let (Mutants { total, killed }, regressions) = (self.mutants, self.regressions);
        writeln!(f, "mutants: {killed} of {total} killed")?;
        write!(f, "regressions: {} of {} passing", regressions.passing, regressions.total)
    }
}
