//! Whether this process may write at this moment.
//!
//! Every write asks [`Authority::check`] first. A lease that has run out, or a controller that was
//! killed, stops the very next write, whatever was planned.
//!
//! **Invariant.** Nothing here talks to the API server; [`crate::lease`] does and reports here.

use clock::Clock;
use jiff::Timestamp;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

/// Shared by the lease keeper, which grants, and every writer, which asks. Copies share the state.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    clock: Clock,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    alive: AtomicBool,
    until_millis: AtomicI64,
}

/// Why a write may not happen now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The controller has been stopped.
    Stopped,
    /// Another process may hold the lease by now.
    LeaseLost,
}

impl Authority {
    /// No authority until granted.
    pub(crate) fn none(clock: Clock) -> Self {
        let until_millis = AtomicI64::new(i64::MIN);
        Self { clock, state: Arc::new(State { alive: AtomicBool::new(true), until_millis }) }
    }

    /// Grants the right to write for good, for controllers that run alone.
    pub(crate) fn grant_forever(&self) {
        self.state.until_millis.store(i64::MAX, Ordering::SeqCst);
    }

    /// Grants the right to write until `until`.
    pub(crate) fn grant_until(&self, until: Timestamp) {
        self.state.until_millis.store(until.as_millisecond(), Ordering::SeqCst);
    }

    /// Takes the right to write away.
    pub(crate) fn revoke(&self) {
        self.state.until_millis.store(i64::MIN, Ordering::SeqCst);
    }

    /// Ends all writing for good.
    pub(crate) fn stop(&self) {
        self.state.alive.store(false, Ordering::SeqCst);
    }

    /// Whether this process leads now.
    pub(crate) fn is_leader(&self) -> bool {
        self.check().is_ok()
    }

    /// Whether a write may happen now.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if !self.state.alive.load(Ordering::SeqCst) {
            return Err(Refusal::Stopped);
        }
        let until = self.state.until_millis.load(Ordering::SeqCst);
        if self.clock.now().as_millisecond() < until { Ok(()) } else { Err(Refusal::LeaseLost) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn authority_ends_with_the_lease_and_with_the_controller() {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let authority = Authority::none(clock);
        assert_eq!(authority.check(), Err(Refusal::LeaseLost));
        authority.grant_until(Timestamp::from_second(10).unwrap());
        assert_eq!(authority.check(), Ok(()));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(authority.check(), Err(Refusal::LeaseLost));
        authority.grant_forever();
        assert!(authority.is_leader());
        authority.stop();
        assert_eq!(authority.check(), Err(Refusal::Stopped));
    }
}
