//! What share of the requests the canary got while each weight was wanted.

use serde::Serialize;

/// One weight that was wanted for a while, and what was seen of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepSeen {
    /// The weight in percent.
    pub(crate) weight: u32,
    /// The canary's share of the requests in percent.
    pub(crate) observed_percent: f64,
    /// Requests the share was taken of.
    pub(crate) requests: u64,
}

/// Counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The weight wanted for the canary.
    pub(crate) weight: u32,
    /// Requests the canary has answered.
    pub(crate) canary: u64,
    /// Requests every version together has answered.
    pub(crate) all: u64,
}

/// Turns moments into steps; each step lasts while its weight is wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Splits {
    steps: Vec<StepSeen>,
    began: Option<Moment>,
    last: Option<Moment>,
}

impl Splits {
    /// Takes the counts of one moment, in order of time.
    pub(crate) fn observe(&mut self, moment: Moment) {
        if self.began.is_some_and(|began| began.weight != moment.weight) {
            self.close();
        }
        self.began.get_or_insert(moment);
        self.last = Some(moment);
    }

    /// The steps so far, with the one under way.
    pub(crate) fn finish(mut self) -> Vec<StepSeen> {
        self.close();
        self.steps
    }

    fn close(&mut self) {
        let (Some(began), Some(last)) = (self.began.take(), self.last.take()) else { return };
        let requests = last.all.saturating_sub(began.all);
        if began.weight > 0 && requests > 0 {
            let observed_percent = percent(last.canary.saturating_sub(began.canary), requests);
            self.steps.push(StepSeen { weight: began.weight, observed_percent, requests });
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "request counts stay far below 2^53")]
fn percent(part: u64, whole: u64) -> f64 {
    (part as f64 / whole as f64 * 1000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(moments: &[(u32, u64, u64)], expected: &[(u32, f64, u64)]) {
        let mut splits = Splits::default();
        for &(weight, canary, all) in moments {
            splits.observe(Moment { weight, canary, all });
        }
        let seen: Vec<_> = splits
            .finish()
            .into_iter()
            .map(|step| (step.weight, step.observed_percent, step.requests))
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn each_weight_is_measured_over_the_time_it_was_wanted() {
        check(
            &[(0, 0, 50), (20, 0, 100), (20, 20, 200), (40, 20, 201), (40, 61, 301)],
            &[(20, 20.0, 100), (40, 41.0, 100)],
        );
    }

    #[test]
    fn no_traffic_is_no_step() {
        check(&[(20, 0, 100), (20, 0, 100)], &[]);
    }

    #[test]
    fn zero_is_not_a_step() {
        check(&[(0, 0, 0), (0, 0, 100)], &[]);
    }
}
