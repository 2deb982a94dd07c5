//! The controllers and the kubelet stand-in against the server in the same process, on paused time.

use crate::support::{Stage, deployment, holds, is_complete, service, waits_for};
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    batch::v1::Job,
    core::v1::{Event, Namespace, Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
    runtime::wait::{await_condition, conditions},
};
use serde_json::{Value, json};

fn pod(name: &str, annotations: &Value) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app": name}, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": "argoproj/rollouts-demo:blue"}]},
    })
}

fn image(tag: &str) -> Value {
    json!({"spec": {"template": deployment("web", 1, tag)["spec"]["template"].clone()}})
}

#[tokio::test(start_paused = true)]
async fn a_deployment_becomes_available_and_says_so() {
    let stage = Stage::quiet().await;
    stage.create::<Deployment>(deployment("web", 3, "blue")).await;
    let web = stage.until::<Deployment>("web", is_complete).await;
    let conditions = web.status.unwrap().conditions.unwrap();
    let reason =
        |kind: &str| conditions.iter().find(|c| c.type_ == kind).unwrap().reason.clone().unwrap();
    assert_eq!(reason("Available"), "MinimumReplicasAvailable");
    assert_eq!(reason("Progressing"), "NewReplicaSetAvailable");
    let pods = stage.pods("app=web").await;
    let addresses: std::collections::BTreeSet<_> =
        pods.iter().map(|pod| pod.status.clone().unwrap().pod_ip.unwrap()).collect();
    assert_eq!(addresses.len(), 3);
    assert!(
        pods.iter().all(|pod| holds(pod, "Ready")
            && pod.spec.clone().unwrap().node_name.unwrap() == "ringfence")
    );
    assert_eq!(pods[0].status.clone().unwrap().qos_class.unwrap(), "Burstable");
}

#[tokio::test(start_paused = true)]
async fn a_rolling_update_replaces_every_pod_and_undo_brings_the_old_set_back() {
    let stage = Stage::quiet().await;
    stage.create::<Deployment>(deployment("web", 4, "blue")).await;
    stage.until::<Deployment>("web", is_complete).await;
    stage.patch::<Deployment>("web", image("green")).await;
    stage.until::<Deployment>("web", is_complete).await;
    let list = stage.api::<ReplicaSet>().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(list.len(), 2);

    stage.patch::<Deployment>("web", image("blue")).await;
    let web = stage.until::<Deployment>("web", is_complete).await;
    assert_eq!(web.metadata.annotations.unwrap()["deployment.kubernetes.io/revision"], "3");
    let list = stage.api::<ReplicaSet>().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(list.len(), 2, "the first set is used again");
    for pod in
        stage.pods("app=web").await.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none())
    {
        assert_eq!(
            pod.spec.as_ref().unwrap().containers[0].image.as_deref(),
            Some("argoproj/rollouts-demo:blue")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn scaling_down_takes_the_pods_that_are_not_ready() {
    let stage = Stage::quiet().await;
    stage.create::<Deployment>(deployment("web", 3, "blue")).await;
    stage.until::<Deployment>("web", is_complete).await;
    let victim = stage.pods("app=web").await[1].metadata.name.clone().unwrap();
    stage
        .patch::<Pod>(
            &victim,
            json!({"metadata": {"annotations": {"ringfence.dev/not-ready": "true"}}}),
        )
        .await;
    stage.until::<Pod>(&victim, |pod| !holds(pod, "Ready")).await;
    stage.patch::<Deployment>("web", json!({"spec": {"replicas": 2}})).await;
    stage.until::<Deployment>("web", is_complete).await;
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    let left = stage.pods("app=web").await;
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|pod| pod.metadata.name.as_ref() != Some(&victim)));
}

#[tokio::test(start_paused = true)]
async fn a_stuck_update_is_reported_after_its_deadline() {
    let stage = Stage::quiet().await;
    let mut object = deployment("web", 2, "blue");
    object["spec"]["progressDeadlineSeconds"] = json!(30);
    object["spec"]["template"]["metadata"]["annotations"] =
        json!({"ringfence.dev/image-pull-error": "true"});
    stage.create::<Deployment>(object).await;
    let late = |web: &Deployment| {
        let conditions = web.status.as_ref().and_then(|status| status.conditions.as_ref());
        conditions
            .into_iter()
            .flatten()
            .any(|c| c.reason.as_deref() == Some("ProgressDeadlineExceeded"))
    };
    stage.until::<Deployment>("web", late).await;
    assert!((30..40).contains(&stage.elapsed()), "{}", stage.elapsed());
}

