//! Tables of the kinds that run pods.

use super::age;
use super::column::{
    AGE, Column, NAME, count, each, integer, items, labels, number, or_none, selector, shown,
    string, text, wide,
};
use jiff::Timestamp;
use serde_json::{Value, json};

const CONTAINERS: Column =
    wide("Containers", |object, _| each(object, "/spec/template/spec/containers", "/name"));
const IMAGES: Column =
    wide("Images", |object, _| each(object, "/spec/template/spec/containers", "/image"));
const SELECTOR: Column = wide("Selector", |object, _| json!(selector(object, "/spec/selector")));

pub(super) const DEPLOYMENT: &[Column] = &[
    NAME,
    text("Ready", |object, _| json!(ready_of_desired(object))),
    count("Up-to-date", |object, _| json!(integer(object, "/status/updatedReplicas"))),
    count("Available", |object, _| json!(integer(object, "/status/availableReplicas"))),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) const REPLICA_SET: &[Column] = &[
    NAME,
    number("Desired", |object, _| json!(integer(object, "/spec/replicas"))),
    number("Current", |object, _| json!(integer(object, "/status/replicas"))),
    number("Ready", |object, _| json!(integer(object, "/status/readyReplicas"))),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) const STATEFUL_SET: &[Column] =
    &[NAME, text("Ready", |object, _| json!(ready_of_desired(object))), AGE, CONTAINERS, IMAGES];

pub(super) const DAEMON_SET: &[Column] = &[
    NAME,
    number("Desired", |object, _| json!(integer(object, "/status/desiredNumberScheduled"))),
    number("Current", |object, _| json!(integer(object, "/status/currentNumberScheduled"))),
    number("Ready", |object, _| json!(integer(object, "/status/numberReady"))),
    number("Up-to-date", |object, _| json!(integer(object, "/status/updatedNumberScheduled"))),
    number("Available", |object, _| json!(integer(object, "/status/numberAvailable"))),
    text("Node Selector", |object, _| json!(labels(object, "/spec/template/spec/nodeSelector"))),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) const JOB: &[Column] = &[
    NAME,
    text("Status", |object, _| json!(job_status(object))),
    text("Completions", |object, _| json!(completions(object))),
    text("Duration", |object, now| json!(job_duration(object, now))),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) const CRON_JOB: &[Column] = &[
    NAME,
    text("Schedule", |object, _| shown(object, "/spec/schedule")),
    text("Timezone", |object, _| {
        json!(or_none(string(object, "/spec/timeZone").unwrap_or_default().to_owned()))
    }),
    Column {
        name: "Suspend",
        kind: "boolean",
        priority: 0,
        cell: |object, _| {
            let suspended = object.pointer("/spec/suspend") == Some(&json!(true));
            json!(if suspended { "True" } else { "False" })
        },
    },
    number("Active", |object, _| json!(items(object, "/status/active").len())),
    text("Last Schedule", |object, now| match string(object, "/status/lastScheduleTime") {
        Some(time) => json!(age::since(Some(time), now)),
        None => json!("<none>"),
    }),
    AGE,
    wide("Containers", |object, _| {
        each(object, "/spec/jobTemplate/spec/template/spec/containers", "/name")
    }),
    wide("Images", |object, _| {
        each(object, "/spec/jobTemplate/spec/template/spec/containers", "/image")
    }),
    wide("Selector", |object, _| json!(selector(object, "/spec/jobTemplate/spec/selector"))),
];

pub(super) const AUTOSCALER: &[Column] = &[
    NAME,
    text("Reference", |object, _| {
        let part = |field: &str| string(object, field).unwrap_or_default();
        json!(format!(
            "{}/{}",
            part("/spec/scaleTargetRef/kind"),
            part("/spec/scaleTargetRef/name")
        ))
    }),
    text("Targets", |object, _| json!(targets(object))),
    text("MinPods", |object, _| match object.pointer("/spec/minReplicas") {
        Some(least) => json!(least.to_string()),
        None => json!("<unset>"),
    }),
    count("MaxPods", |object, _| json!(integer(object, "/spec/maxReplicas"))),
    count("Replicas", |object, _| json!(integer(object, "/status/currentReplicas"))),
    AGE,
];

pub(super) const DISRUPTION_BUDGET: &[Column] = &[
    NAME,
    text("Min Available", |object, _| json!(count_or_percent(object, "/spec/minAvailable"))),
    text("Max Unavailable", |object, _| json!(count_or_percent(object, "/spec/maxUnavailable"))),
    number("Allowed Disruptions", |object, _| json!(integer(object, "/status/disruptionsAllowed"))),
    AGE,
];

pub(super) const CONTROLLER_REVISION: &[Column] = &[
    NAME,
    text("Controller", |object, _| json!(controller(object))),
    number("Revision", |object, _| json!(integer(object, "/revision"))),
    AGE,
];

fn ready_of_desired(object: &Value) -> String {
    format!("{}/{}", integer(object, "/status/readyReplicas"), integer(object, "/spec/replicas"))
}

fn job_status(job: &Value) -> &'static str {
    let holds = |kind: &str| {
        items(job, "/status/conditions").iter().any(|condition| {
            string(condition, "/type") == Some(kind) && string(condition, "/status") == Some("True")
        })
    };
    let known = ["Complete", "Failed"].into_iter().find(|kind| holds(kind));
    match known {
        Some(status) => status,
        None if job.pointer("/metadata/deletionTimestamp").is_some() => "Terminating",
        None if holds("Suspended") => "Suspended",
        None if holds("FailureTarget") => "FailureTarget",
        None if holds("SuccessCriteriaMet") => "SuccessCriteriaMet",
        None => "Running",
    }
}

