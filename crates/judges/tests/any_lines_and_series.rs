//! Whatever the judges of latencies, logs and series are given: no panic, no NaN, and no order of lines.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use judges::{
    counts::{IntervalId, MAX_COUNT},
    judge::{Fed, Judge},
    kayenta::{Measure, MetricConfig, OutlierStrategy, classify},
    latency::{LatencyInterval, LatencyJudge, Slow},
    log::{ArmLog, LogInterval, LogJudge, LogState, Settings as LogSettings, mask, severity},
    quantile::{
        FixedQuantile, Quantile, ab_p_value,
        judge::{QuantileInterval, QuantileJudge},
    },
    rank::{Samples, mann_whitney, shift},
    rate::Settings,
    settings::ErrorRate,
    split::Split,
    table::buckets,
};
use proptest::prelude::*;
use std::fmt::Debug;

fn histogram() -> impl Strategy<Value = Slow> {
    let count = prop_oneof![0..50_u64, 0..=MAX_COUNT];
    prop::collection::vec(count, 4).prop_map(|mut counts| {
        counts.sort_unstable();
        Slow::from_buckets(&counts[..3], counts[3]).unwrap()
    })
}

/// Values with many ties, of any size, and some that are no numbers.
fn series() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        6 => (0..6_i32).prop_map(f64::from),
        3 => -1e3..1e3_f64,
        1 => -1e300..1e300_f64,
        1 => Just(f64::NAN),
    ];
    prop::collection::vec(value, 0..25)
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "ERROR [a-c]{1,3} [0-9]{1,4} [a-z]{1,3}",
        "WARN [a-b] [a-b] [a-b] [a-b]",
        "\\PC{0,60}",
        Just("INFO fine".to_owned()),
    ]
}

/// A judge that goes on from what was stored after each interval stays with one that was never away, and counts
/// none twice.
fn check_resumable<J: Judge<State: Debug>>(
    judge: &J,
    intervals: impl Iterator<Item = J::Interval>,
) {
    let mut alone = J::State::default();
    let mut stored = serde_json::to_string(&alone).unwrap();
    for interval in intervals {
        judge.feed(&mut alone, &interval);
        let mut resumed: J::State = serde_json::from_str(&stored).unwrap();
        judge.feed(&mut resumed, &interval);
        assert_eq!(judge.feed(&mut resumed, &interval), Fed::Known);
        stored = serde_json::to_string(&resumed).unwrap();
        assert_eq!(&resumed, &alone);
        let evidence = judge.evidence(&alone);
        assert!(evidence.ln_e_fail.is_finite() && evidence.p_value.is_finite());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn latencies_are_finite_idempotent_and_resumable(
        arms in prop::collection::vec((histogram(), histogram()), 0..8),
    ) {
        let judge = LatencyJudge::new(vec![0.1, 0.5, 1.0], Settings::default()).unwrap();
        let interval = |((canary, stable), id)| LatencyInterval { id: IntervalId(id), canary, stable };
        check_resumable(&judge, arms.into_iter().zip(0..).map(interval));
    }

    #[test]
    fn quantiles_are_finite_idempotent_and_resumable(
        arms in prop::collection::vec((histogram(), histogram()), 0..8),
        p in 0.001..0.999,
    ) {
        let judge = QuantileJudge::new(Quantile::new(p).unwrap(), Settings::default()).unwrap();
        let interval = |((canary, stable), id)| {
            let edges = vec![0.1, 0.5, 1.0];
            QuantileInterval { id: IntervalId(id), edges, canary, stable }
        };
        check_resumable(&judge, arms.into_iter().zip(0..).map(interval));
    }

    #[test]
    fn logs_are_judged_in_any_order_and_once(
        lines in prop::collection::vec((line(), any::<bool>()), 0..30),
        shuffle in any::<prop::sample::Index>(),
    ) {
        let judge = LogJudge::new(LogSettings::default());
        let interval = |lines: &[(String, bool)]| {
            let of = |arm: bool| lines.iter().filter(move |(_, ours)| *ours == arm).map(|(line, _)| line.clone());
            LogInterval {
                id: IntervalId(1),
                canary: ArmLog { exposure: 100, lines: of(true).collect(), ..ArmLog::default() },
                stable: ArmLog { exposure: 900, lines: of(false).collect(), ..ArmLog::default() },
            }
        };
        let (mut state, mut turned) = (LogState::default(), LogState::default());
        judge.feed(&mut state, &interval(&lines));
        let mut other = lines.clone();
        other.rotate_left(if lines.is_empty() { 0 } else { shuffle.index(lines.len()) });
        judge.feed(&mut turned, &interval(&other));
        prop_assert_eq!(&turned, &state);
        prop_assert_eq!(judge.feed(&mut turned, &interval(&lines)), Fed::Known);
        prop_assert!(judge.evidence(&state).ln_e_fail.is_finite());
    }

    #[test]
    fn any_line_is_masked_and_stays_masked(line in "\\PC{0,200}") {
        let masked = mask::mask(&line);
        prop_assert!(masked.chars().all(|c| !c.is_ascii_digit()), "{masked}");
        let _ = severity::is_trouble(&line);
    }

    #[test]
    fn any_series_is_classified(canary in series(), baseline in series(), common in any::<bool>()) {
        let mut config = MetricConfig::default();
        config.outliers.strategy = OutlierStrategy::Remove;
        config.effect_size.measure = if common { Measure::CommonLanguage } else { Measure::MeanRatio };
        let first = classify::classify(&config, &canary, &baseline);
        prop_assert_eq!(first, classify::classify(&config, &canary, &baseline));
        prop_assert!(first.ratio.is_none_or(f64::is_finite));
    }

    #[test]
    fn any_samples_can_be_compared(canary in series(), stable in series(), p in 0.001..0.999_f64) {
        let (Ok(canary), Ok(stable)) = (Samples::new(canary), Samples::new(stable)) else {
            return Ok(());
        };
        let test = mann_whitney(&canary, &stable);
        prop_assert!((0.0..=1.0).contains(&test.p_greater) && (0.0..=1.0).contains(&test.p_two_sided));
        prop_assert!(test.p_exact.is_none_or(|p| (0.0..=1.0).contains(&p)));
        let shift = shift(&canary, &stable, ErrorRate::USUAL);
        prop_assert!(shift.low.is_finite() && shift.estimate.is_finite() && shift.high.is_finite());
        let quantile = Quantile::new(p).unwrap();
        prop_assert!((0.0..=1.0).contains(&ab_p_value(quantile, 100, &canary, &stable)));
        let range = FixedQuantile::new(quantile, ErrorRate::USUAL, 100).range(&canary);
        if let (Some(low), Some(high)) = (range.low, range.high) {
            prop_assert!(low <= high);
        }
    }

    #[test]
    fn any_split_is_bounded(share in 0.001..0.999_f64, canary in 0..=MAX_COUNT, stable in 0..=MAX_COUNT) {
        let split = Split::new(share).unwrap();
        prop_assert!(split.ln_e(canary, stable).is_finite());
        let range = split.share_range(canary, stable, ErrorRate::USUAL);
        prop_assert!(range.low <= range.high, "{range:?}");
    }

    #[test]
    fn any_text_is_a_histogram_or_a_list_of_mistakes(text in "(canary_|stable_|le_|total|[0-9,.\n]){0,30}") {
        if let Err(mistakes) = buckets::read(&text) {
            prop_assert!(!mistakes.is_empty());
        }
    }
}
