//! J3, by the edges of a histogram: is a larger share of the canary's requests slow?
//!
//! At each edge "slower than this" is a bad event for the rate judge. The e-values of the edges are
//! averaged, so more edges cost little and need no correction. To pass, the canary must pass at every
//! edge. One edge, that of the service level, is an error rate like any other.

use crate::{
    counts::{Arm, CountError, Interval, IntervalId},
    evidence::{self, Basis, Evidence, Verdict},
    judge::{Fed, Judge},
    numeric::{ln_mean_exp, size},
    rate::{RateJudge, RateState, Settings},
    settings::SettingError,
};
use serde::{Deserialize, Serialize};

/// The most edges that are judged.
pub const MAX_EDGES: usize = 32;

/// Requests of one version in one interval, and how many were slower than each edge.
///
/// The default is a version without traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slow {
    arms: Vec<Arm>,
}

impl Slow {
    /// From the number of requests up to each edge and of all, as in Prometheus' buckets.
    pub fn from_buckets(up_to: &[u64], total: u64) -> Result<Self, CountError> {
        if let Some(pair) = up_to.windows(2).find(|pair| pair[1] < pair[0]) {
            return Err(CountError::Falling { value: pair[1] });
        }
        let slower = |count: &u64| match total.checked_sub(*count) {
            Some(bad) => Arm::new(bad, total),
            None => Err(CountError::MoreBadThanTotal { bad: *count, total }),
        };
        Ok(Self { arms: up_to.iter().map(slower).collect::<Result<_, _>>()? })
    }

    /// All requests, and those slower than one edge. What was not given has no traffic.
    pub(crate) fn at(&self, edge: usize) -> Arm {
        self.arms.get(edge).copied().unwrap_or_default()
    }
}

/// One interval of both versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyInterval {
    /// Which one.
    pub id: IntervalId,
    /// The new version.
    pub canary: Slow,
    /// The version it is compared with.
    pub stable: Slow,
}

impl LatencyInterval {
    /// What the rate judge is fed at one edge. What was not given has no traffic.
    fn at(&self, edge: usize) -> Interval {
        Interval { id: self.id, canary: self.canary.at(edge), stable: self.stable.at(edge) }
    }
}

/// J3 by edges.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyJudge {
    rate: RateJudge,
    edges: Vec<f64>,
}

/// What the latency judge remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LatencyState {
    /// The rate judge at each edge; empty before the first interval.
    pub edges: Vec<RateState>,
    /// The largest ln E of the average.
    pub max_ln_e_fail: f64,
}

impl LatencyJudge {
    /// A judge at `edges`, in any unit; the settings are those of the rate judge.
    pub fn new(edges: Vec<f64>, settings: Settings) -> Result<Self, SettingError> {
        let wrong = |setting, value, range| Err(SettingError { setting, value, range });
        if edges.is_empty() || edges.len() > MAX_EDGES {
            return wrong("number of edges", size(&edges), "from 1 to 32");
        }
        let mut before = f64::NEG_INFINITY;
        for edge in &edges {
            if !edge.is_finite() || *edge <= before {
                return wrong("edge", *edge, "finite, and above the edge before it");
            }
            before = *edge;
        }
        Ok(Self { rate: RateJudge::new(settings)?, edges })
    }

    /// The edges, rising.
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// What the rate judge says at each edge.
    pub fn by_edge(&self, state: &LatencyState) -> Vec<(f64, Evidence)> {
        let evidence = |(index, edge): (usize, &f64)| {
            let state = state.edges.get(index).copied().unwrap_or_default();
            (*edge, self.rate.evidence(&state))
        };
        self.edges.iter().enumerate().map(evidence).collect()
    }

    fn verdict(&self, state: &LatencyState, edges: &[(f64, Evidence)]) -> Verdict {
        let alpha = self.rate.settings().alpha;
        if state.max_ln_e_fail >= alpha.ln_threshold() {
            Verdict::Fail
        } else if edges.iter().all(|(_, evidence)| evidence.verdict == Verdict::Pass) {
            Verdict::Pass
        } else {
            Verdict::Continue
        }
    }
}

impl Judge for LatencyJudge {
    type Interval = LatencyInterval;
    type State = LatencyState;

    fn feed(&self, state: &mut LatencyState, interval: &LatencyInterval) -> Fed {
        state.edges.resize(self.edges.len(), RateState::default());
        let mut fed = Fed::Empty;
        for (index, edge) in state.edges.iter_mut().enumerate() {
            fed = self.rate.feed(edge, &interval.at(index));
        }
        let ln_e: Vec<f64> = state.edges.iter().map(|edge| edge.fail.ln_e()).collect();
        state.max_ln_e_fail = state.max_ln_e_fail.max(ln_mean_exp(&ln_e));
        fed
    }

