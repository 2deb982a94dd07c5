//! The users of the demo: a steady stream of real requests through the gateway.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{self, MissedTickBehavior},
};

/// How long a user waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests under way at once at most; a tick beyond that is not sent.
const UNDER_WAY_MAX: usize = 2000;

/// A running stream of requests; ends when dropped.
pub(crate) struct Load {
    counts: Arc<Counts>,
    _task: JoinSet<()>,
}

#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    failed: AtomicU64,
}

/// Requests that users have had answered, and those among them that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) requests: u64,
    pub(crate) failed: u64,
}

impl Load {
    /// Sends `per_second` requests to `/color` at `target` each second, evenly spaced.
    pub(crate) fn start(target: SocketAddr, per_second: u32) -> Self {
        let counts = Arc::new(Counts::default());
        let mut task = JoinSet::new();
        task.spawn(send(target, per_second.max(1), counts.clone()));
        Self { counts, _task: task }
    }

    pub(crate) fn answered(&self) -> Answered {
        Answered {
            requests: self.counts.answered.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
        }
    }
}

/// Whether a request to `/color` at `target` is answered well now.
pub(crate) async fn is_answered(target: SocketAddr) -> bool {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    answer(&client, &format!("http://{target}/color")).await
}

async fn send(target: SocketAddr, per_second: u32, counts: Arc<Counts>) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let uri = format!("http://{target}/color");
    let mut ticks = time::interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    loop {
        ticks.tick().await;
        while under_way.try_join_next().is_some() {}
        if under_way.len() < UNDER_WAY_MAX {
            under_way.spawn(ask(client.clone(), uri.clone(), counts.clone()));
        }
    }
}

async fn ask(client: Client<HttpConnector, Empty<Bytes>>, uri: String, counts: Arc<Counts>) {
    let is_ok = time::timeout(PATIENCE, answer(&client, &uri)).await.unwrap_or(false);
    counts.answered.fetch_add(1, Ordering::Relaxed);
    if !is_ok {
        counts.failed.fetch_add(1, Ordering::Relaxed);
    }
}

async fn answer(client: &Client<HttpConnector, Empty<Bytes>>, uri: &str) -> bool {
    let Ok(request) = Request::get(uri).body(Empty::new()) else { return false };
    match client.request(request).await {
        Ok(answer) => {
            let is_ok = !answer.status().is_server_error();
            answer.into_body().collect().await.is_ok() && is_ok
        }
        Err(_) => false,
    }
}
