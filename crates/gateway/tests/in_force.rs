//! The gateway on a real API server and real sockets: weights take effect at once and lose nothing.

#![expect(clippy::unwrap_used, reason = "a cluster that cannot be set up fails the test")]

use apiserver::{Server, ServerConfig};
use bytes::Bytes;
use clock::Clock;
use gateway::{Gateway, GatewayConfig, GatewayHandle};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams,
};
use kube::{Client, Resource};
use metrics::access::Tally;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const SHOP: &str = "shop";
const PORT: u16 = 18_080;
const IN_FORCE_WITHIN: Duration = Duration::from_millis(50);

/// A cluster with two versions of a shop behind one route, and a gateway in front of it.
struct Shop {
    client: Client,
    gateway: GatewayHandle,
    pods: BTreeMap<String, JoinHandle<()>>,
    network: u8,
    _server: Arc<Server>,
}

impl Shop {
    /// `network` keeps the addresses of tests that run at once apart.
    async fn open(network: u8) -> Self {
        let clock = Clock::system();
        let server = Server::new(ServerConfig::new(clock, 1)).unwrap();
        let client = server.client();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let gateway =
            Gateway::start(client.clone(), clock, GatewayConfig::new(listen)).await.unwrap();
        let mut shop = Self { client, gateway, pods: BTreeMap::new(), network, _server: server };
        shop.create::<Namespace>(None, json!({"metadata": {"name": SHOP}})).await;
        shop.create::<CustomResourceDefinition>(None, route_definition()).await;
        for (index, name) in ["stable", "canary"].into_iter().enumerate() {
            let last = u8::try_from(index + 1).unwrap();
            shop.add_service(name).await;
            shop.add_pod(name, last).await;
            shop.set_endpoints(name, &[last]).await;
        }
        shop
    }

    async fn create<K>(&self, namespace: Option<&str>, mut object: Value)
    where
        K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + std::fmt::Debug,
    {
        object["apiVersion"] = K::api_version(&()).into();
        object["kind"] = K::kind(&()).into();
        if let Some(namespace) = namespace {
            object["metadata"]["namespace"] = namespace.into();
        }
        let resource = ApiResource::erase::<K>(&());
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        api.create(&PostParams::default(), &object).await.unwrap();
    }

    async fn add_service(&self, name: &str) {
        let service = json!({
            "metadata": {"name": name},
            "spec": {
                "selector": {"rollouts-pod-template-hash": format!("{name}-hash")},
                "ports": [{"name": "http", "port": 80, "targetPort": PORT}],
            },
        });
        self.create::<Service>(Some(SHOP), service).await;
    }

    async fn add_pod(&mut self, service: &str, last: u8) {
        let address = SocketAddr::new(self.pod_ip(last), PORT);
        let name = format!("{service}-{last}");
        let pod = json!({
            "metadata": {
                "name": name,
                "labels": {"rollouts-pod-template-hash": format!("{service}-hash")},
            },
            "spec": {"containers": [{"name": "shop", "image": "shop"}]},
        });
        self.create::<Pod>(Some(SHOP), pod).await;
        self.pods.insert(name, serve(address, service.to_owned()).await);
    }

