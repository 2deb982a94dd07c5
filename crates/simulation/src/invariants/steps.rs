//! Invariants of the steps of a canary.

use super::{
    Invariant,
    sight::{number, text},
};
use crate::{history::Step, picture::Picture};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// I4: steps are done one at a time, but for weights that pods alone make up, and a pause is left when it
/// is over or somebody ends it.
pub(super) struct StepsComeInOrder;

impl Invariant for StepsComeInOrder {
    fn name(&self) -> &'static str {
        "I4"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        let (Some(was), Some(now), Some(_), "rollouts") =
            (before.before(step), step.after(), &step.by, step.resource.as_str())
        else {
            return Vec::new();
        };
        let same = |field: &str| was["status"][field] == now["status"][field];
        let is_forced =
            was["status"]["promoteFull"] == true || !same("currentPodHash") || !same("abort");
        let steps = was["spec"]["strategy"]["canary"]["steps"].as_array().map_or(0, Vec::len);
        let (from, to) =
            (number(was, "/status/currentStepIndex"), number(now, "/status/currentStepIndex"));
        let is_back = was["status"]["stableRS"] == was["status"]["currentPodHash"];
        if is_forced || is_back || to <= from || was["status"]["currentStepIndex"].is_null() {
            return Vec::new();
        }
        let to_the_end = usize::try_from(to).is_ok_and(|to| to == steps);
        let together = (from + 1..to).all(|step| is_weight_by_pods(was, step));
        if !together && !to_the_end {
            return vec![format!("step {to} follows step {from}")];
        }
        left_early(was, from, step.at).filter(|_| to == from + 1).into_iter().collect()
    }
}

/// Why a pause step may not be left yet.
fn left_early(rollout: &Value, index: i64, now: Timestamp) -> Option<String> {
    let steps = rollout["spec"]["strategy"]["canary"]["steps"].as_array()?;
    let pause = steps.get(usize::try_from(index).ok()?)?.get("pause")?;
    let conditions = rollout["status"]["pauseConditions"].as_array().into_iter().flatten();
    let started =
        conditions.into_iter().find(|condition| text(condition, "/reason") == "CanaryPauseStep");
    let Some(started) = started else {
        // Whoever resumes it takes the condition away and leaves the mark that there was one.
        let resumed = rollout["status"]["controllerPause"] == true;
        return (!resumed).then(|| format!("pause {index} never began"));
    };
    let Some(duration) = seconds(&pause["duration"]) else {
        return Some(format!("pause {index} is left and nobody ended it"));
    };
    let passed = now.duration_since(text(started, "/startTime").parse().ok()?);
    (passed < SignedDuration::from_secs(duration))
        .then(|| format!("pause {index} of {duration} s is left after {} s", passed.as_secs()))
}

/// A duration of a step in seconds: a number, or a number with one unit.
fn seconds(duration: &Value) -> Option<i64> {
    if let Some(seconds) = duration.as_i64() {
        return Some(seconds);
    }
    let text = duration.as_str()?;
    let (number, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => 0,
    };
    Some(number.parse::<i64>().ok()? * factor)
}

/// Several weights may come to the same number of pods, and are done together.
fn is_weight_by_pods(rollout: &Value, step: i64) -> bool {
    let canary = &rollout["spec"]["strategy"]["canary"];
    let step = usize::try_from(step).ok().map(|step| &canary["steps"][step]["setWeight"]);
    canary["trafficRouting"].is_null() && step.is_some_and(Value::is_number)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tale, routed};
    use serde_json::{Value, json};

    fn at(index: i64, pauses: &Value) -> Value {
        let mut rollout = routed(2);
        rollout["status"]["stableRS"] = "old".into();
        rollout["status"]["currentPodHash"] = "new".into();
        rollout["status"]["currentStepIndex"] = index.into();
        rollout["status"]["pauseConditions"] = pauses.clone();
        rollout["status"]["controllerPause"] = (!pauses.is_null()).into();
        rollout
    }

    #[track_caller]
    fn check(before: Value, seconds: i64, after: Value, breaches: &[&str]) {
        assert_eq!(Tale::of(before).after(seconds).ours("rollouts", after).breaches(), breaches);
    }

    #[test]
    fn steps_that_are_passed_over_are_found() {
        check(at(0, &json!(null)), 1, at(1, &json!(null)), &[]);
        check(at(0, &json!(null)), 1, at(2, &json!(null)), &["I4: step 2 follows step 0"]);
    }

    #[test]
    fn pauses_that_are_left_are_found() {
        let pause = json!([{"reason": "CanaryPauseStep", "startTime": "1970-01-01T00:00:00Z"}]);
        check(
            at(1, &pause),
            600,
            at(2, &json!(null)),
            &["I4: pause 1 is left and nobody ended it"],
        );
        check(at(3, &pause), 59, at(4, &json!(null)), &["I4: pause 3 of 60 s is left after 59 s"]);
        check(at(3, &pause), 60, at(4, &json!(null)), &[]);
        check(at(1, &json!(null)), 600, at(2, &json!(null)), &["I4: pause 1 never began"]);
        check(at(1, &json!([])), 600, at(2, &json!(null)), &[]);
    }
}
