//! Telling people what happened, as Kubernetes Events.
//!
//! A [`Recorder`] notes what is to be told and never waits; the one [`Teller`] writes it down, one event
//! after the other and in the order they happened, so that the work on a rollout does not wait for them.
//! While there is work events wait for a while: a hundred rollouts that change at once have three hundred
//! things to tell in the same second, and what moves them comes first.
//! The same sentence about the same object within [`AGGREGATION_WINDOW`] raises the count of one event
//! instead of making another, and each object has an allowance, so that no loop floods the API server.
//! In a cluster the allowance is that of Kubernetes' own clients, so that the API server gets no more than it
//! did before; but no long release uses it up so that its end, or what somebody has to act on, goes untold.
//!
//! **Invariant.** An event that cannot be written never fails a reconcile.

use crate::{
    authority::Authority,
    fault::{Cause, RequestFailed},
    lull::Lull,
    metrics::Metrics,
    remembered::{Digest, Remembered},
    writer::{FIELD_MANAGER, Writer},
};
use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::{mpsc, watch};
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
/// How many of them are outcomes.
const OUTCOMES_WAITING: usize = 1_000;
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
    works: watch::Sender<bool>,
    outcomes: Arc<AtomicUsize>,
}

/// Writes down what was noted.
pub(crate) struct Teller {
    writer: Writer,
    limit: EventLimit,
    noted: mpsc::Receiver<Happened>,
    lull: Lull,
    /// How many outcomes wait: what waits before them is told without delay.
    outcomes: Arc<AtomicUsize>,
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
    /// By sentence. Where two are the same by chance, one is counted as the other.
    told: Remembered<Digest, Told>,
    /// By subject. Where two are the same by chance, they share an allowance.
    common: Remembered<Digest, Allowance>,
    reserve: Remembered<Digest, Allowance>,
    last_number: i128,
}

/// What makes two events the same.
#[derive(Hash)]
struct Sentence {
    event_type: EventType,
    regarding: ObjectRef,
    uid: Option<String>,
    reason: String,
    message: String,
}

/// An event that was written.
#[derive(Clone)]
struct Told {
    /// What its name ends with.
    number: i128,
    count: i64,
    last: Timestamp,
}

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
    New(Told),
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
    let (works, working) = watch::channel(false);
    let outcomes = Arc::new(AtomicUsize::new(0));
    let lull = Lull::new(working, Arc::clone(&outcomes), clock);
    let told = Arc::clone(&outcomes);
    let teller = Teller { writer, limit, noted, lull, outcomes: told, state: State::default() };
    (Recorder { authority, clock, metrics, waiting, works, outcomes }, teller)
}

impl Recorder {
    /// Notes whether anything is being worked on.
    pub(crate) fn note_work(&self, works: bool) {
        self.works.send_if_modified(|known| std::mem::replace(known, works) != works);
    }

    /// Notes one event.
    pub(crate) fn emit(&self, event: &Event, identity: &Identity) {
        if !self.authority.is_leader() {
            return;
        }
        self.metrics.count_event(&event.regarding, event.event_type, &event.reason);
        let (event, identity) = (event.clone(), identity.clone());
        let happened = Happened { event, identity, at: self.clock.now() };
        let is_outcome = happened.is_outcome();
        let is_refused = self.waiting.capacity() <= OUTCOMES_WAITING && !is_outcome;
        let pressing = usize::from(is_outcome);
        self.outcomes.fetch_add(pressing, Ordering::Relaxed);
        if is_refused || self.waiting.try_send(happened).is_err() {
            self.outcomes.fetch_sub(pressing, Ordering::Relaxed);
            self.metrics.count_untold_event();
            tracing::warn!("an event is not told, because too many wait to be written");
        } else if is_outcome {
            self.works.send_modify(|_| {});
        }
    }
}

impl Teller {
    /// Writes until there is nobody left to note anything.
    pub(crate) async fn run(mut self) {
        while let Some(happened) = self.noted.recv().await {
            self.lull.wait(happened.at).await;
            if happened.is_outcome() {
                self.outcomes.fetch_sub(1, Ordering::Relaxed);
            }
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
            Telling::New(told) => self.create(happened, &told).await,
            Telling::Again(told) => self.raise(happened, &told).await,
        }
    }

    async fn raise(&mut self, happened: &Happened, told: &Told) -> Result<(), RequestFailed> {
        match self.writer.write(&raised(&happened.event, told)).await {
            Err(RequestFailed { cause: Cause::Missed, .. }) => {
                let told = self.state.anew(&happened.sentence(), happened.at);
                self.create(happened, &told).await
            }
            other => other.map(drop),
        }
    }

    async fn create(&mut self, happened: &Happened, told: &Told) -> Result<(), RequestFailed> {
        match self.writer.write(&Write::Create { object: created(happened, told) }).await {
            Err(RequestFailed { cause: Cause::AlreadyExisted, .. }) => {
                let told = self.state.anew(&happened.sentence(), happened.at);
                let object = created(happened, &told);
                self.writer.write(&Write::Create { object }).await.map(drop)
            }
            other => other.map(drop),
        }
    }
}

