//! Updates of rollouts that were seen to end.

use api::argo::RolloutDurationStatus;
use plan::rollout::superseded;
use serde::Deserialize;

/// All that is read of a rollout here.
#[derive(Deserialize)]
struct Timed {
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Status {
    duration: Option<RolloutDurationStatus>,
}

/// The times of the updates that ended between two looks at a rollout: one has its end in the status now, and
/// another one may have begun in the place of one that was under way.
pub(crate) fn ended(before: &str, after: &str) -> Vec<RolloutDurationStatus> {
    let (known, Some(times)) = (times_of(before), times_of(after)) else { return Vec::new() };
    let overtaken = known.as_ref().and_then(|known| superseded(known, &times));
    let is_known = known.as_ref().and_then(|known| known.finished_at.as_ref());
    let finished = times.finished_at.as_ref().filter(|end| is_known != Some(*end));
    overtaken.into_iter().chain(finished.map(|_| times.clone())).collect()
}

fn times_of(rollout: &str) -> Option<RolloutDurationStatus> {
    serde_json::from_str::<Timed>(rollout).ok()?.status?.duration
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;
    use serde_json::{Value, json};

    fn rollout(times: &Value) -> String {
        json!({"metadata": {}, "spec": {"strategy": {}}, "status": {"duration": times}}).to_string()
    }

    #[test]
    fn an_update_that_another_one_overtakes_is_timed_as_superseded() {
        let first = rollout(&json!({"rolloutStartedAt": "2026-01-01T00:00:00Z"}));
        let second = rollout(&json!({"rolloutStartedAt": "2026-01-01T00:01:00Z"}));
        assert!(ended(&first, &first).is_empty());
        let metrics = Metrics::default();
        for times in ended(&first, &second) {
            metrics.time_update(&times);
        }
        let text = metrics.render();
        let expected = "rollout_duration_seconds_sum{status=\"Superseded\"} 60";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn an_update_is_timed_once_when_it_ends() {
        let running = rollout(&json!({"rolloutStartedAt": "2026-01-01T00:00:00Z"}));
        let whole = rollout(&json!({"rolloutStartedAt": "2026-01-01T00:00:00Z",
            "finishedAt": "2026-01-01T00:01:00Z", "completionStatus": "Promoted"}));
        assert_eq!(words(&ended(&running, &whole)), ["Promoted"]);
        assert!(ended(&whole, &whole).is_empty());
    }

    #[test]
    fn an_update_that_is_first_seen_when_it_has_ended_is_timed_beside_the_one_it_overtook() {
        let first = rollout(&json!({"rolloutStartedAt": "2026-01-01T00:00:00Z"}));
        let second = rollout(&json!({"rolloutStartedAt": "2026-01-01T00:01:00Z",
            "finishedAt": "2026-01-01T00:03:00Z", "completionStatus": "Promoted"}));
        assert_eq!(words(&ended(&first, &second)), ["Superseded", "Promoted"]);
    }

    fn words(ended: &[RolloutDurationStatus]) -> Vec<&str> {
        ended.iter().filter_map(|times| times.completion_status.as_deref()).collect()
    }
}
