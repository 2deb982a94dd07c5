//! The one clock of every shell.
//!
//! [`Clock`] is an epoch plus tokio's monotonic time, so pausing tokio's clock pauses the world: the
//! same code runs in real time in production and in virtual time in a rehearsal.
//!
//! **Invariant.** Nothing else that decides, serves or waits asks the system for the time.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::time::Instant;

/// Wall time derived from tokio's clock; copies share the same epoch.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Timestamp,
    origin: Instant,
}

impl Clock {
    /// Starts at the system's present time. Must be called within a tokio runtime.
    pub fn system() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// Starts at `epoch`, which is what makes a rehearsal repeatable.
    pub fn starting_at(epoch: Timestamp) -> Self {
        Self { epoch, origin: Instant::now() }
    }

    /// A clock that shows a time ahead of this one, or behind it when `by` is negative: a process that is
    /// started after the machine's clock was set, or on another machine, reads such a one. A process that
    /// runs never notices that, because it reads the system's time once.
    #[must_use]
    pub fn ahead(self, by: SignedDuration) -> Self {
        Self { epoch: self.epoch.saturating_add(by).unwrap_or(self.epoch), ..self }
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        let since = Instant::now().saturating_duration_since(self.origin);
        self.epoch.checked_add(since).unwrap_or(Timestamp::MAX)
    }

    /// Waits until `at`; returns at once when it has passed.
    pub async fn sleep_until(&self, at: Timestamp) {
        let left = at.duration_since(self.now());
        if let Ok(left) = Duration::try_from(left) {
            tokio::time::sleep(left).await;
        }
    }
}
