//! The one loop: news comes in, keys queue up, one decision at a time is made and carried out.
//!
//! There is no ticking: the loop sleeps until news arrives or the earliest wake is due, so that
//! virtual time passes over a quiet day in one step.

use crate::{
    alarms::Alarms,
    app::server::OnChange,
    carry_out::{Answer, carry_out},
    cluster::Cluster,
    concerns::{Desk, Key},
    config::{Parts, Recording, WorldConfig},
    control::{
        autoscaler, daemon_set, deployment, endpoints, gateway, job, replica_set, stateful_set,
    },
    effect::Decision,
    feed::{self, News},
    kinds::{FOR_CONTROLLERS, FOR_NODES, Kind},
    kubelet::{house::House, lifecycle, node, scheduling},
    objects::{controller_of, name_of, uid_of},
    spans,
};
use clock::Clock;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
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

/// What became of the effects of one decision.
type Written = (Key, Vec<Answer>, Result<(), kube::Error>);

/// Everything the loop works with.
pub(crate) struct Runner {
    client: Client,
    clock: Clock,
    parts: Parts,
    recording: Recording,
    cluster: Cluster,
    house: House,
    kinds: &'static [Kind],
    lanes: usize,
    queue: BTreeSet<Key>,
    busy: BTreeSet<Key>,
    again: BTreeSet<Key>,
    writing: FuturesUnordered<BoxFuture<'static, Written>>,
    alarms: Alarms,
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
        let kinds = match config.parts {
            Parts::Everything => FOR_CONTROLLERS,
            Parts::Nodes => FOR_NODES,
        };
        let (recording, lanes, parts) = (config.recording, config.lanes.max(1), config.parts);
        let house = House::new(config, clock);
        let mut feeds = JoinSet::new();
        for kind in kinds {
            feeds.spawn(feed::follow(client.clone(), kind, sender.clone()));
        }
        if parts == Parts::Nodes {
            feeds.spawn(house.nodes.heartbeat(client.clone(), clock));
        }
        Self {
            client,
            clock,
            parts,
            recording,
            kinds,
            lanes,
            cluster: Cluster::default(),
            house,
            queue: BTreeSet::new(),
            busy: BTreeSet::new(),
            again: BTreeSet::new(),
            writing: FuturesUnordered::new(),
            alarms: Alarms::default(),
            failures: BTreeMap::new(),
            recommended: BTreeMap::new(),
            news,
            nudges,
            nudge,
            _feeds: feeds,
        }
    }

    /// Creates the nodes.
    pub(crate) async fn register(&self) -> Result<(), kube::Error> {
        self.house.nodes.register(&self.client, self.clock.now()).await
    }

    /// A way to read the logs of pods.
    pub(crate) fn logs(&self) -> crate::kubelet::logs::FindLog {
        self.house.logs.finder(self.clock)
    }

    /// Runs until `stop` is dropped.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<()>) {
        let mut settled = false;
        loop {
            while let Ok(news) = self.news.try_recv() {
                self.cluster.hear(news);
            }
            self.note_changes();
            if !settled && self.cluster.has_heard(self.kinds) {
                self.cluster.pods.iter().for_each(|pod| self.house.reserve(pod));
                settled = true;
            }
            if settled
                && self.writing.len() < self.lanes
                && let Some(key) = self.queue.pop_first()
            {
                self.handle(key).await;
                continue;
            }
            let due = self.alarms.next();
            tokio::select! {
                biased;
                _ = stop.changed() => return,
                Some(written) = self.writing.next() => self.written(written),
                Some(news) = self.news.recv() => self.cluster.hear(news),
                Some(key) = self.nudges.recv() => { self.queue.insert(key); }
                () = sleep_until(self.clock, due) => self.ring(),
            }
        }
    }

    fn note_changes(&mut self) {
        let touched = self.cluster.touched();
        match self.parts {
            Parts::Everything => self.queue.extend(touched),
            Parts::Nodes => self.queue.extend(touched.into_iter().filter(Key::is_of_nodes)),
        }
    }

    /// Queues every key whose time has come.
    fn ring(&mut self) {
        let now = self.clock.now();
        while let Some(key) = self.alarms.ring(now) {
            self.queue.insert(key);
        }
    }

    /// Decides for one key, and begins to write; with one lane it is written at the return.
    async fn handle(&mut self, key: Key) {
        if self.busy.contains(&key) {
            self.again.insert(key);
            return;
        }
        self.alarms.unset(&key);
        let decision = match self.look(&key).await {
            Ok(decision) => decision,
            Err(error) => return self.failed(&key, &error),
        };
        if let Some(at) = decision.wake {
            self.alarms.set(&key, at);
        }
        self.busy.insert(key.clone());
        if decision.effects.is_empty() {
            return self.written((key, Vec::new(), Ok(())));
        }
        let (client, told) = (self.client.clone(), (self.recording, self.clock.now()));
        let write = async move {
            let (answers, result) = carry_out(client, decision.effects, told).await;
            (key, answers, result)
        };
        if self.lanes > 1 {
            return self.writing.push(write.boxed());
        }
        let written = write.await;
        self.written(written);
    }

    /// Takes in what the server answered.
    fn written(&mut self, (key, answers, result): Written) {
        self.busy.remove(&key);
        for answer in answers {
            match answer {
                Answer::Put(object) => self.cluster.put(object),
                Answer::Gone(kind, object) => self.cluster.gone(&kind, object),
                Answer::Bound(pod, node) => self.cluster.bound(&pod.namespace, &pod.name, &node),
            }
        }
        if self.again.remove(&key) {
            self.queue.insert(key.clone());
        }
        if key.desk == Desk::Kubelet {
            self.house.tidy(&key.namespace, &key.name);
        }
        match result {
            Ok(()) => drop(self.failures.remove(&key)),
            Err(error) => self.failed(&key, &error.into()),
        }
    }

    fn failed(&mut self, key: &Key, error: &Failed) {
        tracing::debug!(?key, %error, "will be tried again");
        let failures = self.failures.entry(key.clone()).or_default();
        let wait = (FIRST_RETRY * 2_u32.pow((*failures).min(10))).min(LONGEST_RETRY);
        *failures += 1;
        self.alarms.set(key, spans::after(self.clock.now(), wait));
    }

    async fn look(&mut self, key: &Key) -> Result<Decision, Failed> {
        let now = self.clock.now();
        match key.desk {
            Desk::Kubelet => self.kubelet(key, now).await,
            Desk::Node => Ok(self.node(key, now)),
            Desk::Autoscaler => self.autoscaler(key, now).await,
            _ => Ok(self.decide(key, now)),
        }
    }

    fn node(&mut self, key: &Key, now: Timestamp) -> Decision {
        let Some(node) = self.cluster.nodes.get("", &key.name) else { return Decision::default() };
        if !self.house.nodes.has(&key.name) {
            return Decision::default();
        }
        let lost = self.house.nodes.note(node, now);
        let on = |pod: &&k8s_openapi::api::core::v1::Pod| {
            pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref()) == Some(&key.name)
        };
        match (self.parts, lost) {
            // A real controller manager notices that the lease is not renewed.
            (Parts::Nodes, Some(_)) => Decision::default(),
            (_, None) => node::decide(node, None, &[], now),
            (Parts::Everything, lost) => {
                let pods: Vec<_> = self.cluster.pods.iter().filter(on).collect();
                node::decide(node, lost, &pods, now)
            }
        }
    }

    fn decide(&self, key: &Key, now: Timestamp) -> Decision {
        let (namespace, name) = (key.namespace.as_str(), key.name.as_str());
        let cluster = &self.cluster;
        let pods = || cluster.pods.within(namespace).collect::<Vec<_>>();
        let owned = |meta| cluster.pods_of(namespace, uid_of(meta));
        let decision = match key.desk {
            Desk::ReplicaSet => cluster
                .replica_sets
                .get(namespace, name)
                .map(|set| replica_set::decide(set, &owned(&set.metadata), now)),
            Desk::Deployment => cluster.deployments.get(namespace, name).map(|deployment| {
                let sets: Vec<_> = cluster.replica_sets.within(namespace).collect();
                deployment::decide(deployment, &sets, &self.pods_of_sets(&sets, deployment), now)
            }),
            Desk::StatefulSet => cluster
                .stateful_sets
                .get(namespace, name)
                .map(|set| stateful_set::decide(set, &owned(&set.metadata), now)),
            Desk::DaemonSet => cluster
                .daemon_sets
                .get(namespace, name)
                .map(|set| daemon_set::decide(set, &owned(&set.metadata), now)),
            Desk::Job => cluster
                .jobs
                .get(namespace, name)
                .map(|job| job::decide(job, &owned(&job.metadata), now)),
            Desk::Endpoints => self.endpoints(namespace, name, &pods()),
            Desk::Gateway => cluster.custom.get(namespace, name).map(|object| {
                let neighbours: Vec<_> = cluster.custom.within(namespace).collect();
                gateway::decide(object, &neighbours, now)
            }),
            Desk::Kubelet | Desk::Node | Desk::Autoscaler => None,
        };
        decision.unwrap_or_default()
    }

    /// The pods of a Deployment's ReplicaSets.
    fn pods_of_sets(
        &self,
        sets: &[&k8s_openapi::api::apps::v1::ReplicaSet],
        deployment: &k8s_openapi::api::apps::v1::Deployment,
    ) -> Vec<&k8s_openapi::api::core::v1::Pod> {
        let uid = uid_of(&deployment.metadata);
        let namespace = crate::objects::namespace_of(&deployment.metadata);
        let ours = sets
            .iter()
            .filter(|set| controller_of(&set.metadata).is_some_and(|owner| owner.uid == uid));
        ours.flat_map(|set| self.cluster.pods_of(namespace, uid_of(&set.metadata))).collect()
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
            let mut facts = self.house.facts(pod, now);
            if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_none()) {
                let nodes = &self.house.nodes;
                let ours = self.cluster.nodes.iter();
                let ours = ours.filter(|node| nodes.has(name_of(&node.metadata)));
                facts.node = Some(scheduling::choose(pod, ours, &self.cluster.burdens));
            }
            let step = lifecycle::decide(pod, &facts, now);
            match self.house.prepare(pod, &step, &facts, changed.clone()).await {
                Err(error) if error.kind() == ErrorKind::AddrInUse && self.house.rehouse(pod) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    self.house.write_logs(pod, &step);
                    return Ok(step.decision);
                }
            }
        }
    }

    async fn autoscaler(&mut self, key: &Key, now: Timestamp) -> Result<Decision, Failed> {
        let Some(autoscaler) = self.cluster.autoscalers.get(&key.namespace, &key.name) else {
            self.recommended.remove(key);
            return Ok(Decision::default());
        };
        let scale = scale_of(&self.client, &autoscaler::target(autoscaler)).await?;
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
}

async fn scale_of(
    client: &Client,
    target: &vocab::ObjectRef,
) -> Result<Option<autoscaler::Scale>, Failed> {
    let path = format!("{}/scale", effects::path(target));
    let request = http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    let scale: Value = match client.request(request).await {
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
        answer => answer?,
    };
    let replicas =
        scale["spec"]["replicas"].as_i64().and_then(|replicas| i32::try_from(replicas).ok());
    let selector = scale["status"]["selector"].as_str().unwrap_or_default().to_owned();
    Ok(Some(autoscaler::Scale { replicas: replicas.unwrap_or(0), selector }))
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
