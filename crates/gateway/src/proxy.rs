//! One request from its arrival to the head of its response.

use crate::body::OutBody;
use crate::config::RESPONSE_TIMEOUT;
use crate::forward::{Forwarded, forward};
use crate::headers::{add_forwarded, remove_hop_by_hop};
use crate::live::{Destination, Live};
use crate::mirror;
use crate::reply::{ReplyBody, words};
use crate::table::{Found, Rule};
use http::header::{HOST, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use metrics::access::{self, Outcome, Recorder};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::time::Instant;

struct Answer {
    response: Response<ReplyBody>,
    recorder: Arc<Recorder>,
}

/// Answers a request by the table in force when it came, and counts it.
pub(crate) async fn answer(
    live: Arc<Live>,
    client: IpAddr,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let began = Instant::now();
    let method = access::Method::named(request.method().as_str());
    let Answer { response, recorder } = routed(&live, client, request).await;
    let code = response.status().as_u16();
    recorder.record(Outcome { code, method, latency: began.elapsed() }, 1);
    response
}

async fn routed(live: &Live, client: IpAddr, request: Request<Incoming>) -> Answer {
    let (mut parts, body) = request.into_parts();
    let found = live.table.find(host(&parts), &parts);
    if parts.method == Method::CONNECT {
        return own(live, StatusCode::NOT_IMPLEMENTED, "tunnels are not supported".to_owned());
    }
    prepare(&mut parts, client);
    match found {
        Found::Nothing => {
            let text = format!("no route or service for host {:?}", host(&parts));
            own(live, StatusCode::NOT_FOUND, text)
        }
        Found::Target(place) => {
            let request = Request::from_parts(parts, OutBody::Client(body));
            let direct = Rule::default();
            carried(&live.direct[place], &direct, request).await
        }
        Found::Rule(place) => by_rule(live, place, parts, body).await,
    }
}

async fn by_rule(live: &Live, place: usize, mut parts: Parts, body: Incoming) -> Answer {
    let (rule, state) = (&live.table.rules[place], &live.rules[place]);
    let named = format_args!("route {}/{}", rule.route.namespace, rule.route.name).to_string();
    let unreached = || state.destinations.first().map(|d| d.unreached.clone());
    let failed = |text: String| Answer {
        response: words(StatusCode::INTERNAL_SERVER_ERROR, text),
        recorder: unreached().unwrap_or_else(|| live.unmatched.clone()),
    };
    if let Some(reason) = &rule.unsupported {
        return failed(format!("{named}: {reason}"));
    }
    let Some(picked) = state.pick() else {
        return failed(format!("{named}: no backend has a weight"));
    };
    let destination = &state.destinations[picked];
    if let Err(reason) = &rule.backends[picked].target {
        let response = words(StatusCode::INTERNAL_SERVER_ERROR, format!("{named}: {reason}"));
        return Answer { response, recorder: destination.unreached.clone() };
    }
    rule.request_headers.apply(&mut parts.headers);
    let body = mirror::copy(live, place, &parts, body);
    carried(destination, rule, Request::from_parts(parts, body)).await
}

async fn carried(destination: &Destination, rule: &Rule, request: Request<OutBody>) -> Answer {
    let limit = rule.timeout.unwrap_or(RESPONSE_TIMEOUT);
    let Ok(forwarded) = tokio::time::timeout(limit, forward(destination, request)).await else {
        let recorder = destination.unreached.clone();
        let text = format!("no response within {limit:?} from {}", service(&recorder));
        return Answer { response: words(StatusCode::GATEWAY_TIMEOUT, text), recorder };
    };
    let Forwarded { result, recorder } = forwarded;
    match result {
        Ok(response) => {
            let mut response = response.map(ReplyBody::Backend);
            remove_hop_by_hop(response.headers_mut());
            rule.response_headers.apply(response.headers_mut());
            *response.version_mut() = Version::HTTP_11;
            Answer { response, recorder }
        }
        Err(error) => {
            let text = format!("{}: {error}", service(&recorder));
            Answer { response: words(error.status(), text), recorder }
        }
    }
}

fn service(recorder: &Recorder) -> String {
    let backend = recorder.backend();
    format!("service {}/{}", backend.namespace, backend.service)
}

fn own(live: &Live, status: StatusCode, text: String) -> Answer {
    Answer { response: words(status, text), recorder: live.unmatched.clone() }
}

fn host(parts: &Parts) -> &str {
    let header = || parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    parts.uri.host().or_else(header).unwrap_or_default()
}

/// Makes the head of a request fit for the next connection.
fn prepare(parts: &mut Parts, client: IpAddr) {
    remove_hop_by_hop(&mut parts.headers);
    if let Some(authority) = parts.uri.authority() {
        if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
            parts.headers.insert(HOST, host);
        }
        let path = parts.uri.path_and_query().cloned();
        parts.uri = path.map(Uri::from).unwrap_or_default();
    }
    add_forwarded(&mut parts.headers, client);
    parts.version = Version::HTTP_11;
}
