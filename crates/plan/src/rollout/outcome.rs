//! What one look at a rollout comes to, before it is written out.
//!
//! A look that changes nothing but the status is followed by another in the same plan, and only the last
//! status counts. So a status stays a value as long as there is more to come.

use super::{conditions, status};
use api::argo::{Rollout, RolloutPhase, RolloutStatus};
use jiff::Timestamp;
use vocab::{Event, Plan, Reason, Urgency, Write};

/// A plan whose status is not written out yet.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Writes in order.
    pub(super) writes: Vec<Write>,
    /// The status to be, unless it is that already.
    pub(super) status: Option<RolloutStatus>,
    /// Events in order.
    pub(super) events: Vec<Event>,
    /// What is waited for, most important first.
    pub(super) reasons: Vec<Reason>,
    /// Whether the next look finds nothing to do.
    pub(super) is_settled: bool,
    /// When to plan again.
    pub(super) wake: Option<Timestamp>,
}

impl Outcome {
    /// Sets the status to be of `rollout`.
    pub(super) fn with_status(self, rollout: &Rollout, status: RolloutStatus) -> Self {
        let is_new = rollout.status.as_ref() != Some(&status);
        Self { status: Some(status).filter(|_| is_new), ..self }
    }

    /// The status that is all this comes to.
    pub(super) fn status_alone(&self) -> Option<&RolloutStatus> {
        self.status.as_ref().filter(|_| self.writes.is_empty())
    }

    /// The plan for `rollout`, its status as the difference from what is stored.
    pub(super) fn into_plan(self, rollout: &Rollout) -> Plan {
        let Self { writes, status, events, reasons, is_settled, wake } = self;
        let before = rollout.status.as_ref();
        let told = before.zip(status.as_ref());
        let wanted = rollout.spec.replicas.unwrap_or(1);
        let urgency =
            told.map_or(Urgency::AtOnce, |(before, after)| urgency(before, after, wanted));
        let status = status.and_then(|status| status::patch_to(rollout, &status));
        Plan { writes, status, urgency, is_settled, events, reasons, wake }
    }
}

/// How soon people have to know of `after`, who know of `before` and want so many pods.
fn urgency(before: &RolloutStatus, after: &RolloutStatus, wanted: i32) -> Urgency {
    let is_through = conditions::get(after, "Progressing")
        .is_some_and(|progress| progress.reason == conditions::SET_AVAILABLE);
    let is_under_way = !is_through && after.phase == Some(RolloutPhase::Progressing);
    if !tells_little(before, after) || (!is_under_way && replaces_pods(before, after, wanted)) {
        Urgency::AtOnce
    } else if tells_only_reasons(before, after) {
        Urgency::Later
    } else {
        Urgency::Soon
    }
}

/// Whether fewer pods serve than before, and fewer than are wanted, or such as were missing are made again. Of a
/// release that waits or is through that is the news that people look for.
fn replaces_pods(before: &RolloutStatus, after: &RolloutStatus, wanted: i32) -> bool {
    let lost = |of: fn(&RolloutStatus) -> i32| of(after) < of(before) && of(after) < wanted;
    let regained = before.replicas < wanted && after.replicas > before.replicas;
    lost(|status| status.ready_replicas) || lost(|status| status.available_replicas) || regained
}

/// Whether `after` tells nothing else but how many pods there are and what is waited for.
fn tells_little(before: &RolloutStatus, after: &RolloutStatus) -> bool {
    if !conditions::agree(before, after) {
        return false;
    }
    let is_moving = before.phase == Some(RolloutPhase::Progressing);
    let known = RolloutStatus {
        replicas: before.replicas,
        updated_replicas: before.updated_replicas,
        ready_replicas: before.ready_replicas,
        available_replicas: before.available_replicas,
        hpa_replicas: before.hpa_replicas,
        conditions: before.conditions.clone(),
        reasons: before.reasons.clone(),
        message: if is_moving { before.message.clone() } else { after.message.clone() },
        ..after.clone()
    };
    known == *before
}

