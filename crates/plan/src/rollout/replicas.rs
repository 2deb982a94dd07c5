//! How many pods each version gets: arithmetic on plain numbers.
//!
//! Start with [`basic`] for a canary whose split is the ratio of pods, and [`traffic_routed`] for one
//! whose split a router makes. Numbers and roundings are those of Argo Rollouts 1.10, table by table.
//! Nothing here knows a Kubernetes object.

/// The size of a rollout and the room it may use while it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// `spec.replicas`.
    pub replicas: i32,
    /// Pods allowed above `replicas`.
    pub max_surge: i32,
    /// Pods that may be missing below `replicas`.
    pub max_unavailable: i32,
}

/// A share in parts of a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Parts for the canary.
    pub weight: i32,
    /// What the parts add up to.
    pub max: i32,
}

/// What a ReplicaSet is asked for and what it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// `spec.replicas`.
    pub wanted: i32,
    /// `status.availableReplicas`.
    pub available: i32,
}

impl Count {
    /// Pods that may be counted on when something is scaled down.
    fn dependable(self, trust: Trust) -> i32 {
        if self.wanted < self.available || trust == Trust::Wanted {
            self.wanted
        } else {
            self.available
        }
    }
}

/// Which number of a [`Count`] a scale-down may rest on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Pods that are asked for, be they available or not.
    Wanted,
    /// Pods that are available.
    Available,
}

/// The stable version beside the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stable {
    /// Nothing was ever promoted.
    Absent,
    /// The new version is the stable one.
    SameAsNew,
    /// Another version is stable.
    Distinct(Count),
}

/// The counts both versions shall have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Pods of the new version.
    pub canary: i32,
    /// Pods of the stable version.
    pub stable: i32,
}

/// Pods of either version that come closest to a weight; the sum is `replicas`, or one more with surge.
pub fn approximate(size: Size, share: Share) -> Targets {
    let Size { replicas, max_surge, .. } = size;
    if replicas == 0 {
        return Targets::default();
    }
    let product = i64::from(replicas) * i64::from(share.weight);
    let ceiling = to_i32(ceil_div(product, i64::from(share.max)));
    let floor = to_i32(product / i64::from(share.max));
    let extreme =
        share.weight == share.max || share.weight == 0 || (replicas == 1 && max_surge == 0);
    let mut options = Vec::new();
    if ceiling < replicas || extreme {
        options.push((ceiling, replicas));
    }
    let floor_allowed = floor != 0 || extreme;
    if floor_allowed && !tied(replicas, share) {
        options.push((floor, replicas));
    }
    if max_surge > 0 {
        options.push((ceiling, replicas + 1));
        if floor_allowed && !tied(replicas + 1, share) {
            options.push((floor, replicas + 1));
        }
    }
    closest(&options, share).map_or(Targets { canary: 0, stable: replicas }, |(canary, total)| {
        Targets { canary, stable: total - canary }
    })
}

/// Whether rounding up and rounding down miss the weight by the same amount.
fn tied(total: i32, share: Share) -> bool {
    let product = i64::from(total) * i64::from(share.weight);
    let max = i64::from(share.max);
    2 * (product % max) == max
}

/// The first option with the least distance from the weight.
fn closest(options: &[(i32, i32)], share: Share) -> Option<(i32, i32)> {
    // |canary·max/total − weight| compared across totals without division.
    let distance = |&(canary, total): &(i32, i32)| {
        (i64::from(canary) * i64::from(share.max) - i64::from(share.weight) * i64::from(total))
            .abs()
    };
    let mut best: Option<(i32, i32)> = None;
    for option in options {
        let nearer = best.is_none_or(|found| {
            distance(option) * i64::from(found.1) < distance(&found) * i64::from(option.1)
        });
        if nearer {
            best = Some(*option);
        }
    }
    best
}

/// Next counts of a canary that splits by the ratio of pods, within surge and unavailability.
///
/// `older` is the number of pods asked for by all other ReplicaSets; they go before anything else shrinks.
pub fn basic(size: Size, share: Share, new: Option<Count>, stable: Stable, older: i32) -> Targets {
    let desired = match stable {
        Stable::Distinct(_) => approximate(size, share),
        Stable::Absent | Stable::SameAsNew => Targets { canary: size.replicas, stable: 0 },
    };
    let grown = grow(size, desired, new, stable, older);
    if older > 0 {
        make_room(desired, stable, grown)
    } else {
        shrink(size, desired, new, stable, grown)
    }
}

