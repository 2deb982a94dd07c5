//! Watches that keep the cache up to date.
//!
//! One task a kind; each lists, watches, and starts over with growing pauses when that fails.
//!
//! **Invariant.** A watch never gives up and never stops another.

use super::{Kind, Need, News, Wire};
use crate::{fault::Cause, metrics::Metrics};
use futures::StreamExt;
use kube::{
    Api, Client,
    runtime::watcher::{self, watcher},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// The pause after a first failure.
const PAUSE_FIRST: Duration = Duration::from_millis(800);
/// The longest pause after failures.
const PAUSE_LONGEST: Duration = Duration::from_secs(30);
/// How often an absent kind is looked for at the longest.
const ABSENT_LONGEST: Duration = Duration::from_mins(1);

/// Which objects of a kind are watched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// Only this namespace.
    pub(crate) namespace: Option<String>,
    /// Only objects that this label selector matches.
    pub(crate) labels: Option<String>,
}

/// Where watches send what they see.
pub(crate) type Sender = mpsc::Sender<(Kind, News)>;

/// What every watch is started with.
#[derive(Clone)]
pub(crate) struct Watches {
    /// Asks the server.
    pub(crate) client: Client,
    /// Which objects of a kind are watched.
    pub(crate) scopes: BTreeMap<Kind, Scope>,
    /// Where news goes.
    pub(crate) sender: Sender,
    /// The numbers.
    pub(crate) metrics: Arc<Metrics>,
}

impl Watches {
    /// Watches `kind` until the receiver is gone.
    pub(crate) fn watch(&self, kind: Kind) -> impl Future<Output = ()> + Send + use<> {
        let scope = self.scopes.get(&kind).cloned().unwrap_or_default();
        watch(self.client.clone(), kind, scope, self.sender.clone(), Arc::clone(&self.metrics))
    }
}

async fn watch(client: Client, kind: Kind, scope: Scope, sender: Sender, metrics: Arc<Metrics>) {
    let resource = kind.resource();
    let api: Api<Wire> = match &scope.namespace {
        Some(namespace) if kind.is_namespaced() => {
            Api::namespaced_with(client, namespace, &resource)
        }
        _ => Api::all_with(client, &resource),
    };
    let config = watcher::Config { label_selector: scope.labels, ..watcher::Config::default() };
    let mut events = watcher(api, config).boxed();
    let mut failures = 0_u32;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                // The beginning of a list is told before the server was asked for it.
                if !matches!(event, watcher::Event::Init) {
                    failures = 0;
                }
                if sender.send((kind, News::Event(Box::new(event)))).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                let pause = report(kind, &error, failures, &metrics);
                failures = failures.saturating_add(1);
                let absent = is_absent(kind, &error);
                if absent && sender.send((kind, News::Absent)).await.is_err() {
                    return;
                }
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Tells what went wrong and says how long to wait.
fn report(kind: Kind, error: &watcher::Error, failures: u32, metrics: &Metrics) -> Duration {
    let longest = if is_absent(kind, error) {
        tracing::debug!(?kind, "the server does not have this kind yet");
        ABSENT_LONGEST
    } else {
        let code = cause(error).map_or("WatchFailed", |cause| cause.code());
        metrics.count_watch_error(kind.names().1, code);
        tracing::warn!(?kind, %error, "a watch failed and will be tried again");
        PAUSE_LONGEST
    };
    PAUSE_FIRST.saturating_mul(1_u32.checked_shl(failures.min(16)).unwrap_or(u32::MAX)).min(longest)
}

/// A kind that we may do without and may not see is as good as absent.
fn is_absent(kind: Kind, error: &watcher::Error) -> bool {
    let unseen = matches!(cause(error), Some(Cause::Missed | Cause::Forbidden(_)));
    kind.need() != Need::Required && unseen
}

fn cause(error: &watcher::Error) -> Option<Cause> {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => Some(Cause::from_client(error)),
        watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => None,
    }
}
