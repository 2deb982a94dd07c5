//! Telling people what happened, as Kubernetes Events.
//!
//! The same sentence about the same object within [`AGGREGATION_WINDOW`] raises the count of one event
//! instead of making another, and each object has an allowance, so that no loop floods the API server.
//!
//! **Invariant.** An event that cannot be written never fails a reconcile.

use crate::{
    authority::Authority,
    fault::{Cause, RequestFailed},
    metrics::Metrics,
    writer::{FIELD_MANAGER, Writer},
};
use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use vocab::{Event, ObjectRef, PatchType, Precondition, Subresource, Write};

/// Annotation on an event with the facts behind a decision, as a JSON map.
pub const EVIDENCE_ANNOTATION: &str = "ringfence.dev/evidence";
/// How long the same sentence raises a count.
const AGGREGATION_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// How many sentences are remembered for counting.
const REMEMBERED_MAX: usize = 4096;
/// How many events one object may have at once.
const BURST: f64 = 60.0;
/// How many more each second, in the long run.
const REFILL_PER_SECOND: f64 = 0.2;
/// The API server's limit on the message, in bytes.
const MESSAGE_MAX: usize = 1024;

/// What an event is about, beyond its name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    /// The object's uid.
    pub(crate) uid: Option<String>,
    /// The object's resourceVersion when the event was decided.
    pub(crate) resource_version: Option<String>,
}

/// Writes events. Copies share the counts.
#[derive(Clone)]
pub(crate) struct Recorder {
    writer: Writer,
    authority: Authority,
    clock: Clock,
    metrics: Arc<Metrics>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    told: BTreeMap<Sentence, Told>,
    allowances: BTreeMap<ObjectRef, Allowance>,
    last_name: i128,
}

/// What makes two events the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sentence {
    regarding: ObjectRef,
    uid: Option<String>,
    reason: String,
    message: String,
}

#[derive(Clone)]
struct Told {
    name: String,
    count: i64,
    last: Timestamp,
}

struct Allowance {
    left: f64,
    at: Timestamp,
}

/// How one event is to be written.
enum Telling {
    New(String),
    Again(Told),
    Silent,
}

impl Recorder {
    /// A recorder that writes with `writer` while `authority` lasts.
    pub(crate) fn new(
        writer: Writer,
        authority: Authority,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { writer, authority, clock, metrics, state: Arc::default() }
    }

    /// Writes one event, or raises the count of an earlier one.
    pub(crate) async fn emit(&self, event: &Event, identity: &Identity) {
        if !self.authority.is_leader() {
            return;
        }
        self.metrics.count_event(&event.regarding, event.event_type, &event.reason);
        let now = self.clock.now();
        let sentence = sentence(event, identity);
        let telling = self.lock().telling(&sentence, now);
        let outcome = match telling {
            Telling::Silent => Ok(()),
            Telling::New(name) => self.create(event, identity, &name).await,
            Telling::Again(told) => self.raise(event, identity, &told).await,
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, reason = event.reason, "an event was not written");
        }
    }

    async fn raise(
        &self,
        event: &Event,
        identity: &Identity,
        told: &Told,
    ) -> Result<(), RequestFailed> {
        match self.writer.write(&raised(event, told)).await {
            Err(RequestFailed { cause: Cause::Missed, .. }) => {
                let name = self.lock().fresh_name(&sentence(event, identity), self.clock.now());
                self.create(event, identity, &name).await
            }
            other => other.map(drop),
        }
    }

    async fn create(
        &self,
        event: &Event,
        identity: &Identity,
        name: &str,
    ) -> Result<(), RequestFailed> {
        let object = created(event, identity, name, self.clock.now());
        match self.writer.write(&Write::Create { object: object.clone() }).await {
            Err(RequestFailed { cause: Cause::AlreadyExisted, .. }) => {
                let name = self.lock().fresh_name(&sentence(event, identity), self.clock.now());
                let object = created(event, identity, &name, self.clock.now());
                self.writer.write(&Write::Create { object }).await.map(drop)
            }
            other => other.map(drop),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn telling(&mut self, sentence: &Sentence, now: Timestamp) -> Telling {
        if !self.spend(&sentence.regarding, now) {
            return Telling::Silent;
        }
        match self.told.get_mut(sentence) {
            Some(told) if now.duration_since(told.last) <= AGGREGATION_WINDOW => {
                told.count += 1;
                told.last = now;
                Telling::Again(told.clone())
            }
            _ => Telling::New(self.fresh_name(sentence, now)),
        }
    }

    fn spend(&mut self, object: &ObjectRef, now: Timestamp) -> bool {
        if self.allowances.len() >= REMEMBERED_MAX {
            self.allowances.retain(|_, allowance| allowance.at_time(now) < BURST);
        }
        let full = Allowance { left: BURST, at: now };
        let allowance = self.allowances.entry(object.clone()).or_insert(full);
        *allowance = Allowance { left: allowance.at_time(now), at: now };
        let allowed = allowance.left >= 1.0;
        allowance.left -= f64::from(u8::from(allowed));
        allowed
    }

    fn fresh_name(&mut self, sentence: &Sentence, now: Timestamp) -> String {
        if self.told.len() >= REMEMBERED_MAX {
            self.told.retain(|_, told| now.duration_since(told.last) <= AGGREGATION_WINDOW);
        }
        if self.told.len() >= REMEMBERED_MAX {
            self.told.pop_first();
        }
        self.last_name = now.as_nanosecond().max(self.last_name + 1);
        let name = format!("{}.{:x}", sentence.regarding.name, self.last_name);
        self.told.insert(sentence.clone(), Told { name: name.clone(), count: 1, last: now });
        name
    }
}

impl Allowance {
    fn at_time(&self, now: Timestamp) -> f64 {
        let gained = now.duration_since(self.at).as_secs_f64() * REFILL_PER_SECOND;
        (self.left + gained).min(BURST)
    }
}

fn sentence(event: &Event, identity: &Identity) -> Sentence {
    Sentence {
        regarding: event.regarding.clone(),
        uid: identity.uid.clone(),
        reason: event.reason.clone(),
        message: event.message.clone(),
    }
}

/// Events about cluster-scoped objects live in `default`, as the API server asks.
fn namespace(event: &Event) -> &str {
    if event.regarding.namespace.is_empty() { "default" } else { &event.regarding.namespace }
}

fn created(event: &Event, identity: &Identity, name: &str, now: Timestamp) -> Value {
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace(event)},
        "involvedObject": event.regarding,
        "type": format!("{:?}", event.event_type),
        "reason": event.reason,
        "message": shortened(&event.message),
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "reportingInstance": "",
        "firstTimestamp": whole_seconds(now),
        "lastTimestamp": whole_seconds(now),
        "count": 1,
    });
    if let Some(uid) = &identity.uid {
        object["involvedObject"]["uid"] = json!(uid);
    }
    if let Some(version) = &identity.resource_version {
        object["involvedObject"]["resourceVersion"] = json!(version);
    }
    if !event.evidence.is_empty() {
        let evidence = json!(event.evidence).to_string();
        object["metadata"]["annotations"] = json!({ EVIDENCE_ANNOTATION: evidence });
    }
    object
}

