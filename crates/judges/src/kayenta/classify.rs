//! One metric: did the canary's series move?

use super::{Direction, EffectSize, Measure, MetricConfig, NanStrategy, OutlierStrategy};
use crate::{
    numeric::{real, size},
    rank::{self, SampleError, Samples, Shift},
    settings::ErrorRate,
};
use serde::Serialize;

/// A shift must be this many times its own estimate away from 0.
const TOLERANCE: f64 = 0.25;
/// One less the confidence of the shift's interval.
const DOUBT: f64 = 0.02;

/// What a metric is classified as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Label {
    /// Nothing bad.
    Pass,
    /// Too high.
    High,
    /// Too low.
    Low,
    /// A series has no values.
    Nodata,
    /// A series has no values, and that is a failure.
    NodataFailMetric,
    /// The series cannot be compared.
    Error,
}

/// One metric, classified.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Classification {
    /// As what.
    pub label: Label,
    /// Whether it fails everything.
    pub critical: bool,
    /// The mean of the canary divided by that of the baseline; 1 if there was nothing to compare, absent
    /// if a mean is 0.
    pub ratio: Option<f64>,
    /// The size of the difference as it was measured; absent if it cannot be.
    pub effect: Option<f64>,
    /// By how much the canary's values are larger; absent if nothing was compared.
    pub shift: Option<Shift>,
}

impl Classification {
    fn without_comparison(label: Label, critical: bool) -> Self {
        Self { label, critical, ratio: Some(1.0), effect: None, shift: None }
    }
}

/// Compares the series of a metric as `config` says.
pub fn classify(config: &MetricConfig, canary: &[f64], baseline: &[f64]) -> Classification {
    let (canary, baseline) = (prepared(config, canary), prepared(config, baseline));
    match (Samples::new(canary), Samples::new(baseline)) {
        (Ok(canary), Ok(baseline)) => compare(config, &canary, &baseline),
        (Err(SampleError::Empty), _) | (_, Err(SampleError::Empty)) => nothing(config),
        _ => Classification::without_comparison(Label::Error, false),
    }
}

/// The verdict on a series without values.
fn nothing(config: &MetricConfig) -> Classification {
    let (label, critical) = match config.nan_strategy {
        NanStrategy::Replace => (Label::Pass, false),
        NanStrategy::Remove if config.must_have_data && !config.critical => {
            (Label::NodataFailMetric, false)
        }
        NanStrategy::Remove => (Label::Nodata, config.critical),
    };
    Classification::without_comparison(label, critical)
}

/// The series without what is no number and, if wanted, without outliers.
fn prepared(config: &MetricConfig, series: &[f64]) -> Vec<f64> {
    let numbers: Vec<f64> = match config.nan_strategy {
        NanStrategy::Remove => series.iter().copied().filter(|value| !value.is_nan()).collect(),
        NanStrategy::Replace => {
            series.iter().map(|value| if value.is_nan() { 0.0 } else { *value }).collect()
        }
    };
    match config.outliers.strategy {
        OutlierStrategy::Keep => numbers,
        OutlierStrategy::Remove => without_outliers(&numbers, config.outliers.outlier_factor),
    }
}

/// What lies between the fences: some interquartile ranges beyond the quartiles, or the outermost
/// hundredths if those are further out.
fn without_outliers(series: &[f64], factor: f64) -> Vec<f64> {
    let mut sorted = series.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share| percentile(&sorted, share);
    let (Some(first), Some(quarter), Some(three), Some(last)) =
        (at(0.01), at(0.25), at(0.75), at(0.99))
    else {
        return Vec::new();
    };
    let reach = factor * (three - quarter);
    let (low, high) = (first.min(quarter - reach), last.max(three + reach));
    series.iter().copied().filter(|value| !(*value > high || *value < low)).collect()
}

/// The share of sorted values below it, between neighbours in proportion (R's seventh type).
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share * real(last as u64);
    let below = (0..=last).rev().find(|index| real(*index as u64) <= place)?;
    let above = sorted.get(below + 1).copied().unwrap_or(sorted[below]);
    Some(sorted[below] + (place - real(below as u64)) * (above - sorted[below]))
}

