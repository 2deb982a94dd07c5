//! Invariants of analysis.

use super::{
    Invariant,
    sight::{HASH, Sight, number, owner, rollouts, text},
};
use crate::{history::Step, picture::Picture};
use serde_json::Value;

/// Phases of a run that is over.
const OVER: &[&str] = &["Successful", "Failed", "Error", "Inconclusive"];
/// Where a measurement by a Job names it; how that ends is all that there is of a value.
const JOB: &str = "/metadata/job-name";
/// Values that are no measurement.
const NOTHING: &[&str] = &["", "[]", "NaN", "[NaN]", "null"];

/// I7: at most one run at a time judges one version in one part and one step.
pub(super) struct OneRunEach;

impl Invariant for OneRunEach {
    fn name(&self) -> &'static str {
        "I7"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        let (None, Some(run), Some(_), "analysisruns") =
            (before.before(step), step.after(), &step.by, step.resource.as_str())
        else {
            return Vec::new();
        };
        let part = part(run);
        let mut others = before.within("analysisruns", step.object.namespace());
        let twin = others.find(|other| is_live(other) && self::part(other) == part);
        twin.map(|twin| {
            format!(
                "{} begins while {} judges the same",
                step.object.name(),
                text(twin, "/metadata/name")
            )
        })
        .into_iter()
        .collect()
    }
}

fn is_live(run: &Value) -> bool {
    run["spec"]["terminate"] != true && !OVER.contains(&text(run, "/status/phase"))
}

fn part(run: &Value) -> [&str; 4] {
    let label = |key: &str| text(&run["metadata"]["labels"], &format!("/{key}"));
    [owner(run), label(HASH), label("rollout-type"), label("step-index")]
}

/// I8: what was not measured neither succeeds nor fails, and a run is no better than its metrics.
pub(super) struct VerdictsRestOnMeasurements;

impl Invariant for VerdictsRestOnMeasurements {
    fn name(&self) -> &'static str {
        "I8"
    }

    fn see(&mut self, _: &Picture, step: &Step) -> Vec<String> {
        let (Some(run), Some(_), "analysisruns") = (step.after(), &step.by, step.resource.as_str())
        else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let results = run["status"]["metricResults"].as_array().into_iter().flatten();
        for result in results.clone() {
            let metric = text(result, "/name");
            let measured = result["measurements"].as_array().into_iter().flatten();
            for taken in measured {
                let (phase, value) = (text(taken, "/phase"), text(taken, "/value"));
                let is_nothing = NOTHING.contains(&value) && text(taken, JOB).is_empty();
                if is_nothing && ["Successful", "Failed"].contains(&phase) {
                    found.push(format!("{metric} measured {value:?} and is {phase}"));
                }
            }
        }
        let phase = text(run, "/status/phase");
        let judged: Vec<&str> = results
            .filter(|result| result["dryRun"] != true)
            .map(|result| text(result, "/phase"))
            .collect();
        let contradicts = match phase {
            "Successful" => {
                judged.iter().any(|of| ["Failed", "Error", "Inconclusive"].contains(of))
            }
            "Failed" => !judged.is_empty() && !judged.contains(&"Failed"),
            _ => false,
        };
        if contradicts {
            found.push(format!("the run is {phase} and its metrics are {judged:?}"));
        }
        found
    }
}

/// I8: no release goes past a run that did not succeed, unless a person says so.
pub(super) struct FailuresStop;

impl Invariant for FailuresStop {
    fn name(&self) -> &'static str {
        "I8"
    }

    fn see(&mut self, before: &Picture, step: &Step) -> Vec<String> {
        let (Some(was), Some(now), Some(_), "rollouts") =
            (before.before(step), step.after(), &step.by, step.resource.as_str())
        else {
            return Vec::new();
        };
        let sight = rollouts(before, step.object.namespace())
            .find(|sight| sight.name() == step.object.name());
        let stable = |rollout: &Value| text(rollout, "/status/stableRS").to_owned();
        let is_forced = was["status"]["promoteFull"] == true || was["status"]["abort"] == true;
        let hash = text(now, "/status/currentPodHash");
        let mut found = Vec::new();
        let promotes = stable(was) != stable(now) && !stable(was).is_empty() && stable(now) == hash;
        if let Some(sight) = sight.filter(|_| promotes && !is_forced)
            && let Some(run) = recorded_failure(before, sight)
        {
            found.push(format!("{hash} is promoted and {run} did not succeed"));
        }
        let (from, to) =
            (number(was, "/status/currentStepIndex"), number(now, "/status/currentStepIndex"));
        let is_release = !stable(was).is_empty();
        if let Some(sight) = sight.filter(|_| to == from + 1 && is_release && !is_forced)
            && let Some(run) = unfinished_step(before, sight, from)
        {
            found.push(format!("step {from} is left and {run} has not succeeded"));
        }
        found
    }
}