fn raised(event: &Event, told: &Told) -> Write {
    let mut body = json!({"count": told.count, "lastTimestamp": whole_seconds(told.last)});
    if !event.evidence.is_empty() {
        let evidence = json!(event.evidence).to_string();
        body["metadata"]["annotations"] = json!({ EVIDENCE_ANNOTATION: evidence });
    }
    Write::Patch {
        target: ObjectRef::new("v1", "Event", namespace(event), &told.name),
        subresource: Subresource::Main,
        patch_type: PatchType::Merge,
        body,
        precondition: Precondition::default(),
    }
}

fn shortened(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_MAX)]
}

/// `metav1.Time` has no fractions.
fn whole_seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::EventType;

    fn event(message: &str) -> Event {
        Event {
            event_type: EventType::Normal,
            regarding: ObjectRef::new("argoproj.io/v1alpha1", "Rollout", "shop", "web"),
            reason: "RolloutPaused".to_owned(),
            message: message.to_owned(),
            evidence: BTreeMap::from([("step".to_owned(), "1".to_owned())]),
            after: None,
        }
    }

    fn tell(state: &mut State, message: &str, second: i64) -> Option<i64> {
        let sentence = sentence(&event(message), &Identity::default());
        match state.telling(&sentence, Timestamp::from_second(second).unwrap()) {
            Telling::Silent => None,
            Telling::New(_) => Some(1),
            Telling::Again(told) => Some(told.count),
        }
    }

    #[test]
    fn repeats_raise_a_count_until_the_window_ends() {
        let mut state = State::default();
        assert_eq!(tell(&mut state, "paused", 0), Some(1));
        assert_eq!(tell(&mut state, "paused", 60), Some(2));
        assert_eq!(tell(&mut state, "resumed", 60), Some(1));
        assert_eq!(tell(&mut state, "paused", 2000), Some(1));
    }

    #[test]
    fn a_loop_cannot_flood_the_api_server() {
        let mut state = State::default();
        let told = (0..1000).filter(|_| tell(&mut state, "again", 0).is_some()).count();
        assert_eq!(told, 60);
        assert_eq!(tell(&mut state, "again", 4), None);
        assert!(tell(&mut state, "again", 10).is_some());
    }

    #[test]
    fn names_are_unique_even_at_the_same_instant() {
        let mut state = State::default();
        let sentence = sentence(&event("x"), &Identity::default());
        let first = state.fresh_name(&sentence, Timestamp::UNIX_EPOCH);
        assert_ne!(first, state.fresh_name(&sentence, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn an_event_carries_its_evidence_and_its_object() {
        let identity = Identity { uid: Some("u1".to_owned()), resource_version: None };
        let object = created(&event("paused"), &identity, "web.1", Timestamp::UNIX_EPOCH);
        assert_eq!(object["metadata"]["annotations"][EVIDENCE_ANNOTATION], r#"{"step":"1"}"#);
        assert_eq!(object["involvedObject"]["uid"], "u1");
        assert_eq!(object["source"]["component"], "rollouts-controller");
        assert_eq!(object["lastTimestamp"], "1970-01-01T00:00:00Z");
    }
}
