//! Watches that tell late, twice, too little or too early that they are over.
//!
//! Each trouble turns a stream of event lines into another. An event has a moment at which it may be
//! told; what differs between the troubles is which moment that is.

use crate::answer::expired_line;
use bytes::{Bytes, BytesMut};
use chance::Chance;
use futures::{Stream, StreamExt, stream::BoxStream};
use serde::Serialize;
use serde_json::Value;
use std::{collections::VecDeque, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Trouble for some watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disorder {
    /// The plural of the kind watched; every kind when absent.
    pub resource: Option<String>,
    /// What goes wrong.
    pub trouble: WatchTrouble,
}

/// What goes wrong with a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum WatchTrouble {
    /// From the event of that number on, counted from 1 in each stream, nothing is told for a while;
    /// then everything at once.
    Held {
        /// The first event held.
        from: usize,
        /// How long.
        span: Duration,
    },
    /// States that are overwritten soon are never told: only the last of each object within a window.
    Coalesced(Duration),
    /// Every event is told twice.
    Doubled,
    /// Every event is told late by up to this much, so that kinds overtake each other.
    Late(Duration),
    /// After so many events the stream says that its version is forgotten, and ends.
    Expired {
        /// How many events are told before.
        after: usize,
    },
    /// After so many events the stream ends without a word.
    Closed {
        /// How many events are told before.
        after: usize,
    },
}

/// A stream of event lines, each with its newline.
pub(crate) type Lines = BoxStream<'static, Result<Bytes, axum::Error>>;

/// Cuts a body into lines.
pub(crate) fn lines(
    body: impl Stream<Item = Result<Bytes, axum::Error>> + Send + 'static,
) -> Lines {
    let start = (body.boxed(), BytesMut::new());
    let lines = futures::stream::unfold(start, |(mut body, mut kept)| async move {
        loop {
            if let Some(end) = kept.iter().position(|byte| *byte == b'\n') {
                let line = kept.split_to(end + 1).freeze();
                return Some((Ok(line), (body, kept)));
            }
            match body.next().await? {
                Ok(chunk) => kept.extend_from_slice(&chunk),
                Err(error) => return Some((Err(error), (body, kept))),
            }
        }
    });
    lines.boxed()
}

/// Lets a trouble befall a stream. `seed` decides what is left to chance.
pub(crate) fn befall(trouble: WatchTrouble, lines: Lines, seed: u64) -> Lines {
    match trouble {
        WatchTrouble::Expired { after } => {
            let end = futures::stream::once(async { Ok(expired_line()) });
            lines.take(after).chain(end).boxed()
        }
        WatchTrouble::Closed { after } => lines.take(after).boxed(),
        WatchTrouble::Doubled => lines.flat_map(twice).boxed(),
        WatchTrouble::Held { .. } | WatchTrouble::Coalesced(_) | WatchTrouble::Late(_) => {
            let lines = lines.fuse().boxed();
            let delayed = Delayed { trouble, lines, seed, read: 0, queue: VecDeque::new() };
            futures::stream::unfold(delayed, Delayed::next).boxed()
        }
    }
}

fn twice(line: Result<Bytes, axum::Error>) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    let again = line.as_ref().ok().cloned().map(Ok);
    futures::stream::iter([Some(line), again].into_iter().flatten())
}

/// A stream whose events wait for their moment.
struct Delayed {
    trouble: WatchTrouble,
    lines: Lines,
    seed: u64,
    read: usize,
    queue: VecDeque<(Instant, Result<Bytes, axum::Error>)>,
}

impl Delayed {
    async fn next(mut self) -> Option<(Result<Bytes, axum::Error>, Self)> {
        loop {
            let due = self.queue.front().map(|(due, _)| *due);
            tokio::select! {
                biased;
                line = self.lines.next() => {
                    if let Some(line) = line {
                        self.enqueue(line);
                        continue;
                    }
                    let (due, line) = self.queue.pop_front()?;
                    sleep_until(due).await;
                    return Some((line, self));
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let (_, line) = self.queue.pop_front()?;
                    return Some((line, self));
                }
            }
        }
    }

    fn enqueue(&mut self, line: Result<Bytes, axum::Error>) {
        self.read += 1;
        let wait = self.wait();
        let open = self.queue.back().map(|(due, _)| *due);
        let due = open.map_or_else(|| Instant::now() + wait, |open| self.not_before(open, wait));
        if matches!(self.trouble, WatchTrouble::Coalesced(_)) {
            self.forget_earlier(&line);
        }
        self.queue.push_back((due, line));
    }

