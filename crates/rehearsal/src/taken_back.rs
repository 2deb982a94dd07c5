//! Which versions were taken back, so that the requests that met them can be counted.

use api::argo::Rollout;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// Pod template hashes of versions that were taken back; copies share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct TakenBack(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    hashes: BTreeSet<String>,
    /// The version that each rollout, by uid, was last bringing out.
    under_way: BTreeMap<String, String>,
}

impl TakenBack {
    pub(crate) fn hashes(&self) -> BTreeSet<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).hashes.clone()
    }

    /// Learns from a rollout's status: an aborted version is taken back, and so is one that gave way to
    /// the stable version; a version that became stable after all is not.
    pub(crate) fn observe(&self, rollout: &Rollout) {
        let Some(status) = &rollout.status else { return };
        let (Some(stable), Some(newest)) = (&status.stable_rs, &status.current_pod_hash) else {
            return;
        };
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = rollout.metadata.uid.clone().unwrap_or_default();
        let before = state.under_way.insert(uid, newest.clone());
        if newest != stable && status.abort {
            state.hashes.insert(newest.clone());
        }
        if newest == stable
            && let Some(before) = before.filter(|before| before != stable)
        {
            state.hashes.insert(before);
        }
        state.hashes.remove(stable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::argo::RolloutStatus;

    fn check(story: &[(&str, &str, bool)], expected: &[&str]) {
        let taken_back = TakenBack::default();
        for (stable, newest, abort) in story {
            let status = RolloutStatus {
                stable_rs: Some((*stable).to_owned()),
                current_pod_hash: Some((*newest).to_owned()),
                abort: *abort,
                ..RolloutStatus::default()
            };
            taken_back.observe(&Rollout { status: Some(status), ..Rollout::default() });
        }
        let expected: BTreeSet<_> = expected.iter().map(|hash| (*hash).to_owned()).collect();
        assert_eq!(taken_back.hashes(), expected, "{story:?}");
    }

    #[test]
    fn aborted_and_withdrawn_versions_are_taken_back_and_promoted_ones_are_not() {
        check(&[("a", "b", false), ("a", "b", true)], &["b"]);
        check(&[("a", "b", false), ("a", "a", false)], &["b"]);
        check(&[("a", "b", false), ("b", "b", false)], &[]);
        check(&[("a", "b", true), ("a", "b", false), ("b", "b", false)], &[]);
        check(&[("a", "b", false), ("a", "c", false), ("c", "c", false)], &[]);
    }
}
