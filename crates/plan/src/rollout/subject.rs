//! The rollout under plan with what is worked out of it once: its ReplicaSets in their parts, its steps.
//!
//! Start with [`Subject::of`]. Nothing here decides what happens next.

use super::{
    Observed, reads,
    replicas::{IntOrPercent, Share, Size, Threshold, fenceposts},
    resolve::Resolved,
    sets::{self, SetExt},
    templates_equal::{covers_template, runs_template},
};
use api::argo::{
    BlueGreenStrategy, CanaryStep, CanaryStrategy, ObservedGeneration, Rollout, RolloutCondition,
    RolloutStatus, keys,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{apps::v1::ReplicaSet, core::v1::PodTemplateSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use std::{collections::BTreeMap, sync::Arc};
use vocab::ObjectRef;

/// Pods wanted when the spec does not say.
const DEFAULT_REPLICAS: i32 = 1;
/// Surge and unavailability when the spec does not say, in hundredths.
const DEFAULT_FENCEPOST_PERCENT: i32 = 25;
/// Parts of all traffic when the spec does not say.
const DEFAULT_MAX_WEIGHT: i32 = 100;
/// Seconds without progress when the spec does not say.
const DEFAULT_PROGRESS_DEADLINE: i32 = 600;
/// Seconds an old ReplicaSet is kept when the spec does not say.
const DEFAULT_SCALE_DOWN_DELAY: i32 = 30;

/// How long the new version keeps its pods after an abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AbortDelay {
    /// For ever: `abortScaleDownDelaySeconds: 0`.
    Forever,
    /// This long after traffic has left it.
    For(SignedDuration),
}

/// One rollout, resolved.
pub(crate) struct Subject<'a> {
    /// Everything gathered.
    pub(crate) observed: &'a Observed,
    /// The present.
    pub(crate) now: Timestamp,
    /// The rollout as it is stored.
    pub(crate) rollout: &'a Rollout,
    /// Its specification: pod template, selector, hashes.
    pub(crate) resolved: &'a Resolved,
    /// Its status, with pause and resume already noted in the conditions.
    pub(crate) status: RolloutStatus,
    sets: Vec<&'a ReplicaSet>,
    new: Option<usize>,
    stable: Option<usize>,
}

impl<'a> Subject<'a> {
    /// What `observed` comes to under the specification in force.
    pub(crate) fn of(observed: &'a Observed, resolved: &'a Resolved, now: Timestamp) -> Self {
        let rollout = &observed.rollout;
        let all = observed.replica_sets.iter().map(Arc::as_ref);
        let mut sets: Vec<&ReplicaSet> =
            all.filter(|set| is_ours(rollout, &resolved.selector, set)).collect();
        sets.sort_by_key(|set| (set.created(), set.name()));
        let status = rollout.status.clone().unwrap_or_default();
        let mut subject =
            Self { observed, now, rollout, resolved, status, sets, new: None, stable: None };
        subject.new = subject.find_new();
        let stable = subject.status.stable_rs.as_deref();
        subject.stable = stable.and_then(|hash| subject.position(hash));
        subject
    }

    fn position(&self, hash: &str) -> Option<usize> {
        self.sets.iter().position(|set| set.hash() == hash)
    }

    fn find_new(&self) -> Option<usize> {
        let own = self.template_hash();
        if let Some(found) = self.position(&own) {
            return Some(found);
        }
        let current = self.status.current_pod_hash.as_deref().unwrap_or_default();
        let runs = |set: &ReplicaSet| runs_template(set, self.template());
        let recorded = self.position(current);
        let preferred = recorded.filter(|found| runs(self.sets[*found]));
        // Where none is equal something may have been filled in that we do not know. The status alone is not
        // enough: upstream notes the generation, but not the version, of what it finds paused or invalid.
        let filled_in = || {
            recorded.filter(|found| {
                self.is_observed() && covers_template(self.sets[*found], self.template())
            })
        };
        preferred.or_else(|| self.sets.iter().copied().position(runs)).or_else(filled_in)
    }

    /// Whether the last complete status speaks of the template in force.
    fn is_observed(&self) -> bool {
        let workload = self.observed.workload.as_ref();
        let of_workload = workload.and_then(|found| found.metadata.generation);
        let noted = self.status.workload_observed_generation.as_ref();
        self.rollout.metadata.generation.is_some()
            && self.rollout.is_taken_in()
            && ObservedGeneration::is_of(noted, of_workload)
            && self.condition(keys::CONDITION_INVALID_SPEC).is_none()
    }

    /// A generation as a status has it.
    pub(crate) fn noted(&self, generation: Option<i64>) -> Option<ObservedGeneration> {
        let form = self.observed.generation_form;
        generation.map(|generation| ObservedGeneration::of(generation, form))
    }

