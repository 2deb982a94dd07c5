//! Invariants of how often things are written, and of what is noticed.

use super::{Invariant, sight::text};
use crate::{history::Step, picture::Picture};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Changes of one object by controllers within a minute that are a loop: more than scripts cause that
/// release ten versions in seconds.
const LOOP: usize = 600;
/// The longest text that a controller may write into a status.
const LONGEST: usize = 4096;

/// I10: no object is written again and again.
#[derive(Default)]
pub(super) struct NoLoops {
    written: BTreeMap<(String, String, String), Vec<Timestamp>>,
}

impl Invariant for NoLoops {
    fn name(&self) -> &'static str {
        "I10"
    }

    fn see(&mut self, _: &Picture, step: &Step) -> Vec<String> {
        if step.by.is_none() {
            return Vec::new();
        }
        let written = self.written.entry(step.key()).or_default();
        written.retain(|at| step.at.duration_since(*at) < SignedDuration::from_mins(1));
        written.push(step.at);
        let loops = written.len() == LOOP;
        loops
            .then(|| {
                format!("{} {} is written {LOOP} times a minute", step.resource, step.object.name())
            })
            .into_iter()
            .collect()
    }
}

/// I10: no message grows without end.
pub(super) struct MessagesStayShort;

impl Invariant for MessagesStayShort {
    fn name(&self) -> &'static str {
        "I10"
    }

    fn see(&mut self, _: &Picture, step: &Step) -> Vec<String> {
        let Some(object) = step.after().filter(|_| step.by.is_some()) else { return Vec::new() };
        let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
        let messages = conditions.map(|condition| text(condition, "/message"));
        let longest = messages.chain([text(object, "/status/message")]).map(str::len).max();
        let length = longest.unwrap_or(0);
        (length > LONGEST)
            .then(|| format!("a message of {length} bytes in {}", step.object.name()))
            .into_iter()
            .collect()
    }
}

/// I9: in the end every rollout has answered to the specification it was given last.
pub(super) struct ChangesAreNoticed;

impl Invariant for ChangesAreNoticed {
    fn name(&self) -> &'static str {
        "I9"
    }

    fn see(&mut self, _: &Picture, _: &Step) -> Vec<String> {
        Vec::new()
    }

    fn end(&mut self, picture: &Picture) -> Vec<String> {
        let unnoticed = picture.all("rollouts").filter_map(|rollout| {
            let generation = rollout["metadata"]["generation"].as_i64()?.to_string();
            let noticed = text(rollout, "/status/observedGeneration");
            let name = text(rollout, "/metadata/name");
            (noticed != generation)
                .then(|| format!("{name} is at generation {generation}, its status at {noticed:?}"))
        });
        unnoticed.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tale, basic};
    use super::LOOP;
    use serde_json::json;

    #[test]
    fn a_loop_is_found() {
        let mut tale = Tale::of(basic(1));
        for count in 0..LOOP {
            let mut rollout = basic(1);
            rollout["status"]["count"] = count.into();
            tale = tale.ours("rollouts", rollout);
        }
        assert_eq!(tale.breaches(), ["I10: rollouts web is written 600 times a minute"]);
    }

    #[test]
    fn a_message_that_grows_is_found() {
        let mut rollout = basic(1);
        rollout["status"]["message"] = "again ".repeat(1000).into();
        let tale = Tale::of(basic(1)).ours("rollouts", rollout);
        assert_eq!(tale.breaches(), ["I10: a message of 6000 bytes in web"]);
    }

    #[test]
    fn a_change_that_nobody_notices_is_found() {
        let mut rollout = basic(1);
        rollout["metadata"]["generation"] = json!(2);
        let tale = Tale::of(rollout);
        assert_eq!(tale.breaches(), ["I9: web is at generation 2, its status at \"1\""]);
    }
}
