//! The one loop: news comes in, keys queue up, one decision at a time is made and carried out.
//!
//! There is no ticking: the loop sleeps until news arrives or the earliest wake is due, so that
//! virtual time passes over a quiet day in one step.

use crate::{
    app::server::OnChange,
    carry_out::carry_out,
    cluster::Cluster,
    concerns::{Desk, Key},
    config::{Recording, WorldConfig},
    control::{
        autoscaler, daemon_set, deployment, endpoints, gateway, job, replica_set, stateful_set,
    },
    effect::Decision,
    feed::{self, News},
    kinds::FOR_CONTROLLERS,
    kubelet::{house::House, lifecycle},
    spans,
};
use clock::Clock;
use jiff::Timestamp;
use kube::Client;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

/// News that may wait to be heard before the watches have to wait.
const NEWS_WAITING: usize = 1024;
/// The wait after a first failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest wait after failures.
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// Recommendations of an autoscaler that are remembered.
const RECOMMENDATIONS: usize = 200;

/// Everything the loop works with.
pub(crate) struct Runner {
    client: Client,
    clock: Clock,
    recording: Recording,
    cluster: Cluster,
    house: House,
    queue: BTreeSet<Key>,
    wakes: BTreeMap<Key, Timestamp>,
    failures: BTreeMap<Key, u32>,
    recommended: BTreeMap<Key, Vec<(Timestamp, i32)>>,
    news: mpsc::Receiver<News>,
    nudges: mpsc::UnboundedReceiver<Key>,
    nudge: mpsc::UnboundedSender<Key>,
    _feeds: JoinSet<()>,
}

impl Runner {
    /// Starts the watches.
    pub(crate) fn new(client: Client, clock: Clock, config: WorldConfig) -> Self {
        let (sender, news) = mpsc::channel(NEWS_WAITING);
        let (nudge, nudges) = mpsc::unbounded_channel();
        let mut feeds = JoinSet::new();
        for kind in FOR_CONTROLLERS {
            feeds.spawn(feed::follow(client.clone(), kind, sender.clone()));
        }
        Self {
            client,
            clock,
            recording: config.recording,
            cluster: Cluster::default(),
            house: House::new(config),
            queue: BTreeSet::new(),
            wakes: BTreeMap::new(),
            failures: BTreeMap::new(),
            recommended: BTreeMap::new(),
            news,
            nudges,
            nudge,
            _feeds: feeds,
        }
    }

    /// A way to read the logs of pods.
    pub(crate) fn logs(&self) -> crate::kubelet::logs::FindLog {
        self.house.logs.finder()
    }

