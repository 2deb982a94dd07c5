//! A canary step as what decides when it is done, beside which it may scale and make routes.
//!
//! Start at [`CanaryStep::kind`]. Nothing here carries a step out.

use super::{
    CanaryStep, PluginStep, RolloutAnalysis, RolloutExperimentStep, RolloutPause, SetCanaryScale,
    SetHeaderRoute, SetMirrorRoute,
};
use crate::go_duration::{self, InvalidDuration};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// What a canary step asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StepKind<'a> {
    /// Give the canary this share.
    SetWeight(i32),
    /// Wait for a time, or for a person.
    Pause(&'a RolloutPause),
    /// Run an experiment to its end.
    Experiment(&'a RolloutExperimentStep),
    /// Run an analysis to its end.
    Analysis(&'a RolloutAnalysis),
    /// Set the size of the canary.
    SetCanaryScale(&'a SetCanaryScale),
    /// Send requests with a header to the canary.
    SetHeaderRoute(&'a SetHeaderRoute),
    /// Copy requests to the canary.
    SetMirrorRoute(&'a SetMirrorRoute),
    /// Run a step plugin to its end.
    Plugin(&'a PluginStep),
    /// Nothing at all, which no valid step asks for.
    Empty,
    /// Several of weight, pause, experiment and analysis, which no valid step asks for.
    Ambiguous,
}

impl CanaryStep {
    /// What decides when this step is done.
    ///
    /// A scale and routes may stand beside another kind. Where several are there upstream's order decides:
    /// pause, scale, weight, experiment, analysis, header route, mirror, plugin.
    pub fn kind(&self) -> StepKind<'_> {
        if self.exclusive().into_iter().filter(|is_there| *is_there).count() > 1 {
            return StepKind::Ambiguous;
        }
        let mut kinds = [
            self.pause.as_ref().map(StepKind::Pause),
            self.set_canary_scale.as_ref().map(StepKind::SetCanaryScale),
            self.set_weight.map(StepKind::SetWeight),
            self.experiment.as_deref().map(StepKind::Experiment),
            self.analysis.as_deref().map(StepKind::Analysis),
            self.set_header_route.as_deref().map(StepKind::SetHeaderRoute),
            self.set_mirror_route.as_deref().map(StepKind::SetMirrorRoute),
            self.plugin.as_deref().map(StepKind::Plugin),
        ]
        .into_iter()
        .flatten();
        kinds.next().unwrap_or(StepKind::Empty)
    }

    /// The kind by which people are told of this step: what it asks for beside a scale goes first.
    pub fn title_kind(&self) -> StepKind<'_> {
        match (self.kind(), self.set_weight) {
            (StepKind::SetCanaryScale(_), Some(weight)) => StepKind::SetWeight(weight),
            (kind @ StepKind::SetCanaryScale(_), None) => {
                let experiment = self.experiment.as_deref().map(StepKind::Experiment);
                let analysis = self.analysis.as_deref().map(StepKind::Analysis);
                experiment.or(analysis).unwrap_or(kind)
            }
            (kind, _) => kind,
        }
    }

    /// Which of the kinds that exclude each other are there.
    fn exclusive(&self) -> [bool; 4] {
        [
            self.set_weight.is_some(),
            self.pause.is_some(),
            self.experiment.is_some(),
            self.analysis.is_some(),
        ]
    }
}

impl RolloutPause {
    /// The wait in whole seconds; `None` waits for a person.
    ///
    /// # Errors
    /// When the duration is neither a number of seconds nor a duration such as `1h30m`.
    pub fn seconds(&self) -> Result<Option<i64>, InvalidDuration> {
        match &self.duration {
            None => Ok(None),
            Some(IntOrString::Int(seconds)) => Ok(Some(i64::from(*seconds))),
            Some(IntOrString::String(text)) => match text.parse::<i32>() {
                Ok(seconds) => Ok(Some(i64::from(seconds))),
                Err(_) => Ok(Some(go_duration::parse(text)?.as_secs())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn step(value: Value) -> CanaryStep {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_step_is_the_one_thing_it_asks_for() {
        assert_eq!(step(json!({ "setWeight": 20 })).kind(), StepKind::SetWeight(20));
        assert_eq!(step(json!({ "setWeight": 20.0 })).kind(), StepKind::SetWeight(20));
        assert!(matches!(step(json!({ "pause": {} })).kind(), StepKind::Pause(_)));
        assert_eq!(step(json!({})).kind(), StepKind::Empty);
        assert_eq!(step(json!({ "setWeight": 1, "pause": {} })).kind(), StepKind::Ambiguous);
    }

    #[test]
    fn a_route_stands_beside_the_one_thing_a_step_asks_for() {
        let route = || json!({ "name": "testers" });
        let alone = step(json!({ "setHeaderRoute": route(), "setMirrorRoute": route() }));
        assert!(matches!(alone.kind(), StepKind::SetHeaderRoute(_)));
        let beside =
            step(json!({ "setCanaryScale": { "replicas": 1 }, "setHeaderRoute": route() }));
        assert!(matches!(beside.kind(), StepKind::SetCanaryScale(_)));
    }

    #[test]
    fn a_scale_stands_beside_any_kind_and_only_a_pause_outlasts_it() {
        let scaled = |field: &str, value: Value| {
            step(json!({ "setCanaryScale": { "replicas": 1 }, field: value }))
        };
        let pause = scaled("pause", json!({}));
        assert!(matches!(pause.kind(), StepKind::Pause(_)));
        assert!(matches!(pause.title_kind(), StepKind::Pause(_)));
        let weight = scaled("setWeight", json!(20));
        assert!(matches!(weight.kind(), StepKind::SetCanaryScale(_)));
        assert_eq!(weight.title_kind(), StepKind::SetWeight(20));
        let analysis = scaled("analysis", json!({}));
        assert!(matches!(analysis.kind(), StepKind::SetCanaryScale(_)));
        assert!(matches!(analysis.title_kind(), StepKind::Analysis(_)));
    }

    #[test]
    fn a_pause_is_counted_in_seconds_however_it_is_written() {
        let check = |duration: Value, expected: Option<i64>| {
            let pause: RolloutPause =
                serde_json::from_value(json!({ "duration": duration })).unwrap();
            assert_eq!(pause.seconds().ok().flatten(), expected, "{duration}");
        };
        check(json!(10), Some(10));
        check(json!(10.0), Some(10));
        check(json!("10"), Some(10));
        check(json!("10s"), Some(10));
        check(json!("1h30m"), Some(5400));
        check(json!("1500ms"), Some(1));
        check(json!("-5"), Some(-5));
        check(json!("soon"), None);
        check(Value::Null, None);
        assert!(
            RolloutPause { duration: Some(IntOrString::String("soon".into())) }.seconds().is_err()
        );
    }
}