/// Whether `after` tells nothing else but what is waited for.
fn tells_only_reasons(before: &RolloutStatus, after: &RolloutStatus) -> bool {
    let known = RolloutStatus {
        conditions: before.conditions.clone(),
        reasons: before.reasons.clone(),
        ..after.clone()
    };
    known == *before
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Of a release under way.
    fn check(after: &Value, expected: Urgency) {
        check_from("Progressing", "ReplicaSetUpdated", after, expected);
    }

    fn check_from(phase: &str, progress: &str, after: &Value, expected: Urgency) {
        let condition = json!({
            "type": "Progressing", "status": "True", "reason": progress, "message": "more",
            "lastUpdateTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let known = json!({
            "phase": phase, "message": "more", "conditions": [condition],
            "replicas": 5, "readyReplicas": 5, "availableReplicas": 5,
        });
        let mut changed = known.clone();
        json_patch::merge(&mut changed, after);
        let read = |status: Value| serde_json::from_value::<RolloutStatus>(status).unwrap();
        assert_eq!(urgency(&read(known), &read(changed), 4), expected, "{phase} {after}");
    }

    #[test]
    fn numbers_and_waits_can_wait_and_what_people_act_upon_cannot() {
        check(&json!({"replicas": 3, "updatedReplicas": 1, "readyReplicas": 1}), Urgency::Soon);
        check(&json!({"availableReplicas": 1, "HPAReplicas": 3, "message": "old"}), Urgency::Soon);
        let reasons = json!([{"code": "WaitingForPods", "message": "0 of 1 pods available"}]);
        check(&json!({"reasons": reasons}), Urgency::Later);
        check(&json!({"reasons": reasons, "message": "old"}), Urgency::Soon);
        check(&json!({"reasons": reasons, "phase": "Paused"}), Urgency::AtOnce);
        check(&json!({"phase": "Paused"}), Urgency::AtOnce);
        check(&json!({"phase": "Degraded", "message": "no"}), Urgency::AtOnce);
        check(&json!({"currentStepIndex": 1}), Urgency::AtOnce);
        check(&json!({"replicas": 3, "abort": true}), Urgency::AtOnce);
        let progressing = |reason: &str, second: u32| {
            json!({"conditions": [{
                "type": "Progressing", "status": "True", "reason": reason, "message": "less",
                "lastUpdateTime": format!("2026-01-01T00:00:0{second}Z"), "lastTransitionTime": "2026-01-01T00:00:00Z",
            }]})
        };
        check(&progressing("ReplicaSetUpdated", 1), Urgency::Later);
        check(&progressing("NewReplicaSetAvailable", 1), Urgency::AtOnce);
        check(&json!({"conditions": []}), Urgency::AtOnce);
    }

    #[test]
    fn that_a_release_at_rest_has_lost_pods_cannot_wait() {
        for phase in ["Healthy", "Progressing", "Degraded"] {
            let check = |after: Value, expected| {
                check_from(phase, "NewReplicaSetAvailable", &after, expected);
            };
            check(json!({"readyReplicas": 3}), Urgency::AtOnce);
            check(json!({"availableReplicas": 3}), Urgency::AtOnce);
            // As many as are wanted are there.
            check(json!({"readyReplicas": 4, "replicas": 4}), Urgency::Soon);
            check(json!({"readyReplicas": 6}), Urgency::Soon);
        }
        let check =
            |after: Value, expected| check_from("Paused", "RolloutPaused", &after, expected);
        check(json!({"readyReplicas": 3}), Urgency::AtOnce);
        check(json!({"readyReplicas": 6}), Urgency::Soon);
    }

    #[test]
    fn that_lost_pods_are_made_again_cannot_wait() {
        let of = |replicas: i32| RolloutStatus {
            phase: Some(RolloutPhase::Paused),
            replicas,
            ..RolloutStatus::default()
        };
        assert_eq!(urgency(&of(3), &of(4), 4), Urgency::AtOnce);
        assert_eq!(urgency(&of(4), &of(5), 4), Urgency::Soon);
        assert_eq!(urgency(&of(4), &of(3), 4), Urgency::Soon);
    }
}
