//! J3, by a quantile: is a larger share of the canary's requests slower than the stable version's p99?
//!
//! Both are compared at one edge of a histogram, picked before each interval from what the stable version did in
//! the intervals before it: the edge at which the share of slower requests is nearest to what the
//! quantile leaves. At that edge "slower than this" is a bad event for the rate judge. A bet may rest on
//! all that is past, so its promise holds whatever is picked, while latencies drift and the split of the
//! traffic changes. The first interval only teaches.
//!
//! The bounds of both quantiles are told beside that and decide nothing: they take all requests of a version
//! for draws from one distribution. In a release they are not: a canary that gets more traffic at noon,
//! when everything is slow, would seem slower than it is.

use super::{Ecdf, FixedQuantile, Quantile};
use crate::{
    counts::{Arm, Interval, IntervalId},
    evidence::{Evidence, QuantileBounds, Range},
    judge::{Fed, Judge},
    latency::Slow,
    numeric::{ln, real},
    rate::{RateJudge, RateState, Settings},
    settings::{ErrorRate, SettingError},
};
use serde::{Deserialize, Serialize};

/// The most edges of a histogram.
pub const MAX_EDGES: usize = 100;
/// The number of requests at which the bounds of a quantile are tightest.
const BEST_AT: u64 = 5000;
/// The bounds that are told together: two of each version.
const BOUNDS: f64 = 4.0;

/// One interval of both versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantileInterval {
    /// Which one.
    pub id: IntervalId,
    /// The edges of the histogram, rising; at most [`MAX_EDGES`] of them are looked at.
    pub edges: Vec<f64>,
    /// The new version.
    pub canary: Slow,
    /// The version it is compared with.
    pub stable: Slow,
}

impl QuantileInterval {
    /// What the rate judge is fed at one edge. What was not given has no traffic.
    fn at(&self, edge: usize) -> Interval {
        Interval { id: self.id, canary: self.canary.at(edge), stable: self.stable.at(edge) }
    }

    fn is_empty(&self) -> bool {
        self.edges.is_empty() || self.at(0).canary.total() == 0 || self.at(0).stable.total() == 0
    }
}

/// J3 by a quantile.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantileJudge {
    rate: RateJudge,
    quantile: Quantile,
}

/// What the quantile judge remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuantileState {
    /// The newest interval that was seen.
    pub last: Option<IntervalId>,
    /// The edges of the histogram; empty before the first interval.
    pub edges: Vec<f64>,
    /// The canary in intervals in which both had traffic.
    pub canary: Seen,
    /// The stable version in the same intervals.
    pub stable: Seen,
    /// The edge of the last comparison.
    pub edge: Option<f64>,
    /// The rate judge, at the edges that were picked.
    pub rate: RateState,
}

/// Requests of one version, and how many were slower than each edge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// All of them.
    pub total: u64,
    /// Those slower than each edge.
    pub slower: Vec<u64>,
}

impl Seen {
    fn add(&mut self, arms: &[Arm]) {
        self.slower.resize(arms.len(), 0);
        for (slower, arm) in self.slower.iter_mut().zip(arms) {
            *slower = slower.saturating_add(arm.bad());
        }
        let total = arms.first().copied().unwrap_or_default().total();
        self.total = self.total.saturating_add(total);
    }

    /// The place of the edge that about `share` of all requests are slower than; none before any was seen.
    ///
    /// Where none is slower than any edge it is the first, the only one at which a slower canary shows soon.
    fn nearest(&self, share: f64) -> Option<usize> {
        let distance = |slower: u64| ln(real(slower) / (share * real(self.total))).abs();
        let some = self.slower.iter().enumerate().filter(|(_, slower)| **slower > 0);
        let nearest = some.min_by(|(_, a), (_, b)| distance(**a).total_cmp(&distance(**b)));
        let first = (self.total > 0 && !self.slower.is_empty()).then_some(0);
        nearest.map(|(place, _)| place).or(first)
    }

    fn ecdf(&self, edges: &[f64]) -> Option<Ecdf> {
        let up_to = self.slower.iter().map(|slower| self.total.saturating_sub(*slower)).collect();
        Ecdf::new(edges.to_vec(), up_to, self.total).ok()
    }
}

