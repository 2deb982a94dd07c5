//! Watching one kind: a list, then every change, and again from the start when the server forgot.

use crate::kinds::Kind;
use futures::TryStreamExt;
use http::Request;
use kube::{Client, core::WatchEvent};
use serde_json::Value;
use std::{pin::pin, time::Duration};
use tokio::sync::mpsc::Sender;

/// How long one watch may last; the server may end it earlier.
const WATCH_SECONDS: u32 = 86_400;
/// The wait after a first failed list or watch; it doubles with each further one.
const RETRY: Duration = Duration::from_secs(1);
/// The longest wait after failures.
const LONGEST_RETRY: Duration = Duration::from_mins(10);

/// News of one kind.
#[derive(Debug)]
pub(crate) enum News {
    /// All objects that there are; others are gone.
    All(&'static Kind, Vec<Value>),
    /// An object is new or changed.
    Put(&'static Kind, Value),
    /// An object is gone.
    Gone(&'static Kind, Value),
}

/// The receiver of the news is gone.
struct Deaf;

/// Why one round of watching ended.
enum End {
    Deaf,
    Failed(kube::Error),
}

impl From<kube::Error> for End {
    fn from(error: kube::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Deaf> for End {
    fn from(_: Deaf) -> Self {
        Self::Deaf
    }
}

/// Sends the news of one kind until nobody listens.
pub(crate) async fn follow(client: Client, kind: &'static Kind, listener: Sender<News>) {
    let mut wait = RETRY;
    loop {
        match round(&client, kind, &listener).await {
            Ok(()) => wait = RETRY,
            Err(End::Deaf) => return,
            Err(End::Failed(error)) => {
                tracing::info!(kind = kind.name, %error, "watch failed");
                // A kind that is not installed has no objects.
                if is_unknown(&error) && tell(&listener, News::All(kind, Vec::new())).await.is_err()
                {
                    return;
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_RETRY);
            }
        }
    }
}

fn is_unknown(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Lists once and watches from there until the server asks for a new list.
async fn round(client: &Client, kind: &'static Kind, listener: &Sender<News>) -> Result<(), End> {
    let mut list: Value = client.request(get(kind.path)?).await?;
    let mut version = text(&list, "/metadata/resourceVersion");
    let items = match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    tell(listener, News::All(kind, items)).await?;
    loop {
        let path = format!(
            "{}?watch=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={version}",
            kind.path
        );
        let mut events = pin!(client.request_events::<Value>(get(&path)?).await?);
        let mut heard = false;
        while let Some(event) = events.try_next().await? {
            heard = true;
            let news = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => News::Put(kind, object),
                WatchEvent::Deleted(object) => News::Gone(kind, object),
                // Not asked for: one a minute from every watch would be most of a quiet virtual day,
                // and all they save is a list when the server forgot.
                WatchEvent::Bookmark(_) => continue,
                WatchEvent::Error(status) => {
                    tracing::debug!(kind = kind.name, message = status.message, "watch ended");
                    return Ok(());
                }
            };
            if let News::Put(_, object) | News::Gone(_, object) = &news {
                version = text(object, "/metadata/resourceVersion");
            }
            tell(listener, news).await?;
        }
        if !heard {
            tokio::time::sleep(RETRY).await;
        }
    }
}

async fn tell(listener: &Sender<News>, news: News) -> Result<(), Deaf> {
    listener.send(news).await.map_err(|_| Deaf)
}

fn get(path: &str) -> Result<Request<Vec<u8>>, kube::Error> {
    Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)
}

fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("0").to_owned()
}
