//! What a judge is told before it starts, as types that cannot be wrong.

use serde::{Deserialize, Serialize};

/// The largest ratio that makes sense as a tolerance.
pub const MAX_RATIO: f64 = 1000.0;
/// The largest design effect.
pub const MAX_DESIGN_EFFECT: f64 = 1e6;

/// A setting is outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{setting} is {value}: must be {range}")]
pub struct SettingError {
    /// The setting's name.
    pub setting: &'static str,
    /// What was given.
    pub value: f64,
    /// What is allowed, in words.
    pub range: &'static str,
}

/// Declares a number that is checked once, on its way in, whether from code or from JSON.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $setting:literal, $range:literal, $holds:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            /// Checks the range; the error names the setting as it is usually called.
            pub fn new(value: f64) -> Result<Self, SettingError> {
                Self::named($setting, value)
            }

            /// Checks the range; the error names `setting`.
            pub fn named(setting: &'static str, value: f64) -> Result<Self, SettingError> {
                let holds: fn(f64) -> bool = $holds;
                let wrong = SettingError { setting, value, range: $range };
                if value.is_finite() && holds(value) { Ok(Self(value)) } else { Err(wrong) }
            }

            /// The number.
            pub fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = SettingError;

            fn try_from(value: f64) -> Result<Self, SettingError> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(number: $name) -> Self {
                number.0
            }
        }
    };
}

number! {
    /// The chance of a wrong verdict that is accepted: alpha to fail, beta to pass.
    ErrorRate, "alpha", "between 0 and 1, both excluded", |value| value > 0.0 && value < 1.0
}

number! {
    /// How many times worse than stable the canary may be.
    Tolerance, "tolerance", "from 1 to 1000", |value| (1.0..=MAX_RATIO).contains(&value)
}

number! {
    /// To pass, the canary must be shown to be less than this many times worse than stable.
    PassRatio, "pass ratio", "from 1 to 1000, and not below the tolerance",
    |value| (1.0..=MAX_RATIO).contains(&value)
}

number! {
    /// By how much the variance of counts exceeds that of independent requests.
    DesignEffect, "design effect", "from 1 to 1000000", |value| (1.0..=MAX_DESIGN_EFFECT).contains(&value)
}

number! {
    /// The share of bad requests that the service level allows.
    Budget, "budget", "between 0 and 1, both excluded", |value| value > 0.0 && value < 1.0
}

number! {
    /// A part of a whole.
    Share, "share", "from 0 to 1", |value| (0.0..=1.0).contains(&value)
}

impl Share {
    /// One in ten.
    pub const TENTH: Self = Self(0.1);
}

impl ErrorRate {
    /// The usual one in twenty.
    pub const USUAL: Self = Self(0.05);

    /// ln(1/α): what ln E must reach.
    pub fn ln_threshold(self) -> f64 {
        -crate::numeric::ln(self.0)
    }
}

impl Tolerance {
    /// No worse than stable.
    pub const NONE: Self = Self(1.0);
}

impl PassRatio {
    /// Less than twice as bad, or less than twice the tolerance.
    pub fn usual(tolerance: Tolerance) -> Self {
        Self((2.0 * tolerance.0).min(MAX_RATIO))
    }
}

impl DesignEffect {
    /// Independent requests.
    pub const NONE: Self = Self(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T>(made: Result<T, SettingError>, expected: &str) {
        assert_eq!(made.err().map(|error| error.to_string()).as_deref(), Some(expected));
    }

    #[test]
    fn a_wrong_setting_says_its_name_and_its_range() {
        check(ErrorRate::new(0.0), "alpha is 0: must be between 0 and 1, both excluded");
        check(
            ErrorRate::named("beta", f64::NAN),
            "beta is NaN: must be between 0 and 1, both excluded",
        );
        check(Tolerance::new(0.5), "tolerance is 0.5: must be from 1 to 1000");
        check(Budget::new(1.0), "budget is 1: must be between 0 and 1, both excluded");
        check(DesignEffect::new(0.9), "design effect is 0.9: must be from 1 to 1000000");
    }
}
