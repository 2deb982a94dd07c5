//! Bugs of steps, pauses, history and bookkeeping.

use super::{
    Mutant,
    bent::{
        field, is_aborted, is_under_way, kind, merge, newest, seeing, stable, stated, with, without,
    },
    bug, leaderless,
};
use jiff::{SignedDuration, Timestamp};
use plan::rollout::{Observed, plan};
use serde_json::{Value, json};
use std::sync::Arc;
use vocab::{ObjectRef, Plan, Precondition, Write};

pub(super) const MUTANTS: &[Mutant] = &[
    bug(
        "argo_4073_writes_rest_on_nothing",
        "writes are made whatever the object has become meanwhile",
        &["good-canary-by-route", "undo-to-a-revision", "abort-returns"],
        |seen, now| {
            let mut plan = plan(seen, now);
            plan.writes.iter_mut().chain(&mut plan.status).for_each(free);
            plan
        },
    ),
    bug(
        "argo_2050_the_status_runs_ahead",
        "what is going to be done is noted before it is done",
        &["good-canary-by-route", "blue-green-switches", "abort-returns"],
        |seen, now| {
            let mut plan = plan(seen, now);
            let status = plan.status.take();
            plan.writes.splice(0..0, status);
            plan
        },
    ),
    leaderless(
        "argo_2117_two_controllers_work",
        "a controller that does not lead works all the same",
        &["good-canary-by-route", "abort-returns"],
    ),
    bug(
        "argo_720_a_pause_is_skipped",
        "a pause that has not begun counts as over",
        &["good-canary-by-route", "pause-waits"],
        |seen, now| {
            seeing(seen, now, |rollout| {
                if is_at_pause(rollout) {
                    rollout["status"]["controllerPause"] = true.into();
                }
            })
        },
    ),
    bug(
        "argo_720_a_pause_is_waited_for_twice",
        "a timed pause begins again when it is over",
        &["good-canary-by-route", "good-canary-by-pods"],
        |seen, now| {
            seeing(seen, now, |rollout| {
                for pause in
                    rollout["status"]["pauseConditions"].as_array_mut().into_iter().flatten()
                {
                    let started: Option<Timestamp> =
                        pause["startTime"].as_str().and_then(|text| text.parse().ok());
                    if let Some(started) = started {
                        pause["startTime"] =
                            (started + SignedDuration::from_mins(10)).to_string().into();
                    }
                }
            })
        },
    ),
    bug(
        "argo_2522_a_wake_is_lost",
        "nothing is looked at again by itself",
        &["good-canary-by-route", "a-day-of"],
        |seen, now| Plan { wake: None, ..plan(seen, now) },
    ),
    bug(
        "argo_4128_the_deadline_is_ignored",
        "a release that does not progress is waited for without end",
        &["progress-deadline-abort", "argo_4128"],
        |seen, now| {
            seeing(seen, now, |rollout| {
                rollout["spec"]["progressDeadlineSeconds"] = 100_000_000.into();
            })
        },
    ),
    bug(
        "argo_3457_a_deadline_passes_too_soon",
        "the deadline counts from too early",
        &["progress-deadline-abort", "argo_3457", "good-canary-by-route"],
        |seen, now| {
            seeing(seen, now, |rollout| rollout["spec"]["progressDeadlineSeconds"] = 1.into())
        },
    ),
    bug(
        "argo_4265_a_full_promotion_stops_at_a_pause",
        "a full promotion is forgotten while a pause lasts",
        &["promote-full-skips", "argo_4265"],
        |seen, now| {
            seeing(seen, now, |rollout| {
                if rollout["status"]["pauseConditions"]
                    .as_array()
                    .is_some_and(|all| !all.is_empty())
                    || rollout["spec"]["paused"] == true
                {
                    rollout["status"]["promoteFull"] = false.into();
                }
            })
        },
    ),
    bug(
        "argo_3354_a_step_is_passed_over",
        "a step that is done takes the next one with it",
        &["good-canary-by-route"],
        |seen, now| {
            let from = field(seen, "/status/currentStepIndex").as_i64();
            stated(plan(seen, now), |status| {
                if let (Some(from), Some(to)) = (from, status["currentStepIndex"].as_i64())
                    && to == from + 1
                {
                    status["currentStepIndex"] = (to + 1).into();
                }
            })
        },
    ),
    bug(
        "argo_4786_the_status_is_never_written",
        "status writes are dropped",
        &["good-canary-by-pods"],
        |seen, now| Plan { status: None, ..plan(seen, now) },
    ),
    bug(
        "argo_3064_an_abort_keeps_busy",
        "an aborted rollout is written again every second",
        &["abort-by-pods", "argo_3064"],
        |seen, now| {
            let mut planned = plan(seen, now);
            if is_aborted(seen) && planned.writes.is_empty() {
                planned.writes.push(annotation(seen, &now.to_string()));
                planned.wake = Some(now + SignedDuration::from_secs(1));
            }
            planned
        },
    ),
    bug(
        "argo_725_revisions_are_not_counted",
        "every version is revision 1",
        &["argo_725", "undo-to-a-revision", "undo-goes-back"],
        |seen, now| {
            let mut planned = plan(seen, now);
            for write in &mut planned.writes {
                if let Write::Create { object } = write
                    && object["kind"] == "ReplicaSet"
                {
                    object["metadata"]["annotations"]["rollout.argoproj.io/revision"] = "1".into();
                }
            }
            planned
        },
    ),
    bug(
        "argo_813_history_is_never_cut",
        "old versions are never deleted",
        &["argo_813", "revision-history-limit"],
        |seen, now| {
            without(
                plan(seen, now),
                |write| matches!(write, Write::Delete { target, .. } if target.kind == "ReplicaSet"),
            )
        },
    ),
    bug(
        "argo_2939_every_return_skips_the_steps",
        "a release that goes back to an old version is not judged",
        &["undo-goes-back", "rollback-window", "argo_3242"],
        |seen, now| {
            seeing(seen, now, |rollout| {
                rollout["spec"]["rollbackWindow"] = json!({"revisions": 100});
            })
        },
    ),
    bug(
        "argo_4944_pods_keep_the_labels_of_a_role",
        "labels of a role are not taken from pods",
        &["argo_4944", "argo_883"],
        |seen, now| {
            without(
                plan(seen, now),
                |write| matches!(write, Write::Patch { target, .. } if target.kind == "Pod"),
            )
        },
    ),
    bug(
        "argo_4764_events_are_told_twice",
        "one reconcile tells everything twice",
        &["argo_4764", "argo_1099"],
        |seen, now| {
            let mut planned = plan(seen, now);
            planned.events.extend(planned.events.clone());
            planned
        },
    ),
    bug(
        "argo_2258_a_message_grows_with_every_look",
        "an error is wrapped into itself",
        &["argo_2258", "invalid-spec", "argo_1832"],
        |seen, now| {
            let before = field(seen, "/status/message").as_str().unwrap_or_default().to_owned();
            let mut planned = plan(seen, now);
            if !before.is_empty()
                && let Some(Write::Patch { body, .. }) = &mut planned.status
            {
                body["status"]["message"] = format!("could not go on: {before}").into();
            } else if !before.is_empty() {
                let body = json!({"status": {"message": format!("could not go on: {before}")}});
                planned.status = Some(status(seen, body));
            }
            planned.wake = Some(now + SignedDuration::from_secs(5));
            planned
        },
    ),
    bug(
        "flagger_1504_a_field_of_others_is_overwritten",
        "the controller sets what belongs to the owner of the manifest",
        &["good-canary-by-route"],
        |seen, now| {
            let mut planned = plan(seen, now);
            for write in planned.writes.iter_mut().filter(|write| kind(write) == "Service") {
                if let Write::Patch { body, .. } = write {
                    body["spec"]["sessionAffinity"] = "ClientIP".into();
                }
            }
            planned
        },
    ),
    bug(
        "argo_3256_a_template_that_comes_with_a_size_is_not_judged",
        "a new template is taken for a change of size",
        &["argo_3256", "argo_925"],
        |seen, now| {
            let wanted = field(seen, "/spec/replicas").to_string();
            let planned = plan(seen, now);
            let said = newest(seen).and_then(|set| {
                set.metadata.annotations.as_ref()?.get(api::argo::keys::DESIRED_REPLICAS).cloned()
            });
            let mut made = seen.clone();
            let creates = planned.writes.iter().any(
                |write| matches!(write, Write::Create { object } if object["kind"] == "ReplicaSet"),
            );
            if creates && said.is_some_and(|said| said != wanted) && stable(seen).is_none() {
                let template = newest(seen).and_then(|set| set.spec.as_ref()?.template.clone());
                let value = serde_json::to_value(template).unwrap_or_default();
                return seeing(&std::mem::take(&mut made), now, |rollout| {
                    rollout["spec"]["template"] = plain(value);
                });
            }
            planned
        },
    ),
    bug(
        "argo_939_a_failure_is_never_forgotten",
        "a rollout that failed once is aborted again",
        &["retry-begins-again", "argo_3120", "fault-ends"],
        |seen, now| {
            let failed =
                field(seen, "/status/conditions").as_array().into_iter().flatten().any(|one| {
                    one["reason"] == "RolloutRetry" || one["reason"] == "RolloutAborted"
                });
            stated(plan(seen, now), |status| {
                if failed {
                    status["abort"] = true.into();
                }
            })
        },
    ),
    bug(
        "argo_3686_no_version_ever_becomes_stable",
        "a release that went through its steps is never promoted",
        &["good-canary-by-pods"],
        |seen, now| {
            let is_first = field(seen, "/status/stableRS").is_null();
            stated(plan(seen, now), |status| {
                if let Some(status) = status.as_object_mut().filter(|_| !is_first) {
                    status.remove("stableRS");
                }
            })
        },
    ),
    bug(
        "argo_4973_the_autoscaler_sees_too_many",
        "a change of size is not followed",
        &["scale-up-in-the-middle", "autoscaler-in-the-middle"],
        |seen, now| {
            let said = newest(seen).and_then(|set| {
                set.metadata
                    .annotations
                    .as_ref()?
                    .get(api::argo::keys::DESIRED_REPLICAS)?
                    .parse::<i64>()
                    .ok()
            });
            seeing(seen, now, |rollout| {
                if let Some(said) = said.filter(|_| is_under_way(seen)) {
                    rollout["spec"]["replicas"] = said.into();
                }
            })
        },
    ),
    bug(
        "argo_3316_pods_are_not_counted",
        "pods that became ready are never noticed",
        &["good-canary-by-pods"],
        |seen, now| {
            with(seen, now, |seen| {
                for set in &mut seen.replica_sets {
                    Arc::make_mut(set).status = None;
                }
            })
        },
    ),
];