    /// One condition of the status.
    pub(crate) fn condition(&self, name: &str) -> Option<&RolloutCondition> {
        self.status.conditions.iter().find(|condition| condition.type_ == name)
    }

    /// Its pod template, be it its own or the workload's.
    pub(crate) fn template(&self) -> &'a PodTemplateSpec {
        &self.resolved.template
    }

    /// Its selector, be it its own or the workload's.
    pub(crate) fn selector(&self) -> &'a LabelSelector {
        &self.resolved.selector
    }

    /// The hash that the template's ReplicaSet gets, if there is none yet.
    pub(crate) fn template_hash(&self) -> String {
        self.resolved.template_hash(self.status.collision_count)
    }

    /// The rollout's own reference.
    pub(crate) fn target(&self) -> ObjectRef {
        reads::rollout_ref(self.rollout)
    }

    /// The rollout's name.
    pub(crate) fn name(&self) -> &str {
        self.rollout.metadata.name.as_deref().unwrap_or_default()
    }

    /// The rollout's namespace.
    pub(crate) fn namespace(&self) -> &str {
        self.rollout.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// The revision that the rollout's annotation has.
    pub(crate) fn revision(&self) -> i64 {
        sets::revision_of(&self.rollout.metadata)
    }
}

/// The ReplicaSets and their parts.
impl<'a> Subject<'a> {
    /// All of the rollout's ReplicaSets, oldest first.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &'a ReplicaSet> {
        self.sets.iter().copied()
    }

    /// The ReplicaSet of the wanted template.
    pub(crate) fn new_set(&self) -> Option<&'a ReplicaSet> {
        self.new.map(|index| self.sets[index])
    }

    /// The ReplicaSet that was promoted last.
    pub(crate) fn stable_set(&self) -> Option<&'a ReplicaSet> {
        self.stable.map(|index| self.sets[index])
    }

    /// The stable ReplicaSet if it is not the new one too.
    pub(crate) fn distinct_stable(&self) -> Option<&'a ReplicaSet> {
        self.stable_set().filter(|_| self.stable != self.new)
    }

    /// ReplicaSets that are neither new nor stable.
    pub(crate) fn other_sets(&self) -> Vec<&'a ReplicaSet> {
        let other = |(index, _): &(usize, &ReplicaSet)| {
            Some(*index) != self.new && Some(*index) != self.stable
        };
        self.sets().enumerate().filter(other).map(|(_, set)| set).collect()
    }

    /// ReplicaSets of other templates.
    pub(crate) fn older_sets(&self) -> Vec<&'a ReplicaSet> {
        self.sets()
            .enumerate()
            .filter(|(index, _)| Some(*index) != self.new)
            .map(|(_, set)| set)
            .collect()
    }

    /// The ReplicaSet with this hash.
    pub(crate) fn set_of(&self, hash: &str) -> Option<&'a ReplicaSet> {
        self.position(hash).map(|index| self.sets[index])
    }

    /// Whether the new or the stable version has pods of a time when another number was wanted.
    pub(crate) fn has_stale_size(&self) -> bool {
        let stale = |set: &ReplicaSet| {
            set.wanted() > 0
                && set.desired_replicas().is_some_and(|desired| desired != self.replicas())
        };
        self.new_set().into_iter().chain(self.distinct_stable()).any(stale)
    }

    /// The wanted template's hash: the label of its ReplicaSet, or the one it would get.
    pub(crate) fn new_hash(&self) -> String {
        self.new_set().map_or_else(|| self.template_hash(), |set| set.hash().to_owned())
    }

    /// The stable hash in the status, empty before the first promotion.
    pub(crate) fn stable_hash(&self) -> &str {
        self.status.stable_rs.as_deref().unwrap_or_default()
    }

    /// Whether the status says that the wanted version is the stable one.
    pub(crate) fn is_fully_promoted(&self) -> bool {
        self.status.stable_rs == self.status.current_pod_hash
    }

    /// Whether the pod template changed since the last status.
    pub(crate) fn template_changed(&self) -> bool {
        self.status.current_pod_hash.as_ref().is_some_and(|hash| *hash != self.new_hash())
    }

    /// Whether the template or the canary's steps changed since the last status.
    pub(crate) fn template_or_steps_changed(&self) -> bool {
        self.status.current_step_hash.as_deref() != Some(self.steps_hash())
            || self.template_changed()
    }

    /// Hash of the canary's steps.
    pub(crate) fn steps_hash(&self) -> &str {
        self.resolved.steps_hash(self.steps())
    }

    /// Whether the wanted template is that of the stable version or of an older one.
    pub(crate) fn is_rollback(&self) -> bool {
        let (Some(new), Some(stable)) = (self.new_set(), self.stable_set()) else {
            return false;
        };
        self.new == self.stable || new.created() < stable.created()
    }

    /// Whether the wanted version is old enough and recent enough to skip the steps.
    pub(crate) fn is_rollback_within_window(&self) -> bool {
        let (Some(new), Some(stable)) = (self.new_set(), self.stable_set()) else {
            return false;
        };
        let window =
            self.rollout.spec.rollback_window.as_ref().map_or(0, |window| window.revisions);
        let between = |set: &&ReplicaSet| {
            set.annotation(keys::EXPERIMENT_NAME).is_none_or(str::is_empty)
                && new.created() < set.created()
                && set.created() < stable.created()
        };
        let passed = i32::try_from(self.sets().filter(between).count()).unwrap_or(i32::MAX);
        new.created() < stable.created() && passed < window
    }

    /// Whether steps, pauses and analyses are skipped because the version is known to be good.
    pub(crate) fn is_fast_rollback(&self) -> bool {
        let kept = self.blue_green().is_some()
            && self
                .new_set()
                .and_then(SetExt::deadline)
                .is_some_and(|deadline| deadline > self.now);
        self.is_rollback() && (self.new == self.stable || kept || self.is_rollback_within_window())
    }
}

