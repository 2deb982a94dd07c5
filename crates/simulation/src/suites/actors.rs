//! Others who act in the cluster. Each acts so many times with a pause before each, and then never again.

use clock::Clock;
use futures::future::BoxFuture;
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use rehearsal::Companion;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// A label that a release puts into the selectors of services.
const HASH: &str = "rollouts-pod-template-hash";
/// The weight of a canary Ingress.
const CANARY_WEIGHT: &str = "nginx.ingress.kubernetes.io/canary-weight";

/// An autoscaler that cannot decide: now 9 replicas, now 2.
pub(super) fn scales(times: usize, every: Duration) -> Companion {
    acting(times, every, |client, turn| {
        Box::pin(async move {
            let found = all(&client, rollouts()).await.unwrap_or_default();
            for rollout in found {
                let replicas = if turn % 2 == 0 { 9 } else { 2 };
                let change = json!({ "spec": { "replicas": replicas } });
                merge(&client, rollouts(), &rollout, &change).await;
            }
        })
    })
}

/// A deployer that takes what we add to services away again.
pub(super) fn reverts_services(times: usize, every: Duration) -> Companion {
    acting(times, every, |client, _| {
        Box::pin(async move {
            let kind = kind("", "v1", "Service");
            for service in all(&client, kind.clone()).await.unwrap_or_default() {
                let is_ours = service.data["spec"]["selector"].get(HASH).is_some();
                if is_ours {
                    let change = json!({ "spec": { "selector": { HASH: null } } });
                    merge(&client, kind.clone(), &service, &change).await;
                }
            }
        })
    })
}

/// A deployer that sets the weights of its manifests again and again.
pub(super) fn reverts_routes(times: usize, every: Duration) -> Companion {
    acting(times, every, |client, _| Box::pin(async move { weigh(&client, 100, 0).await }))
}

/// Somebody who tries out weights by hand.
pub(super) fn tampers_with_weights(times: usize, every: Duration) -> Companion {
    acting(times, every, |client, turn| {
        let canary = if turn % 2 == 0 { 50 } else { 7 };
        Box::pin(async move { weigh(&client, 100 - canary, canary).await })
    })
}

/// Somebody who deletes routes and brings them back a second later.
pub(super) fn recreates_routes(times: usize, every: Duration) -> Companion {
    acting(times, every, |client, _| {
        Box::pin(async move {
            let mut gone = delete_all(&client, &routes()).await;
            gone.extend(delete_all(&client, &ingresses()).await);
            tokio::time::sleep(Duration::from_secs(1)).await;
            for (api, mut route) in gone {
                route.metadata.resource_version = None;
                route.metadata.uid = None;
                route.metadata.managed_fields = None;
                drop(api.create(&PostParams::default(), &route).await);
            }
        })
    })
}

/// Deletes all objects of a kind; gives back what they were.
async fn delete_all(
    client: &Client,
    kind: &ApiResource,
) -> Vec<(Api<DynamicObject>, DynamicObject)> {
    let mut gone = Vec::new();
    for object in all(client, kind.clone()).await.unwrap_or_default() {
        let Some(api) = home(client, kind, &object) else { continue };
        let name = object.metadata.name.clone().unwrap_or_default();
        drop(api.delete(&name, &DeleteParams::default()).await);
        gone.push((api, object));
    }
    gone
}

/// Somebody who leaves notes on replica sets.
pub(super) fn annotates(times: usize, every: Duration) -> Companion {
    acting(times, every, |client, turn| {
        Box::pin(async move {
            let kind = kind("apps", "v1", "ReplicaSet");
            for set in all(&client, kind.clone()).await.unwrap_or_default() {
                let note = json!({ "example.com/seen": turn.to_string() });
                let change = json!({ "metadata": { "annotations": note } });
                merge(&client, kind.clone(), &set, &change).await;
            }
        })
    })
}

/// Nodes that fail: of every workload's pods one is gone.
pub(super) fn loses_pods(times: usize, every: Duration) -> Companion {
    acting(times, every, |client, turn| {
        Box::pin(async move {
            let Some((api, name)) = some_pod(&client, turn).await else { return };
            drop(api.delete(&name, &DeleteParams::default()).await);
        })
    })
}

