//! The application on real sockets: one listener per port of a pod.

use super::{App, Ask};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
    serve::ListenerExt,
};
use std::{
    collections::BTreeMap,
    future::IntoFuture,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering},
};
use tokio::{net::TcpListener, sync::watch};

/// Bytes of a request body that are read.
const BODY_LIMIT: usize = 64 * 1024;

/// Called when the application starts or stops wanting requests.
pub(crate) type OnChange = Arc<dyn Fn() + Send + Sync>;

/// A running application; dropping it lets open requests finish and closes the listeners.
pub(crate) struct AppServer {
    app: Arc<App>,
    _stop: watch::Sender<()>,
}

#[derive(Clone)]
struct Served {
    app: Arc<App>,
    changed: OnChange,
}

impl AppServer {
    /// Listens on every port of `address`.
    ///
    /// # Errors
    /// When a port cannot be bound; nothing listens then.
    pub(crate) async fn start(
        app: App,
        address: Ipv4Addr,
        ports: &[u16],
        changed: OnChange,
    ) -> io::Result<Self> {
        let app = Arc::new(app);
        let (stop, stopped) = watch::channel(());
        let mut listeners = Vec::new();
        for port in ports {
            listeners.push(TcpListener::bind(SocketAddr::from((address, *port))).await?);
        }
        let router =
            Router::new().fallback(handle).with_state(Served { app: app.clone(), changed });
        for listener in listeners {
            let listener = listener.tap_io(|stream| {
                // Without it small answers wait for acknowledgements; failing to set it costs only that.
                let _ = stream.set_nodelay(true);
            });
            let mut stopped = stopped.clone();
            let server = axum::serve(listener, router.clone()).with_graceful_shutdown(async move {
                // The sender never sends: an error means that it was dropped.
                let _ = stopped.changed().await;
            });
            tokio::spawn(server.into_future());
        }
        Ok(Self { app, _stop: stop })
    }

    /// Whether the application wants requests.
    pub(crate) fn is_accepting(&self) -> bool {
        self.app.accepting.load(Ordering::Relaxed)
    }
}

async fn handle(State(served): State<Served>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return respond(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", String::new());
    };
    let before = served.app.accepting.load(Ordering::Relaxed);
    let path = parts.uri.path();
    let ask = Ask { path, headers: headers(path, &parts.headers), body: &body };
    let answer = served.app.answer(&ask);
    if served.app.accepting.load(Ordering::Relaxed) != before {
        (served.changed)();
    }
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    let code = StatusCode::from_u16(answer.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    respond(code, answer.content_type, answer.body)
}

/// Only one path shows headers; the others need not pay for them.
fn headers(path: &str, headers: &HeaderMap) -> BTreeMap<String, String> {
    if !path.starts_with("/headers") {
        return BTreeMap::new();
    }
    let pair = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().map(pair).collect()
}

fn respond(code: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}
