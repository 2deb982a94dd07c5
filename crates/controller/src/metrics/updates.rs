//! Updates of rollouts that were seen to end.

use api::argo::{Rollout, RolloutDurationStatus};
use plan::rollout::superseded;

/// The times of an update that ended between two looks at a rollout: it has its end in the status now, or
/// another one has begun in its place.
pub(crate) fn ended(before: &Rollout, after: &Rollout) -> Option<RolloutDurationStatus> {
    let (known, times) = (times_of(before), times_of(after)?);
    let overtaken = known.and_then(|known| superseded(known, times));
    let finished = || {
        let is_known = known.and_then(|known| known.finished_at.as_ref());
        times.finished_at.as_ref().filter(|end| is_known != Some(*end)).map(|_| times.clone())
    };
    overtaken.or_else(finished)
}

fn times_of(rollout: &Rollout) -> Option<&RolloutDurationStatus> {
    rollout.status.as_ref()?.duration.as_ref()
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;
    use serde_json::{Value, json};

    fn rollout(times: &Value) -> Rollout {
        serde_json::from_value(
            json!({"metadata": {}, "spec": {"strategy": {}}, "status": {"duration": times}}),
        )
        .unwrap()
    }

    #[test]
    fn an_update_that_another_one_overtakes_is_timed_as_superseded() {
        let first = rollout(&json!({"rolloutStartedAt": "2026-01-01T00:00:00Z"}));
        let second = rollout(&json!({"rolloutStartedAt": "2026-01-01T00:01:00Z"}));
        assert_eq!(ended(&first, &first), None);
        let metrics = Metrics::default();
        metrics.time_update(&ended(&first, &second).unwrap());
        let text = metrics.render();
        let expected = "rollout_duration_seconds_sum{status=\"Superseded\"} 60";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn an_update_is_timed_once_when_it_ends() {
        let running = rollout(&json!({"rolloutStartedAt": "2026-01-01T00:00:00Z"}));
        let whole = rollout(&json!({"rolloutStartedAt": "2026-01-01T00:00:00Z",
            "finishedAt": "2026-01-01T00:01:00Z", "completionStatus": "Promoted"}));
        let found = ended(&running, &whole).unwrap();
        assert_eq!(found.completion_status.as_deref(), Some("Promoted"));
        assert_eq!(ended(&whole, &whole), None);
    }
}
