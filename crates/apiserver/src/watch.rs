//! Watch streams.
//!
//! A watch is a cursor into the store's log, not a queue: a slow client holds nothing but its place, and
//! one that falls behind what the log remembers is told so (410) and lists again. The line of a change is
//! serialised once, whoever watches it.

use crate::hub::Hub;
use crate::negotiate::Shape;
use crate::query::{Switch, WatchOptions};
use crate::table::{Include, Layout, partial};
use axum::body::Body;
use bytes::Bytes;
use futures::Stream;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use store::watch::bookmark_line;
use store::{ApiError, EventKind, Resource, Scope, Since, WatchCursor, WatchEvent};
use tokio::sync::{Notify, futures::OwnedNotified};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often a quiet watch that asked for bookmarks gets one, besides the one at its end. Longer than
/// clients commonly watch, because every bookmark costs a rehearsal of many virtual hours.
const BOOKMARK_EVERY: Duration = Duration::from_mins(5);

/// How long a watch lasts that did not say.
const WATCH_DEFAULT: Duration = Duration::from_hours(1);

/// What a watch is about.
pub(crate) struct Subject<'a> {
    pub(crate) resource: &'a Arc<Resource>,
    pub(crate) scope: &'a Scope,
    pub(crate) shape: Shape,
    /// Ends the watch when it is cancelled.
    pub(crate) stop: CancellationToken,
}

/// Starts a watch; what is wrong with it from the start is an error event, as on a real server.
pub(crate) fn start(
    hub: &Arc<Hub>,
    subject: Subject<'_>,
    options: &WatchOptions,
) -> Result<Body, ApiError> {
    let Subject { resource, scope, shape, stop } = subject;
    let wake = hub.topic(resource.storage());
    let cursor = match open(hub, scope, options) {
        Ok(cursor) => cursor,
        Err(error) if error.code == 410 => {
            return Ok(Body::from(error_line(&error)));
        }
        Err(error) => return Err(error),
    };
    let lists = options.initial_events == Some(Switch::On);
    let watch = Watch {
        hub: Arc::clone(hub),
        layout: matches!(shape, Shape::Table(_)).then(|| Layout::of(resource)),
        resource: Arc::clone(resource),
        cursor,
        wake,
        stop,
        shape,
        headings: Headings::Due,
        initial_end: if lists { Switch::On } else { Switch::Off },
        bookmarks: options.bookmarks,
        bookmark_due: Switch::Off,
        bookmark_at: Instant::now() + BOOKMARK_EVERY,
        ends_at: Instant::now() + options.timeout.unwrap_or(WATCH_DEFAULT),
    };
    Ok(Body::from_stream(watch.stream()))
}

fn open(hub: &Hub, scope: &Scope, options: &WatchOptions) -> Result<WatchCursor, ApiError> {
    let store = hub.read();
    let since = since(options, store.resource_version())?;
    store.watch(scope, options.selectors.clone(), since)
}

/// A version from the future belongs to a life of the server that was lost: the client must list again.
fn since(options: &WatchOptions, newest: u64) -> Result<Since, ApiError> {
    if options.initial_events == Some(Switch::On) {
        return Ok(Since::Initial);
    }
    match (options.resource_version.as_deref(), options.initial_events) {
        (None | Some("0"), Some(Switch::Off)) => Ok(Since::Now),
        (None | Some("0"), _) => Ok(Since::Initial),
        (Some(version), _) => {
            let version: u64 =
                version.parse().map_err(|_| ApiError::unnamed(store::no_version(version)))?;
            if version > newest {
                return Err(ApiError::expired(format!(
                    "resource version {version} is newer than the newest {newest}"
                )));
            }
            Ok(Since::Version(version))
        }
    }
}

/// Whether the columns of a table stream were sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Headings {
    Due,
    Sent,
}

struct Watch {
    hub: Arc<Hub>,
    resource: Arc<Resource>,
    cursor: WatchCursor,
    wake: Arc<Notify>,
    stop: CancellationToken,
    shape: Shape,
    layout: Option<Layout>,
    headings: Headings,
    initial_end: Switch,
    bookmarks: Switch,
    bookmark_due: Switch,
    bookmark_at: Instant,
    ends_at: Instant,
}

