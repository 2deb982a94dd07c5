//! Performing the HTTP calls that pure code asks for.
//!
//! [`RealHttp`] goes out on the network. [`ByAddress`] answers some addresses in process and hands the
//! rest on, which is how an embedded cluster serves the Prometheus API without a socket.
//!
//! **Invariant.** No body is read beyond [`BODY_MAX`] bytes, no redirect leaves the host asked for, and
//! nobody is asked whom the [`Egress`] policy denies, by whatever name.

use futures::future::BoxFuture;
use providers::egress::{Denied, Egress};
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::CONTENT_LENGTH,
};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use vocab::{Call, Reply, ReplyError};

/// The longest answer that is read, in bytes.
pub const BODY_MAX: usize = 1 << 20;
/// The longest time one call may take, whatever it asks for.
pub const TIMEOUT_MAX: Duration = Duration::from_hours(1);
/// Methods whose requests say that they have no body; some servers refuse them otherwise (RFC 9110 §8.6).
const NAMES_LENGTH: [&str; 3] = ["POST", "PUT", "PATCH"];
/// How many redirects on the same host are followed.
const REDIRECTS_MAX: usize = 5;

/// Somebody who can perform a [`Call`].
pub trait HttpCaller: Send + Sync {
    /// Performs `call` and returns what came back, whatever its status code.
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, ReplyError>>;
}

