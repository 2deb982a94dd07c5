//! How fast the API server is written to.
//!
//! Upstream limits every request; here only writes are limited, because what is read comes from watches
//! and single reads are few.
//!
//! **Invariant.** A write waits before it asks whether this process still leads, never after.

use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};

/// A limit on writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long one write uses up.
    each: SignedDuration,
    /// How many may be made at once.
    burst: i32,
}

impl Pace {
    /// So many writes a second in the long run, and so many at once; none or fewer a second set no limit.
    pub fn new(per_second: f64, burst: u32) -> Option<Self> {
        let each = SignedDuration::try_from_secs_f64(per_second.recip()).ok();
        let each = each.filter(SignedDuration::is_positive)?;
        Some(Self { each, burst: i32::try_from(burst.max(1)).unwrap_or(i32::MAX) })
    }
}

/// Holds writes to a pace. Copies share it.
#[derive(Clone)]
pub(crate) struct Throttle {
    clock: Clock,
    turns: Option<Arc<Mutex<Turns>>>,
}

/// Whose turn is when.
struct Turns {
    pace: Pace,
    /// When everything that was let through so far is used up.
    used_up: Timestamp,
}

impl Throttle {
    /// Lets writes through at a pace, or at once.
    pub(crate) fn new(clock: Clock, pace: Option<Pace>) -> Self {
        let turns = |pace| Arc::new(Mutex::new(Turns { pace, used_up: Timestamp::MIN }));
        Self { clock, turns: pace.map(turns) }
    }

    /// Waits for one write's turn.
    pub(crate) async fn turn(&self) {
        let Some(turns) = &self.turns else { return };
        let now = self.clock.now();
        let at = turns.lock().unwrap_or_else(PoisonError::into_inner).next(now);
        if at > now {
            self.clock.sleep_until(at).await;
        }
    }
}

impl Turns {
    fn next(&mut self, now: Timestamp) -> Timestamp {
        let Pace { each, burst } = self.pace;
        let used_up = self.used_up.max(now).checked_add(each);
        self.used_up = used_up.unwrap_or(Timestamp::MAX);
        self.used_up.checked_sub(each.saturating_mul(burst)).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_at_once_and_the_rest_one_by_one() {
        let mut turns = Turns { pace: Pace::new(2.0, 3).unwrap(), used_up: Timestamp::MIN };
        let now = Timestamp::UNIX_EPOCH;
        let waits = (0..5).map(|_| turns.next(now).duration_since(now).as_millis().max(0));
        assert_eq!(waits.collect::<Vec<_>>(), [0, 0, 0, 500, 1000]);
    }

    #[test]
    fn no_writes_a_second_are_no_limit() {
        assert_eq!([Pace::new(0.0, 80), Pace::new(-1.0, 80)], [None, None]);
        assert!(Pace::new(f64::NAN, 80).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_waits_for_its_turn() {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let throttle = Throttle::new(clock, Pace::new(1.0, 1));
        for expected in 0..3 {
            throttle.turn().await;
            assert_eq!(clock.now().as_second(), expected);
        }
    }
}
