//! One verdict of many metrics, with one error budget for the release.
//!
//! The weighted arithmetic mean of e-processes is one, however the metrics depend on each other. So the
//! release fails when the mean reaches 1/α, which it does at the latest when one metric reaches
//! 1/(its share of α); the chance of ever failing a release in which no metric is worse stays below α.
//! To pass, every metric must pass: whichever one is worse, the release passes only if that one does.
//! Judges that cannot pass anything, such as those of signs and logs, must have seen data; they only veto.
//!
//! Weights are set before anything is seen. A metric without data counts with E = 1 and passes nothing.

use crate::{
    evidence::{Evidence, Verdict, p_value},
    numeric::{exp, ln, ln_sum_exp},
    settings::{ErrorRate, SettingError},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How much of the error budget is a metric's, relative to the others.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Weight(f64);

impl Weight {
    /// Checks the range.
    pub fn new(value: f64) -> Result<Self, SettingError> {
        if value > 0.0 && value <= 1000.0 {
            Ok(Self(value))
        } else {
            Err(SettingError { setting: "weight", value, range: "above 0 and at most 1000" })
        }
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(1.0)
    }
}

impl TryFrom<f64> for Weight {
    type Error = SettingError;

    fn try_from(value: f64) -> Result<Self, SettingError> {
        Self::new(value)
    }
}

impl From<Weight> for f64 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

/// The budget of a release and the metrics that share it.
#[derive(Clone, Debug, PartialEq)]
pub struct Combination {
    alpha: ErrorRate,
    /// The share of each metric; they add up to 1.
    shares: BTreeMap<String, f64>,
}

/// What is remembered: the most that the mean was ever worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CombinedState {
    /// The largest ln E of the mean.
    pub max_ln_e_fail: f64,
}

/// Where a release stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Combined {
    /// What to do.
    pub verdict: Verdict,
    /// ln of the mean E, now.
    pub ln_e_fail: f64,
    /// The largest that it has been; failing needs ln(1/α).
    pub max_ln_e_fail: f64,
    /// The always-valid p-value of "no metric is worse".
    pub p_value: f64,
    /// The error rate of the release.
    pub alpha: f64,
    /// Each metric.
    pub metrics: BTreeMap<String, Part>,
    /// The metric that speaks most against the release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst: Option<String>,
}

/// One metric's part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Its share of α.
    pub alpha: f64,
    /// ln of its E, now; 0 if it has not been asked.
    pub ln_e_fail: f64,
    /// What its own judge says.
    pub verdict: Verdict,
    /// Intervals in which it was compared.
    pub intervals: u64,
    /// Whether its judge can pass it; one that cannot only vetoes.
    pub can_pass: bool,
}

impl Combination {
    /// Shares `alpha` among metrics by weight; at least one is needed.
    pub fn new(
        alpha: ErrorRate,
        metrics: impl IntoIterator<Item = (String, Weight)>,
    ) -> Result<Self, NoMetrics> {
        let mut shares: BTreeMap<String, f64> =
            metrics.into_iter().map(|(name, weight)| (name, weight.0)).collect();
        let sum: f64 = shares.values().sum();
        if shares.is_empty() {
            return Err(NoMetrics);
        }
        for share in shares.values_mut() {
            *share /= sum;
        }
        Ok(Self { alpha, shares })
    }

    /// The error rate that a metric's own judge is to be given; none for a metric that is not in it.
    pub fn alpha_of(&self, metric: &str) -> Option<ErrorRate> {
        let share = self.shares.get(metric)?;
        ErrorRate::new(self.alpha.get() * share).ok()
    }

    /// Combines what the judges say now; what is not in `evidence` has no data.
    pub fn judge(
        &self,
        state: &mut CombinedState,
        evidence: &BTreeMap<String, Evidence>,
    ) -> Combined {
        let parts = self
            .shares
            .iter()
            .map(|(name, share)| (name.clone(), self.part(*share, evidence.get(name))));
        let metrics: BTreeMap<String, Part> = parts.collect();
        let terms: Vec<f64> =
            metrics.iter().map(|(name, part)| ln(self.shares[name]) + part.ln_e_fail).collect();
        let ln_e_fail = ln_sum_exp(&terms);
        state.max_ln_e_fail = state.max_ln_e_fail.max(ln_e_fail);
        let worst = metrics.iter().max_by(|a, b| a.1.against().total_cmp(&b.1.against()));
        Combined {
            verdict: self.verdict(*state, &metrics),
            ln_e_fail,
            max_ln_e_fail: state.max_ln_e_fail,
            p_value: p_value(state.max_ln_e_fail),
            alpha: self.alpha.get(),
            worst: worst.filter(|(_, part)| part.ln_e_fail > 0.0).map(|(name, _)| name.clone()),
            metrics,
        }
    }

    fn part(&self, share: f64, evidence: Option<&Evidence>) -> Part {
        let alpha = self.alpha.get() * share;
        match evidence {
            None => Part {
                alpha,
                ln_e_fail: 0.0,
                verdict: Verdict::Continue,
                intervals: 0,
                can_pass: true,
            },
            Some(evidence) => Part {
                alpha,
                ln_e_fail: evidence.ln_e_fail,
                verdict: evidence.verdict,
                intervals: evidence.intervals,
                can_pass: evidence.ln_e_pass.is_some(),
            },
        }
    }

