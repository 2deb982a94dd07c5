//! The judges that can be chosen, behind one face.

use judges::{
    counts::{Arm, Interval, IntervalId},
    evidence::Evidence,
    judge::Judge,
    latency::{LatencyInterval, LatencyJudge, Slow},
    log::{self, ArmLog, LogInterval, LogJudge, LogState, TemplateEvidence},
    proportion::{self, ProportionJudge},
    quantile::{
        Quantile,
        judge::{QuantileInterval, QuantileJudge},
    },
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
    /// For how long requests take, at the edges of a histogram.
    Latency(rate::Settings, LatencyJudge),
    /// For how long requests take, at the edge nearest to a quantile.
    Quantile(rate::Settings, QuantileJudge),
    /// For what pods log.
    Log(log::Settings, LogJudge),
}

/// What was counted of both versions in one interval.
pub(super) enum Compared {
    /// Bad requests of all.
    Counts {
        /// The new version.
        canary: Arm,
        /// The version it is compared with.
        stable: Arm,
    },
    /// Slow requests of all, at each edge.
    Slow {
        /// The new version.
        canary: Slow,
        /// The version it is compared with.
        stable: Slow,
    },
    /// Slow requests of all, at each edge of a histogram.
    Histograms {
        /// The edges that both have.
        edges: Vec<f64>,
        /// The new version.
        canary: Slow,
        /// The version it is compared with.
        stable: Slow,
    },
    /// Lines of trouble.
    Logs {
        /// The new version.
        canary: ArmLog,
        /// The version it is compared with.
        stable: ArmLog,
    },
}

impl Judging {
    /// What people call it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Rate(..) => "rate",
            Self::Proportion(..) => "proportion",
            Self::Sign(..) => "sign",
            Self::Latency(..) => "latency",
            Self::Quantile(..) => "quantile",
            Self::Log(..) => "log",
        }
    }

    /// What its evidence depends on, in a form that stays the same. Alpha is not among that: it is what
    /// evidence is held against.
    pub(super) fn settings(&self) -> Value {
        let mut settings = self.all_settings();
        if let Some(own) = settings.pointer_mut("/0").and_then(Value::as_object_mut) {
            own.shift_remove("alpha");
        }
        settings
    }

    fn all_settings(&self) -> Value {
        match self {
            Self::Rate(settings, _) => json!([settings]),
            Self::Proportion(settings, _) => json!([settings]),
            Self::Sign(settings, _) => json!([settings]),
            Self::Latency(settings, judge) => json!([settings, judge.edges()]),
            Self::Quantile(settings, judge) => json!([settings, judge.quantile()]),
            Self::Log(settings, _) => json!([settings]),
        }
    }

    /// The chance of a wrong fail that it was given.
    pub(super) fn alpha(&self) -> ErrorRate {
        match self {
            Self::Rate(settings, _) | Self::Latency(settings, _) | Self::Quantile(settings, _) => {
                settings.alpha
            }
            Self::Proportion(settings, _) => settings.alpha,
            Self::Sign(settings, _) => settings.alpha,
            Self::Log(settings, _) => settings.alpha,
        }
    }

    /// What ln E must reach to fail.
    pub(super) fn fails_at(&self) -> f64 {
        self.alpha().ln_threshold()
    }

    /// What ln E of the pass side must reach to pass; none for a judge that cannot.
    pub(super) fn passes_at(&self) -> Option<f64> {
        match self {
            Self::Rate(settings, _) | Self::Latency(settings, _) | Self::Quantile(settings, _) => {
                Some(settings.beta)
            }
            Self::Proportion(settings, _) => Some(settings.beta),
            Self::Sign(..) | Self::Log(..) => None,
        }
        .map(ErrorRate::ln_threshold)
    }

    /// The edges of the histogram that are judged; none for counts, and where a quantile picks them.
    pub(super) fn edges(&self) -> &[f64] {
        if let Self::Latency(_, judge) = self { judge.edges() } else { &[] }
    }

    /// The quantile that picks the edge, if one does.
    pub(super) fn quantile(&self) -> Option<Quantile> {
        if let Self::Quantile(_, judge) = self { Some(judge.quantile()) } else { None }
    }

    /// Counts an interval, if there is one, and says where things stand. What is kept is null at first;
    /// nothing comes of a kept state that is not this judge's.
    pub(super) fn judge(
        &self,
        kept: &mut Value,
        id: IntervalId,
        compared: Option<&Compared>,
    ) -> Option<Evidence> {
        let counts = compared.and_then(|compared| compared.counts(id));
        match self {
            Self::Rate(_, judge) => judged(judge, kept, counts),
            Self::Proportion(_, judge) => judged(judge, kept, counts),
            Self::Sign(_, judge) => judged(judge, kept, counts),
            Self::Latency(_, judge) => {
                judged(judge, kept, compared.and_then(|compared| compared.slow(id)))
            }
            Self::Quantile(_, judge) => {
                judged(judge, kept, compared.and_then(|compared| compared.histograms(id)))
            }
            Self::Log(_, judge) => {
                judged(judge, kept, compared.and_then(|compared| compared.logs(id)))
            }
        }
    }

    /// What pods logged, what speaks most against the canary first; nothing for other judges.
    pub(super) fn templates(&self, kept: &Value) -> Vec<TemplateEvidence> {
        match self {
            Self::Log(_, judge) => {
                LogState::deserialize(kept).map(|state| judge.templates(&state)).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}

impl Compared {
    fn counts(&self, id: IntervalId) -> Option<Interval> {
        match self {
            Self::Counts { canary, stable } => {
                Some(Interval { id, canary: *canary, stable: *stable })
            }
            _ => None,
        }
    }

    fn slow(&self, id: IntervalId) -> Option<LatencyInterval> {
        match self {
            Self::Slow { canary, stable } => {
                Some(LatencyInterval { id, canary: canary.clone(), stable: stable.clone() })
            }
            _ => None,
        }
    }

    fn histograms(&self, id: IntervalId) -> Option<QuantileInterval> {
        match self {
            Self::Histograms { edges, canary, stable } => Some(QuantileInterval {
                id,
                edges: edges.clone(),
                canary: canary.clone(),
                stable: stable.clone(),
            }),
            _ => None,
        }
    }

    fn logs(&self, id: IntervalId) -> Option<LogInterval> {
        match self {
            Self::Logs { canary, stable } => {
                Some(LogInterval { id, canary: canary.clone(), stable: stable.clone() })
            }
            _ => None,
        }
    }
}

fn judged<J: Judge>(
    judge: &J,
    kept: &mut Value,
    interval: Option<J::Interval>,
) -> Option<Evidence> {
    let mut state =
        if kept.is_null() { J::State::default() } else { J::State::deserialize(&*kept).ok()? };
    if let Some(interval) = interval {
        judge.feed(&mut state, &interval);
    }
    *kept = serde_json::to_value(&state).ok()?;
    Some(judge.evidence(&state))
}
