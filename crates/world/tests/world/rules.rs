//! The rules by which pods run, become ready, fail, are restarted and go, on paused time.

use crate::support::{Stage, holds};
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod, PodStatus};
use kube::{
    Api,
    api::{DeleteParams, EvictParams, ListParams, Patch, PatchParams},
    runtime::wait::{await_condition, conditions},
};
use serde_json::{Value, json};
use std::time::Duration;
use world::{Recording, ServePods, WorldConfig};

/// What somebody sees of a pod at one moment, in one line.
fn seen(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let ready = if holds(pod, "Ready") { "ready" } else { "unready" };
    let phase = status.phase.clone().unwrap_or_default();
    let list = |statuses: &Option<Vec<ContainerStatus>>| {
        statuses.iter().flatten().map(container).collect::<Vec<_>>().join(", ")
    };
    let PodStatus { init_container_statuses, container_statuses, .. } = &status;
    let main = list(container_statuses);
    if init_container_statuses.is_none() {
        return format!("{phase} {ready}: {main}");
    }
    format!("{phase} {ready}: [{}] {main}", list(init_container_statuses))
}

fn container(status: &ContainerStatus) -> String {
    let state = status.state.clone().unwrap_or_default();
    let waiting = state.waiting.and_then(|waiting| waiting.reason);
    let ended =
        state.terminated.map(|e| format!("{} {}", e.reason.unwrap_or_default(), e.exit_code));
    let state = waiting.or(ended).unwrap_or_else(|| "running".into());
    if status.restart_count == 0 { state } else { format!("{state} x{}", status.restart_count) }
}

async fn stage() -> Stage {
    Stage::with(WorldConfig {
        serve_pods: ServePods::None,
        recording: Recording::Nothing,
        ..WorldConfig::default()
    })
    .await
}

fn pod(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if spec["containers"].is_null() {
        spec["containers"] = json!([{}]);
    }
    for list in ["containers", "initContainers"] {
        for (number, container) in spec[list].as_array_mut().into_iter().flatten().enumerate() {
            let defaults =
                json!({"name": format!("{}{number}", &list[..1]), "image": "nginx:1.19-alpine"});
            let given = std::mem::replace(container, defaults);
            container.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        }
    }
    json!({"metadata": {"name": "a"}, "spec": spec})
}

/// Runs a pod and looks at it at certain seconds.
async fn check(spec: Value, expected: &[(u64, &str)]) {
    let stage = stage().await;
    stage.create::<Pod>(pod(&spec)).await;
    let mut second = 0;
    for (at, line) in expected {
        tokio::time::sleep(Duration::from_secs(at - second) + Duration::from_millis(1)).await;
        second = *at;
        let pod = stage.api::<Pod>().get("a").await.unwrap();
        assert_eq!(seen(&pod), *line, "after {at} s: {spec} {:#?}", pod.status);
    }
}

/// One ordinary container.
fn one(container: &Value) -> Value {
    json!({"containers": [container]})
}

#[tokio::test(start_paused = true)]
async fn commands_say_how_long_a_container_runs_and_how_it_ends() {
    let never =
        |command: Value| json!({"restartPolicy": "Never", "containers": [{"command": command}]});
    check(
        never(json!(["sleep", "30"])),
        &[
            (1, "Running ready: running"),
            (29, "Running ready: running"),
            (31, "Succeeded unready: Completed 0"),
        ],
    )
    .await;
    check(
        never(json!(["sh", "-c", "sleep 5 && exit 3"])),
        &[(4, "Running ready: running"), (6, "Failed unready: Error 3")],
    )
    .await;
    check(never(json!(["exit", "1"])), &[(0, "Failed unready: Error 1")]).await;
    check(never(json!(["true"])), &[(0, "Succeeded unready: Completed 0")]).await;
    check(never(json!(["/bad-command"])), &[(0, "Failed unready: StartError 128")]).await;
    check(one(&json!({"command": ["sleep", "infinity"]})), &[(9999, "Running ready: running")])
        .await;
    let line = json!({"restartPolicy": "Never", "containers": [{"command": ["sh", "-c", "-x"], "args": ["sleep $(N)s; exit 0"], "env": [{"name": "N", "value": "2"}]}]});
    check(line, &[(1, "Running ready: running"), (3, "Succeeded unready: Completed 0")]).await;
}

