//! Holding what a script expects against what is the case, at its time.

use super::{LineFailed, Player, blast_radius};
use crate::{
    expect::{Found, compare, is},
    scene::RolloutName,
    script::{Expectation, Line, When},
    stage::{NAMESPACE, Stage},
    timeline::clock_words,
};
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::{Instant, sleep};

impl Player {
    /// Holds an expectation at its time, and notes it when it is not met.
    pub(super) async fn expect(
        &mut self,
        (what, when): (&Expectation, When),
        line: &Line,
        place: &str,
    ) -> Result<(), LineFailed> {
        let found = match when {
            When::Now => self.come_true(what, Duration::ZERO).await?,
            When::Within(within) => self.come_true(what, within).await?,
            When::For(span) if *what == Expectation::Quiet => self.quiet(span).await,
            When::For(span) => self.stay_true(what, span, place).await?,
            When::Always => {
                self.begin_always(what, line, place)?;
                Ok(())
            }
        };
        if let Err(found) = found {
            self.note_unmet(line, place, found);
        }
        Ok(())
    }

    /// Waits for something to come true, if it takes no longer than `within`.
    async fn come_true(&self, what: &Expectation, within: Duration) -> Result<Found, LineFailed> {
        let began = Instant::now();
        let within = within + self.patience;
        loop {
            let found = self.look(what)?;
            if found.is_ok() || began.elapsed() >= within {
                self.forget_weights(what, &found)?;
                return Ok(found);
            }
            self.wait_for_change(began, within).await;
        }
    }

    /// A sequence that came true is done with; the next one begins where it ended.
    fn forget_weights(&self, what: &Expectation, found: &Found) -> Result<(), LineFailed> {
        if matches!(what, Expectation::Weights(_)) && found.is_ok() {
            self.stage.recorder.take_weights(self.rollout()?);
        }
        Ok(())
    }

    async fn stay_true(
        &self,
        what: &Expectation,
        span: Duration,
        place: &str,
    ) -> Result<Found, LineFailed> {
        let recorder = &self.stage.recorder;
        recorder.stand(place, &self.about(what)?, what, self.stage.clock.now());
        sleep(span).await;
        Ok(recorder.stand_down(place).map_or(Ok(()), |broken| Err(self.told(broken))))
    }

    fn begin_always(
        &mut self,
        what: &Expectation,
        line: &Line,
        place: &str,
    ) -> Result<(), LineFailed> {
        self.stage.recorder.stand(place, &self.about(what)?, what, self.stage.clock.now());
        self.always.push((line.clone(), place.to_owned()));
        Ok(())
    }

    /// Says which of what must always hold did not.
    pub(super) fn end_always(&mut self) {
        for (line, place) in std::mem::take(&mut self.always) {
            if let Some(broken) = self.stage.recorder.stand_down(&place) {
                let found = self.told(broken);
                self.note_unmet(&line, &place, found);
            }
        }
    }

    /// What was found, and when.
    fn told(&self, (at, found): (Timestamp, String)) -> String {
        format!("{found} at {}", clock_words(self.stage.timeline.seconds(at)))
    }

    async fn quiet(&self, span: Duration) -> Found {
        let count = || (self.stage.recorder.changes(), self.stage.timeline.entries().len());
        let (changes, events) = count();
        sleep(span).await;
        let (changes, events) = (count().0 - changes, count().1 - events);
        is(changes == 0 && events == 0, || format!("{changes} changes and {events} events"))
    }

    fn look(&self, what: &Expectation) -> Result<Found, LineFailed> {
        if let Some(found) = look_back(&self.stage, what) {
            return Ok(found);
        }
        if let Expectation::Weights(wanted) = what {
            let found = self.stage.recorder.weights(self.rollout()?);
            return Ok(is(found == *wanted, || format!("{found:?}")));
        }
        Ok(self.stage.recorder.check(&self.about(what)?, what)?)
    }

    /// The rollout that an expectation is about; a field of another object needs none.
    fn about(&self, what: &Expectation) -> Result<RolloutName, LineFailed> {
        let nowhere = || RolloutName { namespace: NAMESPACE.to_owned(), name: String::new() };
        match (&self.rollout, what) {
            (None, Expectation::Field { .. }) => Ok(nowhere()),
            _ => self.rollout().cloned(),
        }
    }
}

/// Holds an expectation against all that has been; `None` when it is about one moment.
fn look_back(stage: &Stage, expectation: &Expectation) -> Option<Found> {
    let blast = blast_radius(stage);
    let seen = |reason: &str| stage.timeline.count(reason);
    Some(match expectation {
        Expectation::Failed(bound) => compare(blast.failed, *bound),
        Expectation::Unserved(bound) => compare(blast.unserved, *bound),
        Expectation::Mirrored(bound) => compare(blast.mirrored, *bound),
        Expectation::MetBad(bound) => compare(blast.met_bad, *bound),
        Expectation::Event(reason) => is(seen(reason) > 0, || format!("no event {reason}")),
        Expectation::NoEvent(reason) => is(seen(reason) == 0, || format!("an event {reason}")),
        Expectation::EventCount { reason, bound } => compare(seen(reason), *bound),
        Expectation::Events(reasons) => {
            let missing = stage.timeline.first_missing(reasons);
            missing.map_or(Ok(()), |reason| Err(format!("no {reason} in its place")))
        }
        _ => return None,
    })
}