    /// The totals, the ratio and the ranges are those of the edge that speaks most against the canary.
    fn evidence(&self, state: &LatencyState) -> Evidence {
        let edges = self.by_edge(state);
        let ln_e: Vec<f64> = edges.iter().map(|(_, evidence)| evidence.ln_e_fail).collect();
        let least = |value: fn(&Evidence) -> Option<f64>| {
            edges.iter().filter_map(|(_, evidence)| value(evidence)).reduce(f64::min)
        };
        let verdict = self.verdict(state, &edges);
        let (ln_e_pass, max_ln_e_pass) =
            (least(|evidence| evidence.ln_e_pass), least(|evidence| evidence.max_ln_e_pass));
        let worst =
            edges.iter().map(|(edge, evidence)| Evidence { edge: Some(*edge), ..*evidence });
        let worst = worst.reduce(|a, b| if b.ln_e_fail > a.ln_e_fail { b } else { a });
        let worst = worst.unwrap_or_else(|| self.rate.evidence(&RateState::default()));
        Evidence {
            verdict,
            basis: (verdict != Verdict::Continue)
                .then_some(worst.basis.unwrap_or(Basis::Comparison)),
            ln_e_fail: ln_mean_exp(&ln_e),
            max_ln_e_fail: state.max_ln_e_fail,
            ln_e_pass,
            max_ln_e_pass,
            p_value: evidence::p_value(state.max_ln_e_fail),
            ..worst
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge() -> LatencyJudge {
        LatencyJudge::new(vec![0.1, 0.25, 1.0], Settings::default()).unwrap()
    }

    fn walk(judge: &LatencyJudge, canary: [u64; 3], stable: [u64; 3], intervals: u64) -> Evidence {
        let mut state = LatencyState::default();
        for id in 0..intervals {
            let canary = Slow::from_buckets(&canary, 1000).unwrap();
            let stable = Slow::from_buckets(&stable, 9000).unwrap();
            judge.feed(&mut state, &LatencyInterval { id: IntervalId(id), canary, stable });
        }
        judge.evidence(&state)
    }

    #[test]
    fn a_slower_tail_is_found_and_its_edge_is_named() {
        let evidence = walk(&judge(), [500, 900, 980], [4500, 8100, 8910], 3);
        assert_eq!(evidence.verdict, Verdict::Fail);
        // The edge of 1 s: 2 % of the canary's requests are slower, and 1 % of stable's.
        assert_eq!((evidence.canary.bad, evidence.stable.bad), (60, 270));
        assert_eq!(evidence.edge, Some(1.0));
    }

    #[test]
    fn a_canary_that_is_as_fast_passes_at_every_edge_or_not_at_all() {
        let same =
            |intervals| walk(&judge(), [500, 900, 990], [4500, 8100, 8910], intervals).verdict;
        assert_eq!(same(1), Verdict::Continue);
        assert_eq!(same(5), Verdict::Pass);
        assert_eq!(same(0), Verdict::Continue);
    }

    #[test]
    fn the_average_over_one_edge_is_the_rate_judge() {
        let one = LatencyJudge::new(vec![1.0], Settings::default()).unwrap();
        let rate = RateJudge::new(Settings::default()).unwrap();
        let (mut latency_state, mut rate_state) = (LatencyState::default(), RateState::default());
        for id in 0..5 {
            let canary = Slow::from_buckets(&[980], 1000).unwrap();
            let stable = Slow::from_buckets(&[8910], 9000).unwrap();
            let interval = LatencyInterval { id: IntervalId(id), canary, stable };
            rate.feed(&mut rate_state, &interval.at(0));
            one.feed(&mut latency_state, &interval);
        }
        let expected = Evidence { edge: Some(1.0), ..rate.evidence(&rate_state) };
        assert_eq!(one.evidence(&latency_state), expected);
    }

    #[test]
    fn counts_that_cannot_be_are_errors() {
        assert!(Slow::from_buckets(&[11], 10).is_err());
        assert!(Slow::from_buckets(&[5, 4], 10).is_err());
        let error = |edges| LatencyJudge::new(edges, Settings::default()).unwrap_err().to_string();
        assert_eq!(error(vec![]), "number of edges is 0: must be from 1 to 32");
        let unsorted = "edge is 1: must be finite, and above the edge before it";
        assert_eq!(error(vec![2.0, 1.0]), unsorted);
    }
}
