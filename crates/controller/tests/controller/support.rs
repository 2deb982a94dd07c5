//! A cluster in process for whole-controller tests, with a gate between it and each controller.

use axum::{body::Body, extract::Request, http::StatusCode, middleware::Next, response::Response};
use clock::Clock;
use controller::{Controller, ControllerConfig, ControllerHandle, HttpCaller, Meter};
use futures::{StreamExt, future::BoxFuture};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;
use tower::{Layer, ServiceExt, service_fn};
use vocab::{Call, Reply, ReplyError};

/// A cluster without workloads' controllers.
pub(crate) struct Cluster {
    pub(crate) server: Arc<apiserver::Server>,
    pub(crate) client: Client,
    pub(crate) clock: Clock,
}

impl Cluster {
    /// An empty cluster that knows the five kinds.
    pub(crate) async fn start() -> Self {
        let clock = Clock::starting_at("2026-03-01T12:00:00Z".parse().unwrap());
        let server = apiserver::Server::new(apiserver::ServerConfig::new(clock, 7)).unwrap();
        let cluster = Self { client: server.client(), server, clock };
        for crd in api::crds() {
            cluster.create(serde_json::to_value(&crd).unwrap()).await;
        }
        cluster
    }

    /// Starts a controller that reaches the cluster through `gate`.
    pub(crate) async fn controller(
        &self,
        gate: &Gate,
        config: ControllerConfig,
    ) -> ControllerHandle {
        self.controller_asking(gate, config, Arc::new(NoHttp)).await
    }

    /// Starts a controller that asks metric providers through `http`.
    pub(crate) async fn controller_asking(
        &self,
        gate: &Gate,
        config: ControllerConfig,
        http: Arc<dyn HttpCaller>,
    ) -> ControllerHandle {
        let client = gate.client(self.server.router(), &config.meter);
        Controller::start(client, self.clock, http, config).await.unwrap()
    }

    /// Creates any object.
    pub(crate) async fn create(&self, object: Value) -> Value {
        let api = self.api_of(&object);
        let object = serde_json::from_value(object).unwrap();
        let made = api.create(&PostParams::default(), &object).await.unwrap();
        serde_json::to_value(made).unwrap()
    }

    /// Merges `patch` into an object of the namespace `default`.
    pub(crate) async fn patch(&self, api_version: &str, kind: &str, name: &str, patch: Value) {
        let api = self.api(api_version, kind);
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Merges `patch` into the status of an object of the namespace `default`.
    pub(crate) async fn patch_status(
        &self,
        api_version: &str,
        kind: &str,
        name: &str,
        patch: Value,
    ) {
        let api = self.api(api_version, kind);
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Deletes an object of the namespace `default`.
    pub(crate) async fn delete(&self, api_version: &str, kind: &str, name: &str) {
        self.api(api_version, kind).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// An object of the namespace `default`, null when absent.
    pub(crate) async fn get(&self, api_version: &str, kind: &str, name: &str) -> Value {
        let found = self.api(api_version, kind).get_opt(name).await.unwrap();
        found.map_or(Value::Null, |object| serde_json::to_value(object).unwrap())
    }

    /// All objects of a kind in the namespace `default`.
    pub(crate) async fn list(&self, api_version: &str, kind: &str) -> Vec<Value> {
        let list =
            self.api(api_version, kind).list(&kube::api::ListParams::default()).await.unwrap();
        list.items.into_iter().map(|item| serde_json::to_value(item).unwrap()).collect()
    }

    fn api_of(&self, object: &Value) -> Api<DynamicObject> {
        let text = |field: &str| object[field].as_str().unwrap().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if kind == "CustomResourceDefinition" || kind == "ClusterAnalysisTemplate" {
            return Api::all_with(self.client.clone(), &resource(&api_version, &kind));
        }
        self.api(&api_version, &kind)
    }

    fn api(&self, api_version: &str, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), "default", &resource(api_version, kind))
    }
}

fn resource(api_version: &str, kind: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// Lets virtual time pass.
pub(crate) async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Nobody answers.
pub(crate) struct NoHttp;

impl HttpCaller for NoHttp {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, ReplyError>> {
        let cause = "nobody is there".to_owned();
        Box::pin(async move { Err(ReplyError::Unreachable { url: call.url, cause }) })
    }
}

/// A Prometheus whose every answer is one number.
pub(crate) struct Prometheus(pub Mutex<f64>);

impl HttpCaller for Prometheus {
    fn call(&self, _: Call) -> BoxFuture<'_, Result<Reply, ReplyError>> {
        let value = *self.0.lock().unwrap();
        let body = json!({
            "status": "success",
            "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, value.to_string()]}]},
        });
        let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        let reply = Reply { status: 200, headers, body: body.to_string().into_bytes() };
        Box::pin(async move { Ok(reply) })
    }
}

/// What stands between one controller and the API server.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    frozen: watch::Sender<Option<&'static str>>,
    writes: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    log: Vec<String>,
    watched: Vec<String>,
    denied: Option<&'static str>,
    unanswered: Option<&'static str>,
    overlooked: Option<&'static str>,
    cut_after: Option<usize>,
}

/// What becomes of a write.
enum Passage {
    Free,
    Denied,
    /// It never reaches the server.
    Unheard,
    /// It happens, and nobody learns of it.
    Unanswered,
}

