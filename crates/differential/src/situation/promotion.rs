//! What is known of versions that one side promoted and the other did not.

use super::{INITIAL, Situation, hash, is_paused, lines};
use serde_json::Value;

/// What is told of a promotion that only one side has made, and of what follows from it.
const TOLD: [&str; 6] = [
    "RolloutCompleted",
    "RolloutNotCompleted",
    "SwitchService",
    "ScalingReplicaSet",
    "RolloutPaused",
    "RolloutResumed",
];

impl Situation<'_> {
    /// Whether only the peer waits for a switch to be promoted.
    pub(crate) fn waits_alone(&self) -> bool {
        is_paused(self.peer, "BlueGreenPause") && !is_paused(self.ours, "BlueGreenPause")
    }

    /// Whether users are at the wanted version here and not yet at the peer's.
    pub(crate) fn is_switched_here_alone(&self) -> bool {
        self.are_switched() == Some([false, true])
    }

    /// Whether users are at the wanted version at the peer's and not yet here.
    pub(crate) fn is_switched_at_peer_alone(&self) -> bool {
        self.are_switched() == Some([true, false])
    }

    /// Whether users are at the wanted version at the peer's and here, if it is the same.
    fn are_switched(&self) -> Option<[bool; 2]> {
        let both = self.both().map(|picture| {
            ["/currentPodHash", "/blueGreen/activeSelector"].map(|place| hash(picture, place))
        });
        let [[peer, _], [ours, _]] = both;
        let is_same = peer.is_some() && peer == ours;
        is_same.then(|| both.map(|[wanted, active]| wanted == active))
    }

    /// Whether only one side calls a release a return to what was before, for to the other it came before nothing.
    pub(crate) fn is_a_return_to_one_alone(&self) -> bool {
        let (peer, ours) = self.difference.texts();
        let is_return = |text: &str| text.contains("RolledBack");
        self.is_of(&["rollout.status.duration.completionStatus"])
            && self.case.asks_for_a_former_version()
            && is_return(peer) != is_return(ours)
    }

    /// Whether another version is stable here than at the peer's.
    pub(crate) fn has_another_stable(&self) -> bool {
        let [peer, ours] = self.both().map(|picture| hash(picture, "/stableRS"));
        peer != ours
    }

    /// Whether the peer called a version stable at once, when the strategy was exchanged under an update.
    pub(crate) fn is_about_early_promotion(&self) -> bool {
        let early = lines(self.peer).any(|(line, _)| {
            line.ends_with(INITIAL) && !lines(self.ours).any(|(ours, _)| ours == line)
        });
        (early || self.is_stable_without_pods_at_peer())
            && (self.has_another_stable() || self.tells_or_orders(&TOLD))
    }

    /// Whether the peer calls the wanted version stable and has no pod that is available.
    fn is_stable_without_pods_at_peer(&self) -> bool {
        let stable = hash(self.peer, "/stableRS");
        let available = &self.peer["rollout"]["status"]["availableReplicas"];
        stable.is_some()
            && stable == hash(self.peer, "/currentPodHash")
            && *available == Value::Null
    }
}
