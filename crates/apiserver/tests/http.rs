//! What comes over a socket: bad bodies, large bodies, slow clients, tokens, TLS.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use apiserver::{BODY_MAX, ServeHandle, Server, ServerConfig, Tls};
use clock::Clock;
use kube::config::KubeConfigOptions;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn served(token: Option<&str>, tls: Option<&Tls>) -> (Arc<Server>, ServeHandle) {
    let mut config = ServerConfig::new(Clock::system(), 7);
    config.token = token.map(str::to_owned);
    let server = Server::new(config).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let handle = server.serve(listener, tls).unwrap();
    (server, handle)
}

/// Sends bytes and reads the answer's code and JSON body.
fn exchange(addr: SocketAddr, head: &str, body: &[u8]) -> (u16, Value) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    for chunk in body.chunks(1 << 20) {
        if stream.write_all(chunk).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn post(path: &str, media: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n"
    )
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{more}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_is_a_bad_request() {
    let (_server, handle) = served(None, None).await;
    for body in ["{", "[]", "\"text\"", "{\"kind\":\"ConfigMap\"", "\u{0}", "nul"] {
        let (code, status) =
            exchange(handle.addr(), &post(MAPS, "application/json", body.len()), body.as_bytes());
        assert_eq!((code, &status["kind"]), (400, &json!("Status")), "{body}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_are_refused_with_a_status() {
    let (_server, handle) = served(None, None).await;
    let body = vec![b' '; 100 << 20];
    let head = post(MAPS, "application/json", body.len());
    let (code, status) = exchange(handle.addr(), &head, &body);
    assert_eq!(code, 413, "{status}");
    assert_eq!(status["reason"], "RequestEntityTooLarge");
    let fits = vec![b' '; BODY_MAX];
    let head = post(MAPS, "application/json", fits.len());
    assert_eq!(exchange(handle.addr(), &head, &fits).0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn formats_that_are_not_spoken_are_refused() {
    let (_server, handle) = served(None, None).await;
    let cbor = "application/cbor";
    let (code, status) = exchange(handle.addr(), &post(MAPS, cbor, 2), b"{}");
    assert_eq!((code, &status["reason"]), (415, &json!("UnsupportedMediaType")));
    let protobuf = "application/vnd.kubernetes.protobuf";
    assert_eq!(exchange(handle.addr(), &post(MAPS, protobuf, 2), b"{}").0, 400);
    let accept = format!("accept: {protobuf}\r\n");
    let (code, status) = exchange(handle.addr(), &get(MAPS, &accept), b"");
    assert_eq!((code, &status["reason"]), (406, &json!("NotAcceptable")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_keeps_nobody_waiting() {
    let (_server, handle) = served(None, None).await;
    let slow: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(handle.addr()).unwrap();
            stream.write_all(post(MAPS, "application/json", 100).as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(exchange(handle.addr(), &get(MAPS, ""), b"").0, 200);
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_everything_but_health_which_is_open() {
    let (_server, handle) = served(Some("secret"), None).await;
    let (code, status) = exchange(handle.addr(), &get(MAPS, ""), b"");
    assert_eq!((code, &status["reason"]), (401, &json!("Unauthorized")));
    let bearer = "authorization: Bearer secret\r\n";
    assert_eq!(exchange(handle.addr(), &get(MAPS, bearer), b"").0, 200);
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(exchange(handle.addr(), &get(path, ""), b"").0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_answer_with_a_status() {
    let (_server, handle) = served(None, None).await;
    let check = |path: &str, code: u16| {
        let (found, status) = exchange(handle.addr(), &get(path, ""), b"");
        assert_eq!((found, &status["kind"]), (code, &json!("Status")), "{path}");
    };
    check("/api/v1/nothings", 404);
    check("/apis/apps/v9", 404);
    for path in ["/nothing", "/apis/nothing.io/v1"] {
        assert_eq!(exchange(handle.addr(), &get(path, ""), b"").0, 404, "{path}");
    }
    check("/api/v1/namespaces/default/configmaps/absent", 404);
    check("/api/v1/namespaces/default/pods?limit=many", 400);
    check("/api/v1/namespaces/default/pods?labelSelector=a%20b%20c", 400);
    let delete = get("/version", "").replace("GET", "DELETE");
    assert_eq!(exchange(handle.addr(), &delete, b"").0, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_kubeconfig_is_enough_to_trust_the_server() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tls = Tls::self_signed(&[]).unwrap();
    let (server, handle) = served(Some("secret"), Some(&tls)).await;
    let config = server.kubeconfig(handle.addr(), Some(&tls));
    let config = kube::config::Kubeconfig::from_yaml(&config).unwrap();
    let config =
        kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    let client = kube::Client::try_from(config).unwrap();
    assert_eq!(client.apiserver_version().await.unwrap().minor, "36");
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_ends_open_watches() {
    let (_server, handle) = served(None, None).await;
    let mut stream = TcpStream::connect(handle.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(get("/api/v1/namespaces?watch=true", "").as_bytes()).unwrap();
    let mut seen = String::new();
    while !seen.contains("kube-system") {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).unwrap();
        seen.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
    handle.shutdown().await;
    stream.read_to_string(&mut seen).unwrap();
    assert!(seen.ends_with("0\r\n\r\n"), "the stream ended in good order");
}
