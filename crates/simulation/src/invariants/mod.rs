//! What must be true after every single change, whatever went wrong.
//!
//! Each invariant looks at the changes one by one, with the picture before each, and says what it finds
//! wrong. The names I1 to I13 are those of `docs/testing.md`; I10 and I11 are also judged where runs are
//! held against each other.
//!
//! **Invariant.** Objects alone are judged, never the planner's reasons.

mod aborting;
mod analysis;
mod leadership;
mod managed;
mod ownership;
mod pace;
mod routing;
mod secrets;
mod serving;
mod sight;
mod steps;

use crate::{divergence::Divergence, history::History, history::Step, picture::Picture};

/// One invariant at work on one history.
pub(crate) trait Invariant {
    /// Its name, such as `I3`.
    fn name(&self) -> &'static str;

    /// Looks at one change; `before` is the picture without it.
    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String>;

    /// Looks at how everything ended.
    fn end(&mut self, _: &Picture) -> Vec<String> {
        Vec::new()
    }
}

/// How many breaches of one invariant are told.
const TOLD: usize = 3;

fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(serving::ServingPodsStay),
        Box::new(serving::EnoughPodsStay),
        Box::new(routing::TrafficNeedsPods::default()),
        Box::new(routing::WeightsAddUp),
        Box::new(managed::RulesReachPods::default()),
        Box::new(serving::SwitchesReachPods),
        Box::new(steps::StepsComeInOrder),
        Box::new(aborting::AbortedOnlyFalls),
        Box::new(managed::RulesEnd),
        Box::new(leadership::OneWriter::default()),
        Box::new(analysis::OneRunEach),
        Box::new(analysis::VerdictsRestOnMeasurements),
        Box::new(analysis::FailuresStop),
        Box::new(pace::ChangesAreNoticed),
        Box::new(pace::NoLoops::default()),
        Box::new(pace::MessagesStayShort),
        Box::new(ownership::OwnFieldsOnly),
        Box::new(ownership::NoFights::default()),
        Box::new(secrets::SecretsStaySecret::default()),
    ]
}

/// Every breach of an invariant in a history.
pub fn check(history: &History) -> Vec<Divergence> {
    let mut invariants: Vec<_> =
        all().into_iter().map(|invariant| (invariant, Vec::new())).collect();
    let mut picture = Picture::default();
    for step in &history.steps {
        for (invariant, breaches) in &mut invariants {
            let seen = invariant.see(&picture, step);
            breaches.extend(seen.into_iter().map(|found| breach(invariant.as_ref(), step, found)));
        }
        picture.apply(step);
    }
    let mut found = Vec::new();
    for (mut invariant, mut breaches) in invariants {
        if let Some(last) = history.steps.last() {
            let seen = invariant.end(&picture);
            breaches.extend(seen.into_iter().map(|found| breach(invariant.as_ref(), last, found)));
        }
        found.extend(breaches.into_iter().take(TOLD));
    }
    found
}

fn breach(invariant: &dyn Invariant, step: &Step, found: String) -> Divergence {
    Divergence::Breach { invariant: invariant.name(), at: step.at.to_string(), found }
}

#[cfg(test)]
mod tests;
