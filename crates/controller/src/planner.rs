//! What decides.

use jiff::Timestamp;
use plan::{
    analysis_run::{self, AnalysisPlan, Answer},
    experiment,
    laws::{self, Violation},
    rollout,
};
use vocab::Plan;

/// What decides for a controller. The methods that stand here are the product; a simulation replaces
/// some to see that it would notice a known bug.
pub trait Planner: std::fmt::Debug + Send + Sync {
    /// What to do about a rollout.
    fn rollout(&self, observed: &rollout::Observed, now: Timestamp) -> Plan {
        rollout::plan(observed, now)
    }

    /// What to do about an analysis run, given what its metrics have answered since.
    fn analysis_run(
        &self,
        observed: &analysis_run::Observed,
        answers: &[Answer],
        now: Timestamp,
    ) -> AnalysisPlan {
        if answers.is_empty() {
            analysis_run::plan(observed, now)
        } else {
            analysis_run::absorb(observed, answers, now)
        }
    }

    /// What to do about an experiment.
    fn experiment(&self, observed: &experiment::Observed, now: Timestamp) -> Plan {
        experiment::plan(observed, now)
    }

    /// The laws that a plan for an experiment breaks; such a plan is not carried out.
    fn experiment_violations(
        &self,
        observed: &experiment::Observed,
        plan: &Plan,
        now: Timestamp,
    ) -> Vec<Violation> {
        laws::check_experiment(observed, plan, now)
    }

    /// The laws that a plan for a rollout breaks; such a plan is not carried out.
    fn violations(
        &self,
        observed: &rollout::Observed,
        plan: &Plan,
        now: Timestamp,
    ) -> Vec<Violation> {
        laws::check(observed, plan, now)
    }
}

/// Decides as the product does.
#[derive(Debug)]
pub struct Product;

impl Planner for Product {}
