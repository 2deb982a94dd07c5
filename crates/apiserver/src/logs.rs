//! `GET pods/x/log`: what a pod's container printed, from a source that the embedded cluster registers.

use crate::query::Switch;
use crate::respond;
use crate::verbs::Request;
use axum::body::Body;
use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use store::{Address, ApiError};
use tokio::time::Instant;

/// Answers which lines a container (namespace, pod, container) has printed so far, each with its time, the
/// oldest first; `None` if it never ran.
pub type LogSource =
    Arc<dyn Fn(&str, &str, &str) -> Option<Vec<(Timestamp, String)>> + Send + Sync>;

/// How often a followed log is read again.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// How long a log is followed at most.
const FOLLOW_MAX: Duration = Duration::from_hours(4);

/// The registered source, if there is one.
#[derive(Default)]
pub(crate) struct PodLogs(RwLock<Option<LogSource>>);

impl PodLogs {
    pub(crate) fn set(&self, source: LogSource) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(source);
    }

    fn get(&self) -> Option<LogSource> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers a log request.
pub(crate) fn answer(logs: &PodLogs, request: Request) -> Result<Response<Body>, ApiError> {
    let namespace = request.target.namespace.clone().unwrap_or_default();
    let pod = request.target.name.clone().unwrap_or_default();
    let address = Address::new(request.resource.gvr(), Some(&namespace), pod.clone());
    let object = request.hub.read().get(&address)?;
    let container = container(object.value(), request.query.get("container"), &pod)?;
    let Some(source) = logs.get() else {
        return Err(respond::not_implemented("pods/log without a container runtime"));
    };
    let wanted = Wanted::of(&request)?;
    let lines = source(&namespace, &pod, &container).ok_or_else(|| {
        ApiError::bad_request(format!(
            "container {container:?} in pod {pod:?} is waiting to start: ContainerCreating"
        ))
    })?;
    let text = wanted.text(&lines);
    let shown = tail(&text, request.query.number("tailLines")?).to_owned();
    let shown = limited(shown, request.query.number("limitBytes")?);
    if request.query.switch("follow") == Switch::Off {
        return Ok(respond::text(shown));
    }
    let sent = text.len();
    let follow = Follow { source, wanted, request, namespace, pod, container, sent };
    Ok(respond::text(follow.body(shown)))
}

/// Which lines are wanted, and how.
struct Wanted {
    since: Option<Timestamp>,
    timestamps: Switch,
}

impl Wanted {
    fn of(request: &Request) -> Result<Self, ApiError> {
        let since = |text: &str| {
            text.parse().map_err(|_| {
                ApiError::bad_request(format!("parsing time {text:?}: it is no time of RFC 3339"))
            })
        };
        let since = request.query.get("sinceTime").map(since).transpose()?;
        Ok(Self { since, timestamps: request.query.switch("timestamps") })
    }

    fn text(&self, lines: &[(Timestamp, String)]) -> String {
        let is_new = |(at, _): &&(Timestamp, String)| self.since.is_none_or(|since| *at >= since);
        lines.iter().filter(is_new).fold(String::new(), |text, (at, line)| {
            let time =
                if self.timestamps == Switch::On { format!("{at:.9} ") } else { String::new() };
            text + &time + line + "\n"
        })
    }
}

/// The container asked for, or the only one.
fn container(pod: &Value, asked: Option<&str>, name: &str) -> Result<String, ApiError> {
    let lists = ["/spec/containers", "/spec/initContainers"];
    let items = |list: &str| pod.pointer(list).and_then(Value::as_array).into_iter().flatten();
    let names = |list: &str| -> Vec<String> {
        items(list).filter_map(|item| item["name"].as_str()).map(str::to_owned).collect()
    };
    let all: Vec<String> = lists.iter().flat_map(|list| names(list)).collect();
    match (asked, names(lists[0]).as_slice()) {
        (Some(asked), _) if all.iter().any(|known| known == asked) => Ok(asked.to_owned()),
        (Some(asked), _) => {
            Err(ApiError::bad_request(format!("container {asked} is not valid for pod {name}")))
        }
        (None, [only]) => Ok(only.clone()),
        (None, many) => Err(ApiError::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            many.join(" ")
        ))),
    }
}

/// The last lines of a text.
fn tail(text: &str, lines: Option<usize>) -> &str {
    let Some(lines) = lines else { return text };
    let body = text.strip_suffix('\n').unwrap_or(text);
    let start = match lines {
        0 => text.len(),
        lines => body.rmatch_indices('\n').nth(lines - 1).map_or(0, |(at, _)| at + 1),
    };
    &text[start..]
}

fn limited(mut text: String, bytes: Option<usize>) -> String {
    if let Some(bytes) = bytes {
        text.truncate(text.floor_char_boundary(bytes));
    }
    text
}

struct Follow {
    source: LogSource,
    wanted: Wanted,
    request: Request,
    namespace: String,
    pod: String,
    container: String,
    sent: usize,
}

impl Follow {
    fn body(self, first: String) -> Body {
        let ends_at = Instant::now() + FOLLOW_MAX;
        let rest = futures::stream::unfold(self, move |mut follow| async move {
            let line = follow.next(ends_at).await?;
            Some((Ok::<_, Infallible>(line), follow))
        });
        let first = futures::stream::once(async move { Ok(Bytes::from(first)) });
        Body::from_stream(futures::StreamExt::chain(first, rest))
    }

    /// What was printed since; `None` when the pod is gone, the server stops or enough time passed.
    async fn next(&mut self, ends_at: Instant) -> Option<Bytes> {
        while Instant::now() < ends_at {
            tokio::select! {
                () = self.request.hub.shutdown.cancelled() => return None,
                () = tokio::time::sleep(FOLLOW_EVERY) => {}
            }
            let text =
                self.wanted.text(&(self.source)(&self.namespace, &self.pod, &self.container)?);
            let fresh = text.get(self.sent..).unwrap_or(&text).to_owned();
            self.sent = text.len();
            if !fresh.is_empty() {
                return Some(fresh.into());
            }
            let name = self.pod.clone();
            let address = Address::new(self.request.resource.gvr(), Some(&self.namespace), name);
            self.request.hub.read().get(&address).ok()?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, lines: Option<usize>, expected: &str) {
        assert_eq!(tail(text, lines), expected);
    }

    #[test]
    fn lines_are_told_by_their_times() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let lines = [(at(1), "a".to_owned()), (at(2), "b".to_owned())];
        let wanted = |since, timestamps| Wanted { since, timestamps }.text(&lines);
        assert_eq!(wanted(None, Switch::Off), "a\nb\n");
        assert_eq!(wanted(Some(at(2)), Switch::Off), "b\n");
        let stamped = "1970-01-01T00:00:02.000000000Z b\n";
        assert_eq!(wanted(Some(at(2)), Switch::On), stamped);
    }

    #[test]
    fn a_tail_is_the_last_lines() {
        check("a\nb\nc\n", Some(2), "b\nc\n");
        check("a\nb\nc", Some(1), "c");
        check("a\nb\n", Some(9), "a\nb\n");
        check("a\nb\n", Some(0), "");
        check("a\n", None, "a\n");
    }
}