    /// Runs until `stop` is dropped.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<()>) {
        let mut settled = false;
        loop {
            while let Ok(news) = self.news.try_recv() {
                self.cluster.hear(news);
            }
            self.note_changes();
            if !settled && self.cluster.has_heard(FOR_CONTROLLERS) {
                self.cluster.pods.iter().for_each(|pod| self.house.reserve(pod));
                settled = true;
            }
            if settled && let Some(key) = self.queue.pop_first() {
                self.handle(key).await;
                continue;
            }
            let due = self.wakes.values().min().copied();
            tokio::select! {
                biased;
                _ = stop.changed() => return,
                Some(news) = self.news.recv() => self.cluster.hear(news),
                Some(key) = self.nudges.recv() => { self.queue.insert(key); }
                () = sleep_until(self.clock, due) => self.ring(),
            }
        }
    }

    fn note_changes(&mut self) {
        self.queue.extend(self.cluster.touched());
    }

    /// Queues every key whose time has come.
    fn ring(&mut self) {
        let now = self.clock.now();
        let due: Vec<Key> =
            self.wakes.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
        for key in due {
            self.wakes.remove(&key);
            self.queue.insert(key);
        }
    }

    async fn handle(&mut self, key: Key) {
        self.wakes.remove(&key);
        match self.attempt(&key).await {
            Ok(()) => {
                self.failures.remove(&key);
            }
            Err(error) => {
                tracing::debug!(?key, %error, "will be tried again");
                let failures = self.failures.entry(key.clone()).or_default();
                let wait = (FIRST_RETRY * 2_u32.pow((*failures).min(10))).min(LONGEST_RETRY);
                *failures += 1;
                self.wake(&key, spans::after(self.clock.now(), wait));
            }
        }
    }

    fn wake(&mut self, key: &Key, at: Timestamp) {
        let wake = self.wakes.entry(key.clone()).or_insert(at);
        *wake = (*wake).min(at);
    }

    async fn attempt(&mut self, key: &Key) -> Result<(), Failed> {
        let now = self.clock.now();
        let decision = match key.desk {
            Desk::Kubelet => self.kubelet(key, now).await?,
            Desk::Autoscaler => self.autoscaler(key, now).await?,
            _ => self.decide(key, now),
        };
        if let Some(at) = decision.wake {
            self.wake(key, at);
        }
        for effect in decision.effects {
            carry_out(&self.client, &mut self.cluster, effect, (self.recording, now)).await?;
        }
        if key.desk == Desk::Kubelet
            && let Some(pod) = self.cluster.pods.get(&key.namespace, &key.name)
        {
            self.house.tidy(pod);
        }
        Ok(())
    }

    fn decide(&self, key: &Key, now: Timestamp) -> Decision {
        let (namespace, name) = (key.namespace.as_str(), key.name.as_str());
        let cluster = &self.cluster;
        let pods: Vec<_> = cluster.pods.within(namespace).collect();
        let decision = match key.desk {
            Desk::ReplicaSet => cluster
                .replica_sets
                .get(namespace, name)
                .map(|set| replica_set::decide(set, &pods, now)),
            Desk::Deployment => cluster.deployments.get(namespace, name).map(|deployment| {
                let sets: Vec<_> = cluster.replica_sets.within(namespace).collect();
                deployment::decide(deployment, &sets, &pods, now)
            }),
            Desk::StatefulSet => cluster
                .stateful_sets
                .get(namespace, name)
                .map(|set| stateful_set::decide(set, &pods, now)),
            Desk::DaemonSet => cluster
                .daemon_sets
                .get(namespace, name)
                .map(|set| daemon_set::decide(set, &pods, now)),
            Desk::Job => cluster.jobs.get(namespace, name).map(|job| job::decide(job, &pods, now)),
            Desk::Endpoints => self.endpoints(namespace, name, &pods),
            Desk::Gateway => cluster.custom.get(namespace, name).map(|object| {
                let neighbours: Vec<_> = cluster.custom.within(namespace).collect();
                gateway::decide(object, &neighbours, now)
            }),
            Desk::Kubelet | Desk::Autoscaler => None,
        };
        decision.unwrap_or_default()
    }

    fn endpoints(
        &self,
        namespace: &str,
        name: &str,
        pods: &[&k8s_openapi::api::core::v1::Pod],
    ) -> Option<Decision> {
        let service = self.cluster.services.get(namespace, name)?;
        let ours = |slice: &&k8s_openapi::api::discovery::v1::EndpointSlice| {
            let labels = crate::objects::labels_of(&slice.metadata);
            labels.get(endpoints::SERVICE_NAME).is_some_and(|service| service == name)
        };
        let present = endpoints::Present {
            slices: self.cluster.slices.within(namespace).filter(ours).collect(),
            endpoints: self.cluster.endpoints.get(namespace, name),
        };
        Some(endpoints::decide(service, pods, &present))
    }

    async fn kubelet(&mut self, key: &Key, now: Timestamp) -> Result<Decision, Failed> {
        let Some(pod) = self.cluster.pods.get(&key.namespace, &key.name) else {
            self.house.leave(&key.namespace, &key.name);
            return Ok(Decision::default());
        };
        let (nudge, key) = (self.nudge.clone(), key.clone());
        let changed: OnChange = Arc::new(move || {
            // Nobody listens any more when the world stops.
            let _ = nudge.send(key.clone());
        });
        loop {
            let facts = self.house.facts(pod, now);
            let decision = lifecycle::decide(pod, &facts, now);
            match self.house.prepare(pod, &decision, now, changed.clone()).await {
                Err(error) if error.kind() == ErrorKind::AddrInUse && self.house.rehouse(pod) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    self.house.write_logs(pod, &decision);
                    return Ok(decision);
                }
            }
        }
    }

    async fn autoscaler(&mut self, key: &Key, now: Timestamp) -> Result<Decision, Failed> {
        let Some(autoscaler) = self.cluster.autoscalers.get(&key.namespace, &key.name) else {
            self.recommended.remove(key);
            return Ok(Decision::default());
        };
        let scale = self.scale_of(&autoscaler::target(autoscaler)).await?;
        let earlier = self.recommended.get(key).map(Vec::as_slice).unwrap_or_default();
        let pods = self.cluster.pods.within(&key.namespace).collect();
        let (decision, recommended) =
            autoscaler::decide(&autoscaler::Look { autoscaler, scale, pods, earlier, now });
        let list = self.recommended.entry(key.clone()).or_default();
        list.extend(recommended.map(|replicas| (now, replicas)));
        let surplus = list.len().saturating_sub(RECOMMENDATIONS);
        list.drain(..surplus);
        Ok(decision)
    }

    async fn scale_of(
        &self,
        target: &vocab::ObjectRef,
    ) -> Result<Option<autoscaler::Scale>, Failed> {
        let path = format!("{}/scale", effects::path(target));
        let request = http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
        let scale: Value = match self.client.request(request).await {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
            answer => answer?,
        };
        let replicas =
            scale["spec"]["replicas"].as_i64().and_then(|replicas| i32::try_from(replicas).ok());
        let selector = scale["status"]["selector"].as_str().unwrap_or_default().to_owned();
        Ok(Some(autoscaler::Scale { replicas: replicas.unwrap_or(0), selector }))
    }
}

/// Why a key has to be tried again.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the API server refused")]
    Refused(#[from] kube::Error),
    #[error("a pod could not listen")]
    Unbound(#[from] std::io::Error),
}

async fn sleep_until(clock: Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
