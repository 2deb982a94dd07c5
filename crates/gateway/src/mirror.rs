//! Copies of requests, whose answers nobody gets.
//!
//! **Invariant.** Whatever becomes of a copy, the request that it is a copy of goes its way unheard of it.

use crate::body::{self, OutBody};
use crate::config::{MAX_COPIES, RESPONSE_TIMEOUT};
use crate::connection::BackendBody;
use crate::forward::{Forwarded, forward};
use crate::live::{Destination, Live};
use crate::split::Split;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use metrics::access::{self, Outcome};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Where copies go, with the state of their share.
#[derive(Debug)]
pub(crate) struct LiveMirror {
    pub(crate) destination: Destination,
    /// The parts that are copied, and those that are not.
    pub(crate) shares: [u32; 2],
    pub(crate) split: Arc<Mutex<Split>>,
}

/// The copies under way; they end with the gateway.
#[derive(Debug, Default)]
pub(crate) struct Copies(Mutex<JoinSet<()>>);

impl LiveMirror {
    /// Whether the next request is one of those that are copied.
    fn is_due(&self) -> bool {
        self.split.lock().unwrap_or_else(PoisonError::into_inner).pick(&self.shares) == Some(0)
    }
}

impl Copies {
    /// Whether one more is not at the cost of users.
    fn have_room(&self) -> bool {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.len() < MAX_COPIES
    }

    fn start(&self, copy: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).spawn(copy);
    }
}

/// Sends the copies that a rule asks for of a request, and gives the body that the request is left with.
pub(crate) fn copy(live: &Live, rule: usize, parts: &Parts, body: Incoming) -> OutBody {
    let mirrors = &live.rules[rule].mirrors;
    let mut told = Vec::new();
    for mirror in mirrors.iter().filter(|mirror| mirror.is_due()) {
        if !live.copies.have_room() {
            continue;
        }
        let copy = if body.is_end_stream() {
            OutBody::Nothing
        } else {
            let (sender, copy) = body::copy();
            told.push(sender);
            copy
        };
        let request = Request::from_parts(parts.clone(), copy);
        let mirror = mirror.clone();
        live.copies.start(async move { deliver(&mirror, request).await });
    }
    if told.is_empty() { OutBody::Client(body) } else { OutBody::Told(body, told) }
}

/// Sends a copy, counts what became of it and throws the answer away.
async fn deliver(mirror: &LiveMirror, request: Request<OutBody>) {
    let began = Instant::now();
    let method = access::Method::named(request.method().as_str());
    let answered = async {
        let Forwarded { result, recorder } = forward(&mirror.destination, request).await;
        let code = match result {
            Ok(response) => thrown_away(response).await,
            Err(error) => error.status(),
        };
        (code, recorder)
    };
    let (code, recorder) = tokio::time::timeout(RESPONSE_TIMEOUT, answered)
        .await
        .unwrap_or_else(|_| (StatusCode::GATEWAY_TIMEOUT, mirror.destination.unreached.clone()));
    let code = code.as_u16();
    recorder.record(Outcome { code, method, latency: began.elapsed() }, 1);
}

/// Reads an answer to its end, so that its connection can be used again.
async fn thrown_away(response: Response<BackendBody>) -> StatusCode {
    let (head, mut body) = response.into_parts();
    while let Some(Ok(_)) = body.frame().await {}
    head.status
}
