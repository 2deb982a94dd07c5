//! Waiting until there is no work, or until what waits has become pressing.

use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::watch;

/// How long somebody waits at most.
const PATIENCE: SignedDuration = SignedDuration::from_secs(1);

/// Waits while others work.
pub(crate) struct Lull {
    works: watch::Receiver<bool>,
    pressing: Arc<AtomicUsize>,
    clock: Clock,
}

impl Lull {
    /// Waits while `works` says so and nothing is `pressing`; whoever counts that up sends `works` anew.
    pub(crate) fn new(
        works: watch::Receiver<bool>,
        pressing: Arc<AtomicUsize>,
        clock: Clock,
    ) -> Self {
        Self { works, pressing, clock }
    }

    /// Returns when there is no work, when nobody is left who could work, when something is pressing, or when what
    /// happened at `since` has waited long enough.
    pub(crate) async fn wait(&mut self, since: Timestamp) {
        let until = since.saturating_add(PATIENCE).unwrap_or(Timestamp::MAX);
        tokio::select! {
            _ = self.works.wait_for(|works| !works || self.pressing.load(Ordering::Relaxed) > 0) => {}
            () = self.clock.sleep_until(until) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_comes_with_the_end_of_work_with_what_is_pressing_and_after_a_second_at_the_latest()
    {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let (works, working) = watch::channel(true);
        let pressing = Arc::new(AtomicUsize::new(0));
        let mut lull = Lull::new(working, Arc::clone(&pressing), clock);
        let worker = tokio::spawn(async move {
            let half = Duration::from_millis(500);
            tokio::time::sleep(half * 3).await;
            works.send_replace(false);
            tokio::time::sleep(half * 3).await;
            works.send_replace(true);
            tokio::time::sleep(half * 3).await;
            pressing.store(1, Ordering::Relaxed);
            works.send_replace(true);
            tokio::time::sleep(half * 3).await;
        });
        let mut ends = Vec::new();
        for since in [0, 1, 1, 4, 4] {
            let since = Timestamp::from_second(since).unwrap();
            clock.sleep_until(since).await;
            lull.wait(since).await;
            ends.push(clock.now().as_millisecond());
        }
        assert_eq!(ends, [1000, 1500, 1500, 4500, 4500]);
        worker.await.unwrap();
    }
}
