//! Not fighting over a field: whoever changes back what we write gets ever more time before we write it
//! again, and people are told.
//!
//! **Invariant.** Only the pace of a write depends on what is remembered here, never whether it is made:
//! a process that begins anew is merely less patient.

use crate::remembered::{Digest, Remembered};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use vocab::{ObjectRef, Subresource, Write};

/// How often the same is written at once.
const AT_ONCE: u32 = 3;
/// How long the first wait is; each later one is twice as long.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(5);
/// How long a wait is at most: what is wrong may be where users are sent.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(1);
/// After this time nobody remembers.
const FORGIVEN_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// How many fields are named to people.
const NAMED_MAX: usize = 3;

/// What was written to objects last, and how often in a row.
#[derive(Debug, Default)]
pub(crate) struct Quarrels {
    last: Remembered<Digest, Last>,
}

#[derive(Debug)]
struct Last {
    /// Of what was written; where two are the same by chance, a write waits in vain for once.
    body: Digest,
    times: u32,
    at: Timestamp,
}

/// A write that somebody has changed back too often to be repeated at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quarrel {
    /// How often it was written in a row.
    pub(crate) times: u32,
    /// When it may be written again.
    pub(crate) until: Timestamp,
    /// The fields, as JSON pointers.
    pub(crate) fields: Vec<String>,
}

impl Quarrels {
    /// Whether a write has to wait.
    pub(crate) fn check(&mut self, write: &Write, now: Timestamp) -> Option<Quarrel> {
        let (target, body) = patched(write)?;
        let last =
            self.last.get_mut(&Digest::of(target)).filter(|last| last.body == Digest::of(body))?;
        let until = last.at.saturating_add(wait_after(last.times)).unwrap_or(Timestamp::MAX);
        (until > now).then(|| {
            let mut fields = Vec::new();
            leaves("", body, &mut fields);
            fields.truncate(NAMED_MAX);
            Quarrel { times: last.times, until, fields }
        })
    }

    /// Remembers a write that was made.
    pub(crate) fn note(&mut self, write: &Write, now: Timestamp) {
        let Some((target, body)) = patched(write) else { return };
        let is_recent = |last: &Last| now.duration_since(last.at) <= FORGIVEN_AFTER;
        let (target, body) = (Digest::of(target), Digest::of(body));
        let again = self.last.get_mut(&target).filter(|last| last.body == body && is_recent(last));
        let times = again.map_or(0, |last| last.times) + 1;
        self.last.insert(target, Last { body, times, at: now });
    }
}

/// What others may change back; a status is ours alone.
fn patched(write: &Write) -> Option<(&ObjectRef, &Value)> {
    match write {
        Write::Patch { target, subresource: Subresource::Main, body, .. }
            if !is_of_status_alone(body) =>
        {
            Some((target, body))
        }
        _ => None,
    }
}

/// Some kinds have no subresource for their status.
fn is_of_status_alone(body: &Value) -> bool {
    body.as_object().is_some_and(|fields| fields.keys().all(|field| field == "status"))
}

fn wait_after(times: u32) -> SignedDuration {
    let Some(doublings) = times.checked_sub(AT_ONCE) else { return SignedDuration::ZERO };
    let factor = 2_i32.saturating_pow(doublings);
    FIRST_WAIT.checked_mul(factor).map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT))
}

fn leaves(path: &str, body: &Value, found: &mut Vec<String>) {
    match body {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                leaves(&format!("{path}/{name}"), value, found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use vocab::{PatchType, Precondition};

    fn patch(hash: &str) -> Write {
        Write::Patch {
            target: ObjectRef::new("v1", "Service", "shop", "web"),
            subresource: Subresource::Main,
            patch_type: PatchType::Merge,
            body: json!({"spec": {"selector": {"hash": hash}}}),
            precondition: Precondition::default(),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn what_is_changed_back_is_written_ever_more_slowly() {
        let mut quarrels = Quarrels::default();
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..9 {
            let quarrel = quarrels.check(&patch("new"), at(now));
            let until = quarrel.map_or(now, |quarrel| quarrel.until.as_second());
            waits.push(until - now);
            now = until;
            assert_eq!(quarrels.check(&patch("new"), at(now)), None);
            quarrels.note(&patch("new"), at(now));
        }
        assert_eq!(waits, [0, 0, 0, 5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn a_quarrel_names_the_field() {
        let mut quarrels = Quarrels::default();
        (0..3).for_each(|_| quarrels.note(&patch("new"), at(0)));
        let quarrel = quarrels.check(&patch("new"), at(1)).unwrap();
        assert_eq!(quarrel.fields, ["/spec/selector/hash"]);
        assert_eq!((quarrel.times, quarrel.until), (3, at(5)));
    }

    #[test]
    fn steps_that_follow_each_other_are_no_quarrel() {
        let mut quarrels = Quarrels::default();
        for step in 0..20 {
            let write = patch(if step % 2 == 0 { "old" } else { "new" });
            assert_eq!(quarrels.check(&write, at(step)), None);
            quarrels.note(&write, at(step));
        }
    }

    #[test]
    fn what_is_long_ago_is_forgiven() {
        let mut quarrels = Quarrels::default();
        (0..9).for_each(|_| quarrels.note(&patch("new"), at(0)));
        quarrels.note(&patch("new"), at(3600));
        assert_eq!(quarrels.check(&patch("new"), at(3600)), None);
    }
}