fn completions(job: &Value) -> String {
    let succeeded = integer(job, "/status/succeeded");
    if job.pointer("/spec/completions").is_some() {
        return format!("{succeeded}/{}", integer(job, "/spec/completions"));
    }
    match integer(job, "/spec/parallelism") {
        parallel if parallel > 1 => format!("{succeeded}/1 of {parallel}"),
        _ => format!("{succeeded}/1"),
    }
}

fn job_duration(job: &Value, now: Timestamp) -> String {
    let time = |field: &str| string(job, field).and_then(|time| time.parse::<Timestamp>().ok());
    let Some(start) = time("/status/startTime") else { return String::new() };
    let end = time("/status/completionTime").unwrap_or(now);
    age::human(end.duration_since(start).as_secs())
}

fn count_or_percent(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).map_or_else(|| "N/A".to_owned(), super::column::plain)
}

fn controller(object: &Value) -> String {
    let owner =
        items(object, "/metadata/ownerReferences").iter().find(|owner| owner["controller"] == true);
    let Some(owner) = owner else { return "<none>".to_owned() };
    let kind = string(owner, "/kind").unwrap_or_default().to_lowercase();
    let group = string(owner, "/apiVersion").and_then(|version| version.split_once('/'));
    let group = group.map(|(group, _)| format!(".{group}")).unwrap_or_default();
    format!("{kind}{group}/{}", string(owner, "/name").unwrap_or_default())
}

/// How many metrics fit in the column before the rest become a count.
const TARGETS_MAX: usize = 2;

fn targets(autoscaler: &Value) -> String {
    let metrics = items(autoscaler, "/spec/metrics");
    if let Some(target) = autoscaler.pointer("/spec/targetCPUUtilizationPercentage") {
        let current = autoscaler.pointer("/status/currentCPUUtilizationPercentage");
        return format!("cpu: {}/{target}%", percent(current));
    }
    if metrics.is_empty() {
        return "<none>".to_owned();
    }
    let current = items(autoscaler, "/status/currentMetrics");
    let shown = metrics.iter().enumerate().take(TARGETS_MAX);
    let shown = shown.map(|(index, metric)| target(metric, current.get(index)));
    let text = shown.collect::<Vec<_>>().join(", ");
    match metrics.len().saturating_sub(TARGETS_MAX) {
        0 => text,
        more => format!("{text} + {more} more..."),
    }
}

/// The field of a metric specification that holds its source, by its type.
fn source(kind: &str) -> &'static str {
    match kind {
        "External" => "external",
        "Pods" => "pods",
        "Object" => "object",
        "ContainerResource" => "containerResource",
        _ => "resource",
    }
}

fn target(metric: &Value, current: Option<&Value>) -> String {
    let kind = string(metric, "/type").unwrap_or_default();
    let spec = &metric[source(kind)];
    let now = current.map_or(&Value::Null, |current| &current[source(kind)]["current"]);
    let resource = string(spec, "/name").map(|name| format!("{name}: ")).unwrap_or_default();
    if let Some(percentage) = spec.pointer("/target/averageUtilization") {
        return format!("{resource}{}/{percentage}%", percent(now.get("averageUtilization")));
    }
    let (field, suffix) = match spec.pointer("/target/averageValue") {
        Some(_) if matches!(kind, "External" | "Object") => ("averageValue", " (avg)"),
        Some(_) => ("averageValue", ""),
        None => ("value", ""),
    };
    let wanted = spec["target"].get(field).map_or("<auto>".to_owned(), super::column::plain);
    let current = now.get(field).map_or("<unknown>".to_owned(), super::column::plain);
    format!("{resource}{current}/{wanted}{suffix}")
}

fn percent(value: Option<&Value>) -> String {
    value
        .filter(|value| !value.is_null())
        .map_or("<unknown>".to_owned(), |value| format!("{value}%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(columns: &[Column], object: &Value, expected: &[Value]) {
        let now: Timestamp = "2026-01-01T00:10:00Z".parse().unwrap();
        let cells: Vec<_> = columns.iter().map(|column| (column.cell)(object, now)).collect();
        assert_eq!(cells, expected);
    }

    #[test]
    fn a_deployment_shows_ready_of_desired_and_its_images() {
        let object = json!({
            "metadata": {"name": "web", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j"}]}},
            },
            "status": {"readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2},
        });
        let expected = ["web", "2/3", "1", "2", "10m", "a,b", "i:1,j", "app=web"]
            .map(|cell| cell.parse::<i64>().map_or_else(|_| json!(cell), |number| json!(number)));
        check(DEPLOYMENT, &object, &expected);
    }

    #[test]
    fn an_autoscaler_without_readings_shows_unknown() {
        let metric = json!({
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
        });
        assert_eq!(targets(&json!({"spec": {"metrics": [metric]}})), "cpu: <unknown>/50%");
    }

    #[test]
    fn a_running_job_counts_its_seconds() {
        let job = json!({
            "spec": {"completions": 2},
            "status": {"succeeded": 1, "startTime": "2026-01-01T00:09:30Z"},
        });
        check(&JOB[1..4], &job, &[json!("Running"), json!("1/2"), json!("30s")]);
    }
}