#[tokio::test(start_paused = true)]
async fn delays_are_kept_to_the_second() {
    let stage = Stage::quiet().await;
    let mut object =
        pod("a", &json!({"ringfence.dev/start-delay": "5s", "ringfence.dev/ready-delay": "3s"}));
    object["spec"]["containers"][0]["readinessProbe"] = json!({"httpGet": {"path": "/readyz", "port": 8080}, "initialDelaySeconds": 10, "periodSeconds": 5});
    stage.create::<Pod>(object).await;
    stage.until::<Pod>("a", |pod| waits_for(pod).as_deref() == Some("ContainerCreating")).await;
    stage
        .until::<Pod>("a", |pod| pod.status.as_ref().unwrap().phase.as_deref() == Some("Running"))
        .await;
    assert_eq!(stage.elapsed(), 5);
    stage.until::<Pod>("a", |pod| holds(pod, "Ready")).await;
    assert_eq!(stage.elapsed(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_backs_off_longer_each_time() {
    let stage = Stage::quiet().await;
    stage.create::<Pod>(pod("a", &json!({"ringfence.dev/crash-loop": "true"}))).await;
    stage.until::<Pod>("a", |pod| waits_for(pod).as_deref() == Some("CrashLoopBackOff")).await;
    let restarts = |pod: &Pod| {
        pod.status.as_ref().unwrap().container_statuses.as_ref().unwrap()[0].restart_count
    };
    stage.until::<Pod>("a", |pod| restarts(pod) == 3).await;
    assert!(
        (32..36).contains(&stage.elapsed()),
        "none, 10 and 20 s, and three runs, not {}",
        stage.elapsed()
    );
    assert!(!holds(&stage.api::<Pod>().get("a").await.unwrap(), "Ready"));
}

#[tokio::test(start_paused = true)]
async fn images_that_cannot_run_say_why() {
    let stage = Stage::quiet().await;
    stage.create::<Pod>(pod("missing", &json!({"ringfence.dev/image-pull-error": "true"}))).await;
    stage.until::<Pod>("missing", |pod| waits_for(pod).as_deref() == Some("ErrImagePull")).await;
    stage
        .until::<Pod>("missing", |pod| waits_for(pod).as_deref() == Some("ImagePullBackOff"))
        .await;
    let mut nonsense = pod("nonsense", &json!({}));
    nonsense["spec"]["containers"][0]["image"] = json!("Not An Image");
    stage.create::<Pod>(nonsense).await;
    stage
        .until::<Pod>("nonsense", |pod| waits_for(pod).as_deref() == Some("InvalidImageName"))
        .await;
    stage.create::<Pod>(pod("misread", &json!({"ringfence.dev/start-delay": "soon"}))).await;
    stage
        .until::<Pod>("misread", |pod| {
            waits_for(pod).as_deref() == Some("CreateContainerConfigError")
        })
        .await;
}

fn ready_endpoints(slice: &EndpointSlice) -> usize {
    let ready = |e: &&k8s_openapi::api::discovery::v1::Endpoint| {
        e.conditions.as_ref().unwrap().ready == Some(true)
    };
    slice.endpoints.iter().flatten().filter(ready).count()
}

async fn slice(stage: &Stage) -> EndpointSlice {
    let list = stage.api::<EndpointSlice>().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(list.len(), 1);
    list.into_iter().next().unwrap()
}

#[tokio::test(start_paused = true)]
async fn endpoints_follow_readiness_and_termination() {
    let stage = Stage::quiet().await;
    stage.create::<Service>(service("web")).await;
    stage.create::<Deployment>(deployment("web", 3, "blue")).await;
    stage.until::<Deployment>("web", is_complete).await;
    let name = slice(&stage).await.metadata.name.unwrap();
    let full = stage.until::<EndpointSlice>(&name, |slice| ready_endpoints(slice) == 3).await;
    assert_eq!(full.ports.unwrap()[0].port, Some(8080));

    let first = stage.pods("app=web").await[0].metadata.name.clone().unwrap();
    stage
        .patch::<Pod>(
            &first,
            json!({"metadata": {"annotations": {"ringfence.dev/not-ready": "true"}}}),
        )
        .await;
    stage.until::<EndpointSlice>(&name, |slice| ready_endpoints(slice) == 2).await;

    stage.patch::<Deployment>("web", json!({"spec": {"replicas": 1}})).await;
    let terminating = |slice: &EndpointSlice| {
        slice
            .endpoints
            .iter()
            .flatten()
            .any(|e| e.conditions.as_ref().unwrap().terminating == Some(true))
    };
    stage.until::<EndpointSlice>(&name, terminating).await;
    stage
        .until::<EndpointSlice>(&name, |slice| slice.endpoints.iter().flatten().count() == 1)
        .await;
}

fn job(name: &str, spec: &Value, annotations: &Value) -> Value {
    let mut spec = spec.clone();
    spec["template"] = json!({
        "metadata": {"annotations": annotations},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "work", "image": "busybox"}]},
    });
    json!({"metadata": {"name": name}, "spec": spec})
}