    async fn set_endpoints(&self, service: &str, pods: &[u8]) {
        let endpoints: Vec<_> = pods
            .iter()
            .map(|last| {
                json!({
                    "addresses": [self.pod_ip(*last).to_string()],
                    "conditions": {"ready": true},
                    "targetRef": {"kind": "Pod", "name": format!("{service}-{last}"), "namespace": SHOP},
                })
            })
            .collect();
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": PORT}],
            "endpoints": endpoints,
        });
        let api: Api<EndpointSlice> = Api::namespaced(self.client.clone(), SHOP);
        let apply = PatchParams::apply("test").force();
        api.patch(service, &apply, &Patch::Apply(slice)).await.unwrap();
    }

    /// Writes the route with this weight of the canary, and extra fields for its rule.
    async fn set_route(&self, canary: u32, extra: &Value) {
        let mut rule = json!({
            "backendRefs": [
                {"name": "stable", "port": 80, "weight": 100 - canary},
                {"name": "canary", "port": 80, "weight": canary},
            ],
        });
        for (name, value) in extra.as_object().into_iter().flatten() {
            rule[name] = value.clone();
        }
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "shop"},
            "spec": {"hostnames": ["shop.example"], "rules": [rule]},
        });
        let kind = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute");
        let kind = ApiResource::from_gvk_with_plural(&kind, "httproutes");
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), SHOP, &kind);
        let apply = PatchParams::apply("test").force();
        api.patch("shop", &apply, &Patch::Apply(route)).await.unwrap();
    }

    async fn connect(&self) -> Caller {
        Caller::connect(self.gateway.addr()).await
    }

    /// Asks until the answer is the expected one; how long that took.
    async fn asked_until(&self, host: &str, expected: (u16, &str)) -> Duration {
        let began = Instant::now();
        let mut caller = self.connect().await;
        loop {
            let (code, body) = caller.get(host).await;
            if code == expected.0 && body.contains(expected.1) {
                return began.elapsed();
            }
            assert!(began.elapsed() < Duration::from_secs(10), "still {code} {body}");
            tokio::task::yield_now().await;
        }
    }

    fn pod_ip(&self, last: u8) -> IpAddr {
        IpAddr::from([127, 77, self.network, last])
    }

    fn tallies(&self) -> BTreeMap<(String, String), Tally> {
        let window = self.gateway.access().snapshot(jiff::Timestamp::UNIX_EPOCH);
        let mut sums: BTreeMap<_, Tally> = BTreeMap::new();
        for (backend, tally) in &window.tallies {
            let key = (backend.service.clone(), backend.pod_template_hash.clone());
            sums.entry(key).or_default().merge(tally);
        }
        sums
    }
}

struct Caller {
    sender: SendRequest<Empty<Bytes>>,
    _connection: tokio::task::JoinSet<()>,
}

impl Caller {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let _ = connection.await;
        });
        Self { sender, _connection: tasks }
    }

    async fn get(&mut self, host: &str) -> (u16, String) {
        self.send(Request::get("/").header("host", host)).await
    }

    async fn get_all(&mut self, host: &str, count: usize) {
        for _ in 0..count {
            assert_eq!(self.get(host).await.0, 200);
        }
    }

    async fn send(&mut self, request: http::request::Builder) -> (u16, String) {
        self.sender.ready().await.unwrap();
        let request = request.body(Empty::new()).unwrap();
        let response = self.sender.send_request(request).await.unwrap();
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (code, String::from_utf8_lossy(&body).into_owned())
    }
}

/// What a pod answers: its name, the path and who asked; told something, it says how much, and the canary
/// says so with a code of its own.
async fn said(name: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let for_whom = request.headers().get("x-forwarded-for").cloned();
    let extra = request.headers().get("x-extra").cloned();
    let uri = request.uri().clone();
    let told = request.into_body().collect().await;
    let told = told.map_or(0, |body| body.to_bytes().len());
    let size = if told > 0 { format!(" {told}") } else { String::new() };
    let text = format!("{name} {uri}{size} {for_whom:?} {extra:?}");
    let mut response = Response::new(Full::new(Bytes::from(text)));
    if told == 60_000 && name == "canary" {
        *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
    }
    response
}

/// A pod that answers.
async fn serve(address: SocketAddr, name: String) -> JoinHandle<()> {
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let name = name.clone();
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let name = name.clone();
                async move { Ok::<_, Infallible>(said(&name, request).await) }
            });
            connections.spawn(async move {
                let http = hyper::server::conn::http1::Builder::new();
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

fn route_definition() -> Value {
    json!({
        "metadata": {
            "name": "httproutes.gateway.networking.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/2997"},
        },
        "spec": {
            "group": "gateway.networking.k8s.io",
            "names": {"kind": "HTTPRoute", "plural": "httproutes", "singular": "httproute", "listKind": "HTTPRouteList"},
            "scope": "Namespaced",
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }},
            }],
        },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_weight_is_in_force_within_fifty_milliseconds() {
    let shop = Shop::open(1).await;
    shop.set_route(0, &Value::Null).await;
    shop.asked_until("shop.example", (200, "stable")).await;
    let mut took = Vec::new();
    for round in 0..20 {
        let (weight, name) = if round % 2 == 0 { (100, "canary") } else { (0, "stable") };
        shop.set_route(weight, &Value::Null).await;
        took.push(shop.asked_until("shop.example", (200, name)).await);
    }
    // A machine that does something else for a moment is not held against the gateway.
    took.sort();
    assert!(took[took.len() / 2] < IN_FORCE_WITHIN, "{took:?}");
}