/// While older pods may not go, those of stable that are not available give their room to a version that
/// cannot grow otherwise: they serve nobody.
fn make_room(desired: Targets, stable: Stable, grown: Targets) -> Targets {
    match distinct(stable) {
        Some(count) if grown.canary < desired.canary => {
            let least = desired.stable.max(count.available);
            Targets { stable: grown.stable.min(least), ..grown }
        }
        _ => grown,
    }
}

/// Uses the room under the surge limit, for stable first.
fn grow(size: Size, desired: Targets, new: Option<Count>, stable: Stable, older: i32) -> Targets {
    let new_wanted = new.map_or(0, |count| count.wanted);
    let stable_wanted = distinct(stable).map_or(0, |count| count.wanted);
    let mut room = size.replicas + size.max_surge - (older + new_wanted + stable_wanted);
    let mut targets = Targets { canary: new_wanted, stable: stable_wanted };
    if distinct(stable).is_some() && stable_wanted < desired.stable && room > 0 {
        targets.stable = desired.stable.min(stable_wanted + room);
        room = (room - (desired.stable - stable_wanted)).max(0);
    }
    if new.is_some() && new_wanted < desired.canary && room > 0 {
        targets.canary = desired.canary.min(new_wanted + room);
    }
    targets
}

/// Takes away what availability allows from the version that shall lose pods.
fn shrink(
    size: Size,
    desired: Targets,
    new: Option<Count>,
    stable: Stable,
    grown: Targets,
) -> Targets {
    let least = size.replicas - size.max_unavailable;
    let most = size.replicas + size.max_surge;
    let growing = new.is_none_or(|count| desired.canary >= count.wanted);
    let (trust_new, trust_stable) =
        if growing { (Trust::Available, Trust::Wanted) } else { (Trust::Wanted, Trust::Available) };
    let beside = match stable {
        Stable::Absent => None,
        Stable::SameAsNew => new,
        Stable::Distinct(count) => Some(count),
    };
    let dependable = new.map_or(0, |count| count.dependable(trust_new))
        + beside.map_or(0, |count| count.dependable(trust_stable));
    let spare = dependable - least;
    if spare <= 0 {
        return grown;
    }
    let limits = Limits { least, most };
    if !growing {
        let drained = drain(new, desired.canary, spare, grown.canary);
        let (canary, stable) = limits.rebalance((new, drained), (beside, grown.stable));
        Targets { canary, stable }
    } else if let Some(count) = distinct(stable) {
        let drained = drain(Some(count), desired.stable, spare, grown.stable);
        let (stable, canary) = limits.rebalance((Some(count), drained), (new, grown.canary));
        Targets { canary, stable }
    } else {
        grown
    }
}

fn distinct(stable: Stable) -> Option<Count> {
    match stable {
        Stable::Distinct(count) => Some(count),
        Stable::Absent | Stable::SameAsNew => None,
    }
}

fn drain(from: Option<Count>, desired: i32, spare: i32, otherwise: i32) -> i32 {
    match from {
        Some(count) if count.wanted > desired => desired.max(count.wanted - spare),
        _ => otherwise,
    }
}

/// The least number of available pods and the greatest number of pods.
#[derive(Clone, Copy)]
struct Limits {
    least: i32,
    most: i32,
}

impl Limits {
    /// Cuts the kept version to the surge limit, gives back what availability then lacks, and cuts the
    /// drained version by the rest; returns (drained, kept).
    fn rebalance(self, drained: (Option<Count>, i32), kept: (Option<Count>, i32)) -> (i32, i32) {
        let (drained_count, drained_target) = drained;
        let (kept_count, kept_target) = kept;
        let Some(kept_count) = kept_count else {
            return (drained_target, kept_target);
        };
        let over = |a: i32, b: i32| (a + b - self.most).max(0);
        let cut = kept_target - over(drained_target, kept_target);
        let available = drained_count.map_or(0, |count| count.available.min(drained_target))
            + kept_count.available.min(cut);
        let lost = (kept_count.available - cut).max(0);
        let lacking = (self.least - available).max(0);
        let kept_target = cut + lost.min(lacking);
        (drained_target - over(drained_target, kept_target), kept_target)
    }
}

/// How the canary's size is set when a router makes the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanarySize {
    /// `setCanaryScale.replicas`: this many.
    Pods(i32),
    /// In proportion to this weight.
    Weight(i32),
}