    fn wait(&mut self) -> Duration {
        match self.trouble {
            WatchTrouble::Held { from, span } if self.read == from => span,
            WatchTrouble::Coalesced(window) => window,
            WatchTrouble::Late(longest) => {
                self.seed = mix(self.seed);
                longest.mul_f64(
                    f64::from(u32::try_from(self.seed >> 32).unwrap_or(0)) / f64::from(u32::MAX),
                )
            }
            _ => Duration::ZERO,
        }
    }

    /// Events of one stream never overtake each other, and a window is as long as its first event says.
    fn not_before(&self, open: Instant, wait: Duration) -> Instant {
        match self.trouble {
            WatchTrouble::Late(_) => open.max(Instant::now() + wait),
            _ => open,
        }
    }

    fn forget_earlier(&mut self, line: &Result<Bytes, axum::Error>) {
        let Some(name) = line.as_ref().ok().and_then(|line| object_of(line)) else { return };
        self.queue.retain(|(_, queued)| {
            queued.as_ref().ok().and_then(|line| object_of(line)).as_ref() != Some(&name)
        });
    }
}

/// Namespace and name of the object of an event; `None` for bookmarks and errors.
fn object_of(line: &[u8]) -> Option<(String, String)> {
    let event: Value = serde_json::from_slice(line).ok()?;
    if !matches!(event["type"].as_str()?, "ADDED" | "MODIFIED" | "DELETED") {
        return None;
    }
    let text = |field: &str| event["object"]["metadata"][field].as_str().unwrap_or_default();
    Some((text("namespace").to_owned(), text("name").to_owned()))
}

/// Another seed, which has nothing in common with this one.
pub(crate) fn mix(seed: u64) -> u64 {
    Chance::of(seed).bits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    fn event(kind: &str, name: &str, version: u64) -> Bytes {
        let metadata = serde_json::json!({ "name": name, "resourceVersion": version.to_string() });
        let event = serde_json::json!({ "type": kind, "object": { "metadata": metadata } });
        format!("{event}\n").into()
    }

    /// Events a second apart; what is told is noted with the second it was told in.
    async fn told(trouble: WatchTrouble, events: &[(&str, &str)]) -> Vec<String> {
        let began = Instant::now();
        let numbered: Vec<Bytes> =
            (1..).zip(events).map(|(version, (kind, name))| event(kind, name, version)).collect();
        let paced = stream::iter(numbered).then(|line| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(line)
        });
        let told = befall(trouble, lines(paced), 7);
        told.map(|line| {
            let event: Value = serde_json::from_slice(&line.unwrap()).unwrap();
            let version = event["object"]["metadata"]["resourceVersion"].as_str().unwrap_or("-");
            format!("{version}@{}", began.elapsed().as_secs())
        })
        .collect()
        .await
    }

    #[track_caller]
    fn check(trouble: WatchTrouble, events: &[(&str, &str)], expected: &[&str]) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        assert_eq!(runtime.block_on(told(trouble, events)), expected, "{trouble:?}");
    }

    const STORY: &[(&str, &str)] =
        &[("ADDED", "a"), ("MODIFIED", "a"), ("ADDED", "b"), ("MODIFIED", "a")];

    #[test]
    fn held_events_come_all_at_once() {
        let held = WatchTrouble::Held { from: 2, span: Duration::from_secs(30) };
        check(held, STORY, &["1@1", "2@32", "3@32", "4@32"]);
    }

    #[test]
    fn hidden_states_are_never_told() {
        let window = WatchTrouble::Coalesced(Duration::from_secs(10));
        check(window, STORY, &["3@11", "4@11"]);
    }

    #[test]
    fn late_events_of_one_kind_keep_their_order() {
        let late = WatchTrouble::Late(Duration::from_secs(3));
        check(late, STORY, &["1@2", "2@4", "3@4", "4@4"]);
    }

    #[test]
    fn streams_end_early_or_tell_twice() {
        check(WatchTrouble::Closed { after: 1 }, STORY, &["1@1"]);
        check(WatchTrouble::Expired { after: 1 }, STORY, &["1@1", "-@1"]);
        check(WatchTrouble::Doubled, &STORY[..2], &["1@1", "1@1", "2@2", "2@2"]);
    }
}