#[tokio::test(start_paused = true)]
async fn restarts_come_at_once_then_after_ten_seconds_doubling() {
    let crash = json!({"command": ["sh", "-c", "sleep 1; exit 1"]});
    check(
        one(&crash),
        &[
            (0, "Running ready: running"),
            (1, "Running ready: running x1"),
            (2, "Running unready: CrashLoopBackOff x1"),
            (12, "Running ready: running x2"),
            (13, "Running unready: CrashLoopBackOff x2"),
            (33, "Running ready: running x3"),
            (34, "Running unready: CrashLoopBackOff x3"),
            // 40 + 80 + 160 + 300 s, and a second for each run.
            (616, "Running unready: CrashLoopBackOff x6"),
            (618, "Running unready: CrashLoopBackOff x7"),
            (918, "Running ready: running x8"),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn restart_policies_tell_success_from_failure() {
    let with = |policy: &str, script: &str| json!({"restartPolicy": policy, "containers": [{"command": ["sh", "-c", script]}]});
    check(with("OnFailure", "exit 0"), &[(0, "Succeeded unready: Completed 0")]).await;
    check(
        with("OnFailure", "exit 2"),
        &[
            (0, "Running unready: CrashLoopBackOff x1"),
            (10, "Running unready: CrashLoopBackOff x2"),
        ],
    )
    .await;
    check(with("Always", "exit 0"), &[(0, "Running unready: CrashLoopBackOff x1")]).await;
    check(with("Never", "exit 2"), &[(60, "Failed unready: Error 2")]).await;
    let two = json!({"restartPolicy": "Never", "containers": [{"command": ["true"]}, {"command": ["sleep", "5"]}]});
    check(
        two,
        &[
            (0, "Running unready: Completed 0, running"),
            (6, "Succeeded unready: Completed 0, Completed 0"),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ran_long_is_forgiven() {
    let long = json!({"command": ["sh", "-c", "sleep 11m; exit 1"]});
    check(
        one(&long),
        &[
            (661, "Running ready: running x1"),
            (1322, "Running ready: running x2"),
            (1983, "Running ready: running x3"),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_start_says_so_and_is_tried_again() {
    check(
        one(&json!({"command": ["/bad-command"]})),
        &[
            (0, "Pending unready: RunContainerError"),
            (1, "Running unready: RunContainerError"),
            (2, "Running unready: CrashLoopBackOff x1"),
            (13, "Running unready: CrashLoopBackOff x2"),
        ],
    )
    .await;
    for image in [
        "nginx:1.19-alpine-argo-error",
        "nonexistent-image-that-does-not-exist:latest",
        "argoproj/rollouts-demo:does-not-exist",
    ] {
        check(
            one(&json!({"image": image})),
            &[(0, "Pending unready: ErrImagePull"), (10, "Pending unready: ImagePullBackOff")],
        )
        .await;
    }
    check(one(&json!({"image": "Not An Image"})), &[(0, "Pending unready: InvalidImageName")])
        .await;
    let neighbour = json!({"containers": [{}, {"image": "nginx:1.19-alpine-argo-error"}]});
    check(neighbour, &[(0, "Pending unready: running, ErrImagePull")]).await;
}

#[tokio::test(start_paused = true)]
async fn probes_decide_when_a_container_is_ready_or_dies() {
    let ready = |probe: Value| one(&json!({"readinessProbe": probe}));
    check(
        ready(json!({"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 10})),
        &[(9, "Running unready: running"), (10, "Running ready: running")],
    )
    .await;
    check(
        ready(json!({"tcpSocket": {"port": 80}, "periodSeconds": 4, "successThreshold": 3})),
        &[(7, "Running unready: running"), (8, "Running ready: running")],
    )
    .await;
    check(ready(json!({"exec": {"command": ["false"]}})), &[(300, "Running unready: running")])
        .await;
    check(
        ready(json!({"exec": {"command": ["sh", "-c", "exit 0"]}})),
        &[(0, "Running ready: running")],
    )
    .await;
    let dies = json!({"exec": {"command": ["false"]}, "periodSeconds": 5, "failureThreshold": 2});
    check(
        one(&json!({"livenessProbe": dies})),
        &[
            (5, "Running ready: running"),
            (6, "Running ready: running x1"),
            (12, "Running unready: CrashLoopBackOff x1"),
        ],
    )
    .await;
    let starts = json!({"exec": {"command": ["true"]}, "initialDelaySeconds": 7});
    check(
        one(&json!({"startupProbe": starts, "livenessProbe": dies})),
        &[
            (6, "Running unready: running"),
            (7, "Running ready: running"),
            (13, "Running unready: running x1"),
        ],
    )
    .await;
    check(
        one(&json!({"startupProbe": dies})),
        &[(5, "Running unready: running"), (6, "Running unready: running x1")],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn post_start_holds_a_container_back_and_its_failure_kills_it() {
    let hook = |command: Value| json!({"lifecycle": {"postStart": {"exec": {"command": command}}}});
    check(
        one(&hook(json!(["sleep", "5"]))),
        &[(4, "Pending unready: ContainerCreating"), (5, "Running ready: running")],
    )
    .await;
    let two = json!({"containers": [hook(json!(["sleep", "5"])), {}]});
    check(
        two,
        &[
            (4, "Pending unready: ContainerCreating, ContainerCreating"),
            (5, "Running ready: running, running"),
        ],
    )
    .await;
    check(one(&hook(json!(["false"]))), &[(0, "Running unready: CrashLoopBackOff x1")]).await;
    check(one(&hook(json!(["/app/warm-up"]))), &[(0, "Running ready: running")]).await;
    let sleep = json!({"lifecycle": {"postStart": {"sleep": {"seconds": 3}}}});
    check(one(&sleep), &[(2, "Pending unready: ContainerCreating"), (3, "Running ready: running")])
        .await;
}

#[tokio::test(start_paused = true)]
async fn init_containers_go_first_one_after_the_other() {
    let with = |init: Value| json!({"initContainers": init});
    check(
        with(json!([{"command": ["sleep", "2"]}, {"command": ["sleep", "3"]}])),
        &[
            (1, "Pending unready: [running, PodInitializing] PodInitializing"),
            (3, "Pending unready: [Completed 0, running] PodInitializing"),
            (5, "Running ready: [Completed 0, Completed 0] running"),
        ],
    )
    .await;
    check(with(json!([{}])), &[(0, "Running ready: [Completed 0] running")]).await;
    check(
        with(json!([{"command": ["false"]}])),
        &[
            (0, "Pending unready: [CrashLoopBackOff x1] PodInitializing"),
            (10, "Pending unready: [CrashLoopBackOff x2] PodInitializing"),
        ],
    )
    .await;
    let never = json!({"restartPolicy": "Never", "initContainers": [{"command": ["false"]}]});
    check(never, &[(0, "Failed unready: [Error 1] PodInitializing")]).await;
    check(
        with(json!([{"restartPolicy": "Always", "startupProbe": {"tcpSocket": {"port": 1}, "initialDelaySeconds": 4}}])),
        &[(3, "Pending unready: [running] PodInitializing"), (4, "Running ready: [running] running")],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_with_a_deadline_fails_when_it_passes() {
    check(
        json!({"activeDeadlineSeconds": 20}),
        &[(19, "Running ready: running"), (20, "Failed unready: Error 137")],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_readiness_gate_is_opened_by_somebody_else() {
    let stage = stage().await;
    stage.create::<Pod>(pod(&json!({"readinessGates": [{"conditionType": "lb/ok"}]}))).await;
    let shut = stage.until::<Pod>("a", |pod| holds(pod, "ContainersReady")).await;
    assert!(!holds(&shut, "Ready"));
    for status in ["False", "True"] {
        let gate = json!({"status": {"conditions": [{"type": "lb/ok", "status": status}]}});
        let params = PatchParams::default();
        stage.api::<Pod>().patch_status("a", &params, &Patch::Strategic(gate)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let pod = stage.api::<Pod>().get("a").await.unwrap();
        assert_eq!(holds(&pod, "Ready"), status == "True");
        let ready =
            pod.status.unwrap().conditions.unwrap().into_iter().find(|c| c.type_ == "Ready");
        let because = "the status of pod readiness gate \"lb/ok\" is not \"True\", but False";
        assert_eq!(ready.unwrap().message, (status == "False").then(|| because.to_owned()));
    }
}

/// Seconds from the order to go until a pod is gone.
async fn goes(spec: Value, how: Order) -> i64 {
    let stage = stage().await;
    let pod = stage.create::<Pod>(pod(&spec)).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (api, before) = (stage.api::<Pod>(), stage.elapsed());
    match how {
        Order::Delete => drop(api.delete("a", &DeleteParams::default()).await.unwrap()),
        Order::Evict => drop(api.evict("a", &EvictParams::default()).await.unwrap()),
    }
    let uid = pod.metadata.uid.unwrap();
    let gone = await_condition(api, "a", conditions::is_deleted(&uid));
    tokio::time::timeout(Duration::from_hours(1), gone).await.unwrap().unwrap();
    stage.elapsed() - before
}

#[derive(Clone, Copy)]
enum Order {
    Delete,
    Evict,
}

#[tokio::test(start_paused = true)]
async fn a_pod_goes_after_its_hooks_and_never_later_than_its_grace() {
    let hook = json!({"preStop": {"exec": {"command": ["sleep", "5"]}}});
    for (spec, seconds) in [
        (json!({}), 1),
        (one(&json!({"lifecycle": hook})), 6),
        (json!({"terminationGracePeriodSeconds": 3, "containers": [{"lifecycle": hook}]}), 3),
        (one(&json!({"command": ["sleep", "infinity"]})), 30),
        (
            json!({"terminationGracePeriodSeconds": 1, "containers": [{"command": ["sleep", "infinity"]}]}),
            1,
        ),
        (json!({"restartPolicy": "Never", "containers": [{"command": ["sleep", "25"]}]}), 5),
        (json!({"restartPolicy": "Never", "containers": [{"command": ["true"]}]}), 0),
        (one(&json!({"image": "does-not-exist"})), 0),
        (json!({"terminationGracePeriodSeconds": 0}), 0),
    ] {
        assert_eq!(goes(spec.clone(), Order::Delete).await, seconds, "{spec}");
        assert_eq!(goes(spec.clone(), Order::Evict).await, seconds, "{spec}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_somebody_holds_reports_its_end_before_it_goes() {
    let stage = stage().await;
    let mut object = pod(&json!({}));
    object["metadata"]["finalizers"] = json!(["example.com/hold"]);
    stage.create::<Pod>(object).await;
    stage.until::<Pod>("a", |pod| holds(pod, "Ready")).await;
    stage.api::<Pod>().delete("a", &DeleteParams::default()).await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let held = stage.api::<Pod>().get("a").await.unwrap();
    assert_eq!(seen(&held), "Succeeded unready: Completed 0");
    stage.patch::<Pod>("a", json!({"metadata": {"finalizers": null}})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(stage.api::<Pod>().get_opt("a").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_lost_node_goes_unready_and_takes_its_pods_along_until_it_is_back() {
    let config = WorldConfig { serve_pods: ServePods::None, nodes: 2, ..WorldConfig::default() };
    let stage = Stage::with(config).await;
    for name in ["a", "b", "c"] {
        let mut object = pod(&json!({}));
        object["metadata"]["name"] = json!(name);
        stage.create::<Pod>(object).await;
        stage.until::<Pod>(name, |pod| holds(pod, "Ready")).await;
    }
    let node = |pod: Pod| pod.spec.unwrap().node_name.unwrap();
    assert_eq!(node(stage.api::<Pod>().get("b").await.unwrap()), "ringfence-2");
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(stage.client.clone());
    let lose = async |lost: Value| {
        let order =
            Patch::Merge(json!({"metadata": {"annotations": {"ringfence.dev/lost": lost}}}));
        nodes.patch("ringfence-2", &PatchParams::default(), &order).await.unwrap();
    };
    lose(json!("true")).await;
    tokio::time::sleep(Duration::from_secs(49)).await;
    assert!(holds(&stage.api::<Pod>().get("b").await.unwrap(), "Ready"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!holds(&stage.api::<Pod>().get("b").await.unwrap(), "Ready"));
    let mut late = pod(&json!({}));
    late["metadata"]["name"] = json!("d");
    stage.create::<Pod>(late).await;
    let late = stage.until::<Pod>("d", |pod| holds(pod, "Ready")).await;
    assert_eq!(node(late), "ringfence", "nothing new goes to a node that is lost");
    tokio::time::sleep(Duration::from_secs(301)).await;
    let going = stage.api::<Pod>().get("b").await.unwrap();
    assert!(going.metadata.deletion_timestamp.is_some(), "it is told to go, but nobody hears");
    lose(Value::Null).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(stage.api::<Pod>().get_opt("b").await.unwrap().is_none());
    let back = nodes.get("ringfence-2").await.unwrap();
    assert_eq!(back.spec.unwrap().taints.unwrap_or_default().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_while_its_node_is_cordoned() {
    let stage = Stage::quiet().await;
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(stage.client.clone());
    nodes.cordon("ringfence").await.unwrap();
    stage.create::<Pod>(pod(&json!({}))).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    let waiting = stage.api::<Pod>().get("a").await.unwrap();
    let condition = waiting.status.unwrap().conditions.unwrap().remove(0);
    let found = (condition.reason.unwrap(), condition.message.unwrap());
    assert_eq!(found.0, "Unschedulable");
    assert_eq!(found.1, "0/1 nodes are available: 1 node(s) were unschedulable.");
    nodes.uncordon("ringfence").await.unwrap();
    stage.until::<Pod>("a", |pod| holds(pod, "Ready")).await;
}

#[tokio::test(start_paused = true)]
async fn what_happens_to_containers_is_told_once() {
    let stage = Stage::quiet().await;
    let probe = json!({"exec": {"command": ["false"]}, "periodSeconds": 5, "failureThreshold": 1});
    stage.create::<Pod>(pod(&one(&json!({"livenessProbe": probe})))).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let events = stage.api::<Event>().list(&ListParams::default()).await.unwrap().items;
    let mut told: Vec<String> = events
        .into_iter()
        .map(|event| format!("{}: {}", event.reason.unwrap(), event.message.unwrap()))
        .collect();
    told.sort();
    told.dedup_by(|a, b| a.starts_with("BackOff") && b.starts_with("BackOff"));
    let list = told.join("\n");
    for line in [
        "Killing: Container c0 failed liveness probe, will be restarted",
        "Scheduled: Successfully assigned default/a to ringfence",
        "Started: Started container c0",
        "Unhealthy: Liveness probe failed",
    ] {
        assert!(list.contains(line), "{line} is missing from\n{list}");
    }
}
