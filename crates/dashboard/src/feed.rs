//! Keeps a snapshot of one rollout current while somebody looks.

use crate::snapshot::{ReleaseView, Snapshot};
use crate::view::{self, Counts, Objects};
use api::argo::{AnalysisRun, Rollout};
use clock::Clock;
use futures::StreamExt;
use jiff::SignedDuration;
use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Event};
use kube::{
    Api, Client,
    runtime::{
        WatchStreamExt,
        reflector::{self, Store},
        watcher,
    },
};
use metrics::access::AccessLog;
use serde::de::DeserializeOwned;
use std::{fmt::Debug, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet};

/// How often a new snapshot is made.
const TICK: Duration = Duration::from_millis(500);
/// Over how long rates and latencies are measured.
const WINDOW: SignedDuration = SignedDuration::from_secs(10);

/// What a feed is about.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// Namespace of the rollout.
    pub namespace: String,
    /// Name of the rollout.
    pub rollout: String,
    /// The releases the page can start.
    pub releases: Vec<ReleaseView>,
}

/// Watches one rollout and makes snapshots; ends with its last copy.
#[derive(Clone)]
pub struct Feed {
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    _tasks: Arc<JoinSet<()>>,
}

impl Feed {
    /// Starts watching. Without an access log nobody counts requests, and the snapshots say so.
    pub fn start(
        client: &Client,
        clock: Clock,
        access: Option<Arc<AccessLog>>,
        config: FeedConfig,
    ) -> Self {
        let mut tasks = JoinSet::new();
        let namespace = config.namespace.as_str();
        let only = watcher::Config::default().fields(&format!("metadata.name={}", config.rollout));
        let stores = Stores {
            rollouts: follow::<Rollout>(
                &mut tasks,
                Api::namespaced(client.clone(), namespace),
                only,
            ),
            replica_sets: follow(
                &mut tasks,
                Api::namespaced(client.clone(), namespace),
                watcher::Config::default(),
            ),
            runs: follow(
                &mut tasks,
                Api::namespaced(client.clone(), namespace),
                watcher::Config::default(),
            ),
            events: follow(
                &mut tasks,
                Api::namespaced(client.clone(), namespace),
                watcher::Config::default(),
            ),
        };
        let (publish, snapshots) = watch::channel(None);
        let counted = access.is_some();
        let access = access.unwrap_or_default();
        tasks.spawn(async move {
            loop {
                let now = clock.now();
                let counts =
                    Counts { total: access.snapshot(now), window: access.window(now, WINDOW) };
                let snapshot = view::snapshot(&stores.objects(), &counts, &config.releases, now);
                let snapshot = Snapshot { counted, ..snapshot };
                publish.send_replace(Some(Arc::new(snapshot)));
                tokio::time::sleep(TICK).await;
            }
        });
        Self { snapshots, _tasks: Arc::new(tasks) }
    }

    /// The snapshots as they come; the value is `None` until the first.
    pub fn snapshots(&self) -> watch::Receiver<Option<Arc<Snapshot>>> {
        self.snapshots.clone()
    }
}

struct Stores {
    rollouts: Store<Rollout>,
    replica_sets: Store<ReplicaSet>,
    runs: Store<AnalysisRun>,
    events: Store<Event>,
}

impl Stores {
    fn objects(&self) -> Objects {
        Objects {
            rollout: self.rollouts.state().into_iter().next(),
            replica_sets: self.replica_sets.state(),
            runs: self.runs.state(),
            events: self.events.state(),
        }
    }
}

fn follow<K>(tasks: &mut JoinSet<()>, api: Api<K>, config: watcher::Config) -> Store<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    let stream = watcher(api, config).default_backoff().reflect(writer);
    tasks.spawn(stream.for_each(|_| std::future::ready(())));
    reader
}
