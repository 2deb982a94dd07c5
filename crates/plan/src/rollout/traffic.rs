//! The split in force, what it reaches, and steering it.
//!
//! Start with [`View::of`] for what the routers' objects say and [`steer`] for what is done about it.
//! Traffic moves only to pods that are available and visible as endpoints of the service it moves to, and a
//! weight counts as in force only when the objects read back show it and no data plane denies it.

use super::{
    destinations::{self, Further},
    draft::Draft,
    reads,
    replicas::{pods_before, pods_for},
    routes, services,
    sets::SetExt,
    subject::Subject,
    targets::InForce,
    waits::Wait,
    weights::{self, Desired, Urgency},
};
use api::argo::{TrafficWeights, WeightDestination};
use jiff::SignedDuration;
use routers::{Router, Steering};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use vocab::{Destination, EventType, ManagedRoute, PodHash, Reason, Traffic, Weight};

/// When to look again at a weight that nothing has confirmed.
const VERIFY_AGAIN: SignedDuration = SignedDuration::from_secs(10);

/// What the routers' objects say.
pub(crate) struct View {
    config: Value,
    routers: Vec<&'static dyn Router>,
    /// The canary's weight, or why it cannot be told.
    pub(crate) weight: Result<i32, Reason>,
    /// What further services get.
    pub(crate) further: BTreeMap<String, Weight>,
    /// The managed routes that stand; each leads to the canary service.
    pub(crate) managed: BTreeSet<String>,
    exact: bool,
    verified: Option<bool>,
}

impl View {
    /// Reads the routers' objects; `None` when no router splits the traffic.
    pub(crate) fn of(subject: &Subject<'_>) -> Option<Self> {
        let config = reads::routing_config(subject.rollout)?;
        let routers = reads::configured_routers(&config);
        if routers.is_empty() {
            return None;
        }
        let mut view = Self {
            config,
            routers,
            weight: Ok(0),
            further: BTreeMap::new(),
            managed: BTreeSet::new(),
            exact: true,
            verified: None,
        };
        view.look(subject);
        Some(view)
    }

    fn look(&mut self, subject: &Subject<'_>) {
        let objects = &subject.observed.objects;
        let mut seen = Vec::new();
        for router in &self.routers {
            let found = reads::with_context(subject.rollout, &self.config, |context| {
                router.observe(context, objects)
            });
            match found {
                Ok(observation) => seen.push(observation),
                Err(reason) => {
                    self.weight = Err(reason);
                    self.exact = false;
                    return;
                }
            }
        }
        let greatest =
            seen.iter().map(|observation| to_i32(observation.canary_weight)).max().unwrap_or(0);
        self.weight = Ok(greatest);
        self.verified = seen
            .iter()
            .filter_map(|observation| observation.verified)
            .reduce(|all, one| all && one);
        for (service, weight) in seen.iter().flat_map(|observation| &observation.additional) {
            let greatest = self.further.entry(service.clone()).or_insert(Weight::ZERO);
            *greatest = (*greatest).max(*weight);
        }
        self.managed = seen.into_iter().flat_map(|observation| observation.managed).collect();
        self.exact = self.is_settled(subject, None);
    }

    /// Whether the router has nothing to write for the weights in force and these managed routes.
    fn is_settled(&self, subject: &Subject<'_>, managed: Option<Vec<ManagedRoute>>) -> bool {
        let traffic = Traffic { managed, ..self.as_it_is(subject) };
        self.writes(subject, &traffic).is_ok_and(|writes| writes.is_empty())
    }

    /// The split in force.
    fn as_it_is(&self, subject: &Subject<'_>) -> Traffic {
        let further = self.further.iter().map(|(service, weight)| {
            (Destination { service: service.clone(), pod_hash: None, port: None }, *weight)
        });
        let weight = self.weight.as_ref().copied().unwrap_or(0);
        traffic(subject, weight, "", further.collect())
    }

    /// Whether exactly these managed routes stand, as far as anybody can tell.
    pub(crate) fn holds(&self, subject: &Subject<'_>, managed: &[ManagedRoute]) -> bool {
        self.verified != Some(false) && self.is_settled(subject, Some(managed.to_vec()))
    }