impl Happened {
    /// Whether it tells how things ended, or that somebody has to act.
    fn is_outcome(&self) -> bool {
        is_outcome(self.event.event_type, &self.event.reason)
    }

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
        match self.told.get_mut(&Digest::of(sentence)) {
            Some(told) if now.duration_since(told.last) <= AGGREGATION_WINDOW => {
                told.count += 1;
                told.last = now;
                Telling::Again(told.clone())
            }
            _ => Telling::New(self.anew(sentence, now)),
        }
    }

    fn spend(&mut self, sentence: &Sentence, limit: EventLimit, now: Timestamp) -> bool {
        // An object that is made anew under an old name has an allowance of its own.
        let subject = Digest::of((&sentence.regarding, &sentence.uid));
        spend_from(&mut self.common, limit, subject, now)
            || sentence.is_outcome() && spend_from(&mut self.reserve, RESERVE, subject, now)
    }

    /// An event that is told for the first time, or under another name.
    fn anew(&mut self, sentence: &Sentence, now: Timestamp) -> Told {
        self.last_number = now.as_nanosecond().max(self.last_number + 1);
        let told = Told { number: self.last_number, count: 1, last: now };
        self.told.insert(Digest::of(sentence), told.clone());
        told
    }
}

impl Told {
    /// The name of the event, made as client-go makes it.
    fn name(&self, regarding: &ObjectRef) -> String {
        format!("{}.{:x}", regarding.name, self.number)
    }
}

impl Allowance {
    fn at_time(&self, now: Timestamp, limit: EventLimit) -> f64 {
        let gained = now.duration_since(self.at).as_secs_f64() * limit.refill_per_second;
        (self.left + gained).min(limit.burst)
    }
}

impl Sentence {
    fn is_outcome(&self) -> bool {
        is_outcome(self.event_type, &self.reason)
    }
}

fn is_outcome(event_type: EventType, reason: &str) -> bool {
    event_type == EventType::Warning || reason == COMPLETED
}

fn spend_from(
    allowances: &mut Remembered<Digest, Allowance>,
    limit: EventLimit,
    subject: Digest,
    now: Timestamp,
) -> bool {
    let known = allowances.get_mut(&subject);
    let left = known.map_or(limit.burst, |allowance| allowance.at_time(now, limit));
    let allowed = left >= 1.0;
    let left = if allowed { left - 1.0 } else { left };
    allowances.insert(subject, Allowance { left, at: now });
    allowed
}

/// Events about cluster-scoped objects live in `default`, as the API server asks.
fn namespace(event: &Event) -> &str {
    if event.regarding.namespace.is_empty() { "default" } else { &event.regarding.namespace }
}

fn created(Happened { event, identity, at }: &Happened, told: &Told) -> Value {
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": told.name(&event.regarding), "namespace": namespace(event)},
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
        target: ObjectRef::new("v1", "Event", namespace(event), &told.name(&event.regarding)),
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
    use crate::pace::Throttle;
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

    #[tokio::test]
    async fn among_too_much_other_news_there_is_room_for_outcomes() {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let authority = Authority::none(clock);
        authority.grant_forever();
        let nobody = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let client = kube::Client::try_from(nobody).unwrap();
        let writer = Writer::new(client, authority.clone(), Throttle::new(clock, None));
        let metrics = Arc::new(Metrics::default());
        let (recorder, teller) =
            recording(writer, authority, clock, metrics, EventLimit::OF_CLIENTS);
        let fill = |event_type| {
            let Happened { event, identity, .. } = happened("again", Identity::default());
            for _ in 0..=WAITING_MAX {
                recorder.emit(&Event { event_type, ..event.clone() }, &identity);
            }
            (teller.noted.len(), teller.outcomes.load(Ordering::Relaxed))
        };
        assert_eq!(fill(EventType::Normal), (WAITING_MAX - OUTCOMES_WAITING, 0));
        assert_eq!(fill(EventType::Warning), (WAITING_MAX, OUTCOMES_WAITING));
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
        let first = state.anew(&sentence, Timestamp::UNIX_EPOCH);
        assert_ne!(first.number, state.anew(&sentence, Timestamp::UNIX_EPOCH).number);
    }

    #[test]
    fn an_event_carries_its_evidence_and_its_object() {
        let identity = Identity { uid: Some("u1".to_owned()), resource_version: None };
        let told = Told { number: 1, count: 1, last: Timestamp::UNIX_EPOCH };
        let object = created(&happened("paused", identity), &told);
        assert_eq!(object["metadata"]["name"], "web.1");
        assert_eq!(object["metadata"]["annotations"][EVIDENCE_ANNOTATION], r#"{"step":"1"}"#);
        assert_eq!(object["involvedObject"]["uid"], "u1");
        assert_eq!(object["source"]["component"], "rollouts-controller");
        assert_eq!(object["lastTimestamp"], "1970-01-01T00:00:00Z");
    }
}