/// A node that is drained: pods are evicted.
pub(super) fn evicts_pods(times: usize, every: Duration) -> Companion {
    acting(times, every, |client, turn| {
        Box::pin(async move {
            let Some((api, name)) = some_pod(&client, turn).await else { return };
            let eviction = json!({
                "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": name },
            });
            let parameters = PostParams::default();
            drop(
                api.create_subresource::<_, Value>("eviction", &name, &parameters, &eviction).await,
            );
        })
    })
}

/// Somebody who, `after` some time, rewrites the status of every rollout as another controller would have
/// left it.
pub(super) fn rewrites_status(after: Duration, rewrite: fn(&mut Value)) -> Companion {
    acting(1, after, move |client, _| {
        Box::pin(async move {
            let kind = rollouts();
            for rollout in all(&client, kind.clone()).await.unwrap_or_default() {
                let Some(api) = home(&client, &kind, &rollout) else { continue };
                let name = rollout.metadata.name.clone().unwrap_or_default();
                let mut status = rollout.data["status"].clone();
                rewrite(&mut status);
                let change = Patch::Merge(json!({ "status": status }));
                drop(api.patch_status(&name, &PatchParams::default(), &change).await);
            }
        })
    })
}

fn acting(
    times: usize,
    every: Duration,
    act: impl Fn(Client, usize) -> BoxFuture<'static, ()> + Send + Sync + 'static,
) -> Companion {
    let act = Arc::new(act);
    Arc::new(move |client: Client, _: Clock| {
        let act = Arc::clone(&act);
        Box::pin(async move {
            for turn in 0..times {
                tokio::time::sleep(every).await;
                act(client.clone(), turn).await;
            }
        })
    })
}

async fn weigh(client: &Client, stable: u64, canary: u64) {
    for ingress in all(client, ingresses()).await.unwrap_or_default() {
        let annotations = ingress.metadata.annotations.as_ref();
        if annotations.is_some_and(|annotations| annotations.contains_key(CANARY_WEIGHT)) {
            let weight = json!({ CANARY_WEIGHT: canary.to_string() });
            let change = json!({ "metadata": { "annotations": weight } });
            merge(client, ingresses(), &ingress, &change).await;
        }
    }
    for route in all(client, routes()).await.unwrap_or_default() {
        let mut rules = route.data["spec"]["rules"].clone();
        for rule in rules.as_array_mut().into_iter().flatten() {
            let backends = rule["backendRefs"].as_array_mut().into_iter().flatten();
            for (backend, weight) in backends.zip([stable, canary]) {
                backend["weight"] = json!(weight);
            }
        }
        merge(client, routes(), &route, &json!({ "spec": { "rules": rules } })).await;
    }
}

async fn some_pod(client: &Client, turn: usize) -> Option<(Api<DynamicObject>, String)> {
    let kind = kind("", "v1", "Pod");
    let pods = all(client, kind.clone()).await?;
    let pod = pods.get(turn.checked_rem(pods.len())?)?;
    Some((home(client, &kind, pod)?, pod.metadata.name.clone()?))
}

async fn all(client: &Client, kind: ApiResource) -> Option<Vec<DynamicObject>> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    Some(api.list(&ListParams::default()).await.ok()?.items)
}

async fn merge(client: &Client, kind: ApiResource, object: &DynamicObject, change: &Value) {
    let Some(api) = home(client, &kind, object) else { return };
    let name = object.metadata.name.clone().unwrap_or_default();
    drop(api.patch(&name, &PatchParams::default(), &Patch::Merge(change)).await);
}

/// Where an object lives.
fn home(client: &Client, kind: &ApiResource, object: &DynamicObject) -> Option<Api<DynamicObject>> {
    let namespace = object.metadata.namespace.as_deref()?;
    Some(Api::namespaced_with(client.clone(), namespace, kind))
}

fn rollouts() -> ApiResource {
    kind("argoproj.io", "v1alpha1", "Rollout")
}

fn routes() -> ApiResource {
    kind("gateway.networking.k8s.io", "v1", "HTTPRoute")
}

fn ingresses() -> ApiResource {
    kind("networking.k8s.io", "v1", "Ingress")
}

fn kind(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}
