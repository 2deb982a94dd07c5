//! Kayenta's judge (`NetflixACAJudge-v1.0`), for configurations that people have.
//!
//! Each metric's two time series are compared once by [`classify::classify`]; [`score::score`] makes
//! groups, a score and a verdict of the classifications. One thing differs on purpose: where each series
//! is constant Kayenta adds random noise to be able to rank them, and here the difference of the two
//! constants is the shift, which is what the noise amounts to. The same input gives the same answer.

pub mod classify;
pub mod score;

use serde::Deserialize;

/// Which change is bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// An increase.
    Increase,
    /// A decrease.
    Decrease,
    /// Any.
    #[default]
    Either,
}

/// What becomes of values that are not numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NanStrategy {
    /// They are left out, and a series without values is no data.
    #[default]
    Remove,
    /// They are 0, and a series without values passes.
    Replace,
}

/// What becomes of values that are far from the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutlierStrategy {
    /// They are left out.
    Remove,
    /// They are kept.
    #[default]
    Keep,
}

/// How the size of a difference is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Measure {
    /// The mean of the canary divided by that of the baseline.
    #[default]
    #[serde(rename = "meanRatio")]
    MeanRatio,
    /// The chance that a canary value is larger than one of the baseline.
    #[serde(rename = "cles")]
    CommonLanguage,
}

/// The object `analysisConfigurations.canary` of a metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricConfig {
    /// Which change is bad.
    pub direction: Direction,
    /// What becomes of values that are not numbers.
    pub nan_strategy: NanStrategy,
    /// What becomes of values that are far from the others.
    pub outliers: Outliers,
    /// A failure of this metric fails everything.
    pub critical: bool,
    /// Missing data fails the metric.
    pub must_have_data: bool,
    /// The metric is reported and does not count.
    pub muted: bool,
    /// How large a difference must be.
    pub effect_size: EffectSize,
}

/// The object `outliers`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outliers {
    /// What becomes of them.
    pub strategy: OutlierStrategy,
    /// How many interquartile ranges away from the quartiles they begin.
    pub outlier_factor: f64,
}

impl Default for Outliers {
    fn default() -> Self {
        Self { strategy: OutlierStrategy::default(), outlier_factor: 3.0 }
    }
}

/// The object `effectSize`; what is absent is 1, or ½ for the common language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EffectSize {
    /// How it is measured.
    pub measure: Measure,
    /// From here on an increase counts.
    pub allowed_increase: Option<f64>,
    /// From here down a decrease counts.
    pub allowed_decrease: Option<f64>,
    /// From here on an increase of a critical metric is critical.
    pub critical_increase: Option<f64>,
    /// From here down a decrease of a critical metric is critical.
    pub critical_decrease: Option<f64>,
}

impl EffectSize {
    /// A threshold, or what it is if nobody says.
    fn or_usual(self, threshold: Option<f64>) -> f64 {
        threshold.unwrap_or(match self.measure {
            Measure::MeanRatio => 1.0,
            Measure::CommonLanguage => 0.5,
        })
    }
}
