//! One request to one service: which pod, and what when it cannot be reached.

use crate::body::OutBody;
use crate::config::MAX_TRIES;
use crate::connection::{BackendBody, Connection, Unanswered};
use crate::live::{Destination, LiveEndpoint};
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use metrics::access::Recorder;
use std::sync::Arc;

/// Why a service did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForwardError {
    #[error("no pod is ready")]
    NoEndpoint,
    #[error("no pod could be reached: {0}")]
    Unreachable(String),
    #[error("the pod at {0} broke off before it answered: {1}")]
    BrokenOff(std::net::SocketAddr, hyper::Error),
}

impl ForwardError {
    /// What the client is answered.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoEndpoint | Self::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::BrokenOff(..) => StatusCode::BAD_GATEWAY,
        }
    }
}

/// What became of a request, and where it is counted.
pub(crate) struct Forwarded {
    pub(crate) result: Result<Response<BackendBody>, ForwardError>,
    pub(crate) recorder: Arc<Recorder>,
}

/// Sends the request to the pod whose turn it is.
///
/// Another pod is tried when nothing was sent, and when a connection that had been idle broke under a
/// request that may be repeated without harm: the pod had closed it before it saw the request.
pub(crate) async fn forward(destination: &Destination, request: Request<OutBody>) -> Forwarded {
    let count = destination.endpoints.len();
    if count == 0 {
        let recorder = destination.unreached.clone();
        return Forwarded { result: Err(ForwardError::NoEndpoint), recorder };
    }
    let turn = destination.turn();
    let mut request = request;
    let mut reason = String::new();
    for attempt in 0..MAX_TRIES {
        let endpoint = &destination.endpoints[turn.wrapping_add(attempt) % count];
        let connection = match connection(endpoint, attempt).await {
            Ok(connection) => connection,
            Err(error) => {
                reason = format!("{}: {error}", endpoint.pool.address());
                continue;
            }
        };
        let copy = if connection.reused { copy_of(&request) } else { None };
        match connection.exchange(request, &endpoint.pool).await {
            Ok(response) => return forwarded(endpoint, Ok(response)),
            Err(Unanswered { error, unsent }) => {
                let Some(again) = unsent.or(copy) else {
                    let broken = ForwardError::BrokenOff(endpoint.pool.address(), error);
                    return forwarded(endpoint, Err(broken));
                };
                reason = error.to_string();
                request = again;
            }
        }
    }
    let recorder = destination.unreached.clone();
    Forwarded { result: Err(ForwardError::Unreachable(reason)), recorder }
}

async fn connection(endpoint: &LiveEndpoint, attempt: usize) -> std::io::Result<Box<Connection>> {
    if attempt == 0 { endpoint.pool.connection().await } else { endpoint.pool.connect().await }
}

fn forwarded(
    endpoint: &LiveEndpoint,
    result: Result<Response<BackendBody>, ForwardError>,
) -> Forwarded {
    Forwarded { result, recorder: endpoint.recorder.clone() }
}

/// The same request once more, if repeating it does no harm and it has no body.
fn copy_of(request: &Request<OutBody>) -> Option<Request<OutBody>> {
    if !request.method().is_safe() || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(OutBody::Nothing);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}