fn is_at_pause(rollout: &Value) -> bool {
    let index = rollout["status"]["currentStepIndex"]
        .as_u64()
        .and_then(|index| usize::try_from(index).ok());
    let steps = rollout["spec"]["strategy"]["canary"]["steps"].as_array();
    let waits = rollout["status"]["pauseConditions"].as_array().is_some_and(|all| !all.is_empty());
    let step = steps.zip(index).and_then(|(steps, index)| steps.get(index));
    !waits && step.is_some_and(|step| step.get("pause").is_some_and(|pause| !pause.is_null()))
}

/// A template without the label that versions carry.
fn plain(mut template: Value) -> Value {
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove(api::argo::keys::POD_TEMPLATE_HASH);
    }
    template
}

fn own(seen: &Observed) -> ObjectRef {
    let metadata = &seen.rollout.metadata;
    let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
    ObjectRef::new(
        api::argo::API_VERSION,
        "Rollout",
        namespace.unwrap_or_default(),
        name.unwrap_or_default(),
    )
}

fn annotation(seen: &Observed, text: &str) -> Write {
    merge(own(seen), json!({"metadata": {"annotations": {"looked-at": text}}}))
}

fn status(seen: &Observed, body: Value) -> Write {
    let (subresource, patch_type) = (vocab::Subresource::Status, vocab::PatchType::Merge);
    Write::Patch {
        target: own(seen),
        subresource,
        patch_type,
        body,
        precondition: Precondition::default(),
    }
}

/// Takes away what a write rests on.
fn free(write: &mut Write) {
    match write {
        Write::Patch { precondition, .. }
        | Write::Delete { precondition, .. }
        | Write::Evict { precondition, .. } => *precondition = Precondition::default(),
        Write::Create { .. } => {}
    }
}