    fn writes(&self, subject: &Subject<'_>, traffic: &Traffic) -> Result<Vec<Steering>, Reason> {
        let mut writes = Vec::new();
        for router in &self.routers {
            let steer = |context: &routers::Context<'_>| {
                router.steer(context, &subject.observed.objects, traffic)
            };
            writes.extend(reads::with_context(subject.rollout, &self.config, steer)?);
        }
        Ok(writes)
    }

    /// Whether exactly this weight is in force and stable has all the rest, as far as anybody can tell.
    pub(crate) fn is_in_force(&self, weight: i32) -> bool {
        self.shows(weight, &Further::new())
    }

    /// Whether exactly this split is in force, as far as anybody can tell.
    fn shows(&self, weight: i32, further: &Further) -> bool {
        let same = self.weight == Ok(weight) && self.gives(further);
        same && self.exact && self.verified != Some(false)
    }

    /// Whether further services get what they should.
    fn gives(&self, further: &Further) -> bool {
        let wanted = further.iter().map(|(destination, weight)| (&destination.service, weight));
        wanted.eq(self.further.iter())
    }

    /// The split in force for sizing.
    pub(crate) fn in_force(&self, subject: &Subject<'_>) -> InForce {
        let canary = self.weight.as_ref().ok().copied();
        let stable = if self.exact {
            canary.map(|weight| subject.max_weight() - weight)
        } else {
            Some(subject.max_weight())
        };
        InForce { canary, stable: stable.filter(|_| canary.is_some()) }
    }

    /// Whether nothing leads traffic to the pods of `hash` any more, as far as anybody can tell.
    pub(crate) fn has_left(&self, subject: &Subject<'_>, hash: &str) -> bool {
        self.verified != Some(false) && self.leads_to(subject, hash).is_none()
    }

    /// What still leads traffic to the pods of `hash`.
    pub(crate) fn leads_to(&self, subject: &Subject<'_>, hash: &str) -> Option<String> {
        let canary = subject.canary()?;
        let weighs = self.weight.as_ref().map_or(true, |weight| *weight > 0);
        let to_canary = weighs || !self.managed.is_empty();
        let everything = self.is_in_force(subject.max_weight());
        let used = [(&canary.canary_service, to_canary), (&canary.stable_service, !everything)];
        let service =
            used.into_iter().filter(|(_, used)| *used).filter_map(|(name, _)| name.as_deref());
        service
            .into_iter()
            .find(|name| services::leads_to(subject, name, hash))
            .map(|name| format!("service {name}"))
    }
}

/// What still leads traffic to the pods of `hash`, whatever the strategy.
pub(crate) fn leads_to(subject: &Subject<'_>, view: Option<&View>, hash: &str) -> Option<String> {
    if let Some(blue_green) = subject.blue_green() {
        let active = Some(blue_green.active_service.as_str());
        let names = active.into_iter().chain(blue_green.preview_service.as_deref());
        return names
            .into_iter()
            .find(|name| services::leads_to(subject, name, hash))
            .map(|name| format!("service {name}"));
    }
    view.and_then(|view| view.leads_to(subject, hash))
}

/// Brings the split towards what it should be.
pub(crate) fn steer(subject: &Subject<'_>, view: Option<&View>, draft: &mut Draft) {
    let Some(view) = view else {
        draft.status.canary.weights = None;
        return;
    };
    let in_force = match &view.weight {
        Ok(weight) => *weight,
        Err(reason) => return report(subject, reason, draft),
    };
    let mut desired = weights::desired(subject, view, draft);
    let mut further = destinations::wanted(subject, draft);
    let managed = routes::wanted(subject, view, &desired, draft);
    if !may_move(subject, &desired, in_force, draft) {
        // What an experiment gets or gives back does not wait for the canary, nor does a managed route.
        desired.weight = in_force;
        if view.gives(&further) {
            return reroute(subject, view, managed, draft);
        }
    }
    if destinations::total(&further).saturating_add(desired.weight) > subject.max_weight() {
        further.clear();
    }
    let wanted = traffic(subject, desired.weight, &desired.canary_hash, further.clone());
    match view.writes(subject, &Traffic { managed: Some(managed), ..wanted }) {
        Ok(writes) => {
            let settled = writes.is_empty();
            write_all(subject, writes, draft);
            let verified = if settled { view.verified } else { view.verified.map(|_| false) };
            record(subject, view, (&desired, &further), verified, draft);
        }
        Err(reason) => report(subject, &reason, draft),
    }
}

/// Takes the managed routes away and leaves the weights.
pub(crate) fn let_go(subject: &Subject<'_>, draft: &mut Draft) {
    let view = View::of(subject).filter(|view| !view.managed.is_empty());
    if let Some(view) = view {
        reroute(subject, &view, Vec::new(), draft);
    }
}

