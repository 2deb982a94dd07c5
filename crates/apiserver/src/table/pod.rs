//! The table of pods: the one kind whose status is worked out rather than read.

use super::age;
use super::column::{AGE, Column, NAME, integer, items, shown_or, string, text, wide};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) const POD: &[Column] = &[
    NAME,
    text("Ready", |pod, _| {
        let summary = Summary::of(pod);
        json!(format!("{}/{}", summary.ready, summary.containers))
    }),
    text("Status", |pod, _| json!(Summary::of(pod).reason)),
    text("Restarts", |pod, now| json!(Summary::of(pod).restarts(now))),
    AGE,
    wide("IP", |pod, _| shown_or(pod, "/status/podIP", "<none>")),
    wide("Node", |pod, _| shown_or(pod, "/spec/nodeName", "<none>")),
    wide("Nominated Node", |pod, _| shown_or(pod, "/status/nominatedNodeName", "<none>")),
    wide("Readiness Gates", |pod, _| json!(readiness_gates(pod))),
];

struct Summary {
    ready: usize,
    containers: usize,
    reason: String,
    restarts: i64,
    sidecar_restarts: i64,
    last_restart: Option<Timestamp>,
}

enum Init {
    Done,
    Underway,
}

impl Summary {
    fn of(pod: &Value) -> Self {
        let phase = string(pod, "/status/phase").unwrap_or_default();
        let mut summary = Self {
            ready: 0,
            containers: items(pod, "/spec/containers").len(),
            reason: string(pod, "/status/reason").unwrap_or(phase).to_owned(),
            restarts: 0,
            sidecar_restarts: 0,
            last_restart: None,
        };
        if condition(pod, "PodScheduled", "/reason") == Some("SchedulingGated") {
            "SchedulingGated".clone_into(&mut summary.reason);
        }
        summary.containers +=
            items(pod, "/spec/initContainers").iter().filter(|spec| is_sidecar(spec)).count();
        if matches!(summary.read_init(pod), Init::Done) {
            summary.read_containers(pod);
        }
        summary.read_deletion(pod, phase);
        summary
    }

    fn read_init(&mut self, pod: &Value) -> Init {
        let specs = items(pod, "/spec/initContainers");
        for (index, status) in items(pod, "/status/initContainerStatuses").iter().enumerate() {
            let sidecar = specs
                .iter()
                .any(|spec| is_sidecar(spec) && string(spec, "/name") == string(status, "/name"));
            self.count_restarts(status);
            if sidecar {
                self.sidecar_restarts += integer(status, "/restartCount");
            }
            let exit = status.pointer("/state/terminated");
            if exit.is_some_and(|exit| integer(exit, "/exitCode") == 0) {
                continue;
            }
            if sidecar && status["started"] == true {
                self.ready += usize::from(status["ready"] == true);
                continue;
            }
            self.reason = init_reason(status, index, specs.len());
            return Init::Underway;
        }
        Init::Done
    }

