//! The page's addresses.

use crate::{Feed, guard::guard, snapshot::Snapshot};
use actions::{Action, Refused, Subject};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderName, StatusCode, header},
    middleware,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::{get, post},
};
use effects::Actor;
use futures::{Stream, StreamExt, stream};
use kube::{
    Api, Client,
    api::ListParams,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{convert::Infallible, sync::Arc};
use tokio::sync::watch;

const ACTOR: Actor =
    Actor { field_manager: "ringfence-dashboard", user_agent: "ringfence-dashboard" };
const BODY_BYTES_MAX: usize = 64 * 1024;
const CONTENT_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// A release that a button starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// What the page sends.
    pub name: String,
    /// The container whose image changes.
    pub container: String,
    /// The new image.
    pub image: String,
}

struct Page {
    client: Client,
    feed: Feed,
    namespace: String,
    rollout: String,
    releases: Vec<Release>,
}

/// Serves the page for the rollout that `feed` watches.
pub fn router(client: Client, feed: Feed, subject: (&str, &str), releases: Vec<Release>) -> Router {
    let (namespace, rollout) = (subject.0.to_owned(), subject.1.to_owned());
    let page = Arc::new(Page { client, feed, namespace, rollout, releases });
    Router::new()
        .route(
            "/",
            get(async || asset("text/html; charset=utf-8", include_str!("../assets/index.html"))),
        )
        .route(
            "/assets/page.css",
            get(async || asset("text/css", include_str!("../assets/page.css"))),
        )
        .route(
            "/assets/page.js",
            get(async || asset("text/javascript", include_str!("../assets/page.js"))),
        )
        .route(
            "/assets/lanes.js",
            get(async || asset("text/javascript", include_str!("../assets/lanes.js"))),
        )
        .route(
            "/assets/share.js",
            get(async || asset("text/javascript", include_str!("../assets/share.js"))),
        )
        .route("/api/v1/state", get(state))
        .route("/api/v1/stream", get(stream_of_snapshots))
        .route("/api/v1/releases", post(release))
        .route("/api/v1/actions/{action}", post(act))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(guard))
        .with_state(page)
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let policy = HeaderName::from_static("content-security-policy");
    (
        [
            (header::CONTENT_TYPE, kind),
            (policy, CONTENT_POLICY),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        text,
    )
}

async fn state(State(page): State<Arc<Page>>) -> Response {
    let snapshot = page.feed.snapshots().borrow().clone();
    snapshot.map_or_else(
        || Failure::NotReady.into_response(),
        |snapshot| Json(snapshot.as_ref().clone()).into_response(),
    )
}

async fn stream_of_snapshots(
    State(page): State<Arc<Page>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = snapshots(page.feed.snapshots()).filter_map(|snapshot| async move {
        Event::default().json_data(snapshot.as_ref()).ok().map(Ok)
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

fn snapshots(
    receiver: watch::Receiver<Option<Arc<Snapshot>>>,
) -> impl Stream<Item = Arc<Snapshot>> {
    stream::unfold((receiver, Turn::First), |(mut receiver, turn)| async move {
        if turn == Turn::Later {
            receiver.changed().await.ok()?;
        }
        let snapshot = receiver.borrow_and_update().clone();
        Some((snapshot, (receiver, Turn::Later)))
    })
    .filter_map(|snapshot| async move { snapshot })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    Later,
}

#[derive(Deserialize)]
struct ReleaseRequest {
    name: String,
}

async fn release(
    State(page): State<Arc<Page>>,
    Json(request): Json<ReleaseRequest>,
) -> Result<Json<Value>, Failure> {
    let found = page.releases.iter().find(|release| release.name == request.name);
    let release = found.ok_or(Failure::Unknown)?;
    let action =
        Action::SetImage { container: release.container.clone(), image: release.image.clone() };
    page.perform(&action).await
}

async fn act(
    State(page): State<Arc<Page>>,
    Path(action): Path<String>,
) -> Result<Json<Value>, Failure> {
    let action = match action.as_str() {
        "promote" => Action::Promote,
        "promote-full" => Action::PromoteFull,
        "abort" => Action::Abort,
        "retry" => Action::Retry,
        "undo" => Action::Undo { to_revision: None },
        "pause" => Action::Pause,
        "resume" => Action::Resume,
        _ => return Err(Failure::Unknown),
    };
    page.perform(&action).await
}

impl Page {
    async fn perform(&self, action: &Action) -> Result<Json<Value>, Failure> {
        let rollout = self.object("argoproj.io", "v1alpha1", "Rollout").get(&self.rollout).await?;
        let sets = self.object("apps", "v1", "ReplicaSet").list(&ListParams::default()).await?;
        let sets: Vec<Value> =
            sets.items.into_iter().filter_map(|set| serde_json::to_value(set).ok()).collect();
        let rollout = serde_json::to_value(rollout).map_err(|_| Failure::Unknown)?;
        let subject = Subject { rollout: &rollout, replica_sets: &sets, workload: None };
        for write in action.writes(subject)? {
            effects::perform(&self.client, ACTOR, &write).await?;
        }
        Ok(Json(json!({ "ok": true })))
    }

    fn object(&self, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }
}

/// Why the page could not do what it was asked.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("there is no such release or action")]
    Unknown,
    #[error("the rollout has not been seen yet")]
    NotReady,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{0}")]
    Server(#[from] kube::Error),
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let code = match &self {
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::Server(_) => StatusCode::BAD_GATEWAY,
        };
        (code, Json(json!({ "error": self.to_string() }))).into_response()
    }
}
