//! Whatever judges are fed: no panic, no NaN, every interval once, and the same after a restart.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use judges::{
    counts::{Arm, Interval, IntervalId, MAX_COUNT},
    evidence::Evidence,
    judge::{Fed, Judge},
    proportion::{self, ProportionJudge},
    rate::{RateJudge, Settings},
    settings::{Budget, DesignEffect, PassRatio, Tolerance},
    sign::{self, Arms, SignJudge},
    table,
};
use proptest::prelude::*;

/// Bytes that a state may take.
const MAX_STATE: usize = 768;

/// Small counts, huge ones, and everything between.
fn total() -> impl Strategy<Value = u64> {
    prop_oneof![0..20_u64, 0..5000_u64, 0..=MAX_COUNT, Just(MAX_COUNT)]
}

fn arm() -> impl Strategy<Value = Arm> {
    total().prop_flat_map(|total| {
        let bad = prop_oneof![0..=total, 0..=total.min(3), Just(total)];
        bad.prop_map(move |bad| Arm::new(bad, total).unwrap())
    })
}

fn intervals() -> impl Strategy<Value = Vec<Interval>> {
    let numbered = |arms: Vec<(Arm, Arm)>| {
        let interval = |((canary, stable), id)| Interval { id: IntervalId(id), canary, stable };
        arms.into_iter().zip(0..).map(interval).collect()
    };
    prop::collection::vec((arm(), arm()), 0..12).prop_map(numbered)
}

fn rate(tolerance: f64, pass_ratio: f64, design_effect: f64) -> RateJudge {
    RateJudge::new(Settings {
        tolerance: Tolerance::new(tolerance).unwrap(),
        pass_ratio: PassRatio::new(pass_ratio.max(tolerance)).unwrap(),
        design_effect: DesignEffect::new(design_effect).unwrap(),
        budget: Some(Budget::new(0.01).unwrap()),
        ..Settings::default()
    })
    .unwrap()
}

fn is_finite(evidence: &Evidence) -> bool {
    let ranges = [evidence.ratio_range, evidence.canary_rate_range].into_iter().flatten();
    let bounds = ranges.flat_map(|range| [range.low, range.high]).flatten();
    let values = [
        Some(evidence.ln_e_fail),
        Some(evidence.max_ln_e_fail),
        evidence.ln_e_pass,
        evidence.max_ln_e_pass,
        Some(evidence.p_value),
        evidence.ratio,
    ];
    values.into_iter().flatten().chain(bounds).all(f64::is_finite)
        && (0.0..=1.0).contains(&evidence.p_value)
}

/// Feeds everything, each interval twice and each after a restart, beside a judge that is left alone.
fn check<J: Judge<Interval = Interval>>(judge: &J, intervals: &[Interval])
where
    J::State: std::fmt::Debug,
{
    let mut alone = J::State::default();
    let mut stored = serde_json::to_string(&alone).unwrap();
    for interval in intervals {
        judge.feed(&mut alone, interval);
        let mut resumed: J::State = serde_json::from_str(&stored).unwrap();
        judge.feed(&mut resumed, interval);
        assert_eq!(judge.feed(&mut resumed, interval), Fed::Known);
        stored = serde_json::to_string(&resumed).unwrap();
        assert_eq!(resumed, alone);
        assert!(stored.len() <= MAX_STATE, "{stored}");
        assert_eq!(stored, serde_json::to_string(&alone).unwrap());
        let evidence = judge.evidence(&alone);
        assert!(is_finite(&evidence), "{evidence:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_judge_is_finite_idempotent_and_resumable(
        intervals in intervals(),
        tolerance in 1.0..100.0_f64,
        pass_ratio in 1.0..100.0_f64,
        design_effect in 1.0..50.0_f64,
    ) {
        check(&rate(tolerance, pass_ratio, design_effect), &intervals);
        check(&rate(1.0, 2.0, 1.0), &intervals);
        check(&ProportionJudge::new(proportion::Settings::default()), &intervals);
        for arms in [Arms::AsTheyAre, Arms::Thinned] {
            check(&SignJudge::new(sign::Settings { arms, ..sign::Settings::default() }), &intervals);
        }
    }

    #[test]
    fn the_ratio_of_the_totals_lies_within_its_bounds_when_the_split_is_fixed(
        bad in prop::collection::vec((0..20_u64, 0..60_u64), 1..20),
    ) {
        let judge = rate(1.0, 2.0, 1.0);
        let mut state = judges::rate::RateState::default();
        for ((canary, stable), id) in bad.into_iter().zip(0..) {
            let (canary, stable) = (Arm::new(canary, 1000).unwrap(), Arm::new(stable, 3000).unwrap());
            judge.feed(&mut state, &Interval { id: IntervalId(id), canary, stable });
        }
        let evidence = judge.evidence(&state);
        if let (Some(ratio), Some(range)) = (evidence.ratio, evidence.ratio_range) {
            prop_assert!(range.low.is_none_or(|low| low <= ratio), "{evidence:?}");
            prop_assert!(range.high.is_none_or(|high| high >= ratio), "{evidence:?}");
        }
    }

    #[test]
    fn any_text_is_a_table_or_a_list_of_mistakes(text in "[0-9a-z,.#\\-\n\r \u{e9}]{0,80}") {
        if let Err(mistakes) = table::read(&text) {
            let lines = text.lines().count();
            prop_assert!(mistakes.iter().all(|mistake| (1..=lines).contains(&mistake.line)));
        }
    }
}