    fn read_containers(&mut self, pod: &Value) {
        self.restarts = self.sidecar_restarts;
        let mut running = false;
        for status in items(pod, "/status/containerStatuses").iter().rev() {
            self.count_restarts(status);
            let up = status["ready"] == true && status.pointer("/state/running").is_some();
            if let Some(reason) = stopped_reason(status) {
                self.reason = reason;
            } else if up {
                running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && running {
            let ready = condition(pod, "Ready", "/status") == Some("True");
            if ready { "Running" } else { "NotReady" }.clone_into(&mut self.reason);
        }
    }

    fn read_deletion(&mut self, pod: &Value, phase: &str) {
        if pod.pointer("/metadata/deletionTimestamp").is_none() {
            return;
        }
        if string(pod, "/status/reason") == Some("NodeLost") {
            "Unknown".clone_into(&mut self.reason);
        } else if !matches!(phase, "Succeeded" | "Failed") {
            "Terminating".clone_into(&mut self.reason);
        }
    }

    fn count_restarts(&mut self, status: &Value) {
        self.restarts += integer(status, "/restartCount");
        let finished = string(status, "/lastState/terminated/finishedAt");
        let finished = finished.and_then(|time| time.parse::<Timestamp>().ok());
        self.last_restart = self.last_restart.max(finished);
    }

    fn restarts(&self, now: Timestamp) -> String {
        match self.last_restart {
            Some(at) if self.restarts > 0 => {
                format!("{} ({} ago)", self.restarts, age::human(now.duration_since(at).as_secs()))
            }
            _ => self.restarts.to_string(),
        }
    }
}

fn is_sidecar(spec: &Value) -> bool {
    string(spec, "/restartPolicy") == Some("Always")
}

fn init_reason(status: &Value, index: usize, total: usize) -> String {
    match stopped_reason(status) {
        Some(reason) if reason != "PodInitializing" => format!("Init:{reason}"),
        _ => format!("Init:{index}/{total}"),
    }
}

/// Why a container does not run, if it says so.
fn stopped_reason(status: &Value) -> Option<String> {
    if let Some(reason) = string(status, "/state/waiting/reason") {
        return Some(reason.to_owned());
    }
    let exit = status.pointer("/state/terminated")?;
    Some(match (string(exit, "/reason"), integer(exit, "/signal")) {
        (Some(reason), _) => reason.to_owned(),
        (None, 0) => format!("ExitCode:{}", integer(exit, "/exitCode")),
        (None, signal) => format!("Signal:{signal}"),
    })
}

fn condition<'a>(pod: &'a Value, kind: &str, field: &str) -> Option<&'a str> {
    let mut conditions = items(pod, "/status/conditions").iter();
    string(conditions.find(|condition| string(condition, "/type") == Some(kind))?, field)
}

fn readiness_gates(pod: &Value) -> String {
    let gates = items(pod, "/spec/readinessGates");
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let open = gates.iter().filter_map(|gate| string(gate, "/conditionType"));
    let open = open.filter(|kind| condition(pod, kind, "/status") == Some("True")).count();
    format!("{open}/{}", gates.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: &Value, expected: [&str; 3]) {
        let pod = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}, "status": status});
        let now: Timestamp = "2026-01-01T00:10:00Z".parse().unwrap();
        let cells: Vec<_> = POD[1..4].iter().map(|column| (column.cell)(&pod, now)).collect();
        assert_eq!(cells, expected, "{status}");
    }

    #[test]
    fn a_running_pod_counts_its_ready_containers() {
        let up = json!({"ready": true, "state": {"running": {}}, "restartCount": 0});
        let down = json!({"ready": false, "state": {"running": {}}, "restartCount": 0});
        check(
            &json!({"phase": "Running", "containerStatuses": [up, down]}),
            ["1/2", "Running", "0"],
        );
    }

    #[test]
    fn a_crash_loop_shows_its_reason_and_its_last_restart() {
        let crash = json!({
            "ready": false, "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"finishedAt": "2026-01-01T00:09:18Z"}},
        });
        let status = json!({"phase": "Running", "containerStatuses": [crash]});
        check(&status, ["0/2", "CrashLoopBackOff", "3 (42s ago)"]);
    }

    #[test]
    fn a_container_that_died_of_a_signal_says_which() {
        let dead =
            json!({"restartCount": 0, "state": {"terminated": {"exitCode": 137, "signal": 9}}});
        check(&json!({"phase": "Failed", "containerStatuses": [dead]}), ["0/2", "Signal:9", "0"]);
    }

    #[test]
    fn a_pod_in_its_init_containers_says_how_far() {
        let waiting =
            json!({"restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff"}}});
        let status = json!({"phase": "Pending", "initContainerStatuses": [waiting]});
        check(&status, ["0/2", "Init:ImagePullBackOff", "0"]);
    }
}