fn compare(config: &MetricConfig, canary: &Samples, baseline: &Samples) -> Classification {
    if same(canary, baseline) {
        return Classification::without_comparison(Label::Pass, false);
    }
    let Ok(alpha) = ErrorRate::new(DOUBT) else {
        return Classification::without_comparison(Label::Error, false);
    };
    let shift = rank::shift(canary, baseline, alpha);
    let ratio = mean_ratio(canary, baseline);
    let effect = match config.effect_size.measure {
        Measure::MeanRatio => ratio,
        Measure::CommonLanguage => Some(rank::mann_whitney(canary, baseline).effect),
    };
    let label = label(config.direction, config.effect_size, shift, effect);
    let critical = config.critical && is_critical(label, config.effect_size, effect);
    Classification { label, critical, ratio, effect, shift: Some(shift) }
}

/// Whether the series hold the same values, in any order, or all of them one value.
fn same(canary: &Samples, baseline: &Samples) -> bool {
    let sorted = |samples: &Samples| {
        let mut values = samples.values().to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (canary, baseline) = (sorted(canary), sorted(baseline));
    let first = canary[0];
    canary == baseline || canary.iter().chain(&baseline).all(|value| (value - first).abs() == 0.0)
}

/// An effect that cannot be measured does not excuse anything.
fn label(direction: Direction, size: EffectSize, shift: Shift, effect: Option<f64>) -> Label {
    let needed = TOLERANCE * shift.estimate.abs();
    let increase = size.or_usual(size.allowed_increase);
    let decrease = size.or_usual(size.allowed_decrease);
    let is_high = shift.low > needed && effect.is_none_or(|effect| effect >= increase);
    let is_low = shift.high < -needed && effect.is_none_or(|effect| effect <= decrease);
    match direction {
        Direction::Increase | Direction::Either if is_high => Label::High,
        Direction::Decrease | Direction::Either if is_low => Label::Low,
        _ => Label::Pass,
    }
}

fn is_critical(label: Label, size: EffectSize, effect: Option<f64>) -> bool {
    let (increase, decrease) =
        (size.or_usual(size.critical_increase), size.or_usual(size.critical_decrease));
    match label {
        Label::High => effect.is_none_or(|effect| effect >= increase),
        Label::Low => effect.is_none_or(|effect| effect <= decrease),
        _ => false,
    }
}

/// The mean of the canary divided by that of the baseline; none if either is 0 or too large to tell.
fn mean_ratio(canary: &Samples, baseline: &Samples) -> Option<f64> {
    let mean = |samples: &Samples| samples.values().iter().sum::<f64>() / size(samples.values());
    let (canary, baseline) = (mean(canary), mean(baseline));
    let ratio = canary / baseline;
    (canary != 0.0 && baseline != 0.0 && ratio.is_finite()).then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    const LOW: [f64; 10] = [10.2, 11.5, 9.7, 10.9, 12.1, 8.8, 10.4, 11.0, 9.9, 10.6];
    const HIGH: [f64; 10] = [20.1, 21.4, 19.8, 22.6, 20.9, 23.3, 21.7, 22.0, 20.4, 21.1];
    const NONE: [f64; 2] = [f64::NAN, f64::NAN];

    fn classified(config: &Value, canary: &[f64], baseline: &[f64]) -> Classification {
        classify(&MetricConfig::deserialize(config).unwrap(), canary, baseline)
    }

    #[expect(clippy::needless_pass_by_value, reason = "the table of cases reads better")]
    fn check(config: Value, canary: &[f64], baseline: &[f64], expected: (Label, bool)) {
        let got = classified(&config, canary, baseline);
        assert_eq!((got.label, got.critical), expected, "{config}: {got:?}");
    }

    #[test]
    fn each_direction_minds_its_own_change() {
        for (direction, up, down) in [
            ("increase", Label::High, Label::Pass),
            ("decrease", Label::Pass, Label::Low),
            ("either", Label::High, Label::Low),
        ] {
            check(json!({ "direction": direction }), &HIGH, &LOW, (up, false));
            check(json!({ "direction": direction }), &LOW, &HIGH, (down, false));
        }
        check(json!({}), &HIGH, &LOW, (Label::High, false));
    }

    #[test]
    fn a_change_must_have_the_size_that_is_asked_for() {
        let effect = |effect: Value| json!({ "effectSize": effect });
        // The means are 21.33 and 10.51: a ratio of 2.03.
        check(effect(json!({ "allowedIncrease": 2.0 })), &HIGH, &LOW, (Label::High, false));
        check(effect(json!({ "allowedIncrease": 2.1 })), &HIGH, &LOW, (Label::Pass, false));
        check(effect(json!({ "allowedDecrease": 0.5 })), &LOW, &HIGH, (Label::Low, false));
        check(effect(json!({ "allowedDecrease": 0.4 })), &LOW, &HIGH, (Label::Pass, false));
        let cles = |threshold| effect(json!({ "measure": "cles", "allowedIncrease": threshold }));
        check(cles(0.9), &HIGH, &LOW, (Label::High, false));
        check(cles(1.1), &HIGH, &LOW, (Label::Pass, false));
    }

    #[test]
    fn a_critical_metric_fails_everything_by_its_own_threshold() {
        let config =
            |increase| json!({ "critical": true, "effectSize": { "criticalIncrease": increase } });
        check(json!({ "critical": true }), &HIGH, &LOW, (Label::High, true));
        check(json!({ "critical": true }), &LOW, &HIGH, (Label::Low, true));
        check(json!({ "critical": true }), &LOW, &LOW, (Label::Pass, false));
        check(config(2.0), &HIGH, &LOW, (Label::High, true));
        check(config(3.0), &HIGH, &LOW, (Label::High, false));
    }

    #[test]
    fn missing_data_is_what_the_configuration_says() {
        check(json!({}), &NONE, &LOW, (Label::Nodata, false));
        check(json!({}), &LOW, &[], (Label::Nodata, false));
        check(json!({ "critical": true }), &NONE, &LOW, (Label::Nodata, true));
        check(json!({ "mustHaveData": true }), &NONE, &LOW, (Label::NodataFailMetric, false));
        check(
            json!({ "mustHaveData": true, "critical": true }),
            &NONE,
            &LOW,
            (Label::Nodata, true),
        );
        check(json!({ "nanStrategy": "replace" }), &[], &LOW, (Label::Pass, false));
        check(json!({ "nanStrategy": "replace" }), &NONE, &[0.0], (Label::Pass, false));
    }

    #[test]
    fn ties_and_constants_are_ranked_without_noise() {
        check(json!({}), &[1.0, 2.0, 3.0], &[3.0, 1.0, 2.0], (Label::Pass, false));
        check(json!({}), &[0.0; 5], &[0.0; 9], (Label::Pass, false));
        check(json!({}), &[5.0; 30], &[4.0; 30], (Label::High, false));
        check(json!({}), &[4.0; 30], &[5.0; 30], (Label::Low, false));
        // A mean of 0 has no ratio, which excuses nothing.
        let config = json!({ "effectSize": { "allowedIncrease": 9.0 } });
        check(config, &[5.0; 30], &[0.0; 30], (Label::High, false));
        let mostly_zero = [0.0, 0.0, 0.0, 0.0, 1.5, 0.0, 2.1, 0.0, 3.3, 0.0, 1.8, 0.0];
        check(json!({}), &mostly_zero, &[0.0; 12], (Label::Pass, false));
    }

    #[test]
    fn outliers_go_only_if_they_are_to() {
        let mut spiked = [10.0; 200];
        spiked.iter_mut().zip(0..).for_each(|(value, index)| *value += f64::from(index % 7) * 0.1);
        spiked[3] = 1e6;
        let config =
            |strategy| json!({ "outliers": { "strategy": strategy, "outlierFactor": 3.0 } });
        let plain = LOW.repeat(20);
        let ratio = |strategy| classified(&config(strategy), &spiked, &plain).ratio.unwrap();
        assert!(ratio("keep") > 100.0);
        assert!(ratio("remove") < 1.1);
    }

    #[test]
    fn infinity_is_an_error_and_no_panic() {
        check(json!({}), &[f64::INFINITY, 1.0], &LOW, (Label::Error, false));
    }
}
