//! How many creates and gets a second the server answers over HTTP, with the load made on the same machine.
//!
//! `cargo bench -p apiserver` prints one line per verb.

use apiserver::{Server, ServerConfig};
use bytes::Bytes;
use clock::Clock;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Connections that send at the same time.
const CONNECTIONS: usize = 32;

/// Requests of each connection for each verb.
const CREATES: usize = 500;
const GETS: usize = 2_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Copy)]
enum Load {
    Create,
    Get,
}

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::new(ServerConfig::new(Clock::system(), 1))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let handle = server.serve(listener, None)?;
        let creates = run(handle.addr(), Load::Create, CREATES).await?;
        report("creates", CONNECTIONS * CREATES, creates);
        let gets = run(handle.addr(), Load::Get, GETS).await?;
        report("gets", CONNECTIONS * GETS, gets);
        handle.shutdown().await;
        Ok(())
    })
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn report(what: &str, count: usize, took: Duration) {
    println!("{what}/s: {:.0}", count as f64 / took.as_secs_f64());
}

async fn run(addr: SocketAddr, load: Load, count: usize) -> Result<Duration, Failure> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(connect(addr).await?);
    }
    let start = Instant::now();
    let tasks = connections.into_iter().enumerate().map(|(connection, mut sender)| {
        tokio::spawn(async move {
            for number in 0..count {
                send(&mut sender, load, connection, number).await?;
            }
            Ok::<_, Failure>(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    Ok(start.elapsed())
}

async fn connect(addr: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    load: Load,
    connection: usize,
    number: usize,
) -> Result<(), Failure> {
    const PATH: &str = "/api/v1/namespaces/default/pods";
    let request = Request::builder().header("host", "bench").header("user-agent", "bench/1");
    let request = match load {
        Load::Create => request
            .method("POST")
            .uri(PATH)
            .header("content-type", "application/json")
            .body(Full::from(pod(connection, number)))?,
        Load::Get => {
            let name = format!("{PATH}/pod-{connection}-{}", number % CREATES);
            request.method("GET").uri(name).body(Full::default())?
        }
    };
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
    }
    Ok(())
}

fn pod(connection: usize, number: usize) -> Bytes {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("pod-{connection}-{number}"),
            "labels": {"app": "bench", "connection": connection.to_string()},
        },
        "spec": {"containers": [{
            "name": "app",
            "image": "argoproj/rollouts-demo:blue",
            "ports": [{"containerPort": 8080}],
        }]},
    });
    pod.to_string().into()
}