impl QuantileJudge {
    /// A judge of one quantile; the settings are those of the rate judge. A budget is refused: a version of
    /// which nobody knows what to compare it with has no quantile to go by.
    pub fn new(quantile: Quantile, settings: Settings) -> Result<Self, SettingError> {
        if let Some(budget) = settings.budget {
            let range = "absent for this judge";
            return Err(SettingError { setting: "budget", value: budget.get(), range });
        }
        Ok(Self { rate: RateJudge::new(settings)?, quantile })
    }

    /// Which quantile.
    pub fn quantile(&self) -> Quantile {
        self.quantile
    }

    /// The bounds of both quantiles, none of which is wrong with a chance of 1 − α.
    fn bounds(&self, state: &QuantileState) -> Option<QuantileBounds> {
        let alpha = self.rate.settings().alpha;
        let alpha = ErrorRate::new(alpha.get() / BOUNDS).unwrap_or(alpha);
        let fixed = FixedQuantile::new(self.quantile, alpha, BEST_AT);
        let range = |seen: &Seen| {
            let ecdf = seen.ecdf(&state.edges);
            ecdf.map_or(Range { low: None, high: None }, |ecdf| fixed.range_by_edges(&ecdf))
        };
        let (canary, stable) = (range(&state.canary), range(&state.stable));
        let is_known = canary.known().or(stable.known()).is_some();
        is_known.then_some(QuantileBounds { quantile: self.quantile, canary, stable })
    }
}

impl Judge for QuantileJudge {
    type Interval = QuantileInterval;
    type State = QuantileState;

    fn feed(&self, state: &mut QuantileState, interval: &QuantileInterval) -> Fed {
        if state.last.is_some_and(|last| interval.id <= last) {
            return Fed::Known;
        }
        state.last = Some(interval.id);
        if interval.is_empty() {
            // It says nothing of edges, but counts as an interval in which there was nobody.
            let nobody = |arm: Arm| Arm::new(0, arm.total()).unwrap_or_default();
            let Interval { id, canary, stable } = interval.at(0);
            let (canary, stable) = (nobody(canary), nobody(stable));
            return self.rate.feed(&mut state.rate, &Interval { id, canary, stable });
        }
        let edges = &interval.edges[..interval.edges.len().min(MAX_EDGES)];
        if state.edges != edges {
            // Another histogram than before: what is known of the old one says nothing of its edges.
            state.edges = edges.to_vec();
            (state.canary, state.stable) = (Seen::default(), Seen::default());
        }
        let picked = state.stable.nearest(1.0 - self.quantile.get());
        let fed = picked.map_or(Fed::Empty, |place| {
            state.edge = edges.get(place).copied();
            self.rate.feed(&mut state.rate, &interval.at(place))
        });
        let all = |slow: &Slow| (0..edges.len()).map(|place| slow.at(place)).collect::<Vec<_>>();
        state.canary.add(&all(&interval.canary));
        state.stable.add(&all(&interval.stable));
        fed
    }

