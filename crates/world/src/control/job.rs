//! Job: pods until enough have succeeded, or too many have failed, or time is up.

use crate::{
    effect::{Decision, Effect, Grace},
    objects::{
        Words, is_active, is_controlled_by, name_of, phase_of, pod_from, ready_since, reference,
        stamp, uid_of, whole,
    },
    spans,
};
use jiff::Timestamp;
use k8s_openapi::api::{
    batch::v1::{Job, JobCondition, JobSpec, JobStatus, UncountedTerminatedPods},
    core::v1::Pod,
};
use std::time::Duration;

/// The wait after the first failed pod; it doubles with each further one.
const FIRST_BACK_OFF: Duration = Duration::from_secs(10);
/// The longest wait after a failed pod.
const LONGEST_BACK_OFF: Duration = Duration::from_mins(10);
/// Failed pods that a Job bears when it does not say.
const BACK_OFF_LIMIT: i32 = 6;

/// A Job with its pods sorted by what became of them.
struct Look<'a> {
    job: &'a Job,
    spec: &'a JobSpec,
    active: Vec<&'a Pod>,
    succeeded: i32,
    failed: i32,
    last_failure: Option<Timestamp>,
    now: Timestamp,
}

/// Decides for one Job, given the pods of its namespace.
pub(crate) fn decide(job: &Job, pods: &[&Pod], now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    let Some(spec) = &job.spec else { return decision };
    if job.metadata.deletion_timestamp.is_some() {
        return decision;
    }
    if let Some(at) = ended_at(job) {
        expire(job, spec, at, now, &mut decision);
        return decision;
    }
    let look = Look::new(job, spec, pods, now);
    let end = look.end();
    if end.is_some() || spec.suspend == Some(true) {
        look.active.iter().for_each(|pod| decision.push(deletion(pod)));
    } else {
        look.start_pods(&mut decision);
    }
    let old = job.status.clone().unwrap_or_default();
    let new = look.status(&old, end, &mut decision);
    decision.settle(&reference(job), &old, &new);
    decision
}

fn deletion(pod: &Pod) -> Effect {
    Effect::Delete { target: reference(pod), uid: pod.metadata.uid.clone(), grace: Grace::Asked }
}

fn ended_at(job: &Job) -> Option<Timestamp> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let last =
        |c: &&JobCondition| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True";
    let ended = conditions.iter().find(last)?;
    Some(ended.last_transition_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0))
}

fn expire(job: &Job, spec: &JobSpec, ended: Timestamp, now: Timestamp, decision: &mut Decision) {
    let Some(seconds) = spec.ttl_seconds_after_finished else { return };
    let at = spans::after_seconds(ended, i64::from(seconds));
    if at > now {
        return decision.wake_at(at);
    }
    let uid = job.metadata.uid.clone();
    decision.push(Effect::Delete { target: reference(job), uid, grace: Grace::Asked });
}

/// How a Job ended.
enum End {
    Complete,
    Failed(&'static str, &'static str),
}