    /// A judge that was given its share of α and failed has failed the release: its E is at least
    /// 1/(share of α), so the mean has been at least 1/α.
    fn verdict(&self, state: CombinedState, metrics: &BTreeMap<String, Part>) -> Verdict {
        let parts = || metrics.values();
        let is_failed = parts().any(|part| part.verdict == Verdict::Fail);
        if is_failed || state.max_ln_e_fail >= self.alpha.ln_threshold() {
            return Verdict::Fail;
        }
        let some_pass = parts().any(|part| part.verdict == Verdict::Pass);
        if some_pass && parts().all(Part::is_content) { Verdict::Pass } else { Verdict::Continue }
    }
}

impl Part {
    /// How much the metric speaks against the release, with its weight.
    fn against(&self) -> f64 {
        self.ln_e_fail + ln(self.alpha)
    }

    /// Whether it has nothing against passing.
    fn is_content(part: &Self) -> bool {
        part.verdict == Verdict::Pass || (!part.can_pass && part.intervals > 0)
    }
}

/// A combination of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no metric to judge")]
pub struct NoMetrics;

/// How many releases of so many without any regression are failed, at most, on average.
pub fn expected_false_fails(alpha: ErrorRate, releases: f64) -> f64 {
    exp(ln(alpha.get()) + ln(releases.max(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::Judge,
        rate::{RateJudge, RateState, Settings},
    };

    fn evidence(ln_e_fail: f64, verdict: Verdict) -> Evidence {
        let judge = RateJudge::new(Settings::default()).unwrap();
        let nothing = judge.evidence(&RateState::default());
        Evidence { ln_e_fail, verdict, intervals: 1, ..nothing }
    }

    fn combination() -> Combination {
        let metrics = [("errors", 3.0), ("latency", 1.0)];
        let metrics = metrics.map(|(name, weight)| (name.to_owned(), Weight::new(weight).unwrap()));
        Combination::new(ErrorRate::USUAL, metrics).unwrap()
    }

    fn judged(parts: &[(&str, f64, Verdict)]) -> Combined {
        let evidence = parts
            .iter()
            .map(|(name, ln_e, verdict)| ((*name).to_owned(), evidence(*ln_e, *verdict)));
        combination().judge(&mut CombinedState::default(), &evidence.collect())
    }

    #[test]
    fn the_budget_is_shared_by_weight() {
        let alpha = |name| combination().alpha_of(name).map(ErrorRate::get);
        assert!((alpha("errors").unwrap() - 0.0375).abs() < 1e-12);
        assert!((alpha("latency").unwrap() - 0.0125).abs() < 1e-12);
        assert_eq!(alpha("else"), None);
    }

    #[test]
    fn the_mean_of_what_is_known_decides() {
        use Verdict::{Continue, Fail, Pass};
        let e = |value: f64| ln(value);
        let combined = judged(&[("errors", e(26.0), Continue), ("latency", e(10.0), Continue)]);
        assert!((exp(combined.ln_e_fail) - 22.0).abs() < 1e-9);
        assert_eq!(combined.verdict, Fail);
        assert_eq!(combined.worst.as_deref(), Some("errors"));

        let check = |parts: &[(&str, f64, Verdict)], expected| {
            assert_eq!(judged(parts).verdict, expected, "{parts:?}");
        };
        check(&[("errors", e(20.0), Continue), ("latency", e(10.0), Continue)], Continue);
        check(&[("errors", e(0.1), Pass), ("latency", e(0.1), Pass)], Pass);
        check(&[("errors", e(0.1), Pass), ("latency", e(80.1), Fail)], Fail);
    }

    #[test]
    fn a_metric_without_data_passes_nothing() {
        assert_eq!(judged(&[("errors", -2.0, Verdict::Pass)]).verdict, Verdict::Continue);
        assert_eq!(judged(&[]).verdict, Verdict::Continue);
        assert_eq!(Combination::new(ErrorRate::USUAL, []), Err(NoMetrics));
    }

    #[test]
    fn a_judge_that_only_vetoes_stands_in_nobodys_way_once_it_has_seen_something() {
        let veto = |intervals| {
            let silent =
                Evidence { ln_e_pass: None, intervals, ..evidence(0.0, Verdict::Continue) };
            let evidence = [
                ("errors".to_owned(), evidence(-1.0, Verdict::Pass)),
                ("latency".to_owned(), silent),
            ];
            combination().judge(&mut CombinedState::default(), &evidence.into()).verdict
        };
        assert_eq!((veto(0), veto(1)), (Verdict::Continue, Verdict::Pass));
    }

    #[test]
    fn what_was_reached_once_stays_reached() {
        let mut state = CombinedState::default();
        let feed = |state: &mut CombinedState, ln_e| {
            let evidence = [("errors".to_owned(), evidence(ln_e, Verdict::Continue))];
            combination().judge(state, &evidence.into()).verdict
        };
        assert_eq!(feed(&mut state, 4.0), Verdict::Fail);
        assert_eq!(feed(&mut state, 0.0), Verdict::Fail);
    }

    #[test]
    fn a_hundred_releases_at_one_in_a_hundred_cost_one() {
        let alpha = ErrorRate::new(0.01).unwrap();
        assert!((expected_false_fails(alpha, 100.0) - 1.0).abs() < 1e-9);
    }
}
