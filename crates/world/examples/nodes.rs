//! A scheduler and kubelets for any API server whose controller manager runs elsewhere.
//!
//! `cargo run -p world --example nodes -- --kubeconfig FILE`, beside `cargo xtask control-plane up`. Pods
//! have addresses in 10.42.0.0/16; with `--serve` they listen there too, which wants a network in which
//! these addresses are local: `ip netns add pods; ip -n pods link set lo up; ip -n pods route add local
//! 10.42.0.0/16 dev lo; ip netns exec pods …`.

use anyhow::{Context, Result};
use clap::Parser;
use clock::Clock;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{
    io::{Write, stdout},
    net::Ipv4Addr,
    path::PathBuf,
    time::Duration,
};
use world::{ServePods, World, WorldConfig};

/// Runs the pods of a cluster that has no node of its own.
#[derive(Parser)]
struct Arguments {
    /// How to reach the API server; as kubectl finds it when absent.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// How many nodes there are.
    #[arg(long, default_value_t = 1)]
    nodes: u8,
    /// How long containers take to start, in milliseconds.
    #[arg(long, default_value_t = 500)]
    start_delay: u64,
    /// The /16 network of the pods.
    #[arg(long, default_value_t = Ipv4Addr::new(10, 42, 0, 0))]
    pod_network: Ipv4Addr,
    /// Listen on the addresses of the pods.
    #[arg(long)]
    serve: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    // Two TLS providers in one process make rustls refuse to choose, so the one we use is named first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    let config = WorldConfig {
        nodes: arguments.nodes,
        start_delay: Duration::from_millis(arguments.start_delay),
        pod_network: arguments.pod_network,
        serve_pods: if arguments.serve { ServePods::Sockets } else { ServePods::None },
        ..WorldConfig::nodes_only()
    };
    let client = client(arguments.kubeconfig).await?;
    let world = World::start(client, Clock::system(), config).await?;
    writeln!(stdout(), "{} node(s) ready; Ctrl-C ends them", arguments.nodes)?;
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
    world.shutdown().await;
    Ok(())
}

async fn client(file: Option<PathBuf>) -> Result<Client> {
    let config = match file {
        None => Config::infer().await?,
        Some(file) => {
            let kubeconfig = Kubeconfig::read_from(&file)
                .with_context(|| format!("{} cannot be read", file.display()))?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?
        }
    };
    Ok(Client::try_from(config)?)
}