/// Why a waiting watch goes on.
enum Wake {
    Change,
    Bookmark,
    End,
}

impl Watch {
    fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
        futures::stream::unfold(Some(self), |watch| async move {
            let mut watch = watch?;
            let (line, goes_on) = watch.next().await?;
            Some((Ok(line), goes_on.then_some(watch)))
        })
    }

    /// The next bytes and whether more may follow; `None` at the end.
    async fn next(&mut self) -> Option<(Bytes, bool)> {
        loop {
            let changed = Arc::clone(&self.wake).notified_owned();
            let polled = self.hub.read().poll(&mut self.cursor);
            match polled {
                Err(error) => return Some((error_line(&error), false)),
                Ok(events) if !events.is_empty() => return Some((self.lines(&events), true)),
                Ok(_) => {}
            }
            if std::mem::replace(&mut self.initial_end, Switch::Off) == Switch::On {
                let end = json!({"k8s.io/initial-events-end": "true"});
                return Some((self.bookmark(&end), true));
            }
            if std::mem::replace(&mut self.bookmark_due, Switch::Off) == Switch::On {
                return Some((self.bookmark(&Value::Null), true));
            }
            match self.wait(changed).await {
                Wake::Change => {}
                Wake::Bookmark => self.bookmark_due = Switch::On,
                Wake::End if self.bookmarks == Switch::On => {
                    return Some((self.bookmark(&Value::Null), false));
                }
                Wake::End => return None,
            }
        }
    }

    async fn wait(&mut self, changed: OwnedNotified) -> Wake {
        let wants_bookmarks = self.bookmarks == Switch::On;
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Wake::End,
            () = changed => Wake::Change,
            () = tokio::time::sleep_until(self.ends_at) => Wake::End,
            () = tokio::time::sleep_until(self.bookmark_at), if wants_bookmarks => {
                self.bookmark_at = Instant::now() + BOOKMARK_EVERY;
                Wake::Bookmark
            }
        }
    }

    fn lines(&mut self, events: &[WatchEvent]) -> Bytes {
        if let (Shape::Object, [event]) = (self.shape, events) {
            return event.line();
        }
        let now = self.hub.clock.now();
        let mut all = Vec::new();
        for event in events {
            all.extend_from_slice(&self.line(event, now));
        }
        all.into()
    }

    fn line(&mut self, event: &WatchEvent, now: Timestamp) -> Bytes {
        let object = event.object.value();
        match self.shape {
            Shape::Object => event.line(),
            Shape::Partial => typed(event.kind, &partial(object)),
            Shape::Table(include) => {
                let table = self.table(Some(object), include, now);
                typed(event.kind, &table)
            }
        }
    }

    /// A table of at most one row; only the first of a stream carries the columns.
    fn table(&mut self, object: Option<&Value>, include: Include, now: Timestamp) -> Value {
        let layout = self.layout.get_or_insert_with(|| Layout::of(&self.resource));
        let columns = match std::mem::replace(&mut self.headings, Headings::Sent) {
            Headings::Due => json!(layout.definitions()),
            Headings::Sent => Value::Null,
        };
        let rows: Vec<Value> =
            object.into_iter().map(|object| layout.row(object, include, now)).collect();
        let version =
            object.map_or(Value::Null, |object| object["metadata"]["resourceVersion"].clone());
        json!({
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": {"resourceVersion": version},
            "columnDefinitions": columns,
            "rows": rows,
        })
    }

    fn bookmark(&self, annotations: &Value) -> Bytes {
        let version = self.cursor.resource_version();
        let (kind, api_version) = match self.shape {
            Shape::Partial => ("PartialObjectMetadata", "meta.k8s.io/v1".to_owned()),
            _ => (self.resource.kind.as_str(), self.resource.api_version()),
        };
        bookmark_line(kind, &api_version, version, annotations)
    }
}

fn typed(kind: EventKind, object: &Value) -> Bytes {
    line(kind.word(), object)
}

fn error_line(error: &ApiError) -> Bytes {
    line("ERROR", &error.to_status())
}

fn line(kind: &str, object: &Value) -> Bytes {
    let mut line = json!({"type": kind, "object": object}).to_string();
    line.push('\n');
    line.into()
}
