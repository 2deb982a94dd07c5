//! Telling people what happened, as Kubernetes Events.
//!
//! A [`Recorder`] notes what is to be told and never waits; the one [`Teller`] writes it down, one event
//! after the other and in the order they happened, so that the work on a rollout does not wait for them
//! and they never crowd out what moves a rollout.
//! The same sentence about the same object within [`AGGREGATION_WINDOW`] raises the count of one event
//! instead of making another, and each object has an allowance, so that no loop floods the API server.
//! In a cluster the allowance is that of Kubernetes' own clients, so that the API server gets no more than it
//! did before; but no long release uses it up so that its end, or what somebody has to act on, goes untold.
//!
//! **Invariant.** An event that cannot be written never fails a reconcile.

use crate::{
    authority::Authority,
    fault::{Cause, RequestFailed},
    metrics::Metrics,
    remembered::Remembered,
    writer::{FIELD_MANAGER, Writer},
};
use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;
use vocab::{Event, EventType, ObjectRef, PatchType, Precondition, Subresource, Write};

/// Annotation on an event with the facts behind a decision, as a JSON map.
pub const EVIDENCE_ANNOTATION: &str = "ringfence.dev/evidence";
/// How long the same sentence raises a count.
const AGGREGATION_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// What is kept back for outcomes.
const RESERVE: EventLimit = EventLimit::GENEROUS;
/// The reason that tells the good end of a release.
const COMPLETED: &str = "RolloutCompleted";
/// How many events may wait to be written; what comes when so many wait is counted and not told.
const WAITING_MAX: usize = 10_000;
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

/// Notes events. Copies share everything.
#[derive(Clone)]
pub(crate) struct Recorder {
    authority: Authority,
    clock: Clock,
    metrics: Arc<Metrics>,
    waiting: mpsc::Sender<Happened>,
}

/// Writes down what was noted.
pub(crate) struct Teller {
    writer: Writer,
    limit: EventLimit,
    noted: mpsc::Receiver<Happened>,
    state: State,
}

/// An event, whom it is about and when it was.
struct Happened {
    event: Event,
    identity: Identity,
    at: Timestamp,
}

#[derive(Default)]
struct State {
    told: Remembered<Sentence, Told>,
    common: Remembered<Subject, Allowance>,
    reserve: Remembered<Subject, Allowance>,
    last_name: i128,
}

/// What makes two events the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sentence {
    event_type: EventType,
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

/// An object by name and uid: one that is made anew under an old name has an allowance of its own.
type Subject = (ObjectRef, Option<String>);

struct Allowance {
    left: f64,
    at: Timestamp,
}

/// How many events about one object may be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EventLimit {
    /// How many at once.
    pub burst: f64,
    /// How many more each second, in the long run.
    pub refill_per_second: f64,
}

impl EventLimit {
    /// The limit of client-go's `EventSourceObjectSpamFilter`, which every Go controller keeps to.
    pub const OF_CLIENTS: Self = Self { burst: 25.0, refill_per_second: 1.0 / 300.0 };
    /// Enough for the whole story of a release; for where nobody else needs the API server.
    pub const GENEROUS: Self = Self { burst: 60.0, refill_per_second: 0.2 };
}

/// How one event is to be written.
enum Telling {
    New(String),
    Again(Told),
    Silent,
}

/// A recorder that notes while `authority` lasts, and what writes down with `writer` what it has noted.
pub(crate) fn recording(
    writer: Writer,
    authority: Authority,
    clock: Clock,
    metrics: Arc<Metrics>,
    limit: EventLimit,
) -> (Recorder, Teller) {
    let (waiting, noted) = mpsc::channel(WAITING_MAX);
    let teller = Teller { writer, limit, noted, state: State::default() };
    (Recorder { authority, clock, metrics, waiting }, teller)
}

impl Recorder {
    /// Notes one event.
    pub(crate) fn emit(&self, event: &Event, identity: &Identity) {
        if !self.authority.is_leader() {
            return;
        }
        self.metrics.count_event(&event.regarding, event.event_type, &event.reason);
        let (event, identity) = (event.clone(), identity.clone());
        let happened = Happened { event, identity, at: self.clock.now() };
        if let Err(untold) = self.waiting.try_send(happened) {
            self.metrics.count_untold_event();
            tracing::warn!(%untold, "an event is not told, because too many wait to be written");
        }
    }
}

impl Teller {
    /// Writes until there is nobody left to note anything.
    pub(crate) async fn run(mut self) {
        while let Some(happened) = self.noted.recv().await {
            if let Err(error) = self.tell(&happened).await {
                let reason = happened.event.reason;
                tracing::warn!(%error, reason, "an event was not written");
            }
        }
    }

    /// Writes one event, or raises the count of an earlier one.
    async fn tell(&mut self, happened: &Happened) -> Result<(), RequestFailed> {
        match self.state.telling(&happened.sentence(), self.limit, happened.at) {
            Telling::Silent => Ok(()),
            Telling::New(name) => self.create(happened, &name).await,
            Telling::Again(told) => self.raise(happened, &told).await,
        }
    }

    async fn raise(&mut self, happened: &Happened, told: &Told) -> Result<(), RequestFailed> {
        match self.writer.write(&raised(&happened.event, told)).await {
            Err(RequestFailed { cause: Cause::Missed, .. }) => {
                let name = self.state.fresh_name(&happened.sentence(), happened.at);
                self.create(happened, &name).await
            }
            other => other.map(drop),
        }
    }

    async fn create(&mut self, happened: &Happened, name: &str) -> Result<(), RequestFailed> {
        match self.writer.write(&Write::Create { object: created(happened, name) }).await {
            Err(RequestFailed { cause: Cause::AlreadyExisted, .. }) => {
                let name = self.state.fresh_name(&happened.sentence(), happened.at);
                let object = created(happened, &name);
                self.writer.write(&Write::Create { object }).await.map(drop)
            }
            other => other.map(drop),
        }
    }
}

