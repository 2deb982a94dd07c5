//! An API server on a free port, until it is interrupted.
//!
//! `cargo run -p apiserver --example serve -- FILE [DIRECTORY]` writes a kubeconfig to FILE when it is
//! ready, and keeps its objects in DIRECTORY when one is given.

use apiserver::{Server, ServerConfig, Tls};
use clock::Clock;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: serve FILE [DIRECTORY]")?;
    let mut config = ServerConfig::new(Clock::system(), 1);
    config.token = Some("example".to_owned());
    config.data = arguments.next().map(Into::into);
    let server = Server::new(config)?;
    let tls = Tls::self_signed(&[])?;
    let handle = server.serve(TcpListener::bind(("127.0.0.1", 0)).await?, Some(&tls))?;
    tokio::fs::write(&file, server.kubeconfig(handle.addr(), Some(&tls))).await?;
    tokio::signal::ctrl_c().await?;
    handle.shutdown().await;
    Ok(())
}
