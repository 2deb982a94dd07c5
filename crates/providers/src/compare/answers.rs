//! What four answers come to: the counts of both versions, or what is missing.

use super::settings::QUESTIONS;
use judges::{counts::Arm, missing::Missing};
use serde::{Deserialize, Serialize};

/// Bad requests beyond all requests that are put down to the two questions being asked one after the
/// other: one, or this part of all.
const SKEW: f64 = 0.1;
/// What a source answered. JSON has no NaN and no infinities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Answer {
    Nothing,
    NoNumber,
    Count(u64),
}

/// What four answers come to.
pub(super) struct Taken {
    /// Both versions; none if a value was no number.
    pub(super) arms: Option<(Arm, Arm)>,
    pub(super) missing: Option<(Missing, String)>,
}

impl Answer {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "neither NaN nor negative; what is too large is refused as a count"
    )]
    pub(super) fn of(number: Option<f64>) -> Self {
        match number {
            None => Self::Nothing,
            Some(number) if number.is_finite() && number >= 0.0 => {
                Self::Count(number.round() as u64)
            }
            Some(_) => Self::NoNumber,
        }
    }

    fn count(self) -> u64 {
        if let Self::Count(count) = self { count } else { 0 }
    }
}

impl Taken {
    pub(super) fn unreachable(version: &str, what: &str, message: &str) -> Self {
        let sentence = format!("{version}.{what}: {message}");
        Self { arms: None, missing: Some((Missing::Unreachable, sentence)) }
    }

    fn no_number(sentence: String) -> Self {
        Self { arms: None, missing: Some((Missing::NotANumber, sentence)) }
    }

    pub(super) fn of(answers: &[Answer]) -> Self {
        let no_number = answers.iter().position(|answer| *answer == Answer::NoNumber);
        if let Some((version, what)) = no_number.map(|index| QUESTIONS[index]) {
            return Self::no_number(format!("{version}.{what} is not a count"));
        }
        let [canary_total, stable_total, canary_bad, stable_bad] = answers else {
            return Self::no_number("answers are missing".to_owned());
        };
        match (arm("canary", *canary_bad, *canary_total), arm("stable", *stable_bad, *stable_total))
        {
            (Ok(canary), Ok(stable)) => {
                let missing = empty(*canary_total == Answer::Nothing, canary, stable);
                let missing = missing.map(|missing| (missing, sentence(missing)));
                Self { arms: Some((canary, stable)), missing }
            }
            (Err(sentence), _) | (_, Err(sentence)) => Self::no_number(sentence),
        }
    }
}

/// One version's counts. Where requests are known, bad ones that are not are none.
fn arm(version: &str, bad: Answer, total: Answer) -> Result<Arm, String> {
    let (bad, total) = (bad.count(), total.count());
    let arm = Arm::new(bad, total).or_else(|error| {
        if bad > total && total > 0 && bad - total <= skew(total) {
            Arm::new(total, total)
        } else {
            Err(error)
        }
    });
    arm.map_err(|error| format!("{version}: {error}"))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a tenth of a count, about"
)]
fn skew(total: u64) -> u64 {
    ((total as f64 * SKEW) as u64).max(1)
}

fn empty(is_unknown: bool, canary: Arm, stable: Arm) -> Option<Missing> {
    let stable_has_data = stable.total() > 0;
    match (canary.total(), stable_has_data) {
        (0, stable_has_data) if is_unknown => Some(Missing::NoCanarySeries { stable_has_data }),
        (0, _) => Some(Missing::NoCanaryTraffic),
        (_, false) => Some(Missing::NoStableTraffic),
        (_, true) => None,
    }
}

fn sentence(missing: Missing) -> String {
    match missing {
        Missing::Unreachable => "the source is out of reach",
        Missing::NotANumber => "a value is not a count",
        Missing::NoCanarySeries { stable_has_data: true } => {
            "the source has no data of the canary, and has some of the stable version"
        }
        Missing::NoCanarySeries { stable_has_data: false } => {
            "the source has no data of either version"
        }
        Missing::NoCanaryTraffic => "the canary had no traffic",
        Missing::NoStableTraffic => "the stable version had no traffic",
    }
    .to_owned()
}
