//! The phase that clients show: the controller's own, unless it has not seen the latest change.

use api::argo::{ObservedGeneration, Rollout};
use plan::rollout::calculated_phase;

/// Phase and message.
pub(crate) fn of(rollout: &Rollout) -> (String, String) {
    let status = rollout.status.clone().unwrap_or_default();
    let progressing = |message: &str| ("Progressing".to_owned(), message.to_owned());
    let noted = status.observed_generation.as_ref().map(ObservedGeneration::as_str);
    if !is_observed(rollout.metadata.generation, noted) {
        return progressing("waiting for rollout spec update to be observed");
    }
    if is_unpausing(rollout) {
        return progressing("waiting for rollout to unpause");
    }
    if !is_workload_observed(rollout) {
        return progressing(
            "waiting for rollout spec update to be observed for the reference workload",
        );
    }
    let calculated = || calculated_phase(rollout);
    let (phase, message) =
        status.phase.map_or_else(calculated, |phase| (phase, status.message.unwrap_or_default()));
    (phase.to_string(), message)
}

/// What is no number counts as observed, as it does upstream: no controller has seen the rollout then, or
/// one that counted otherwise.
fn is_observed(generation: Option<i64>, observed: Option<&str>) -> bool {
    let observed = observed.and_then(|text| text.parse::<i64>().ok());
    observed.is_none_or(|observed| observed >= generation.unwrap_or(0))
}

/// Whether the status speaks of the newest template of the workload, where both sides say which it is.
fn is_workload_observed(rollout: &Rollout) -> bool {
    let annotations = rollout.metadata.annotations.as_ref();
    let newest = annotations.and_then(|all| all.get("rollout.argoproj.io/workload-generation"));
    let status = rollout.status.as_ref();
    let noted = status.and_then(|status| status.workload_observed_generation.as_ref());
    let pair = newest.zip(noted.map(ObservedGeneration::as_str));
    rollout.spec.workload_ref.is_none() || pair.is_none_or(|(newest, noted)| newest == noted)
}

/// Somebody cleared the pause and the controller has not taken it up yet.
fn is_unpausing(rollout: &Rollout) -> bool {
    rollout
        .status
        .as_ref()
        .is_some_and(|status| status.controller_pause && status.pause_conditions.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(object: &Value, phase: &str, message: &str) {
        let mut rollout = json!({
            "metadata": {"name": "web", "generation": 2},
            "spec": {"strategy": {"canary": {}}},
        });
        merge(&mut rollout, object);
        let (found, told) = of(&serde_json::from_value(rollout).unwrap());
        assert_eq!((found.as_str(), told.as_str()), (phase, message), "{object}");
    }

    fn merge(rollout: &mut Value, object: &Value) {
        for (key, value) in object.as_object().unwrap() {
            for (inner, value) in value.as_object().unwrap() {
                rollout[key][inner] = value.clone();
            }
        }
    }

    #[test]
    fn a_rollout_that_no_controller_has_seen_is_judged_by_what_it_says() {
        check(&json!({}), "Progressing", "more replicas need to be updated");
        check(&json!({"spec": {"paused": true}}), "Paused", "manually paused");
    }

    #[test]
    fn a_change_that_was_not_observed_is_waited_for() {
        let status = |observed: Value| json!({"status": {"observedGeneration": observed, "phase": "Healthy"}});
        let waiting = "waiting for rollout spec update to be observed";
        check(&status(json!("1")), "Progressing", waiting);
        for observed in [json!("2"), json!(3), json!("d4f5"), json!("")] {
            check(&status(observed), "Healthy", "");
        }
    }

    #[test]
    fn a_workload_is_waited_for_where_both_sides_say_which_template_it_has() {
        let of = |newest: Value, noted: Value| {
            json!({
                "metadata": {"annotations": {"rollout.argoproj.io/workload-generation": newest}},
                "spec": {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
                "status": {"observedGeneration": "2", "phase": "Degraded", "message": "no", "workloadObservedGeneration": noted},
            })
        };
        let waiting = "waiting for rollout spec update to be observed for the reference workload";
        check(&of(json!("4"), json!("3")), "Progressing", waiting);
        check(&of(json!("4"), json!("4")), "Degraded", "no");
        check(&of(json!("4"), Value::Null), "Degraded", "no");
    }
}