/// The network, through `reqwest`.
#[derive(Clone, Debug)]
pub struct RealHttp {
    egress: Arc<Egress>,
    checked: reqwest::Client,
    unchecked: reqwest::Client,
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be set up")]
pub struct HttpSetUpFailed(#[from] reqwest::Error);

impl RealHttp {
    /// Sets up the clients, which go nowhere that `egress` denies. A rustls crypto provider must have been installed for the process.
    ///
    /// # Errors
    /// [`HttpSetUpFailed`] when the TLS back end cannot be initialised.
    pub fn new(egress: Egress) -> Result<Self, HttpSetUpFailed> {
        let egress = Arc::new(egress);
        let checked = client(Certificates::Checked, &egress)?;
        let unchecked = client(Certificates::Any, &egress)?;
        Ok(Self { egress, checked, unchecked })
    }

    async fn perform(&self, call: Call) -> Result<Reply, ReplyError> {
        let client = if call.insecure { &self.unchecked } else { &self.checked };
        let method = reqwest::Method::from_bytes(call.method.as_bytes())
            .map_err(|cause| unreachable(&call.url, &cause))?;
        let url = Url::parse(&call.url).map_err(|cause| unreachable(&call.url, &cause))?;
        may_ask(&self.egress, &url).map_err(|denied| unreachable(&call.url, &denied))?;
        let mut request = client.request(method, url);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        request = match call.body {
            Some(body) => request.body(body),
            None if NAMES_LENGTH.contains(&call.method.as_str()) => {
                request.header(CONTENT_LENGTH, "0")
            }
            None => request,
        };
        let answer = request.send().await.map_err(|cause| unreachable(&call.url, &cause))?;
        read(&call.url, answer).await
    }
}

impl HttpCaller for RealHttp {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, ReplyError>> {
        Box::pin(async move {
            let limit = call.timeout.min(TIMEOUT_MAX);
            let url = call.url.clone();
            tokio::time::timeout(limit, self.perform(call))
                .await
                .unwrap_or(Err(ReplyError::TimedOut { url, seconds: limit.as_secs() }))
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Certificates {
    Checked,
    Any,
}

fn client(
    certificates: Certificates,
    egress: &Arc<Egress>,
) -> Result<reqwest::Client, reqwest::Error> {
    let (redirects, names) = (Arc::clone(egress), Arc::clone(egress));
    let policy = move |attempt: reqwest::redirect::Attempt<'_>| stay_on_host(&redirects, attempt);
    reqwest::Client::builder()
        .user_agent("ringfence-controller")
        .redirect(reqwest::redirect::Policy::custom(policy))
        .dns_resolver(Guarded(names))
        .tls_danger_accept_invalid_certs(certificates == Certificates::Any)
        .build()
}

/// Follows a redirect only to the host first asked, so that no metrics server can send us elsewhere.
fn stay_on_host(
    egress: &Egress,
    attempt: reqwest::redirect::Attempt<'_>,
) -> reqwest::redirect::Action {
    if let Err(denied) = may_ask(egress, attempt.url()) {
        return attempt.error(denied);
    }
    let first = attempt.previous().first();
    let same_host = first.is_some_and(|first| first.host_str() == attempt.url().host_str());
    if same_host && attempt.previous().len() <= REDIRECTS_MAX {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// Judges the host in an address. It is read as the client reads it: `http://2130706433` is loopback.
fn may_ask(egress: &Egress, url: &Url) -> Result<(), Denied> {
    egress.check_host(url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(0))
}

/// Finds the addresses of names, without those that are denied.
struct Guarded(Arc<Egress>);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let egress = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let judged = found.map(|at| may_reach(&egress, name.as_str(), at));
            let (free, denied): (Vec<_>, Vec<_>) = judged.partition(Result::is_ok);
            let free: Vec<SocketAddr> = free.into_iter().flatten().collect();
            match denied.into_iter().find_map(Result::err) {
                Some(denied) if free.is_empty() => Err(denied.into()),
                _ => Ok(Box::new(free.into_iter()) as Addrs),
            }
        })
    }
}

fn may_reach(egress: &Egress, host: &str, address: SocketAddr) -> Result<SocketAddr, Denied> {
    if !egress.trusts(host) {
        egress.check(address.ip())?;
    }
    Ok(address)
}

async fn read(url: &str, mut answer: reqwest::Response) -> Result<Reply, ReplyError> {
    let status = answer.status().as_u16();
    let headers = answer.headers().iter().map(header).collect::<BTreeMap<_, _>>();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|cause| unreachable(url, &cause))? {
        if body.len() + chunk.len() > BODY_MAX {
            return Err(ReplyError::TooLong { url: url.to_owned(), limit: BODY_MAX });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, headers, body })
}

fn header((name, value): (&http::HeaderName, &http::HeaderValue)) -> (String, String) {
    (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn unreachable(url: &str, cause: &dyn std::error::Error) -> ReplyError {
    let mut text = cause.to_string();
    let mut next = cause.source();
    while let Some(inner) = next {
        text = format!("{text}: {inner}");
        next = inner.source();
    }
    ReplyError::Unreachable { url: url.to_owned(), cause: text }
}

/// Answers calls to certain addresses in process and hands all others on.
pub struct ByAddress {
    rest: Arc<dyn HttpCaller>,
    known: Vec<(String, Arc<dyn HttpCaller>)>,
}

impl ByAddress {
    /// Hands everything to `rest` until told otherwise.
    pub fn new(rest: Arc<dyn HttpCaller>) -> Self {
        Self { rest, known: Vec::new() }
    }

    /// Lets `caller` answer every address below `prefix`, such as `http://prometheus:9090`.
    #[must_use]
    pub fn answer(mut self, prefix: &str, caller: Arc<dyn HttpCaller>) -> Self {
        self.known.push((prefix.trim_end_matches('/').to_owned(), caller));
        self
    }
}

impl HttpCaller for ByAddress {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, ReplyError>> {
        let known = self.known.iter().find(|(prefix, _)| is_below(&call.url, prefix));
        known.map_or(&self.rest, |(_, caller)| caller).call(call)
    }
}

fn is_below(url: &str, prefix: &str) -> bool {
    url.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(u16);

    impl HttpCaller for Named {
        fn call(&self, _: Call) -> BoxFuture<'_, Result<Reply, ReplyError>> {
            let reply = Reply { status: self.0, headers: BTreeMap::new(), body: Vec::new() };
            Box::pin(async move { Ok(reply) })
        }
    }

    fn get(url: &str) -> Call {
        Call {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: None,
            timeout: Duration::from_secs(1),
            insecure: false,
        }
    }

    /// A caller that may ask this machine.
    fn local() -> RealHttp {
        allowing(&["127.0.0.0/8"])
    }

    fn allowing(allowed: &[&str]) -> RealHttp {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let allow = |egress: Egress, text: &&str| egress.allowing(text.parse().unwrap());
        RealHttp::new(allowed.iter().fold(Egress::default(), allow)).unwrap()
    }

    #[track_caller]
    fn check_answered_by(url: &str, status: u16) {
        let caller = ByAddress::new(Arc::new(Named(500)))
            .answer("http://prometheus:9090/", Arc::new(Named(200)));
        let reply = futures::executor::block_on(caller.call(get(url))).unwrap();
        assert_eq!(reply.status, status, "{url}");
    }

    #[test]
    fn addresses_are_answered_by_the_caller_that_owns_them() {
        check_answered_by("http://prometheus:9090/api/v1/query?query=up", 200);
        check_answered_by("http://prometheus:9090", 200);
        check_answered_by("http://prometheus:90901/api", 500);
        check_answered_by("http://example.org/", 500);
    }

    #[tokio::test]
    async fn a_service_that_is_not_there_is_reported_with_the_cause() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let error = local().call(get(&url)).await.unwrap_err();
        assert!(matches!(error, ReplyError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut_off() {
        let app = axum::Router::new()
            .route("/", axum::routing::get(|| async { vec![b'x'; BODY_MAX + 1] }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let error = local().call(get(&url)).await.unwrap_err();
        server.abort();
        assert!(matches!(error, ReplyError::TooLong { .. }), "{error}");
    }

    #[tokio::test]
    async fn whom_the_policy_denies_is_not_asked_by_any_name() {
        let guarded = allowing(&[]);
        for url in [
            "http://127.0.0.1:1/",
            "http://127.1:1/",
            "http://2130706433:1/",
            "http://[::1]:1/",
            "http://[::ffff:169.254.169.254]/latest/meta-data/",
            "http://user@localhost:1/",
            "https://kubernetes.default.svc/api",
        ] {
            let error = guarded.call(get(url)).await.unwrap_err().to_string();
            assert!(error.contains("the egress policy denies"), "{url}: {error}");
        }
        let trusting = allowing(&["localhost"]);
        let error = trusting.call(get("http://localhost:1/")).await.unwrap_err().to_string();
        assert!(!error.contains("policy"), "{error}");
    }

    #[tokio::test]
    async fn a_request_that_could_have_a_body_says_when_it_has_none() {
        let told = |headers: http::HeaderMap| async move {
            headers.get(CONTENT_LENGTH).map_or("none", |length| length.to_str().unwrap()).to_owned()
        };
        let app = axum::Router::new().route("/a%20job", axum::routing::any(told));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("HTTP://{}/a job", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        for (method, body, length) in
            [("GET", None, "none"), ("POST", None, "0"), ("PUT", Some(b"ab".to_vec()), "2")]
        {
            let call = Call { method: method.to_owned(), body, ..get(&url) };
            let reply = local().call(call).await.unwrap();
            assert_eq!((reply.status, reply.body.as_slice()), (200, length.as_bytes()), "{method}");
        }
        server.abort();
    }

    #[tokio::test]
    async fn a_redirect_does_not_lead_elsewhere() {
        let away = || async { axum::response::Redirect::to("http://127.0.0.2:1/secret") };
        let app = axum::Router::new().route("/", axum::routing::get(away));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let reply = local().call(get(&url)).await.unwrap();
        let denied = allowing(&["127.0.0.1"]).call(get(&url)).await.unwrap_err();
        server.abort();
        assert_eq!(reply.status, 303);
        assert!(denied.to_string().contains("the egress policy denies"), "{denied}");
    }
}
