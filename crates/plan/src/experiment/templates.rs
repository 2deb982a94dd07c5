//! One template: its ReplicaSet, its service, and how it stands.

use super::{draft::Draft, replica_sets, replica_sets::Resized, services, subject::Subject};
use crate::rollout::{Wait, pods, sets::SetExt};
use api::argo::{TemplateSpec, TemplateStatus, TemplateStatusCode};
use jiff::SignedDuration;
use k8s_openapi::{api::apps::v1::ReplicaSet, apimachinery::pkg::apis::meta::v1::Time};
use vocab::EventType;

/// How long after its deadline a template is looked at.
const DEADLINE_SLACK: SignedDuration = SignedDuration::from_secs(1);

/// How long nothing moves before a template's message says what is waited for.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// Brings a template to what it should be and says how it stands.
pub(super) fn reconcile(subject: &Subject<'_>, template: &TemplateSpec, draft: &mut Draft) {
    let before = subject.template_status(&template.name).cloned().unwrap_or_else(|| {
        TemplateStatus { name: template.name.clone(), ..TemplateStatus::default() }
    });
    let mut status = before.clone();
    let wanted = subject.wanted(template);
    let set = subject.set_of(&template.name);
    let resized = match set {
        None => replica_sets::create(subject, template, &mut status, draft),
        Some(set) => replica_sets::resize(subject, template, (set, wanted), (&mut status, draft)),
    };
    services::reconcile(subject, template, (set, wanted), &mut status, draft);
    count(set, &mut status);
    if resized == Resized::Yes || counts(&before) != counts(&status) {
        status.last_transition_time = Some(Time(subject.now));
    }
    assess(subject, (set, wanted), &mut status, draft);
    tell(subject, &before, &status, draft);
    put(status, draft);
}

fn count(set: Option<&ReplicaSet>, status: &mut TemplateStatus) {
    status.replicas = set.map_or(0, SetExt::actual);
    status.updated_replicas = status.replicas;
    status.ready_replicas = set.map_or(0, SetExt::ready);
    status.available_replicas = set.map_or(0, SetExt::available);
}

fn counts(status: &TemplateStatus) -> [i32; 4] {
    let TemplateStatus { replicas, updated_replicas, ready_replicas, available_replicas, .. } =
        *status;
    [replicas, updated_replicas, ready_replicas, available_replicas]
}

/// Works out the word for a template; one that is done stays so.
fn assess(
    subject: &Subject<'_>,
    (set, wanted): (Option<&ReplicaSet>, i32),
    status: &mut TemplateStatus,
    draft: &mut Draft,
) {
    if status.status.is_some_and(TemplateStatusCode::completed) {
        return;
    }
    // Only what ended a template stays; what it waited for is said anew.
    status.message = None;
    let code = if subject.is_terminating() {
        TemplateStatusCode::Successful
    } else if wanted == status.available_replicas {
        running(subject, draft)
    } else {
        progressing(subject, (set, wanted), status, draft)
    };
    status.status = Some(code);
}

fn running(subject: &Subject<'_>, draft: &mut Draft) -> TemplateStatusCode {
    if subject.has_run_its_time() {
        return TemplateStatusCode::Successful;
    }
    if subject.status.available_at.is_some() {
        let until = subject.ends_at();
        draft.wait(Wait::Duration { until });
        if let Some(until) = until {
            draft.wake_at(until);
        }
    }
    TemplateStatusCode::Running
}

fn progressing(
    subject: &Subject<'_>,
    (set, wanted): (Option<&ReplicaSet>, i32),
    status: &mut TemplateStatus,
    draft: &mut Draft,
) -> TemplateStatusCode {
    let seconds = subject.progress_deadline_seconds();
    let since = status.last_transition_time.as_ref().map_or(subject.now, |time| time.0);
    let attended = subject.observed.attended_since.map_or(since, |attended| attended.max(since));
    let deadline = attended + SignedDuration::from_secs(i64::from(seconds));
    if deadline < subject.now {
        let name = &status.name;
        status.message =
            Some(format!("Template '{name}' exceeded its progressDeadlineSeconds ({seconds})"));
        return TemplateStatusCode::Failed;
    }
    draft.wake_at(deadline + DEADLINE_SLACK);
    let why = set.map(|set| pods::why_not_ready(&subject.observed.pods, set, subject.now));
    let wait = Wait::Pods {
        replica_set: format!("{}-{}", subject.name(), status.name),
        available: status.available_replicas,
        wanted,
        why: why.unwrap_or_default(),
    };
    let due = since + PATIENCE;
    if due <= subject.now {
        status.message = Some(wait.reason().message);
    } else {
        draft.wake_at(due);
    }
    draft.wait(wait);
    TemplateStatusCode::Progressing
}

fn tell(subject: &Subject<'_>, before: &TemplateStatus, after: &TemplateStatus, draft: &mut Draft) {
    let Some(code) = after.status.filter(|_| before.status != after.status) else { return };
    let from = before.status.map_or("", TemplateStatusCode::as_str);
    let mut message = format!("Template '{}' transitioned from {from} -> {code}", after.name);
    if let Some(why) = after.message.as_deref().filter(|why| !why.is_empty()) {
        message = format!("{message}: {why}");
    }
    let bad = matches!(code, TemplateStatusCode::Failed | TemplateStatusCode::Error);
    let event_type = if bad { EventType::Warning } else { EventType::Normal };
    draft.event(subject, event_type, &format!("Template{code}"), message);
}

fn put(status: TemplateStatus, draft: &mut Draft) {
    let statuses = &mut draft.status.template_statuses;
    match statuses.iter_mut().find(|found| found.name == status.name) {
        Some(found) => *found = status,
        None => statuses.push(status),
    }
}
