//! Builds, starts and ends real control planes: `cargo xtask control-plane build|up|run|list|down`.

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use control_plane::{ControlPlane, Running, bring_down, build, running, start_detached};
use std::{
    fs,
    io::{Write, stderr, stdout},
    net::SocketAddr,
    path::PathBuf,
    time::Instant,
};

/// A real etcd, kube-apiserver and kube-controller-manager in one process, without containers.
#[derive(Parser)]
#[command(name = "cargo xtask control-plane")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the program, unless that was done before: takes Go, a network and a few minutes.
    Build,
    /// Start one that stays, and say how to reach it.
    Up {
        /// Also write the administrator's kubeconfig here.
        #[arg(long, value_name = "FILE")]
        kubeconfig: Option<PathBuf>,
        /// Port of the API server on 127.0.0.1; 0 takes a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Start one that ends with this command, however that comes about.
    Run,
    /// Name those that were started to stay.
    List,
    /// End one, or all.
    Down {
        /// Which one; all when absent.
        name: Option<String>,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    // Two TLS providers in one process make rustls refuse to choose, so the one we use is named first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Arguments::parse().command {
        Command::Build => say(&format!("built: {}", built()?.path().display())),
        Command::Up { kubeconfig, port } => up(kubeconfig, port).await,
        Command::Run => run().await,
        Command::List => running()?.iter().try_for_each(|plane| say(&line(plane))),
        Command::Down { name } => down(name).await,
    }
}

fn built() -> Result<control_plane::Binary> {
    writeln!(stderr(), "building unless it was built before; the first time takes minutes …")?;
    build().context("there is no real control plane")
}

async fn up(kubeconfig: Option<PathBuf>, port: u16) -> Result<()> {
    let binary = built()?;
    let started = Instant::now();
    let plane = start_detached(&binary, SocketAddr::from(([127, 0, 0, 1], port))).await?;
    if let Some(file) = kubeconfig {
        let written = fs::copy(plane.kubeconfig(), &file);
        written.with_context(|| format!("{} could not be written", file.display()))?;
    }
    say(&format!("{} ready in {:.1} s", line(&plane), started.elapsed().as_secs_f64()))?;
    say(&format!("export KUBECONFIG={}", plane.kubeconfig().display()))
}

async fn run() -> Result<()> {
    let plane = ControlPlane::start(&built()?).await?;
    say(&format!("{} pid {}", plane.url(), plane.pid()))?;
    say(&format!("export KUBECONFIG={}", plane.kubeconfig().display()))?;
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")
}

async fn down(name: Option<String>) -> Result<()> {
    let mut planes = running()?;
    if let Some(name) = &name {
        planes.retain(|plane| plane.name == *name);
        if planes.is_empty() {
            bail!("no control plane {name} runs; `list` names those that do");
        }
    }
    for plane in planes {
        bring_down(&plane).await.with_context(|| format!("{} could not be ended", plane.name))?;
        say(&format!("{} ended", plane.name))?;
    }
    Ok(())
}

fn line(plane: &Running) -> String {
    format!("{} {} pid {}", plane.name, plane.url, plane.pid)
}

fn say(line: &str) -> Result<()> {
    writeln!(stdout(), "{line}").context("cannot print")
}
