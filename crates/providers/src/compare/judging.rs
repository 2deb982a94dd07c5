//! The judges that can be chosen, behind one face.

use judges::{
    counts::Interval,
    evidence::Evidence,
    judge::Judge,
    proportion::{self, ProportionJudge},
    rate::{self, RateJudge},
    settings::ErrorRate,
    sign::{self, SignJudge},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// A judge and what it was told.
pub(super) enum Judging {
    /// For what is counted and rare.
    Rate(rate::Settings, RateJudge),
    /// For what is not rare.
    Proportion(proportion::Settings, ProportionJudge),
    /// For what comes in bursts.
    Sign(sign::Settings, SignJudge),
}

impl Judging {
    /// What people call it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Rate(..) => "rate",
            Self::Proportion(..) => "proportion",
            Self::Sign(..) => "sign",
        }
    }

    /// What it was told, in a form that stays the same.
    pub(super) fn settings(&self) -> Value {
        match self {
            Self::Rate(settings, _) => json!(settings),
            Self::Proportion(settings, _) => json!(settings),
            Self::Sign(settings, _) => json!(settings),
        }
    }

    /// What ln E must reach to fail.
    pub(super) fn fails_at(&self) -> f64 {
        let alpha = match self {
            Self::Rate(settings, _) => settings.alpha,
            Self::Proportion(settings, _) => settings.alpha,
            Self::Sign(settings, _) => settings.alpha,
        };
        alpha.ln_threshold()
    }

    /// What ln E of the pass side must reach to pass; none for a judge that cannot.
    pub(super) fn passes_at(&self) -> Option<f64> {
        match self {
            Self::Rate(settings, _) => Some(settings.beta),
            Self::Proportion(settings, _) => Some(settings.beta),
            Self::Sign(..) => None,
        }
        .map(ErrorRate::ln_threshold)
    }

    /// Counts an interval, if there is one, and says where things stand. What is kept is null at first;
    /// nothing comes of a kept state that is not this judge's.
    pub(super) fn judge(&self, kept: &mut Value, interval: Option<&Interval>) -> Option<Evidence> {
        match self {
            Self::Rate(_, judge) => judged(judge, kept, interval),
            Self::Proportion(_, judge) => judged(judge, kept, interval),
            Self::Sign(_, judge) => judged(judge, kept, interval),
        }
    }
}

fn judged<J: Judge<Interval = Interval>>(
    judge: &J,
    kept: &mut Value,
    interval: Option<&Interval>,
) -> Option<Evidence> {
    let mut state =
        if kept.is_null() { J::State::default() } else { J::State::deserialize(&*kept).ok()? };
    if let Some(interval) = interval {
        judge.feed(&mut state, interval);
    }
    *kept = serde_json::to_value(&state).ok()?;
    Some(judge.evidence(&state))
}
