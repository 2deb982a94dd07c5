//! The judges of one look: how often Kayenta's rule notices a change, and what looking again does.

use crate::nature::{Nature, real};
use judges::{
    kayenta::{Direction, MetricConfig, classify},
    rank::{Samples, mann_whitney},
};

/// Points of a series at the eleven looks at a p-value.
const LOOKS: [usize; 11] = [10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60];

/// One case of Kayenta's rule: how many times larger, how many points, how many of a hundred are noticed
/// in the reference simulation.
pub struct Case {
    /// The canary's values by the baseline's.
    pub ratio: f64,
    /// Points of each series.
    pub points: usize,
    /// Per cent noticed.
    pub expected: f64,
}

const fn case(ratio: f64, points: usize, expected: f64) -> Case {
    Case { ratio, points, expected }
}

/// Log-normal values with a spread of one half.
pub const CASES: [Case; 10] = [
    case(1.0, 30, 0.0),
    case(1.0, 60, 0.0),
    case(1.2, 30, 4.0),
    case(1.2, 60, 15.0),
    case(1.35, 30, 17.0),
    case(1.35, 60, 56.0),
    case(1.5, 30, 39.0),
    case(1.5, 60, 86.0),
    case(2.0, 30, 98.0),
    case(2.0, 60, 100.0),
];

impl Case {
    /// Per cent of runs in which the canary is too high.
    pub fn noticed(&self, runs: u64) -> f64 {
        let config = MetricConfig { direction: Direction::Increase, ..MetricConfig::default() };
        let is_noticed = |run: &u64| {
            let nature = &mut Nature::new(run * 7919 + 17);
            let (canary, baseline) =
                (series(nature, self.points, self.ratio), series(nature, self.points, 1.0));
            classify::classify(&config, &canary, &baseline).label == classify::Label::High
        };
        100.0 * real((0..runs).filter(is_noticed).count() as u64) / real(runs)
    }

    /// Whether that is what is expected: the reference simulation had some hundred runs, which is exact
    /// to about eight points.
    pub fn agrees(&self, noticed: f64) -> bool {
        (noticed - self.expected).abs() <= 8.0
    }
}

/// How often a p-value below .05 is seen at one of eleven looks, in per cent, with nothing to see.
pub fn peeked(runs: u64) -> f64 {
    let is_alarmed = |run: &u64| {
        let nature = &mut Nature::new(run * 104_729 + 3);
        let (canary, stable) = (series(nature, 60, 1.0), series(nature, 60, 1.0));
        LOOKS.iter().any(|points| {
            let samples = |values: &[f64]| Samples::new(values[..*points].to_vec());
            let (Ok(canary), Ok(stable)) = (samples(&canary), samples(&stable)) else {
                return false;
            };
            mann_whitney(&canary, &stable).p_greater < 0.05
        })
    };
    100.0 * real((0..runs).filter(is_alarmed).count() as u64) / real(runs)
}

fn series(nature: &mut Nature, points: usize, scale: f64) -> Vec<f64> {
    (0..points).map(|_| scale * libm::exp(0.5 * nature.normal())).collect()
}
