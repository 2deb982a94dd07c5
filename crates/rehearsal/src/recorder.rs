//! Following every object, in the order in which the server took the changes.
//!
//! An API server of our own tells of each change; elsewhere kinds are watched one by one, and their news
//! arrive in any order. [`Recorder`] gathers what arrived at one moment and goes through it by resource
//! version, so that what must always hold is held against every state the cluster was in, however short.

use crate::{
    expect::{Found, check},
    resources::{UnknownResource, followed_kind},
    scene::{Id, RolloutName, Scene},
    script::Expectation,
};
use api::argo::Rollout;
use clock::Clock;
use futures::StreamExt;
use jiff::Timestamp;
use kube::{
    Api, Client,
    api::DynamicObject,
    core::ApiResource,
    runtime::{WatchStreamExt, watcher},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use store::{Change, EventKind, Object};
use tokio::{sync::Notify, time::sleep};

/// How long news of one moment may take to arrive from all kinds.
const GATHER: Duration = Duration::from_millis(1);

/// What was recorded; copies share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder {
    state: Arc<Mutex<State>>,
    news: Arc<Notify>,
}

/// Something that must hold from now on.
#[derive(Debug)]
struct Standing {
    place: String,
    of: RolloutName,
    what: Expectation,
    broken: Option<(Timestamp, String)>,
}

#[derive(Debug, Default)]
struct State {
    /// News not gone through, by resource version.
    waiting: BTreeMap<(u64, Id), Option<Arc<Object>>>,
    scene: Scene,
    standing: Vec<Standing>,
    /// Weights that routes gave canaries, by the rollout's uid.
    weights: BTreeMap<String, Vec<u32>>,
    changes: u64,
}

impl Recorder {
    /// Takes note of a change of which the server tells.
    pub(crate) fn hear(&self, change: &Change) {
        let Some(kind) = followed_kind(change) else { return };
        let id = (kind.to_owned(), change.namespace.clone(), change.name.clone());
        let object = (change.kind != EventKind::Deleted).then(|| Arc::clone(&change.object));
        self.note(change.resource_version, id, object);
    }

    /// Follows one kind for ever.
    pub(crate) async fn follow(self, client: Client, kind: ApiResource) {
        let api: Api<DynamicObject> = Api::all_with(client, &kind);
        let mut events = Box::pin(watcher(api, watcher::Config::default()).default_backoff());
        while let Some(event) = events.next().await {
            let (object, is_there) = match event {
                Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                    (object, true)
                }
                Ok(watcher::Event::Delete(object)) => (object, false),
                _ => continue,
            };
            self.see(&kind.kind, &object, is_there);
        }
    }

    fn see(&self, kind: &str, object: &DynamicObject, is_there: bool) {
        let metadata = &object.metadata;
        let version = metadata.resource_version.as_deref().unwrap_or_default();
        let version = version.parse().unwrap_or(0);
        let namespace = metadata.namespace.clone().unwrap_or_default();
        let id = (kind.to_owned(), namespace, metadata.name.clone().unwrap_or_default());
        let value = || serde_json::to_value(object).unwrap_or_default();
        self.note(version, id, is_there.then(|| Arc::new(Object::new(value(), version))));
    }

    fn note(&self, version: u64, id: Id, object: Option<Arc<Object>>) {
        self.lock().waiting.insert((version, id), object);
        self.news.notify_one();
    }

    /// Goes through the news as they arrive, and tells `stirred` when there were any.
    pub(crate) async fn record(self, clock: Clock, stirred: Arc<Notify>) {
        loop {
            self.news.notified().await;
            sleep(GATHER).await;
            self.lock().settle(clock.now());
            stirred.notify_one();
        }
    }

    /// Holds an expectation against what is the case now.
    pub(crate) fn check(
        &self,
        of: &RolloutName,
        what: &Expectation,
    ) -> Result<Found, UnknownResource> {
        check(&self.lock().scene, of, what)
    }

    /// Holds an expectation against every state from this one on.
    pub(crate) fn stand(&self, place: &str, of: &RolloutName, what: &Expectation, now: Timestamp) {
        let mut state = self.lock();
        let mut standing =
            Standing { place: place.to_owned(), of: of.clone(), what: what.clone(), broken: None };
        standing.look(&state.scene, now);
        state.standing.push(standing);
    }

    /// Ends what `place` asked for, and says when it was broken first and what was found then.
    pub(crate) fn stand_down(&self, place: &str) -> Option<(Timestamp, String)> {
        let mut state = self.lock();
        let index = state.standing.iter().position(|standing| standing.place == place)?;
        state.standing.remove(index).broken
    }

    /// Weights the route has given the canary since this was last asked; the last one stays.
    pub(crate) fn take_weights(&self, of: &RolloutName) -> Vec<u32> {
        let mut state = self.lock();
        let uid = state.scene.rollout(of).map(|rollout| uid_of(&rollout)).unwrap_or_default();
        let Some(weights) = state.weights.get_mut(&uid) else { return Vec::new() };
        let last = weights.last().copied();
        std::mem::replace(weights, last.into_iter().collect())
    }

    /// Weights the route has given the canary since they were last taken.
    pub(crate) fn weights(&self, of: &RolloutName) -> Vec<u32> {
        let state = self.lock();
        let uid = state.scene.rollout(of).map(|rollout| uid_of(&rollout)).unwrap_or_default();
        state.weights.get(&uid).cloned().unwrap_or_default()
    }

    /// How often anything has changed.
    pub(crate) fn changes(&self) -> u64 {
        self.lock().changes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn settle(&mut self, now: Timestamp) {
        for ((_, id), object) in std::mem::take(&mut self.waiting) {
            let steers = ["HTTPRoute", "Ingress", "Rollout"].contains(&id.0.as_str());
            self.scene.learn(id, object);
            self.changes += 1;
            if steers {
                self.note_weights();
            }
            for standing in &mut self.standing {
                standing.look(&self.scene, now);
            }
        }
    }

    fn note_weights(&mut self) {
        for rollout in self.scene.rollouts() {
            let Some(weight) = self.scene.routed_weight(&rollout) else { continue };
            let weights = self.weights.entry(uid_of(&rollout)).or_default();
            if weights.last() != Some(&weight) {
                weights.push(weight);
            }
        }
    }
}

impl Standing {
    /// Remembers the first time it does not hold; an unknown resource never does.
    fn look(&mut self, scene: &Scene, now: Timestamp) {
        if self.broken.is_some() {
            return;
        }
        match check(scene, &self.of, &self.what) {
            Ok(Ok(())) => {}
            Ok(Err(found)) => self.broken = Some((now, found)),
            Err(unknown) => self.broken = Some((now, unknown.to_string())),
        }
    }
}

fn uid_of(rollout: &Rollout) -> String {
    rollout.metadata.uid.clone().unwrap_or_default()
}