impl Gate {
    /// Lets everything through.
    pub(crate) fn open() -> Self {
        let (frozen, writes) = (watch::Sender::new(None), watch::Sender::new(0));
        Self(Arc::new(Inner { state: Mutex::default(), frozen, writes }))
    }

    /// Refuses writes to paths that contain `part`.
    pub(crate) fn deny(&self, part: Option<&'static str>) {
        self.0.state.lock().unwrap().denied = part;
    }

    /// Never answers writes to paths that contain `part`.
    pub(crate) fn leave_unanswered(&self, part: &'static str) {
        self.0.state.lock().unwrap().unanswered = Some(part);
    }

    /// Lets the write of that number happen, but never answers it nor anything after it.
    pub(crate) fn cut_after(&self, writes: usize) {
        self.0.state.lock().unwrap().cut_after = Some(writes);
    }

    /// Holds back what watches of paths that contain `part` would tell.
    pub(crate) fn freeze(&self, part: Option<&'static str>) {
        self.0.frozen.send_replace(part);
    }

    /// Answers lists of paths that end in `part` as if there were nothing, and lets their watches tell nothing
    /// until [`Gate::freeze`] ends it: the server is behind.
    pub(crate) fn overlook(&self, part: &'static str) {
        self.0.state.lock().unwrap().overlooked = Some(part);
        self.freeze(Some(part));
    }

    /// Every write so far, as `METHOD path`.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.0.state.lock().unwrap().log.clone()
    }

    /// Whether there has been a watch of a path that contains `part`.
    pub(crate) fn has_watched(&self, part: &str) -> bool {
        self.0.state.lock().unwrap().watched.iter().any(|path| path.contains(part))
    }

    /// The path of every watch so far.
    pub(crate) fn watched(&self) -> Vec<String> {
        self.0.state.lock().unwrap().watched.clone()
    }

    /// Waits until that many writes were tried.
    pub(crate) async fn reached(&self, writes: usize) {
        let mut count = self.0.writes.subscribe();
        count.wait_for(|count| *count >= writes).await.unwrap();
    }

    fn client(&self, router: axum::Router, meter: &Meter) -> Client {
        let gate = self.clone();
        let router =
            router.layer(axum::middleware::from_fn(move |request: Request, next: Next| {
                let gate = gate.clone();
                async move { gate.pass(request, next).await }
            }));
        let service = service_fn(move |request: http::Request<kube::client::Body>| {
            let router = router.clone();
            async move { Ok::<_, Infallible>(router.oneshot(request.map(Body::new)).await.unwrap()) }
        });
        Client::new(meter.layer(service), "default")
    }

    async fn pass(&self, request: Request, next: Next) -> Response {
        let path = request.uri().path().to_owned();
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let is_write = request.method() != http::Method::GET;
        if is_watch {
            self.0.state.lock().unwrap().watched.push(path.clone());
        }
        if !is_write {
            let answer = next.run(request).await;
            let overlooked = self.0.state.lock().unwrap().overlooked;
            return match overlooked {
                _ if is_watch => self.hold_back(&path, answer),
                Some(part) if path.ends_with(part) => emptied(answer).await,
                _ => answer,
            };
        }
        let line = format!("{} {path}", request.method());
        match self.admit(line, &path) {
            Passage::Free => next.run(request).await,
            Passage::Denied => forbidden(),
            Passage::Unheard => futures::future::pending().await,
            Passage::Unanswered => {
                drop(next.run(request).await);
                futures::future::pending().await
            }
        }
    }

    fn admit(&self, line: String, path: &str) -> Passage {
        let mut state = self.0.state.lock().unwrap();
        state.log.push(line);
        let number = state.log.len();
        self.0.writes.send_replace(number);
        let is_meant = |part: Option<&str>| part.is_some_and(|part| path.contains(part));
        match state.cut_after {
            Some(cut) if number > cut => Passage::Unheard,
            _ if is_meant(state.denied) => Passage::Denied,
            _ if is_meant(state.unanswered) => Passage::Unanswered,
            Some(cut) if number == cut => Passage::Unanswered,
            _ => Passage::Free,
        }
    }

    fn hold_back(&self, path: &str, answer: Response) -> Response {
        let (parts, body) = answer.into_parts();
        let path = path.to_owned();
        let frozen = self.0.frozen.subscribe();
        let held = body.into_data_stream().then(move |chunk| {
            let (path, mut frozen) = (path.clone(), frozen.clone());
            async move {
                let thawed = frozen.wait_for(|part| part.is_none_or(|part| !path.contains(part)));
                drop(thawed.await);
                chunk
            }
        });
        Response::from_parts(parts, Body::from_stream(held))
    }
}

/// A list without its items.
async fn emptied(list: Response) -> Response {
    let (mut parts, body) = list.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut list: Value = serde_json::from_slice(&body).unwrap();
    list["items"] = json!([]);
    parts.headers.remove("content-length");
    Response::from_parts(parts, Body::from(list.to_string()))
}

fn forbidden() -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "Forbidden",
        "message": "the test does not allow it",
    });
    let answer = Response::builder().status(StatusCode::FORBIDDEN);
    answer.header("content-type", "application/json").body(Body::from(status.to_string())).unwrap()
}
