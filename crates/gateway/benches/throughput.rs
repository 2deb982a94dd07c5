//! Requests per second through the gateway and through `HAProxy`, with the same backends.
//!
//! Needs `wrk`; compares with `haproxy` when it is there. Run with
//! `cargo bench -p gateway --bench throughput`. Rounds alternate so that a busy machine slows both.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has nothing to say")]

use apiserver::{Server, ServerConfig};
use bytes::Bytes;
use clock::Clock;
use gateway::{Gateway, GatewayConfig, GatewayHandle};
use http::Response;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

const ROUNDS: usize = 9;
const SECONDS: u32 = 2;
const CONNECTIONS: u32 = 64;
const WORKERS: usize = 2;
const WEIGHTS: [(&str, u16); 2] = [("stable", 80), ("canary", 20)];
const BODY: &[u8] = b"a response of about one hundred bytes, which is what a small service would answer to a client.";
const HOST: &str = "shop.example";

fn main() {
    // `cargo test --benches` asks only whether it runs.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let backends = runtime();
    let addresses: Vec<SocketAddr> = WEIGHTS.iter().map(|_| backends.block_on(backend())).collect();
    let gateways = runtime();
    let (gateway, _server) = gateways.block_on(gateway(&addresses));
    let haproxy = Haproxy::start(&addresses, &gateways);
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    let direct = measure(addresses[0]);
    println!("backend alone      {direct:>9.0} requests/s");
    for _ in 0..ROUNDS {
        ours.push(measure(gateway.addr()));
        println!("gateway            {:>9.0} requests/s", ours[ours.len() - 1]);
        if let Some(haproxy) = &haproxy {
            theirs.push(measure(haproxy.address));
            println!("haproxy            {:>9.0} requests/s", theirs[theirs.len() - 1]);
        }
    }
    let ours = median(ours);
    println!("gateway, median    {ours:>9.0} requests/s");
    if haproxy.is_some() {
        let theirs = median(theirs);
        println!("haproxy, median    {theirs:>9.0} requests/s");
        println!("ratio              {:>9.2}", ours / theirs);
    } else {
        println!("haproxy is not installed: no ratio");
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build().unwrap()
}

async fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let service = hyper::service::service_fn(|_| async {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(BODY))))
            });
            tokio::spawn(async move {
                let http = hyper::server::conn::http1::Builder::new();
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

async fn gateway(backends: &[SocketAddr]) -> (GatewayHandle, Arc<Server>) {
    let clock = Clock::system();
    let server = Server::new(ServerConfig::new(clock, 1)).unwrap();
    let client = server.client();
    let definition = json!({
        "metadata": {
            "name": "httproutes.gateway.networking.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/2997"},
        },
        "spec": {
            "group": "gateway.networking.k8s.io",
            "names": {"kind": "HTTPRoute", "plural": "httproutes"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    });
    create(&client, ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"), definition).await;
    for ((name, _), address) in WEIGHTS.iter().zip(backends) {
        let service = json!({
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"ports": [{"port": 80}]},
        });
        create(&client, ("", "v1", "Service"), service).await;
        let slice = json!({
            "metadata": {
                "name": name,
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": "IPv4",
            "ports": [{"name": "", "port": address.port()}],
            "endpoints": [{"addresses": [address.ip().to_string()]}],
        });
        create(&client, ("discovery.k8s.io", "v1", "EndpointSlice"), slice).await;
    }
    let backend =
        |(name, weight): &(&str, u16)| json!({"name": name, "port": 80, "weight": weight});
    let route = json!({
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {
            "hostnames": [HOST],
            "rules": [{"backendRefs": WEIGHTS.iter().map(backend).collect::<Vec<_>>()}],
        },
    });
    create(&client, ("gateway.networking.k8s.io", "v1", "HTTPRoute"), route).await;
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let gateway = Gateway::start(client, clock, GatewayConfig::new(listen)).await.unwrap();
    gateway.listed().await;
    (gateway, server)
}

async fn create(client: &Client, (group, version, kind): (&str, &str, &str), mut object: Value) {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    object["apiVersion"] = resource.api_version.clone().into();
    object["kind"] = kind.into();
    let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let object = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
}

struct Haproxy {
    address: SocketAddr,
    child: Child,
}

impl Haproxy {
    fn start(backends: &[SocketAddr], runtime: &Runtime) -> Option<Self> {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut config = format!(
            "global\n nbthread {WORKERS}\n maxconn 4096\n\
             defaults\n mode http\n timeout connect 1s\n timeout client 30s\n timeout server 30s\n \
             option http-keep-alive\n http-reuse always\n option forwardfor\n\
             frontend in\n bind {address}\n default_backend out\n\
             backend out\n balance roundrobin\n"
        );
        for ((name, weight), backend) in WEIGHTS.iter().zip(backends) {
            writeln!(config, " server {name} {backend} weight {weight}").unwrap();
        }
        let file = std::env::temp_dir().join(format!("throughput-{}.cfg", std::process::id()));
        std::fs::write(&file, config).unwrap();
        let child = Command::new("haproxy")
            .arg("-f")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.ok()?;
        runtime.block_on(async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        std::fs::remove_file(&file).unwrap();
        Some(Self { address, child })
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Requests per second that `wrk` gets through.
fn measure(address: SocketAddr) -> f64 {
    let output = Command::new("wrk")
        .args(["-t", "1", "-c", &CONNECTIONS.to_string(), "-d", &format!("{SECONDS}s")])
        .args(["-H", &format!("Host: {HOST}"), &format!("http://{address}/")])
        .output()
        .expect("wrk is installed");
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!report.contains("Non-2xx") && !report.contains("Socket errors"), "{report}");
    let line = report.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    line.and_then(|rate| rate.trim().parse().ok()).unwrap_or_else(|| panic!("{report}"))
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