impl<'a> Look<'a> {
    fn new(job: &'a Job, spec: &'a JobSpec, pods: &[&'a Pod], now: Timestamp) -> Self {
        let uid = uid_of(&job.metadata);
        let owned: Vec<&Pod> =
            pods.iter().copied().filter(|pod| is_controlled_by(&pod.metadata, uid)).collect();
        let of = |phase: &str| owned.iter().filter(|pod| phase_of(pod) == phase).count();
        let before = job.status.clone().unwrap_or_default();
        let active: Vec<&Pod> = owned.iter().copied().filter(|pod| is_active(pod)).collect();
        let restarts: i32 = active.iter().map(|pod| super::replica_set::restarts(pod)).sum();
        // Pods that ended and were deleted since stay counted.
        let failed = count(of("Failed")).max(before.failed.unwrap_or(0));
        Self {
            job,
            spec,
            succeeded: count(of("Succeeded")).max(before.succeeded.unwrap_or(0)),
            failed: failed + restarts,
            last_failure: owned
                .iter()
                .filter(|pod| phase_of(pod) == "Failed")
                .filter_map(|pod| end_of(pod))
                .max(),
            active,
            now,
        }
    }

    fn wanted(&self) -> i32 {
        self.spec.completions.unwrap_or(1)
    }

    /// When the active deadline passes, if there is one.
    fn deadline(&self) -> Option<Timestamp> {
        let started = self.job.status.as_ref()?.start_time.as_ref()?.0;
        Some(spans::after_seconds(started, self.spec.active_deadline_seconds?))
    }

    fn end(&self) -> Option<End> {
        let no_count =
            self.spec.completions.is_none() && self.spec.parallelism.is_some_and(|many| many > 1);
        let enough = if no_count {
            self.succeeded > 0 && self.active.is_empty()
        } else {
            self.succeeded >= self.wanted()
        };
        if enough {
            return Some(End::Complete);
        }
        if self.failed > self.spec.backoff_limit.unwrap_or(BACK_OFF_LIMIT) {
            return Some(End::Failed(
                "BackoffLimitExceeded",
                "Job has reached the specified backoff limit",
            ));
        }
        let late = self.deadline().is_some_and(|at| at <= self.now);
        late.then_some(End::Failed(
            "DeadlineExceeded",
            "Job was active longer than specified deadline",
        ))
    }

    fn start_pods(&self, decision: &mut Decision) {
        let parallel = self.spec.parallelism.unwrap_or(1);
        let open = match self.spec.completions {
            Some(wanted) => (wanted - self.succeeded).min(parallel),
            None if self.succeeded > 0 => 0,
            None => parallel,
        };
        let missing = open - count(self.active.len());
        if missing <= 0 {
            return;
        }
        if let Some(at) = self.last_failure.map(|last| spans::after(last, self.back_off()))
            && at > self.now
        {
            return decision.wake_at(at);
        }
        let pod = whole(&self.pod());
        (0..missing).for_each(|_| decision.push(Effect::Create(pod.clone())));
    }

    fn back_off(&self) -> Duration {
        let doublings = u32::try_from(self.failed - 1).unwrap_or(0).min(6);
        (FIRST_BACK_OFF * 2_u32.pow(doublings)).min(LONGEST_BACK_OFF)
    }

    fn pod(&self) -> Pod {
        let name = name_of(&self.job.metadata);
        let mut pod = pod_from(self.job, &self.spec.template, name);
        let uid = uid_of(&self.job.metadata).to_owned();
        let labels = pod.metadata.labels.get_or_insert_with(Words::new);
        for (key, value) in [
            ("batch.kubernetes.io/controller-uid", uid.as_str()),
            ("batch.kubernetes.io/job-name", name),
            ("controller-uid", uid.as_str()),
            ("job-name", name),
        ] {
            labels.insert(key.into(), value.into());
        }
        pod
    }

    fn status(&self, old: &JobStatus, end: Option<End>, decision: &mut Decision) -> JobStatus {
        let mut new = old.clone();
        let ready = self.active.iter().filter(|pod| ready_since(pod).is_some()).count();
        new.active = (!self.active.is_empty()).then(|| count(self.active.len()));
        new.ready = Some(count(ready));
        new.succeeded = (self.succeeded > 0).then_some(self.succeeded);
        new.failed = (self.failed > 0).then_some(self.failed);
        new.terminating = Some(0);
        new.uncounted_terminated_pods = Some(UncountedTerminatedPods::default());
        if self.spec.suspend == Some(true) {
            new.start_time = None;
        } else if new.start_time.is_none() {
            new.start_time = stamp(self.now);
        }
        if let Some(end) = end {
            new.active = None;
            new.ready = Some(0);
            self.close(&mut new, &end, decision);
        } else if let Some(at) = self.deadline() {
            decision.wake_at(at);
        } else if let Some(seconds) = self.spec.active_deadline_seconds {
            decision.wake_at(spans::after_seconds(self.now, seconds));
        }
        new
    }

    fn close(&self, status: &mut JobStatus, end: &End, decision: &mut Decision) {
        let conditions = status.conditions.get_or_insert_default();
        let (before, last, reason, message) = match *end {
            End::Complete => (
                "SuccessCriteriaMet",
                "Complete",
                "CompletionsReached",
                "Reached expected number of succeeded pods",
            ),
            End::Failed(reason, message) => ("FailureTarget", "Failed", reason, message),
        };
        for kind in [before, last] {
            conditions.push(JobCondition {
                type_: kind.into(),
                status: "True".into(),
                reason: Some(reason.into()),
                message: Some(message.into()),
                last_probe_time: stamp(self.now),
                last_transition_time: stamp(self.now),
            });
        }
        if matches!(end, End::Complete) {
            status.completion_time = stamp(self.now);
            decision.tell(self.job, "Completed", "Job completed".into());
        } else {
            decision.warn(self.job, reason, message.into());
        }
    }
}

fn end_of(pod: &Pod) -> Option<Timestamp> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let states = statuses.iter().filter_map(|status| status.state.as_ref()?.terminated.as_ref());
    states.filter_map(|ended| ended.finished_at.as_ref()).map(|time| time.0).max()
}