fn ended(job: &Job, kind: &str) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|c| c.type_ == kind && c.status == "True")
}

#[tokio::test(start_paused = true)]
async fn jobs_complete_fail_and_run_out_of_time() {
    let stage = Stage::quiet().await;
    stage
        .create::<Job>(job("good", &json!({"completions": 3, "parallelism": 2}), &json!({})))
        .await;
    let good = stage.until::<Job>("good", |job| ended(job, "Complete")).await;
    assert_eq!(good.status.unwrap().succeeded, Some(3));

    let fails = json!({"ringfence.dev/exit-code": "3", "ringfence.dev/run-for": "2s"});
    stage.create::<Job>(job("bad", &json!({"backoffLimit": 1}), &fails)).await;
    let bad = stage.until::<Job>("bad", |job| ended(job, "Failed")).await;
    assert_eq!(bad.status.unwrap().failed, Some(2));

    let long = json!({"ringfence.dev/run-for": "1h"});
    let before = stage.elapsed();
    stage.create::<Job>(job("long", &json!({"activeDeadlineSeconds": 20}), &long)).await;
    stage.until::<Job>("long", |job| ended(job, "Failed")).await;
    assert!((20..=21).contains(&(stage.elapsed() - before)));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_stays_for_its_grace_and_then_goes() {
    let stage = Stage::quiet().await;
    let mut object = pod("a", &json!({"ringfence.dev/stop-delay": "40s"}));
    object["spec"]["containers"][0]["lifecycle"] = json!({"preStop": {"sleep": {"seconds": 5}}});
    stage.create::<Pod>(object).await;
    stage.until::<Pod>("a", |pod| holds(pod, "Ready")).await;
    let uid = stage.api::<Pod>().get("a").await.unwrap().metadata.uid.unwrap();
    stage.api::<Pod>().delete("a", &DeleteParams::default()).await.unwrap();
    stage.until::<Pod>("a", |pod| pod.metadata.deletion_timestamp.is_some()).await;
    await_condition(stage.api::<Pod>(), "a", conditions::is_deleted(&uid)).await.unwrap();
    assert_eq!(stage.elapsed(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_takes_everything_with_it() {
    let stage = Stage::quiet().await;
    let namespaces: Api<Namespace> = Api::all(stage.client.clone());
    let namespace: Namespace =
        serde_json::from_value(json!({"metadata": {"name": "shop"}})).unwrap();
    let uid =
        namespaces.create(&PostParams::default(), &namespace).await.unwrap().metadata.uid.unwrap();
    let api: Api<Deployment> = Api::namespaced(stage.client.clone(), "shop");
    let object = serde_json::from_value(deployment("web", 2, "blue")).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
    await_condition(api, "web", |web: Option<&Deployment>| web.is_some_and(is_complete))
        .await
        .unwrap();
    namespaces.delete("shop", &DeleteParams::default()).await.unwrap();
    let gone = await_condition(namespaces, "shop", conditions::is_deleted(&uid));
    tokio::time::timeout(std::time::Duration::from_mins(2), gone).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_autoscaler_follows_cpu_use_up_at_once_and_down_later() {
    let stage = Stage::quiet().await;
    stage.create::<Deployment>(deployment("web", 2, "blue")).await;
    stage.until::<Deployment>("web", is_complete).await;
    stage
        .create::<HorizontalPodAutoscaler>(json!({
            "metadata": {"name": "web"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "minReplicas": 2, "maxReplicas": 5,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
            },
        }))
        .await;
    let cpu = async |use_of: &str| {
        for pod in stage.pods("app=web").await {
            let name = pod.metadata.name.unwrap();
            stage
                .patch::<Pod>(
                    &name,
                    json!({"metadata": {"annotations": {world::CPU_ANNOTATION: use_of}}}),
                )
                .await;
        }
    };
    cpu("100m").await;
    stage
        .until::<Deployment>("web", |web| {
            is_complete(web) && web.spec.as_ref().unwrap().replicas == Some(4)
        })
        .await;
    let before = stage.elapsed();
    assert!(before < 10);
    cpu("10m").await;
    stage
        .until::<Deployment>("web", |web| {
            is_complete(web) && web.spec.as_ref().unwrap().replicas == Some(2)
        })
        .await;
    assert!(stage.elapsed() - before >= 290);
}

#[tokio::test(start_paused = true)]
async fn stateful_and_daemon_sets_have_their_pods() {
    let stage = Stage::quiet().await;
    let template = json!({"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "db", "image": "postgres:17"}]}});
    let spec = json!({"replicas": 2, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}}, "template": template});
    stage.create::<StatefulSet>(json!({"metadata": {"name": "db"}, "spec": spec})).await;
    let ready = |set: &StatefulSet| {
        set.status.as_ref().is_some_and(|status| status.ready_replicas == Some(2))
    };
    stage.until::<StatefulSet>("db", ready).await;
    assert_eq!(stage.pods("app=db").await.len(), 2);
    let template = json!({"metadata": {"labels": {"app": "agent"}}, "spec": {"containers": [{"name": "a", "image": "agent"}]}});
    let spec = json!({"selector": {"matchLabels": {"app": "agent"}}, "template": template});
    stage.create::<DaemonSet>(json!({"metadata": {"name": "agent"}, "spec": spec})).await;
    let ready =
        |set: &DaemonSet| set.status.as_ref().is_some_and(|status| status.number_ready == 1);
    stage.until::<DaemonSet>("agent", ready).await;
}

#[tokio::test(start_paused = true)]
async fn what_happened_is_told_in_events_and_logs() {
    let stage = Stage::quiet().await;
    stage.server.set_pod_logs(stage.world.pod_logs());
    stage.create::<Deployment>(deployment("web", 1, "blue")).await;
    stage.until::<Deployment>("web", is_complete).await;
    let events = stage.api::<Event>().list(&ListParams::default()).await.unwrap().items;
    let told: std::collections::BTreeSet<_> =
        events.into_iter().filter_map(|event| event.reason).collect();
    for reason in ["ScalingReplicaSet", "SuccessfulCreate", "Scheduled", "Started"] {
        assert!(told.contains(reason), "{reason} is missing from {told:?}");
    }
    let name = stage.pods("app=web").await[0].metadata.name.clone().unwrap();
    let log = stage.api::<Pod>().logs(&name, &kube::api::LogParams::default()).await.unwrap();
    assert_eq!(log, "Started server on :8080 (color blue)\n");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_day_costs_next_to_nothing() {
    let stage = Stage::quiet().await;
    stage.create::<Service>(service("web")).await;
    stage.create::<Deployment>(deployment("web", 10, "blue")).await;
    stage.until::<Deployment>("web", is_complete).await;
    let version = stage
        .api::<Deployment>()
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version;
    tokio::time::sleep(std::time::Duration::from_hours(24)).await;
    let later = stage
        .api::<Deployment>()
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version;
    assert_eq!(version, later, "nothing is written when nothing happens");
}

#[tokio::test(start_paused = true)]
async fn many_pods_have_their_own_addresses_in_slices_of_a_hundred() {
    let stage = Stage::quiet().await;
    stage.create::<Service>(service("web")).await;
    stage.create::<Deployment>(deployment("web", 120, "blue")).await;
    stage.until::<Deployment>("web", is_complete).await;
    let address = |pod: &Pod| pod.status.as_ref().and_then(|status| status.pod_ip.clone());
    let addresses: std::collections::BTreeSet<_> =
        stage.pods("app=web").await.iter().filter_map(address).collect();
    assert_eq!(addresses.len(), 120);
    let slices = stage.api::<EndpointSlice>().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(slices.iter().map(ready_endpoints).collect::<Vec<_>>(), [100, 20]);
}

/// What a run leaves behind: every event in order, and where the server's history stands.
async fn history() -> (Vec<String>, Option<String>) {
    let stage = Stage::quiet().await;
    stage.create::<Service>(service("web")).await;
    stage.create::<Deployment>(deployment("web", 3, "blue")).await;
    stage.until::<Deployment>("web", is_complete).await;
    stage.patch::<Deployment>("web", image("green")).await;
    stage.until::<Deployment>("web", is_complete).await;
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    let list = stage.api::<Event>().list(&ListParams::default()).await.unwrap();
    let told = list.items.into_iter().map(|event| event.message.unwrap_or_default()).collect();
    (told, list.metadata.resource_version)
}

#[test]
fn two_runs_leave_the_same_history() {
    let run = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().unwrap().block_on(history())
    };
    assert_eq!(run(), run());
}