    /// Bad are the requests that were slower than the edge of their interval.
    fn evidence(&self, state: &QuantileState) -> Evidence {
        let quantiles = self.bounds(state);
        Evidence { edge: state.edge, quantiles, ..self.rate.evidence(&state.rate) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Verdict;

    const EDGES: [f64; 4] = [0.1, 0.25, 0.5, 1.0];
    /// Up to each edge, of 9,000.
    const STABLE: [u64; 4] = [4500, 8100, 8910, 8982];

    fn judge(p: f64) -> QuantileJudge {
        QuantileJudge::new(Quantile::new(p).unwrap(), Settings::default()).unwrap()
    }

    fn interval(id: u64, canary: [u64; 4], stable: [u64; 4]) -> QuantileInterval {
        let canary = Slow::from_buckets(&canary, 1000).unwrap();
        let stable = Slow::from_buckets(&stable, 9000).unwrap();
        QuantileInterval { id: IntervalId(id), edges: EDGES.to_vec(), canary, stable }
    }

    fn walk(p: f64, canary: [u64; 4], intervals: u64) -> Evidence {
        let (judge, mut state) = (judge(p), QuantileState::default());
        for id in 0..intervals {
            judge.feed(&mut state, &interval(id, canary, STABLE));
        }
        judge.evidence(&state)
    }

    #[test]
    fn the_edge_is_the_one_nearest_to_the_quantile_of_the_stable_version() {
        for (p, edge) in [(0.5, 0.1), (0.9, 0.25), (0.99, 0.5), (0.999, 1.0)] {
            assert_eq!(walk(p, [500, 900, 990, 998], 2).edge, Some(edge), "{p}");
        }
        assert_eq!(walk(0.99, [500, 900, 990, 998], 1).edge, None);
    }

    #[test]
    fn a_slower_tail_fails_and_one_as_fast_passes() {
        let slower = walk(0.99, [500, 900, 970, 998], 4);
        assert_eq!((slower.verdict, slower.edge), (Verdict::Fail, Some(0.5)));
        // The first interval only teaches.
        assert_eq!((slower.intervals, slower.canary.bad, slower.stable.bad), (3, 90, 270));
        let same = |intervals| walk(0.99, [500, 900, 990, 998], intervals).verdict;
        assert_eq!(
            (same(0), same(1), same(6)),
            (Verdict::Continue, Verdict::Continue, Verdict::Pass)
        );
    }

    #[test]
    fn an_edge_is_never_picked_by_the_interval_it_judges() {
        let (judge, mut state) = (judge(0.99), QuantileState::default());
        judge.feed(&mut state, &interval(0, [500, 900, 990, 998], STABLE));
        // Now the stable version is slow too, and 0.1 would be nearest.
        judge.feed(&mut state, &interval(1, [990, 990, 990, 990], [8910, 8910, 8910, 8910]));
        assert_eq!(state.edge, Some(0.5));
    }

    #[test]
    fn the_bounds_of_both_quantiles_contain_them_and_say_nothing_too_early() {
        let bounds = walk(0.99, [500, 900, 970, 998], 10).quantiles.unwrap();
        assert_eq!(bounds.canary, Range::between(0.5, 1.0));
        assert_eq!(bounds.stable, Range::between(0.25, 1.0));
        let expected =
            "p99 of the canary between 0.5 and 1, of the stable version between 0.25 and 1";
        assert_eq!(bounds.to_string(), expected);
        let few = QuantileInterval {
            id: IntervalId(0),
            edges: vec![0.1],
            canary: Slow::from_buckets(&[1], 1).unwrap(),
            stable: Slow::from_buckets(&[1], 1).unwrap(),
        };
        let (judge, mut state) = (judge(0.99), QuantileState::default());
        judge.feed(&mut state, &few);
        assert_eq!(judge.evidence(&state).quantiles, None);
    }

    #[test]
    fn an_interval_is_counted_once_and_an_empty_one_teaches_nothing() {
        let (judge, mut state) = (judge(0.99), QuantileState::default());
        judge.feed(&mut state, &interval(3, [500, 900, 970, 998], STABLE));
        let stored = serde_json::to_string(&state).unwrap();
        let mut resumed: QuantileState = serde_json::from_str(&stored).unwrap();
        assert_eq!(judge.feed(&mut resumed, &interval(3, [0; 4], STABLE)), Fed::Known);
        assert_eq!(resumed, state);
        let alone = QuantileInterval { canary: Slow::default(), ..interval(4, [0; 4], STABLE) };
        assert_eq!(judge.feed(&mut state, &alone), Fed::Empty);
        assert_eq!((state.stable.total, state.rate.ledger.empty), (9000, 1));
    }

    #[test]
    fn another_histogram_is_learned_anew_and_the_evidence_stays() {
        let (judge, mut state) = (judge(0.99), QuantileState::default());
        for id in 0..3 {
            judge.feed(&mut state, &interval(id, [500, 900, 970, 998], STABLE));
        }
        let before = judge.evidence(&state).ln_e_fail;
        let other =
            QuantileInterval { edges: vec![1.0, 2.0, 3.0, 4.0], ..interval(3, [0; 4], STABLE) };
        judge.feed(&mut state, &other);
        let after = judge.evidence(&state);
        assert_eq!((after.ln_e_fail.to_bits(), state.stable.total), (before.to_bits(), 9000));
    }

    #[test]
    fn a_budget_is_refused() {
        let budget = crate::settings::Budget::new(0.01).ok();
        let settings = Settings { budget, ..Settings::default() };
        let error = QuantileJudge::new(Quantile::new(0.99).unwrap(), settings).unwrap_err();
        assert_eq!(error.to_string(), "budget is 0.01: must be absent for this judge");
    }
}