/// Brings the managed routes about while the weights stay as they are.
fn reroute(subject: &Subject<'_>, view: &View, managed: Vec<ManagedRoute>, draft: &mut Draft) {
    let wanted = Traffic { managed: Some(managed), ..view.as_it_is(subject) };
    match view.writes(subject, &wanted) {
        Ok(writes) => write_all(subject, writes, draft),
        Err(reason) => report(subject, &reason, draft),
    }
}

fn write_all(subject: &Subject<'_>, writes: Vec<Steering>, draft: &mut Draft) {
    for Steering { write, told } in writes {
        draft.write(write);
        if let Some((reason, message)) = told {
            draft.note_write(subject, reason, message);
        }
    }
}

/// Says once that a router cannot be read or steered.
fn report(subject: &Subject<'_>, reason: &Reason, draft: &mut Draft) {
    let wait = Wait::Router(reason.clone());
    if !subject.status.reasons.contains(&wait.reason()) {
        draft.warn(subject, "TrafficRoutingError", reason.message.clone());
    }
    draft.wait(wait);
}

/// Whether the pods that would get more traffic can take it.
fn may_move(subject: &Subject<'_>, desired: &Desired, in_force: i32, draft: &mut Draft) -> bool {
    let wait = match desired.weight.cmp(&in_force) {
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => why_not_canary(subject, desired),
        std::cmp::Ordering::Less => why_not_stable(subject, desired),
    };
    let may = wait.is_none();
    if let Some(wait) = wait {
        draft.wait(wait);
    }
    may
}

/// What keeps the canary from taking more.
fn why_not_canary(subject: &Subject<'_>, desired: &Desired) -> Option<Wait> {
    let service = subject.canary()?.canary_service.as_deref().unwrap_or_default();
    let selects = services::selected(subject, service).unwrap_or_default();
    if selects != desired.canary_hash {
        return Some(not_switched(service, selects, &desired.canary_hash));
    }
    let available = subject.set_of(&desired.canary_hash).map_or(0, SetExt::available);
    let needed = pods_for(subject.replicas(), subject.share(desired.weight)).min(available).max(1);
    endpoints(subject, service, &desired.canary_hash, needed)
}

/// What keeps stable from taking more.
fn why_not_stable(subject: &Subject<'_>, desired: &Desired) -> Option<Wait> {
    let stable = subject.stable_set()?;
    let canary = subject.canary()?;
    let service = canary.stable_service.as_deref().unwrap_or_default();
    let left = canary.canary_service.as_deref().unwrap_or_default();
    if !services::leads_elsewhere(subject, left, stable.hash()) {
        // The same pods by another name: a move costs nothing once the service sees as many, or one of
        // those that are available and not seen at either yet.
        let served = services::visible(subject, left, stable.hash());
        return endpoints(subject, service, stable.hash(), served.max(stable.available().min(1)));
    }
    let share = subject.share(subject.max_weight() - desired.weight);
    let full = pods_before(subject.replicas(), share);
    let needed = match desired.urgency {
        Urgency::None => full,
        Urgency::Abort => full.min(subject.least_on_return()),
        Urgency::CanaryGone => full.min(1),
    };
    let met = stable.available() > 0 && subject.threshold().is_met(stable.count(), full);
    if stable.available() < needed && !met {
        return Some(Wait::Stable {
            replica_set: stable.name().to_owned(),
            available: stable.available(),
            needed,
        });
    }
    let selects = services::selected(subject, service).unwrap_or_default();
    if selects != stable.hash() && desired.urgency == Urgency::None {
        return Some(not_switched(service, selects, stable.hash()));
    }
    endpoints(subject, service, stable.hash(), needed.min(stable.available()).max(needed.min(1)))
}

fn not_switched(service: &str, selects: &str, wanted: &str) -> Wait {
    Wait::Service {
        service: service.to_owned(),
        selects: selects.to_owned(),
        wanted: wanted.to_owned(),
        because: "its pods are not available".to_owned(),
    }
}

fn endpoints(subject: &Subject<'_>, service: &str, hash: &str, needed: i32) -> Option<Wait> {
    let visible = services::visible(subject, service, hash);
    let wait =
        Wait::Endpoints { service: service.to_owned(), hash: hash.to_owned(), visible, needed };
    (visible < needed).then_some(wait)
}