fn count(pods: usize) -> i32 {
    i32::try_from(pods).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{self, second};
    use serde_json::json;

    fn job(spec: &serde_json::Value) -> Job {
        let mut spec = spec.clone();
        spec["template"] = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "busybox"}]}});
        serde_json::from_value(json!({"metadata": {"name": "j", "namespace": "default", "uid": "uid-j"}, "spec": spec})).unwrap()
    }

    fn check(spec: &serde_json::Value, phases: &[&str], fresh: usize, condition: Option<&str>) {
        let job = job(spec);
        let pod =
            |(n, phase): (usize, &&str)| build::pod(&format!("p{n}"), &job).phase(phase).done();
        let pods: Vec<Pod> = phases.iter().enumerate().map(pod).collect();
        let decision = decide(&job, &pods.iter().collect::<Vec<_>>(), second(0));
        let created =
            decision.effects.iter().filter(|effect| matches!(effect, Effect::Create(_))).count();
        assert_eq!(created, fresh, "{spec} {phases:?}");
        let status = decision.effects.iter().find_map(|effect| match effect {
            Effect::Patch { body, .. } => body["status"]["conditions"][1]["type"].as_str(),
            _ => None,
        });
        assert_eq!(status, condition, "{spec} {phases:?}");
    }

    #[test]
    fn pods_run_until_enough_succeeded_or_too_many_failed() {
        check(&json!({}), &[], 1, None);
        check(&json!({"completions": 3, "parallelism": 2}), &["Succeeded"], 2, None);
        check(&json!({"completions": 3, "parallelism": 2}), &["Succeeded", "Succeeded"], 1, None);
        check(&json!({}), &["Succeeded"], 0, Some("Complete"));
        check(&json!({"backoffLimit": 1}), &["Failed"], 1, None);
        check(&json!({"backoffLimit": 0}), &["Failed"], 0, Some("Failed"));
        check(&json!({"suspend": true}), &[], 0, None);
    }

    #[test]
    fn a_job_past_its_deadline_fails() {
        let mut job = job(&json!({"activeDeadlineSeconds": 5}));
        let first = decide(&job, &[], second(0));
        assert_eq!(first.wake, Some(second(5)));
        job.status = Some(JobStatus { start_time: stamp(second(0)), ..JobStatus::default() });
        let late = decide(&job, &[], second(5));
        assert!(late.effects.iter().any(
            |effect| matches!(effect, Effect::Tell(event) if event.reason == "DeadlineExceeded")
        ));
    }
}
