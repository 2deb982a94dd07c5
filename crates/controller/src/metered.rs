//! A client that counts what it is asked to send.
//!
//! **Invariant.** It changes neither requests nor answers.

use crate::{asked::Asked, metrics::Metrics};
use http::Request;
use kube::{Client, client::Body};
use std::sync::Arc;
use tower::service_fn;

/// How a request is counted that was never answered.
const UNANSWERED: u16 = 0;

/// The same client, counted.
pub(crate) fn metered(client: Client, metrics: Arc<Metrics>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let (client, metrics) = (client.clone(), Arc::clone(&metrics));
        async move {
            let asked = Asked::of(request.method(), request.uri());
            let answer = client.send(request).await;
            let code = answer.as_ref().map_or(UNANSWERED, |answer| answer.status().as_u16());
            metrics.count_request(asked.as_ref(), code);
            answer
        }
    });
    Client::new(service, namespace)
}