/// Puts the split into the status and tells people when it changed.
fn record(
    subject: &Subject<'_>,
    view: &View,
    (desired, further): (&Desired, &Further),
    verified: Option<bool>,
    draft: &mut Draft,
) {
    let destination = |weight: i32, service: Option<&String>, hash: &str| WeightDestination {
        weight,
        service_name: service.cloned(),
        pod_template_hash: Some(hash.to_owned()).filter(|hash| !hash.is_empty()),
    };
    let canary = subject.canary();
    let stable_weight = subject.max_weight() - desired.weight - destinations::total(further);
    let stable_hash = subject.stable_set().map_or("", SetExt::hash);
    let weights = TrafficWeights {
        canary: destination(
            desired.weight,
            canary.and_then(|canary| canary.canary_service.as_ref()),
            &desired.canary_hash,
        ),
        stable: destination(
            stable_weight,
            canary.and_then(|canary| canary.stable_service.as_ref()),
            stable_hash,
        ),
        additional: destinations::in_status(further),
        verified,
    };
    // Upstream also tells of weights that stay while a hash changes, in a sentence without an end.
    if let Some(detail) = change(subject.status.canary.weights.as_ref(), &weights) {
        let message = format!("Traffic weight updated {detail}");
        let evidence = capacity(subject, desired);
        draft.event(subject, EventType::Normal, ("TrafficWeightUpdated", message), evidence);
    }
    if !view.shows(desired.weight, further) {
        let in_force = view.weight.as_ref().ok().copied();
        draft.wait(Wait::Weight { in_force, wanted: desired.weight });
        draft.wake_at(subject.now + VERIFY_AGAIN);
    }
    draft.status.canary.weights = Some(weights);
}

/// The pods and endpoints that a split rests on.
fn capacity(subject: &Subject<'_>, desired: &Desired) -> BTreeMap<String, String> {
    let Some(canary) = subject.canary() else { return BTreeMap::new() };
    let name = |service: &Option<String>| service.clone().unwrap_or_default();
    let stable_hash = subject.stable_set().map_or("", SetExt::hash);
    let facts = [
        ("canary", name(&canary.canary_service), desired.canary_hash.as_str()),
        ("stable", name(&canary.stable_service), stable_hash),
    ];
    let mut evidence = BTreeMap::new();
    for (version, service, hash) in facts {
        let available = subject.set_of(hash).map_or(0, SetExt::available);
        evidence.insert(format!("{version}Available"), available.to_string());
        let visible = services::visible(subject, &service, hash);
        evidence.insert(format!("{version}Endpoints"), visible.to_string());
    }
    evidence
}

fn change(before: Option<&TrafficWeights>, after: &TrafficWeights) -> Option<String> {
    let weight = after.canary.weight;
    let Some(before) = before else { return Some(format!("to {weight}")) };
    let moved = before.canary.weight != weight;
    let canary = moved.then(|| format!("from {} to {weight}", before.canary.weight));
    let others = before.additional != after.additional;
    let others =
        others.then(|| format!("additional: {}", destinations::describe(&after.additional)));
    let details: Vec<String> = canary.into_iter().chain(others).collect();
    (!details.is_empty()).then(|| details.join(", "))
}

fn traffic(
    subject: &Subject<'_>,
    canary_weight: i32,
    canary_hash: &str,
    additional: Further,
) -> Traffic {
    let destination = |service: Option<&String>, hash: &str| Destination {
        service: service.cloned().unwrap_or_default(),
        pod_hash: Some(PodHash(hash.to_owned())).filter(|hash| !hash.0.is_empty()),
        port: None,
    };
    let canary = subject.canary();
    let stable_hash = subject.stable_set().map_or("", SetExt::hash);
    Traffic {
        stable: destination(canary.and_then(|canary| canary.stable_service.as_ref()), stable_hash),
        canary: destination(canary.and_then(|canary| canary.canary_service.as_ref()), canary_hash),
        canary_weight: to_weight(canary_weight),
        additional,
        managed: None,
        max: to_weight(subject.max_weight()),
    }
}

/// A weight of the spec as the routers have it.
pub(crate) fn to_weight(parts: i32) -> Weight {
    Weight::max_of(u32::try_from(parts).unwrap_or(0))
}

fn to_i32(weight: Weight) -> i32 {
    i32::try_from(weight.parts()).unwrap_or(i32::MAX)
}