/// What the specification says, with its defaults.
impl Subject<'_> {
    /// Pods wanted.
    pub(crate) fn replicas(&self) -> i32 {
        self.rollout.spec.replicas.unwrap_or(DEFAULT_REPLICAS)
    }

    /// The canary strategy, if that is the strategy.
    pub(crate) fn canary(&self) -> Option<&CanaryStrategy> {
        self.rollout.spec.strategy.canary.as_ref()
    }

    /// The blue-green strategy, if that is the strategy.
    pub(crate) fn blue_green(&self) -> Option<&BlueGreenStrategy> {
        self.rollout.spec.strategy.blue_green.as_ref()
    }

    /// Whether a router splits the traffic.
    pub(crate) fn is_routed(&self) -> bool {
        self.canary().is_some_and(|canary| canary.traffic_routing.is_some())
    }

    /// Whether the stable version shrinks as the canary grows.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.is_routed() && self.canary().is_some_and(|canary| canary.dynamic_stable_scale)
    }

    /// The steps of the canary; none for blue-green.
    pub(crate) fn steps(&self) -> &[CanaryStep] {
        self.canary().map_or(&[], |canary| canary.steps.as_slice())
    }

    /// Number of steps.
    pub(crate) fn step_count(&self) -> i32 {
        i32::try_from(self.steps().len()).unwrap_or(i32::MAX)
    }

    /// Where the status stands in the steps; the number of steps once all are done.
    pub(crate) fn step_index(&self) -> i32 {
        self.status.current_step_index.unwrap_or(0).clamp(0, self.step_count())
    }

    /// The step under way.
    pub(crate) fn current_step(&self) -> Option<&CanaryStep> {
        self.steps().get(usize::try_from(self.step_index()).ok()?)
    }

    /// The steps up to and including the present one, latest first.
    pub(crate) fn steps_so_far(&self) -> impl Iterator<Item = &CanaryStep> {
        let end = usize::try_from(self.step_index()).unwrap_or(0);
        self.steps().iter().take(end + 1).rev()
    }

    /// The parts of all traffic.
    pub(crate) fn max_weight(&self) -> i32 {
        let routing = self.canary().and_then(|canary| canary.traffic_routing.as_ref());
        routing.and_then(|routing| routing.max_traffic_weight).unwrap_or(DEFAULT_MAX_WEIGHT)
    }

    /// A weight out of the parts of all traffic.
    pub(crate) fn share(&self, weight: i32) -> Share {
        Share { weight, max: self.max_weight() }
    }

    /// The rollout's size with surge and unavailability.
    pub(crate) fn size(&self) -> Size {
        let replicas = self.replicas();
        let surge = self.canary().and_then(|canary| canary.max_surge.as_ref());
        let (max_surge, max_unavailable) =
            fenceposts(int_or_percent(surge), self.unavailable(), replicas);
        Size { replicas, max_surge, max_unavailable: max_unavailable.min(replicas) }
    }

    fn unavailable(&self) -> IntOrPercent {
        let canary = self.canary().and_then(|canary| canary.max_unavailable.as_ref());
        let blue_green =
            self.blue_green().and_then(|blue_green| blue_green.max_unavailable.as_ref());
        int_or_percent(blue_green.or(canary))
    }

    /// Pods that stable must have before traffic returns to it in a hurry.
    pub(crate) fn least_on_return(&self) -> i32 {
        let replicas = self.replicas();
        (replicas - self.unavailable().at_most(replicas)).clamp(replicas.min(1), replicas)
    }

    /// When a version counts as complete.
    pub(crate) fn threshold(&self) -> Threshold {
        let threshold = self.canary().and_then(|canary| canary.replica_progress_threshold.as_ref());
        match threshold {
            Some(threshold) if threshold.type_ == "Percent" => Threshold::Percent(threshold.value),
            Some(threshold) => Threshold::Pods(threshold.value),
            None => Threshold::All,
        }
    }

    /// Seconds without progress after which the rollout counts as stuck.
    pub(crate) fn progress_deadline(&self) -> SignedDuration {
        seconds(self.rollout.spec.progress_deadline_seconds.unwrap_or(DEFAULT_PROGRESS_DEADLINE))
    }

    /// How long an old ReplicaSet is kept after traffic has left it.
    pub(crate) fn scale_down_delay(&self) -> SignedDuration {
        match (self.blue_green(), self.is_routed()) {
            (Some(blue_green), _) => {
                seconds(blue_green.scale_down_delay_seconds.unwrap_or(DEFAULT_SCALE_DOWN_DELAY))
            }
            (None, true) => {
                let delay = self.canary().and_then(|canary| canary.scale_down_delay_seconds);
                seconds(delay.unwrap_or(DEFAULT_SCALE_DOWN_DELAY))
            }
            (None, false) => SignedDuration::ZERO,
        }
    }

    /// How many old ReplicaSets may be kept for a while.
    pub(crate) fn scale_down_limit(&self) -> i32 {
        let blue_green =
            self.blue_green().and_then(|blue_green| blue_green.scale_down_delay_revision_limit);
        let canary = self.canary().and_then(|canary| canary.scale_down_delay_revision_limit);
        blue_green.or(canary).unwrap_or(i32::MAX)
    }

    fn abort_delay_seconds(&self) -> Option<i32> {
        match self.blue_green() {
            Some(blue_green) => blue_green.abort_scale_down_delay_seconds,
            None => self.canary().filter(|_| self.is_routed())?.abort_scale_down_delay_seconds,
        }
    }

    /// How long the new version keeps its pods after an abort.
    pub(crate) fn abort_delay(&self) -> AbortDelay {
        match self.abort_delay_seconds() {
            Some(0) => AbortDelay::Forever,
            delay => AbortDelay::For(seconds(delay.unwrap_or(DEFAULT_SCALE_DOWN_DELAY))),
        }
    }

    /// Whether the specification itself sets a finite delay after an abort.
    pub(crate) fn has_explicit_abort_delay(&self) -> bool {
        self.abort_delay_seconds().is_some_and(|delay| delay != 0)
    }

    /// One of the status' pauses.
    pub(crate) fn pause(&self, reason: &str) -> Option<Timestamp> {
        let found = self.status.pause_conditions.iter().find(|pause| pause.reason == reason);
        found.map(|pause| pause.start_time.0)
    }

    /// Why nothing may be scaled or switched.
    pub(crate) fn is_halted(&self) -> bool {
        self.rollout.spec.paused || self.pause(keys::PAUSE_INCONCLUSIVE_ANALYSIS).is_some()
    }
}

