//! What one look at a rollout comes to, before it is written out.
//!
//! A look that changes nothing but the status is followed by another in the same plan, and only the last
//! status counts. So a status stays a value as long as there is more to come.

use super::{conditions, status};
use api::argo::{Rollout, RolloutPhase, RolloutStatus};
use jiff::Timestamp;
use vocab::{Event, Plan, Reason, Write};

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
        let tells_little =
            before.zip(status.as_ref()).is_some_and(|(before, after)| tells_little(before, after));
        let status = status.and_then(|status| status::patch_to(rollout, &status));
        Plan { writes, status, tells_little, is_settled, events, reasons, wake }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(after: &Value, expected: bool) {
        let condition = json!({
            "type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": "more",
            "lastUpdateTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let before = json!({"phase": "Progressing", "message": "more", "replicas": 2, "conditions": [condition]});
        let mut changed = before.clone();
        json_patch::merge(&mut changed, after);
        let read = |status: Value| serde_json::from_value::<RolloutStatus>(status).unwrap();
        assert_eq!(tells_little(&read(before), &read(changed)), expected, "{after}");
    }

    #[test]
    fn numbers_and_waits_can_wait_and_what_people_act_upon_cannot() {
        check(&json!({"replicas": 3, "updatedReplicas": 1, "readyReplicas": 1}), true);
        check(&json!({"availableReplicas": 1, "HPAReplicas": 3, "message": "old"}), true);
        check(&json!({"phase": "Paused"}), false);
        check(&json!({"phase": "Degraded", "message": "no"}), false);
        check(&json!({"currentStepIndex": 1}), false);
        check(&json!({"replicas": 3, "abort": true}), false);
        let progressing = |reason: &str, second: u32| {
            json!({"conditions": [{
                "type": "Progressing", "status": "True", "reason": reason, "message": "less",
                "lastUpdateTime": format!("2026-01-01T00:00:0{second}Z"), "lastTransitionTime": "2026-01-01T00:00:00Z",
            }]})
        };
        check(&progressing("ReplicaSetUpdated", 1), true);
        check(&progressing("NewReplicaSetAvailable", 1), false);
        check(&json!({"conditions": []}), false);
    }
}
