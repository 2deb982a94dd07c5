//! A server and a world in this process, on paused time unless a test says otherwise.

use apiserver::{Server, ServerConfig};
use clock::Clock;
use jiff::Timestamp;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{apps::v1::Deployment, core::v1::Pod},
};
use kube::{
    Api, Client, Resource,
    api::{ListParams, Patch, PatchParams, PostParams},
    runtime::wait::await_condition,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{fmt::Debug, sync::Arc, time::Duration};
use world::{ServePods, World, WorldConfig, WorldHandle};

/// How long, in virtual time, anything in these tests may take.
const PATIENCE: Duration = Duration::from_hours(1);

/// A running world.
pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) world: WorldHandle,
    pub(crate) server: Arc<Server>,
}

impl Stage {
    /// A world whose pods do not listen.
    pub(crate) async fn quiet() -> Self {
        Self::with(WorldConfig { serve_pods: ServePods::None, ..WorldConfig::default() }).await
    }

    /// A world with these settings.
    pub(crate) async fn with(config: WorldConfig) -> Self {
        let clock = Clock::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let server = Server::new(ServerConfig::new(clock, 7)).unwrap();
        let client = server.client();
        let world = World::start(client.clone(), clock, config).await.unwrap();
        Self { client, clock, world, server }
    }

    /// The objects of one kind in the namespace `default`.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), "default")
    }

    /// Creates an object in the namespace `default`.
    pub(crate) async fn create<K>(&self, object: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let object: K = serde_json::from_value(object).unwrap();
        self.api().create(&PostParams::default(), &object).await.unwrap()
    }

    /// Merge-patches an object in the namespace `default`.
    pub(crate) async fn patch<K>(&self, name: &str, patch: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        self.api().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap()
    }

    /// Waits until an object is as `wanted` says.
    pub(crate) async fn until<K>(&self, name: &str, wanted: impl Fn(&K) -> bool) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let condition = await_condition(self.api::<K>(), name, |object: Option<&K>| {
            object.is_some_and(&wanted)
        });
        match tokio::time::timeout(PATIENCE, condition).await {
            Ok(found) => found.unwrap().unwrap(),
            Err(late) => panic!(
                "{name} never became what was waited for ({late}): {:#?}",
                self.api::<K>().get_opt(name).await
            ),
        }
    }

    /// The pods that a label selector chooses.
    pub(crate) async fn pods(&self, labels: &str) -> Vec<Pod> {
        self.api().list(&ListParams::default().labels(labels)).await.unwrap().items
    }

    /// Seconds since the world began.
    pub(crate) fn elapsed(&self) -> i64 {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        self.clock.now().duration_since(start).as_secs()
    }
}

/// A Deployment of the demo application.
pub(crate) fn deployment(name: &str, replicas: i32, tag: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "app",
                    "image": format!("argoproj/rollouts-demo:{tag}"),
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "resources": {"requests": {"cpu": "100m"}},
                }]},
            },
        },
    })
}

/// A Service in front of it.
pub(crate) fn service(name: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": "http"}]},
    })
}

/// Whether a Deployment has finished what it was told.
pub(crate) fn is_complete(deployment: &Deployment) -> bool {
    let (Some(spec), Some(status)) = (&deployment.spec, &deployment.status) else { return false };
    let wanted = spec.replicas.unwrap_or(1);
    let counts = [status.replicas, status.updated_replicas, status.available_replicas];
    status.observed_generation == deployment.metadata.generation
        && counts.iter().all(|count| count.unwrap_or(0) == wanted)
}

/// The reason why the first container of a pod waits.
pub(crate) fn waits_for(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    status.state.as_ref()?.waiting.as_ref()?.reason.clone()
}

/// Whether a pod's condition holds.
pub(crate) fn holds(pod: &Pod, kind: &str) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == kind && condition.status == "True")
}
