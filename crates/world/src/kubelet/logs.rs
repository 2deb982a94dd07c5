//! What pods wrote: a bounded log per container.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// Lines kept of one container's log.
const LINES: usize = 500;
/// Bytes kept of one line.
const LINE_LENGTH: usize = 4096;

/// Finds a log by namespace, pod and container; `None` when that container never ran.
pub type FindLog = Arc<dyn Fn(&str, &str, &str) -> Option<String> + Send + Sync>;

type Containers = BTreeMap<String, VecDeque<String>>;

/// The logs of all pods; copies share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct PodLogs(Arc<Mutex<BTreeMap<(String, String), Containers>>>);

impl PodLogs {
    /// Appends a line; the oldest line gives way when there are too many.
    pub(crate) fn write(&self, namespace: &str, pod: &str, container: &str, line: &str) {
        let mut pods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let containers = pods.entry((namespace.to_owned(), pod.to_owned())).or_default();
        let lines = containers.entry(container.to_owned()).or_default();
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line.chars().take(LINE_LENGTH).collect());
    }

    /// Forgets a pod.
    pub(crate) fn forget(&self, namespace: &str, pod: &str) {
        let mut pods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pods.remove(&(namespace.to_owned(), pod.to_owned()));
    }

    /// A way to read the logs that knows nothing else of the world.
    pub(crate) fn finder(&self) -> FindLog {
        let logs = self.clone();
        Arc::new(move |namespace, pod, container| logs.read(namespace, pod, container))
    }

    fn read(&self, namespace: &str, pod: &str, container: &str) -> Option<String> {
        let pods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let containers = pods.get(&(namespace.to_owned(), pod.to_owned()))?;
        let lines = containers.get(container)?;
        Some(lines.iter().fold(String::new(), |text, line| text + line + "\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept() {
        let logs = PodLogs::default();
        (0..=LINES).for_each(|n| logs.write("a", "p", "c", &n.to_string()));
        let find = logs.finder();
        let text = find("a", "p", "c").unwrap();
        assert!(text.starts_with("1\n") && text.ends_with("500\n"));
        assert_eq!(find("a", "p", "other"), None);
        logs.forget("a", "p");
        assert_eq!(find("a", "p", "c"), None);
    }
}
