//! What it means when there is no number: neither success nor failure.
//!
//! Every measurement that is not a pair of counts is one of [`Missing`], and [`MissingPolicy`] says what
//! becomes of it. The rule of thumb: hold and say so; fail only where data must be and the stable version
//! has it; never pass.

use crate::{numeric::real, settings::Share};
use serde::{Deserialize, Serialize};

/// Why there is no pair of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Missing {
    /// The source could not be asked.
    Unreachable,
    /// The source knows nothing of the canary.
    NoCanarySeries {
        /// Whether it knows the stable version.
        stable_has_data: bool,
    },
    /// A value is not a number, or infinite.
    NotANumber,
    /// The canary is known, and had no traffic.
    NoCanaryTraffic,
    /// The stable version is known, and had no traffic.
    NoStableTraffic,
}

/// Whose rule it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Rule {
    /// Missing data is neither success nor failure.
    #[default]
    NeitherNor,
    /// Missing data is an error of the measurement, and so many in a row fail the run, as in Argo
    /// Rollouts.
    AsUpstream,
}

/// What is set for missing data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingPolicy {
    /// Whose rule it is; upstream's knows none of the others.
    pub rule: Rule,
    /// The canary must have data where the stable version has.
    pub must_have_data: bool,
    /// How many times in a row the source may be out of reach before somebody is to decide.
    pub unreachable_limit: u64,
    /// The share of values that may be no numbers; looked at from [`NOT_A_NUMBER_FROM`] values on.
    pub not_a_number_limit: Share,
}

/// Values before which no share of them is looked at.
pub const NOT_A_NUMBER_FROM: u64 = 10;

impl Default for MissingPolicy {
    fn default() -> Self {
        Self {
            rule: Rule::NeitherNor,
            must_have_data: false,
            unreachable_limit: 5,
            not_a_number_limit: Share::TENTH,
        }
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Treatment {
    /// Wait: the traffic stays as it is, and the next measurement is taken as planned.
    Hold,
    /// Go on as if this one had not been taken.
    Drop,
    /// Judge the canary by itself against the budget.
    Absolute,
    /// Waiting has lasted long enough: inconclusive, for a person or a policy to decide.
    Inconclusive,
    /// The canary lacks what it must have.
    Fail,
    /// An error of the measurement, to be counted against the limit of errors in a row.
    Error,
}

/// What has been missing so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingState {
    /// Measurements that were pairs of counts.
    pub valid: u64,
    /// Measurements that were no numbers.
    pub not_a_number: u64,
    /// Measurements without a series or without traffic.
    pub empty: u64,
    /// How many times in a row the source has been out of reach.
    pub unreachable_in_a_row: u64,
}

impl MissingPolicy {
    /// Notes a measurement that was there.
    pub fn found(self, state: &mut MissingState) {
        state.valid = state.valid.saturating_add(1);
        state.unreachable_in_a_row = 0;
    }

    /// Notes a measurement that was not, and says what to do.
    pub fn missed(self, state: &mut MissingState, missing: Missing) -> Treatment {
        if self.rule == Rule::AsUpstream {
            return Treatment::Error;
        }
        if missing == Missing::Unreachable {
            state.unreachable_in_a_row = state.unreachable_in_a_row.saturating_add(1);
            let is_over = state.unreachable_in_a_row > self.unreachable_limit;
            return if is_over { Treatment::Inconclusive } else { Treatment::Hold };
        }
        state.unreachable_in_a_row = 0;
        if missing == Missing::NotANumber {
            state.not_a_number = state.not_a_number.saturating_add(1);
            return if self.is_too_often_no_number(*state) {
                Treatment::Fail
            } else {
                Treatment::Drop
            };
        }
        state.empty = state.empty.saturating_add(1);
        match missing {
            Missing::NoCanarySeries { stable_has_data: true } if self.must_have_data => {
                Treatment::Fail
            }
            Missing::NoStableTraffic => Treatment::Absolute,
            _ => Treatment::Hold,
        }
    }

    fn is_too_often_no_number(self, state: MissingState) -> bool {
        let all = state.valid.saturating_add(state.not_a_number);
        all >= NOT_A_NUMBER_FROM
            && real(state.not_a_number) > self.not_a_number_limit.get() * real(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: MissingPolicy, missing: Missing, expected: Treatment) {
        let got = policy.missed(&mut MissingState::default(), missing);
        assert_eq!(got, expected, "{missing:?}");
    }

    #[test]
    fn what_is_missing_holds_and_does_not_pass() {
        let policy = MissingPolicy::default();
        check(policy, Missing::Unreachable, Treatment::Hold);
        check(policy, Missing::NoCanarySeries { stable_has_data: true }, Treatment::Hold);
        check(policy, Missing::NoCanarySeries { stable_has_data: false }, Treatment::Hold);
        check(policy, Missing::NoCanaryTraffic, Treatment::Hold);
        check(policy, Missing::NotANumber, Treatment::Drop);
        check(policy, Missing::NoStableTraffic, Treatment::Absolute);
    }

    #[test]
    fn by_upstreams_rule_whatever_is_missing_is_an_error() {
        let policy = MissingPolicy { rule: Rule::AsUpstream, ..MissingPolicy::default() };
        check(policy, Missing::Unreachable, Treatment::Error);
        check(policy, Missing::NotANumber, Treatment::Error);
        check(policy, Missing::NoCanaryTraffic, Treatment::Error);
    }

    #[test]
    fn data_that_must_be_there_fails_only_if_stable_has_it() {
        let policy = MissingPolicy { must_have_data: true, ..MissingPolicy::default() };
        check(policy, Missing::NoCanarySeries { stable_has_data: true }, Treatment::Fail);
        check(policy, Missing::NoCanarySeries { stable_has_data: false }, Treatment::Hold);
    }

    #[test]
    fn a_source_out_of_reach_is_waited_for_so_long_and_no_longer() {
        let (policy, mut state) = (MissingPolicy::default(), MissingState::default());
        let mut miss = || policy.missed(&mut state, Missing::Unreachable);
        assert!((0..5).all(|_| miss() == Treatment::Hold));
        assert_eq!(miss(), Treatment::Inconclusive);
        policy.found(&mut state);
        assert_eq!(policy.missed(&mut state, Missing::Unreachable), Treatment::Hold);
    }

    #[test]
    fn too_many_values_that_are_no_numbers_fail() {
        let (policy, mut state) = (MissingPolicy::default(), MissingState::default());
        (0..17).for_each(|_| policy.found(&mut state));
        assert_eq!(policy.missed(&mut state, Missing::NotANumber), Treatment::Drop);
        assert_eq!(policy.missed(&mut state, Missing::NotANumber), Treatment::Fail);
    }
}
