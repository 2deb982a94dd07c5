//! Counting what a client is asked to send.
//!
//! **Invariant.** Neither requests nor answers are changed.

use crate::{asked::Asked, metrics::Metrics};
use futures::{FutureExt, future::BoxFuture};
use http::{Request, Response};
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};

/// How a request is counted that was never answered.
const UNANSWERED: u16 = 0;

/// Counts requests to the API server: to be laid around the client that a controller is started on, and to
/// be put into that controller's configuration, whose `/metrics` then tells the counts.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Metrics>);

/// A service whose requests are counted.
#[derive(Clone, Debug)]
pub struct Metered<S> {
    service: S,
    metrics: Arc<Metrics>,
}

impl Meter {
    /// Where the counts are.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.0
    }
}

impl<S> Layer<S> for Meter {
    type Service = Metered<S>;

    fn layer(&self, service: S) -> Metered<S> {
        Metered { service, metrics: Arc::clone(&self.0) }
    }
}

impl<S, B, A> Service<Request<B>> for Metered<S>
where
    S: Service<Request<B>, Response = Response<A>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let asked = Asked::of(request.method(), request.uri());
        let metrics = Arc::clone(&self.metrics);
        let count = move |answer: &Result<S::Response, S::Error>| {
            let code = answer.as_ref().map_or(UNANSWERED, |answer| answer.status().as_u16());
            metrics.count_request(asked.as_ref(), code);
        };
        self.service.call(request).inspect(count).boxed()
    }
}
