//! What pods wrote: a bounded log per container.

use clock::Clock;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// Lines kept of one container's log.
const LINES: usize = 500;
/// Bytes kept of one line.
const LINE_LENGTH: usize = 4096;

/// Lines, each with the time at which it was written, the oldest first.
type Lines = Vec<(Timestamp, String)>;
/// Finds a log by namespace, pod and container; `None` when that container never ran.
pub type FindLog = Arc<dyn Fn(&str, &str, &str) -> Option<Lines> + Send + Sync>;

type Containers = BTreeMap<String, VecDeque<(Timestamp, String)>>;

/// The logs of all pods; copies share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct PodLogs(Arc<Mutex<BTreeMap<(String, String), Containers>>>);

impl PodLogs {
    /// Appends a line; the oldest line gives way when there are too many.
    pub(crate) fn write(
        &self,
        (namespace, pod): (&str, &str),
        container: &str,
        (at, line): (Timestamp, &str),
    ) {
        let mut pods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let containers = pods.entry((namespace.to_owned(), pod.to_owned())).or_default();
        let lines = containers.entry(container.to_owned()).or_default();
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back((at, line.chars().take(LINE_LENGTH).collect()));
    }

    /// Forgets a pod.
    pub(crate) fn forget(&self, namespace: &str, pod: &str) {
        let mut pods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pods.remove(&(namespace.to_owned(), pod.to_owned()));
    }

    /// A way to read the logs that knows nothing of the world but the time.
    pub(crate) fn finder(&self, clock: Clock) -> FindLog {
        let logs = self.clone();
        Arc::new(move |namespace, pod, container| {
            logs.read((namespace, pod), container, clock.now())
        })
    }

    /// What was written until now; some lines may come later.
    fn read(
        &self,
        (namespace, pod): (&str, &str),
        container: &str,
        now: Timestamp,
    ) -> Option<Lines> {
        let pods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let containers = pods.get(&(namespace.to_owned(), pod.to_owned()))?;
        let written = containers.get(container)?.iter().filter(|(at, _)| *at <= now);
        let mut lines: Lines = written.cloned().collect();
        lines.sort_by_key(|(at, _)| *at);
        Some(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept() {
        let logs = PodLogs::default();
        let at = Timestamp::UNIX_EPOCH;
        (0..=LINES).for_each(|n| logs.write(("a", "p"), "c", (at, &n.to_string())));
        let find = |pod, container| logs.read(("a", pod), container, at);
        let lines = find("p", "c").unwrap();
        assert_eq!(lines.first().map(|(_, line)| line.as_str()), Some("1"));
        assert_eq!(lines.last().map(|(_, line)| line.as_str()), Some("500"));
        assert_eq!(find("p", "other"), None);
        logs.forget("a", "p");
        assert_eq!(find("p", "c"), None);
    }

    #[test]
    fn a_line_that_comes_later_is_not_there_yet() {
        let logs = PodLogs::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        logs.write(("a", "p"), "c", (at(90), "late"));
        logs.write(("a", "p"), "c", (at(10), "again"));
        let read = |now| logs.read(("a", "p"), "c", at(now)).map(|lines| lines.len());
        assert_eq!((read(9), read(89), read(90)), (Some(0), Some(1), Some(2)));
        assert_eq!(logs.read(("a", "p"), "c", at(90)).unwrap()[0].1, "again");
    }
}