/// How the stable version's size follows the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StableSize {
    /// Always `spec.replicas`.
    Full,
    /// `dynamicStableScale`: as much as its traffic needs, be it the wanted split or the one in force.
    Follows {
        /// The canary's weight in force, unless nothing was ever routed.
        in_force: Option<i32>,
        /// Stable's weight in force, unless nothing was ever routed.
        stable_in_force: Option<i32>,
        /// Whether the rollout was aborted, so that the canary keeps what its traffic still needs.
        aborted: bool,
    },
}

/// Next counts of a canary whose split a router makes.
///
/// `least` is `minPodsPerReplicaSet`, and zero when unset; `weight` of [`CanarySize::Pods`] counts as none.
pub fn traffic_routed(
    replicas: i32,
    max: i32,
    least: i32,
    canary: CanarySize,
    stable: StableSize,
) -> Targets {
    let at_least = |count: i32| if count == 0 { 0 } else { count.max(least.min(replicas)) };
    let pods = |weight: i32| pods_for(replicas, Share { weight, max });
    let (wanted, weight) = match canary {
        CanarySize::Pods(count) => (count, 0),
        CanarySize::Weight(weight) => (at_least(pods(weight)), weight),
    };
    match stable {
        StableSize::Full => Targets { canary: wanted, stable: replicas },
        StableSize::Follows { in_force, stable_in_force, aborted } => {
            let kept = if aborted { in_force.map_or(0, pods) } else { 0 };
            let stable = pods(max - weight).max(stable_in_force.map_or(0, pods));
            Targets { canary: at_least(wanted.max(kept)), stable: at_least(stable) }
        }
    }
}

/// Pods that a share of traffic needs, rounded up.
pub fn pods_for(replicas: i32, share: Share) -> i32 {
    to_i32(ceil_div(i64::from(share.weight) * i64::from(replicas), i64::from(share.max)))
}

/// Pods that must be available before a share of traffic is sent, rounded down as upstream does.
pub fn pods_before(replicas: i32, share: Share) -> i32 {
    to_i32(i64::from(share.weight) * i64::from(replicas) / i64::from(share.max))
}

/// When a version counts as complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threshold {
    /// All wanted pods are available and asked for.
    #[default]
    All,
    /// This share of the wanted pods is available.
    Percent(i32),
    /// This many pods are available.
    Pods(i32),
}

impl Threshold {
    /// Whether `count` meets it for `desired` pods.
    pub fn is_met(self, count: Count, desired: i32) -> bool {
        match self {
            Self::Percent(percent) if percent >= 0 => {
                desired == 0
                    || i64::from(count.available) * 100 >= i64::from(percent) * i64::from(desired)
            }
            Self::Pods(pods) if pods >= 0 => count.available >= pods,
            _ => count.wanted == desired && count.available == desired,
        }
    }
}

/// Surge and unavailability in pods from what the spec says; a string is a percentage with or without `%`.
///
/// If both come to nothing, one pod may be unavailable.
pub fn fenceposts(surge: IntOrPercent, unavailable: IntOrPercent, replicas: i32) -> (i32, i32) {
    let surge = surge.of(replicas, Rounding::Up);
    let unavailable = unavailable.of(replicas, Rounding::Down);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

/// A number of pods, or a share of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntOrPercent {
    /// Pods.
    Int(i32),
    /// Hundredths of `spec.replicas`.
    Percent(i32),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rounding {
    Up,
    Down,
}

impl IntOrPercent {
    fn of(self, replicas: i32, rounding: Rounding) -> i32 {
        match self {
            Self::Int(pods) => pods,
            Self::Percent(percent) => {
                let product = i64::from(percent) * i64::from(replicas);
                to_i32(if rounding == Rounding::Up {
                    ceil_div(product, 100)
                } else {
                    product / 100
                })
            }
        }
    }

    /// Pods that may be unavailable, never more than there are.
    pub fn at_most(self, replicas: i32) -> i32 {
        self.of(replicas, Rounding::Down).min(replicas)
    }

    /// The bare number.
    pub fn number(self) -> i32 {
        match self {
            Self::Int(number) | Self::Percent(number) => number,
        }
    }
}

fn ceil_div(dividend: i64, divisor: i64) -> i64 {
    let quotient = dividend / divisor;
    if dividend % divisor > 0 { quotient + 1 } else { quotient }
}

fn to_i32(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

#[cfg(test)]
#[path = "replicas_tests.rs"]
mod tests;
