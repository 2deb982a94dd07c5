//! Promotion, by the rules of upstream's `promote` command.

use crate::{Refused, spec, status};
use serde_json::{Value, json};
use vocab::Write;

/// Ends a pause or, where none is on, skips the running step; never both.
pub(crate) fn next(rollout: &Value) -> Vec<Write> {
    let mut writes = Vec::new();
    let is_paused = rollout
        .pointer("/status/pauseConditions")
        .and_then(Value::as_array)
        .is_some_and(|all| !all.is_empty());
    if is_paused && is_inconclusive(rollout) && flag(rollout, "/status/controllerPause") {
        if let Some(index) = index_after(rollout) {
            let body = json!({ "pauseConditions": null, "controllerPause": false, "currentStepIndex": index });
            writes.push(status(rollout, &body));
        }
    } else if is_paused {
        writes.push(status(rollout, &json!({ "pauseConditions": null })));
    } else if let Some(index) = index_after(rollout) {
        writes
            .push(status(rollout, &json!({ "pauseConditions": null, "currentStepIndex": index })));
    }
    writes.extend(unpause(rollout));
    writes
}

/// Skips everything that is left; nothing when the newest version is stable already.
pub(crate) fn full(rollout: &Value) -> Vec<Write> {
    let hash = |path: &str| rollout.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let mut writes = Vec::new();
    if hash("/status/currentPodHash") != hash("/status/stableRS") {
        writes.push(status(rollout, &json!({ "promoteFull": true })));
    }
    writes.extend(unpause(rollout));
    writes
}

/// Goes on with the next step.
pub(crate) fn skip_step(rollout: &Value) -> Result<Vec<Write>, Refused> {
    check_steps(rollout)?;
    let body = |index| status(rollout, &json!({ "currentStepIndex": index }));
    Ok(index_after(rollout).map(body).into_iter().collect())
}

/// Goes on behind the last step.
pub(crate) fn skip_all_steps(rollout: &Value) -> Result<Vec<Write>, Refused> {
    check_steps(rollout)?;
    let body = |steps| status(rollout, &json!({ "currentStepIndex": steps }));
    Ok(steps(rollout).map(body).into_iter().collect())
}

fn check_steps(rollout: &Value) -> Result<(), Refused> {
    let strategy = |name: &str| rollout.pointer(&format!("/spec/strategy/{name}")).is_some();
    if strategy("blueGreen") {
        return Err(Refused::BlueGreenHasNoSteps);
    }
    if strategy("canary") && steps(rollout).unwrap_or(0) == 0 {
        return Err(Refused::NoSteps);
    }
    Ok(())
}

/// How many steps a canary has.
fn steps(rollout: &Value) -> Option<u64> {
    let steps = rollout.pointer("/spec/strategy/canary/steps")?.as_array()?;
    Some(steps.len() as u64)
}

fn unpause(rollout: &Value) -> Option<Write> {
    flag(rollout, "/spec/paused").then(|| spec(rollout, &json!({ "paused": false })))
}

fn flag(rollout: &Value, path: &str) -> bool {
    rollout.pointer(path).and_then(Value::as_bool).unwrap_or(false)
}

fn is_inconclusive(rollout: &Value) -> bool {
    let path = "/status/canary/currentStepAnalysisRunStatus/status";
    rollout.pointer(path).and_then(Value::as_str) == Some("Inconclusive")
}

/// The step after the current one, at most one past the last; `None` without canary steps.
fn index_after(rollout: &Value) -> Option<u64> {
    let steps = steps(rollout)?;
    let index = rollout.pointer("/status/currentStepIndex").and_then(Value::as_u64).unwrap_or(0);
    (steps > 0).then(|| (index + 1).min(steps.max(index)))
}

#[cfg(test)]
mod tests {
    use crate::{Action, Subject};
    use serde_json::{Value, json};
    use vocab::Write;

    fn bodies(action: &Action, rollout: &Value) -> Vec<Value> {
        let subject = Subject { rollout, replica_sets: &[], workload: None };
        let body = |write| match write {
            Write::Patch { body, .. } => body,
            other => panic!("not a patch: {other:?}"),
        };
        action.writes(subject).unwrap().into_iter().map(body).collect()
    }

    fn canary(status: &Value) -> Value {
        json!({ "spec": { "strategy": { "canary": { "steps": [{ "setWeight": 20 }, { "pause": {} }] } } }, "status": status })
    }

    #[test]
    fn a_pause_is_ended_without_touching_the_step() {
        let rollout = canary(
            &json!({ "currentStepIndex": 1, "pauseConditions": [{ "reason": "CanaryPauseStep" }] }),
        );
        assert_eq!(
            bodies(&Action::Promote, &rollout),
            [json!({ "status": { "pauseConditions": null } })]
        );
    }

    #[test]
    fn a_running_step_is_skipped_but_never_past_the_end() {
        for (index, after) in [(0, 1), (1, 2), (2, 2)] {
            let rollout = canary(&json!({ "currentStepIndex": index }));
            let wanted =
                json!({ "status": { "pauseConditions": null, "currentStepIndex": after } });
            assert_eq!(bodies(&Action::Promote, &rollout), [wanted]);
        }
    }

    #[test]
    fn an_inconclusive_analysis_is_passed_over() {
        let rollout = canary(&json!({
            "currentStepIndex": 0, "controllerPause": true, "pauseConditions": [{ "reason": "InconclusiveAnalysisRun" }],
            "canary": { "currentStepAnalysisRunStatus": { "status": "Inconclusive" } },
        }));
        let wanted = json!({ "status": { "pauseConditions": null, "controllerPause": false, "currentStepIndex": 1 } });
        assert_eq!(bodies(&Action::Promote, &rollout), [wanted]);
    }

    #[test]
    fn full_promotion_of_a_stable_rollout_writes_nothing() {
        let rollout = canary(&json!({ "currentPodHash": "a", "stableRS": "a" }));
        assert_eq!(bodies(&Action::PromoteFull, &rollout), Vec::<Value>::new());
    }

    #[test]
    fn skipped_steps_leave_a_pause_as_it_is() {
        let rollout = canary(
            &json!({ "currentStepIndex": 0, "pauseConditions": [{ "reason": "CanaryPauseStep" }] }),
        );
        for (action, index) in [(Action::SkipStep, 1), (Action::SkipAllSteps, 2)] {
            let wanted = json!({ "status": { "currentStepIndex": index } });
            assert_eq!(bodies(&action, &rollout), [wanted]);
        }
    }

    #[test]
    fn steps_that_are_not_there_cannot_be_skipped() {
        for (strategy, words) in [
            ("blueGreen", "Cannot skip steps of a bluegreen rollout. Run without a flags"),
            ("canary", "Cannot skip steps of a rollout without steps"),
        ] {
            let rollout = json!({ "spec": { "strategy": { strategy: {} } } });
            let subject = Subject { rollout: &rollout, replica_sets: &[], workload: None };
            for action in [Action::SkipStep, Action::SkipAllSteps] {
                assert_eq!(action.writes(subject).unwrap_err().to_string(), words);
            }
        }
    }

    #[test]
    fn a_paused_spec_is_resumed_last() {
        let mut rollout = canary(&json!({ "currentPodHash": "b", "stableRS": "a" }));
        rollout["spec"]["paused"] = json!(true);
        let wanted =
            [json!({ "status": { "promoteFull": true } }), json!({ "spec": { "paused": false } })];
        assert_eq!(bodies(&Action::PromoteFull, &rollout), wanted);
    }
}
