//! What a client sees of the rollouts, and when.

use api::argo::{Rollout, RolloutPhase};
use futures::StreamExt;
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::{
    Api, Client, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, timeout_at},
};

/// What is known of each rollout, by name.
pub(super) type All = BTreeMap<String, Seen>;

/// What is known of one rollout.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The generation of its spec.
    pub generation: i64,
    /// The generation that its status speaks of.
    pub observed: i64,
    /// When the newest generation was seen.
    pub changed_at: Option<Instant>,
    /// When the first write after that was seen.
    pub written_at: Option<Instant>,
    /// When the status spoke of the newest generation for the first time.
    pub observed_at: Option<Instant>,
    phase: Option<RolloutPhase>,
    is_promoted: bool,
}

impl Seen {
    /// Whether its newest version is everywhere.
    pub(super) fn is_done(&self) -> bool {
        self.observed == self.generation
            && self.is_promoted
            && self.phase == Some(RolloutPhase::Healthy)
    }
}

/// A view of all rollouts of a namespace; it ends when this is dropped.
pub(super) struct Sight {
    all: Arc<Shared>,
    _watches: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    rollouts: Mutex<All>,
    changed: Notify,
}

impl Sight {
    /// Begins to look. Must be called within a tokio runtime.
    pub(super) fn start(client: &Client, namespace: &str) -> Self {
        let all = Arc::new(Shared::default());
        let mut watches = JoinSet::new();
        let rollouts = Api::<Rollout>::namespaced(client.clone(), namespace);
        let sets = Api::<ReplicaSet>::namespaced(client.clone(), namespace);
        watches.spawn(follow(rollouts, Arc::clone(&all), take_rollout));
        watches.spawn(follow(sets, Arc::clone(&all), take_set));
        Self { all, _watches: watches }
    }

    /// What is known of one of them.
    pub(super) fn of(&self, name: &str) -> Seen {
        self.all.locked().get(name).cloned().unwrap_or_default()
    }

    /// Waits until something is so of all that is seen; says whether it came to that in time.
    pub(super) async fn comes_to(&self, within: Duration, is_so: impl Fn(&All) -> bool) -> bool {
        let until = Instant::now() + within;
        loop {
            let change = self.all.changed.notified();
            if is_so(&self.all.locked()) {
                return true;
            }
            if timeout_at(until, change).await.is_err() {
                return false;
            }
        }
    }
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, All> {
        self.rollouts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn follow<K>(api: Api<K>, all: Arc<Shared>, take: fn(&mut All, &K))
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let config = watcher::Config::default();
    let mut events = watcher(api, config).default_backoff().applied_objects().boxed();
    while let Some(event) = events.next().await {
        // A watch that breaks begins again by itself.
        let Ok(object) = event else { continue };
        take(&mut all.locked(), &object);
        all.changed.notify_waiters();
    }
}

fn take_rollout(all: &mut All, rollout: &Rollout) {
    let seen = all.entry(rollout.name_any()).or_default();
    let status = rollout.status.clone().unwrap_or_default();
    let generation = rollout.metadata.generation.unwrap_or_default();
    let observed =
        status.observed_generation.and_then(|seen| seen.as_str().parse().ok()).unwrap_or_default();
    let now = Some(Instant::now());
    if generation > seen.generation {
        (seen.changed_at, seen.written_at, seen.observed_at) = (now, None, None);
    } else {
        seen.written_at = seen.written_at.or(now);
    }
    if observed == generation {
        seen.observed_at = seen.observed_at.or(now);
    }
    seen.is_promoted =
        status.current_pod_hash.is_some() && status.current_pod_hash == status.stable_rs;
    (seen.generation, seen.observed, seen.phase) = (generation, observed, status.phase);
}

fn take_set(all: &mut All, set: &ReplicaSet) {
    let owner = set.owner_references().first().map(|owner| owner.name.clone());
    if let Some(seen) = owner.and_then(|owner| all.get_mut(&owner)) {
        seen.written_at = seen.written_at.or_else(|| Some(Instant::now()));
    }
}