/// A run that the status of a rollout names, that judges its version, and that went wrong.
fn recorded_failure(picture: &Picture, sight: Sight<'_>) -> Option<String> {
    let status = &sight.rollout["status"];
    let places = [
        &status["canary"]["currentBackgroundAnalysisRunStatus"],
        &status["blueGreen"]["prePromotionAnalysisRunStatus"],
        &status["blueGreen"]["postPromotionAnalysisRunStatus"],
    ];
    places.into_iter().find_map(|place| {
        let run = picture.get("analysisruns", sight.namespace(), text(place, "/name"))?;
        let is_bad = ["Failed", "Error"].contains(&text(run, "/status/phase"));
        let is_its = text(&run["metadata"]["labels"], &format!("/{HASH}"))
            == text(status, "/currentPodHash");
        (is_bad && is_its).then(|| text(run, "/metadata/name").to_owned())
    })
}

/// The run of an analysis step, if there is none or it has not succeeded.
fn unfinished_step(picture: &Picture, sight: Sight<'_>, index: i64) -> Option<String> {
    let steps = sight.strategy()["canary"]["steps"].as_array()?;
    let step = steps.get(usize::try_from(index).ok()?)?;
    step.get("analysis")?;
    let place = &sight.rollout["status"]["canary"]["currentStepAnalysisRunStatus"];
    let name = text(place, "/name");
    let run = picture.get("analysisruns", sight.namespace(), name);
    let succeeded = run.is_some_and(|run| text(run, "/status/phase") == "Successful");
    (!succeeded).then(|| if name.is_empty() { "its analysis".to_owned() } else { name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tale, routed};
    use serde_json::{Value, json};

    fn run(name: &str, status: &Value) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "default",
                "labels": {"rollouts-pod-template-hash": "new", "rollout-type": "Step", "step-index": "1"},
                "ownerReferences": [{"kind": "Rollout", "uid": "u", "controller": true}]},
            "spec": {"metrics": []}, "status": status,
        })
    }

    #[test]
    fn two_runs_for_one_thing_are_found() {
        let tale = Tale::of(routed(2)).ours("analysisruns", run("a", &json!({"phase": "Running"})));
        let two = tale.clone().ours("analysisruns", run("b", &json!(null)));
        assert_eq!(two.breaches(), ["I7: b begins while a judges the same"]);
        let after = tale.ours("analysisruns", run("a", &json!({"phase": "Inconclusive"})));
        assert_eq!(after.ours("analysisruns", run("b", &json!(null))).breaches(), [""; 0]);
    }

    #[test]
    fn verdicts_on_nothing_are_found() {
        let result = |value: &str, phase: &str| {
            json!({"phase": "Running", "metricResults": [{"name": "m", "phase": "Running",
                "measurements": [{"phase": phase, "value": value}]}]})
        };
        let tale = |status| Tale::of(routed(2)).ours("analysisruns", run("a", &status)).breaches();
        assert_eq!(tale(result("[]", "Successful")), ["I8: m measured \"[]\" and is Successful"]);
        assert_eq!(tale(result("[0.5]", "Failed")), [""; 0]);
        assert_eq!(tale(result("", "Error")), [""; 0]);
    }

    #[test]
    fn a_run_better_than_its_metrics_is_found() {
        let status =
            json!({"phase": "Successful", "metricResults": [{"name": "m", "phase": "Error"}]});
        let tale = Tale::of(routed(2)).ours("analysisruns", run("a", &status));
        assert_eq!(tale.breaches(), ["I8: the run is Successful and its metrics are [\"Error\"]"]);
    }

    #[test]
    fn a_step_left_before_its_verdict_is_found() {
        let mut rollout = routed(2);
        rollout["spec"]["strategy"]["canary"]["steps"] =
            json!([{"setWeight": 20}, {"analysis": {}}]);
        rollout["status"]["currentStepIndex"] = 1.into();
        rollout["status"]["stableRS"] = "old".into();
        let tale = Tale::of(rollout.clone());
        rollout["status"]["currentStepIndex"] = 2.into();
        let left = tale.ours("rollouts", rollout);
        assert_eq!(left.breaches(), ["I8: step 1 is left and its analysis has not succeeded"]);
    }

    #[test]
    fn a_promotion_past_a_failure_is_found() {
        let mut rollout = routed(2);
        rollout["status"]["stableRS"] = "old".into();
        rollout["status"]["currentPodHash"] = "new".into();
        rollout["status"]["canary"] = json!({"currentBackgroundAnalysisRunStatus": {"name": "a"}});
        let tale =
            Tale::of(rollout.clone()).ours("analysisruns", run("a", &json!({"phase": "Error"})));
        rollout["status"]["stableRS"] = "new".into();
        let promoted = tale.ours("rollouts", rollout);
        assert_eq!(promoted.breaches(), ["I8: new is promoted and a did not succeed"]);
    }
}