/// Asks by the hundred until a hundred is split by this weight; one answer would not tell it from the last.
async fn until_split(shop: &Shop, weight: u32) {
    let mut caller = shop.connect().await;
    for _ in 0..1000 {
        let start = requests(&shop.tallies(), "canary");
        caller.get_all("shop.example", 100).await;
        let canary = requests(&shop.tallies(), "canary") - start;
        if canary.abs_diff(u64::from(weight)) <= 1 {
            return;
        }
    }
    panic!("weight {weight} never came into force");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_requests_across_changes_lose_none_and_split_exactly() {
    const CALLERS: usize = 8;
    const ROUNDS: usize = 5;
    const PER_ROUND: usize = 500;
    let shop = Shop::open(2).await;
    shop.set_route(0, &Value::Null).await;
    shop.asked_until("shop.example", (200, "stable")).await;
    let before = shop.tallies();
    let mut expected_canary = 0;
    for weight in [20_u32, 40, 60, 80, 100] {
        shop.set_route(weight, &Value::Null).await;
        until_split(&shop, weight).await;
        let start = shop.tallies();
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..CALLERS {
            let mut caller = shop.connect().await;
            callers.spawn(async move { caller.get_all("shop.example", PER_ROUND).await });
        }
        while let Some(done) = callers.join_next().await {
            done.unwrap();
        }
        let canary = requests(&shop.tallies(), "canary") - requests(&start, "canary");
        let share = (CALLERS * PER_ROUND) as u64 * u64::from(weight) / 100;
        assert!(canary.abs_diff(share) <= 1, "{canary} of {share} at weight {weight}");
        expected_canary += canary;
    }
    let total = (CALLERS * ROUNDS * PER_ROUND) as u64;
    assert_eq!(total, 20_000);
    let after = shop.tallies();
    assert!(requests(&after, "canary") - requests(&before, "canary") >= expected_canary);
    assert_eq!(failures(&after), failures(&before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_under_way_while_weights_change_are_all_answered() {
    let shop = Shop::open(3).await;
    shop.set_route(50, &Value::Null).await;
    shop.asked_until("shop.example", (200, "stable")).await;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let mut caller = shop.connect().await;
        callers.spawn(async move { caller.get_all("shop.example", 1500).await });
    }
    let mut weight = 0;
    while !callers.is_empty() {
        weight = (weight + 7) % 101;
        shop.set_route(weight, &Value::Null).await;
        if let Ok(Some(done)) =
            tokio::time::timeout(Duration::from_millis(5), callers.join_next()).await
        {
            done.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_is_gone_is_passed_over_until_the_endpoints_say_so() {
    let mut shop = Shop::open(4).await;
    shop.add_pod("stable", 3).await;
    shop.set_endpoints("stable", &[1, 3]).await;
    shop.set_route(0, &Value::Null).await;
    shop.asked_until("shop.example", (200, "stable")).await;
    let gone = shop.pods.remove("stable-3").unwrap();
    gone.abort();
    let _ = gone.await;
    let mut caller = shop.connect().await;
    for _ in 0..50 {
        assert_eq!(caller.get("shop.example").await.0, 200);
    }
    shop.set_endpoints("stable", &[]).await;
    shop.asked_until("shop.example", (503, "service shop/stable: no pod is ready")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_gateway_does_is_counted_and_what_it_cannot_do_is_said() {
    let shop = Shop::open(5).await;
    shop.asked_until("stable.shop", (200, "stable / Some(\"127.0.0.1\") None")).await;
    shop.asked_until("nobody.example", (404, "no route or service for host")).await;
    let edit = json!({"filters": [{
        "type": "RequestHeaderModifier",
        "requestHeaderModifier": {"set": [{"name": "x-extra", "value": "1"}]},
    }]});
    shop.set_route(100, &edit).await;
    shop.asked_until("shop.example", (200, "Some(\"1\")")).await;
    let unknown = json!({"filters": [{"type": "URLRewrite", "urlRewrite": {}}]});
    shop.set_route(100, &unknown).await;
    let refused = "route shop/shop: filter \"URLRewrite\" is not supported";
    shop.asked_until("shop.example", (500, refused)).await;
    assert_eq!(shop.gateway.problems().len(), 1);
    let tallies = shop.tallies();
    let canary = ("canary".to_owned(), "canary-hash".to_owned());
    assert!(tallies[&canary].codes[&200] >= 1);
    assert!(tallies.values().any(|tally| tally.codes.contains_key(&500)));
}

/// Waits until something is so that follows from requests which were answered already.
async fn comes_true(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(10), "it never came true");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_copies_its_share_and_users_never_feel_what_becomes_of_the_copies() {
    let shop = Shop::open(7).await;
    let mirror = json!({"filters": [{"type": "RequestMirror", "requestMirror": {
        "backendRef": {"name": "canary", "port": 80}, "percent": 25}}]});
    shop.set_route(0, &mirror).await;
    shop.asked_until("shop.example", (200, "stable")).await;
    let copies = || requests(&shop.tallies(), "canary");
    let mut caller = shop.connect().await;
    let start = copies();
    for _ in 0..400 {
        let (code, body) = caller.get("shop.example").await;
        assert!(code == 200 && body.starts_with("stable"), "{code} {body}");
    }
    comes_true(|| copies() - start >= 99).await;
    // Those of the first questions may still have been under way.
    assert!(copies() - start <= 103, "{}", copies() - start);
    shop.set_endpoints("canary", &[]).await;
    let refused = || {
        let tallies = shop.tallies();
        let of_canary = tallies.iter().filter(|((service, _), _)| service == "canary");
        of_canary.filter_map(|(_, tally)| tally.codes.get(&503)).sum::<u64>()
    };
    for _ in 0..10_000 {
        assert_eq!(caller.get("shop.example").await.0, 200);
        if refused() > 0 {
            break;
        }
    }
    comes_true(|| refused() > 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_has_the_whole_body_of_its_request() {
    let shop = Shop::open(8).await;
    let mirror = json!({"filters": [{"type": "RequestMirror", "requestMirror": {
        "backendRef": {"name": "canary", "port": 80}}}]});
    shop.set_route(0, &mirror).await;
    shop.asked_until("shop.example", (200, "stable")).await;
    let stream = TcpStream::connect(shop.gateway.addr()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    let posts = || {
        let tallies = shop.tallies();
        let of_canary = tallies.iter().filter(|((service, _), _)| service == "canary");
        of_canary.map(|(_, tally)| tally.codes.get(&413).copied().unwrap_or(0)).sum::<u64>()
    };
    let request = Request::post("/").header("host", "shop.example");
    let request = request.body(Full::new(Bytes::from(vec![7; 60_000]))).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(b"stable / 60000"), "{body:?}");
    comes_true(|| posts() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_lets_requests_end_before_it_stops() {
    let shop = Shop::open(6).await;
    shop.gateway.listed().await;
    shop.asked_until("stable.shop", (200, "stable")).await;
    let mut caller = shop.connect().await;
    assert_eq!(caller.get("stable.shop").await.0, 200);
    let address = shop.gateway.addr();
    shop.gateway.shutdown().await;
    assert!(TcpStream::connect(address).await.is_err());
}

fn failures(tallies: &BTreeMap<(String, String), Tally>) -> u64 {
    let codes = tallies.values().flat_map(|tally| &tally.codes);
    codes.filter(|(code, _)| **code != 200).map(|(_, count)| count).sum()
}

fn requests(tallies: &BTreeMap<(String, String), Tally>, service: &str) -> u64 {
    let of_service = tallies.iter().filter(|((name, _), _)| name == service);
    of_service.map(|(_, tally)| tally.requests()).sum()
}
