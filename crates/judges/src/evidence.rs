//! What a judge answers, with the facts that a person needs to believe it.

use crate::{
    counts::Total,
    judge::Ledger,
    numeric::{exp, real},
    process::Worth,
    quantile::Quantile,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The canary is worse than tolerated.
    Fail,
    /// The canary is not worse by the pass ratio.
    Pass,
    /// Nothing is shown yet.
    Continue,
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The canary against the stable version.
    Comparison,
    /// The canary against the budget, for want of anything to compare.
    Budget,
}

/// Bounds of a confidence sequence: they hold at all times at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Nothing smaller is compatible with the data; absent if no bound is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Nothing larger is compatible with the data; absent if no bound is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

impl Range {
    /// Only if it says anything.
    pub fn known(self) -> Option<Self> {
        (self.low.is_some() || self.high.is_some()).then_some(self)
    }

    /// Bounded on both sides.
    pub fn between(low: f64, high: f64) -> Self {
        Self { low: Some(low), high: Some(high) }
    }
}

/// In words, such as `above 1.43`.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low, self.high) {
            (Some(low), Some(high)) => write!(f, "between {low:.2} and {high:.2}"),
            (Some(low), None) => write!(f, "above {low:.2}"),
            (None, Some(high)) => write!(f, "below {high:.2}"),
            (None, None) => f.write_str("unbounded"),
        }
    }
}

/// Where one quantile of both versions is, if each had one distribution all the time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantileBounds {
    /// Which quantile.
    pub quantile: Quantile,
    /// Of the canary, in the unit of the edges.
    pub canary: Range,
    /// Of the stable version.
    pub stable: Range,
}

/// In words, such as `p99 of the canary above 0.5, of the stable version between 0.1 and 0.25`.
impl fmt::Display for QuantileBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |range: Range| match (range.low, range.high) {
            (Some(low), Some(high)) => format!("between {low} and {high}"),
            (Some(low), None) => format!("above {low}"),
            (None, Some(high)) => format!("at most {high}"),
            (None, None) => "not known yet".to_owned(),
        };
        let (canary, stable) = (said(self.canary), said(self.stable));
        write!(f, "{} of the canary {canary}, of the stable version {stable}", self.quantile)
    }
}

/// What one arm amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ArmFacts {
    /// How many were bad.
    pub bad: u64,
    /// How many there were.
    pub total: u64,
    /// The share of bad ones; absent if there were none at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

impl From<Total> for ArmFacts {
    fn from(Total { bad, total }: Total) -> Self {
        Self { bad, total, rate: (total > 0).then(|| real(bad) / real(total)) }
    }
}

/// Where a judge stands after what it has been fed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What to do.
    pub verdict: Verdict,
    /// What the verdict rests on; absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// ln E against "the canary is not worse than tolerated", now.
    pub ln_e_fail: f64,
    /// The largest that it has been; failing needs ln(1/α).
    pub max_ln_e_fail: f64,
    /// ln E against "the canary is worse by the pass ratio", now; absent for judges that cannot pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ln_e_pass: Option<f64>,
    /// The largest that it has been; passing needs ln(1/β).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ln_e_pass: Option<f64>,
    /// The always-valid p-value of "not worse than tolerated": 1 / max E.
    pub p_value: f64,
    /// Intervals in which both arms had traffic.
    pub intervals: u64,
    /// Intervals that said nothing, because an arm was empty.
    pub empty_intervals: u64,
    /// The edge that the following are about, for latencies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge: Option<f64>,
    /// The canary in the intervals that were compared.
    pub canary: ArmFacts,
    /// The stable version in the intervals that were compared.
    pub stable: ArmFacts,
    /// The canary's rate divided by stable's; absent if stable's is 0 or unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// The ratios compatible with the data, with confidence 1 − α at all times at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio_range: Option<Range>,
    /// The canary's own rates compatible with the data; present if there is a budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_rate_range: Option<Range>,
    /// Where the quantile is that is judged; decides nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<QuantileBounds>,
}

impl Evidence {
    /// A verdict by comparison, without ranges: what was counted, and what the bets of the fail side are
    /// worth, and those of the pass side of a judge that can pass.
    pub(crate) fn of(verdict: Verdict, ledger: &Ledger, fail: Worth, pass: Option<Worth>) -> Self {
        let (canary, stable) = (ArmFacts::from(ledger.canary), ArmFacts::from(ledger.stable));
        Self {
            verdict,
            basis: (verdict != Verdict::Continue).then_some(Basis::Comparison),
            ln_e_fail: fail.ln_e,
            max_ln_e_fail: fail.max_ln_e,
            ln_e_pass: pass.map(|pass| pass.ln_e),
            max_ln_e_pass: pass.map(|pass| pass.max_ln_e),
            p_value: p_value(fail.max_ln_e),
            intervals: ledger.intervals,
            empty_intervals: ledger.empty,
            edge: None,
            canary,
            stable,
            ratio: ratio(canary, stable),
            ratio_range: None,
            canary_rate_range: None,
            quantiles: None,
        }
    }
}

/// One line for a status or an event: what was counted, and how sure that is.
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.intervals == 0 {
            return write!(
                f,
                "nothing to compare; intervals with an empty arm: {}",
                self.empty_intervals
            );
        }
        write!(f, "canary {}, stable {}", self.canary, self.stable)?;
        if let Some(ratio) = self.ratio {
            write!(f, ": {ratio:.2} times")?;
        }
        if let Some(range) = self.ratio_range.and_then(Range::known) {
            write!(f, ", {range}")?;
        }
        write!(f, "; p = {:.2e}, intervals: {}", self.p_value, self.intervals)
    }
}

impl fmt::Display for ArmFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bad, total, rate } = self;
        write!(f, "{bad} of {total}")?;
        rate.map_or(Ok(()), |rate| write!(f, " ({:.3} %)", 100.0 * rate))
    }
}

/// The always-valid p-value of the largest E.
pub fn p_value(max_ln_e: f64) -> f64 {
    exp(-max_ln_e).min(1.0)
}

/// The canary's rate divided by stable's.
fn ratio(canary: ArmFacts, stable: ArmFacts) -> Option<f64> {
    let (canary, stable) = (canary.rate?, stable.rate?);
    (stable > 0.0).then(|| canary / stable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_said_by_the_bounds_it_has() {
        let said = |low, high| Range { low, high }.to_string();
        assert_eq!(said(Some(0.5), Some(2.0)), "between 0.50 and 2.00");
        assert_eq!(said(Some(0.5), None), "above 0.50");
        assert_eq!(said(None, Some(2.0)), "below 2.00");
        assert_eq!(said(None, None), "unbounded");
    }
}