impl Happened {
    fn sentence(&self) -> Sentence {
        Sentence {
            event_type: self.event.event_type,
            regarding: self.event.regarding.clone(),
            uid: self.identity.uid.clone(),
            reason: self.event.reason.clone(),
            message: self.event.message.clone(),
        }
    }
}

impl State {
    fn telling(&mut self, sentence: &Sentence, limit: EventLimit, now: Timestamp) -> Telling {
        if !self.spend(sentence, limit, now) {
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

    fn spend(&mut self, sentence: &Sentence, limit: EventLimit, now: Timestamp) -> bool {
        let subject = (sentence.regarding.clone(), sentence.uid.clone());
        spend_from(&mut self.common, limit, &subject, now)
            || sentence.is_outcome() && spend_from(&mut self.reserve, RESERVE, &subject, now)
    }

    fn fresh_name(&mut self, sentence: &Sentence, now: Timestamp) -> String {
        self.last_name = now.as_nanosecond().max(self.last_name + 1);
        let name = format!("{}.{:x}", sentence.regarding.name, self.last_name);
        self.told.insert(sentence.clone(), Told { name: name.clone(), count: 1, last: now });
        name
    }
}

impl Allowance {
    fn at_time(&self, now: Timestamp, limit: EventLimit) -> f64 {
        let gained = now.duration_since(self.at).as_secs_f64() * limit.refill_per_second;
        (self.left + gained).min(limit.burst)
    }
}

impl Sentence {
    /// Whether it tells how things ended, or that somebody has to act.
    fn is_outcome(&self) -> bool {
        self.event_type == EventType::Warning || self.reason == COMPLETED
    }
}

fn spend_from(
    allowances: &mut Remembered<Subject, Allowance>,
    limit: EventLimit,
    subject: &Subject,
    now: Timestamp,
) -> bool {
    let known = allowances.get_mut(subject);
    let left = known.map_or(limit.burst, |allowance| allowance.at_time(now, limit));
    let allowed = left >= 1.0;
    let left = if allowed { left - 1.0 } else { left };
    allowances.insert(subject.clone(), Allowance { left, at: now });
    allowed
}

/// Events about cluster-scoped objects live in `default`, as the API server asks.
fn namespace(event: &Event) -> &str {
    if event.regarding.namespace.is_empty() { "default" } else { &event.regarding.namespace }
}

fn created(Happened { event, identity, at }: &Happened, name: &str) -> Value {
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
        "firstTimestamp": whole_seconds(*at),
        "lastTimestamp": whole_seconds(*at),
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
    use std::collections::BTreeMap;

    fn happened(message: &str, identity: Identity) -> Happened {
        let event = Event {
            event_type: EventType::Normal,
            regarding: ObjectRef::new("argoproj.io/v1alpha1", "Rollout", "shop", "web"),
            reason: "RolloutPaused".to_owned(),
            message: message.to_owned(),
            evidence: BTreeMap::from([("step".to_owned(), "1".to_owned())]),
            after: None,
        };
        Happened { event, identity, at: Timestamp::UNIX_EPOCH }
    }

    fn tell(state: &mut State, message: &str, second: i64) -> Option<i64> {
        tell_as(state, EventType::Normal, message, second)
    }

    fn tell_as(
        state: &mut State,
        event_type: EventType,
        message: &str,
        second: i64,
    ) -> Option<i64> {
        let sentence = Sentence { event_type, ..happened(message, Identity::default()).sentence() };
        match state.telling(
            &sentence,
            EventLimit::OF_CLIENTS,
            Timestamp::from_second(second).unwrap(),
        ) {
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
        assert_eq!(told, 25);
        assert_eq!(tell(&mut state, "again", 299), None);
        assert!(tell(&mut state, "again", 300).is_some());
    }

    #[test]
    fn an_object_that_is_made_anew_has_an_allowance_of_its_own() {
        let mut state = State::default();
        let mut told = |uid: &str| {
            let identity = Identity { uid: Some(uid.to_owned()), resource_version: None };
            let sentence = happened("again", identity).sentence();
            let limit = EventLimit::OF_CLIENTS;
            !matches!(state.telling(&sentence, limit, Timestamp::UNIX_EPOCH), Telling::Silent)
        };
        assert_eq!((0..1000).filter(|_| told("first")).count(), 25);
        assert!(told("second"));
    }

    #[test]
    fn what_goes_well_never_crowds_out_an_outcome() {
        let mut state = State::default();
        for _ in 0..1000 {
            tell(&mut state, "again", 0);
        }
        let warnings = (0..1000)
            .filter(|_| tell_as(&mut state, EventType::Warning, "aborted", 0).is_some())
            .count();
        assert_eq!(warnings, 60);
    }

    #[test]
    fn names_are_unique_even_at_the_same_instant() {
        let mut state = State::default();
        let sentence = happened("x", Identity::default()).sentence();
        let first = state.fresh_name(&sentence, Timestamp::UNIX_EPOCH);
        assert_ne!(first, state.fresh_name(&sentence, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn an_event_carries_its_evidence_and_its_object() {
        let identity = Identity { uid: Some("u1".to_owned()), resource_version: None };
        let object = created(&happened("paused", identity), "web.1");
        assert_eq!(object["metadata"]["annotations"][EVIDENCE_ANNOTATION], r#"{"step":"1"}"#);
        assert_eq!(object["involvedObject"]["uid"], "u1");
        assert_eq!(object["source"]["component"], "rollouts-controller");
        assert_eq!(object["lastTimestamp"], "1970-01-01T00:00:00Z");
    }
}