/// Whether the rollout controls `set` and selects its pods.
pub(crate) fn is_ours(rollout: &Rollout, selector: &LabelSelector, set: &ReplicaSet) -> bool {
    let controller = sets::controller_uid(&set.metadata);
    controller.is_some()
        && controller == rollout.metadata.uid.as_deref()
        && selects(selector, set.metadata.labels.as_ref())
}

/// Whether `selector` matches `labels`.
pub(crate) fn selects(selector: &LabelSelector, labels: Option<&BTreeMap<String, String>>) -> bool {
    let value = |key: &str| labels.and_then(|labels| labels.get(key));
    let equal =
        selector.match_labels.iter().flatten().all(|(key, wanted)| value(key) == Some(wanted));
    let expressions = selector.match_expressions.iter().flatten();
    equal
        && expressions.into_iter().all(|expression| {
            let listed =
                |found: &String| expression.values.iter().flatten().any(|listed| listed == found);
            match expression.operator.as_str() {
                "In" => value(&expression.key).is_some_and(listed),
                "NotIn" => !value(&expression.key).is_some_and(listed),
                "Exists" => value(&expression.key).is_some(),
                "DoesNotExist" => value(&expression.key).is_none(),
                // Validation refuses it; until it is mended nothing is selected.
                _ => false,
            }
        })
}

/// A fencepost as the spec has it: a number, or text that is a percentage with or without the sign.
pub(crate) fn int_or_percent(value: Option<&IntOrString>) -> IntOrPercent {
    match value {
        None => IntOrPercent::Percent(DEFAULT_FENCEPOST_PERCENT),
        Some(IntOrString::Int(number)) => IntOrPercent::Int(*number),
        Some(IntOrString::String(text)) => {
            IntOrPercent::Percent(text.trim_end_matches('%').parse().unwrap_or(0))
        }
    }
}

fn seconds(count: i32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(count))
}
