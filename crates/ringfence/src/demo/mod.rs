//! `ringfence demo`: one command on a bare machine promotes a good release and rolls back a bad one.

mod load;
mod split;
mod story;

use crate::{
    args::{DemoArguments, Output},
    outside, screen,
};
use anyhow::Context;
use api::argo::{Rollout, RolloutPhase};
use dashboard::{Feed, FeedConfig, Release, snapshot::ReleaseView};
use embedded::{Embedded, EmbeddedConfig, WithController};
use kube::Api;
use load::Load;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};

const MANIFESTS: &str = include_str!("manifests.yaml");
const NAMESPACE: &str = "default";
const ROLLOUT: &str = "demo";
const CONTAINER: &str = "demo";
/// How long the first version may take to become healthy.
const START_MAX: Duration = Duration::from_secs(30);
const START_POLL: Duration = Duration::from_millis(20);

/// A release of the demo.
#[derive(Clone, Copy, Debug)]
struct DemoRelease {
    name: &'static str,
    label: &'static str,
    image: &'static str,
    kind: ReleaseKind,
}

/// How a release behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReleaseKind {
    Good,
    Erroring,
    Slow,
}

const RELEASES: [DemoRelease; 3] = [
    DemoRelease {
        name: "good",
        label: "Good release (green)",
        image: "argoproj/rollouts-demo:green",
        kind: ReleaseKind::Good,
    },
    DemoRelease {
        name: "erroring",
        label: "Erroring release (bad-red)",
        image: "argoproj/rollouts-demo:bad-red",
        kind: ReleaseKind::Erroring,
    },
    DemoRelease {
        name: "slow",
        label: "Slow release (slow-yellow)",
        image: "argoproj/rollouts-demo:slow-yellow",
        kind: ReleaseKind::Slow,
    },
];

/// Starts everything, then plays the story or waits for a person.
pub(crate) async fn run(arguments: DemoArguments) -> anyhow::Result<ExitCode> {
    let config = EmbeddedConfig { controller: WithController::Yes, ..EmbeddedConfig::default() };
    let embedded = Embedded::start(config, outside::http_with_loopback()?).await?;
    embedded::apply(&embedded.client, NAMESPACE, ("demo", MANIFESTS))
        .await
        .context("applying the demo's manifests")?;
    let page = Page::start(&embedded, arguments.port).await?;
    until_served(&embedded).await?;
    let load = Load::start(embedded.gateway, arguments.rate);
    if arguments.auto {
        return auto(&embedded, &load, arguments.output).await;
    }
    let is_ours = arguments.kubeconfig.is_none();
    let kubeconfig = write_kubeconfig(&embedded, arguments.kubeconfig)?;
    greet(&embedded, page.address, &kubeconfig)?;
    outside::asked_to_end().await?;
    embedded.shutdown().await;
    if is_ours {
        std::fs::remove_file(&kubeconfig).ok();
    }
    Ok(ExitCode::SUCCESS)
}

async fn auto(embedded: &Embedded, load: &Load, output: Output) -> anyhow::Result<ExitCode> {
    let report = story::play(embedded, load, screen::note).await?;
    screen::line(&match output {
        Output::Json => serde_json::to_string(&report)?,
        Output::Text if report.ok => "The story went right.".to_owned(),
        Output::Text => "The story went wrong.".to_owned(),
    })?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Page {
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl Page {
    async fn start(embedded: &Embedded, port: u16) -> anyhow::Result<Self> {
        let views = RELEASES.map(|release| ReleaseView {
            name: release.name.to_owned(),
            label: release.label.to_owned(),
        });
        let config = FeedConfig {
            namespace: NAMESPACE.to_owned(),
            rollout: ROLLOUT.to_owned(),
            releases: views.to_vec(),
        };
        let feed = Feed::start(
            &embedded.client,
            embedded.clock,
            Some(embedded.numbers.access().clone()),
            config,
        );
        let releases = RELEASES.map(|release| Release {
            name: release.name.to_owned(),
            container: CONTAINER.to_owned(),
            image: release.image.to_owned(),
        });
        let router = dashboard::router(
            embedded.client.clone(),
            feed,
            (NAMESPACE, ROLLOUT),
            releases.to_vec(),
        );
        let listener = TcpListener::bind(("127.0.0.1", port)).await.with_context(|| {
            format!("port {port} of 127.0.0.1 is in use; choose another with --port")
        })?;
        let address = listener.local_addr()?;
        let mut server = JoinSet::new();
        server.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the page ended");
            }
        });
        Ok(Self { address, _server: server })
    }
}

/// Waits until the first version is healthy and a request through the gateway is answered by it.
async fn until_served(embedded: &Embedded) -> anyhow::Result<()> {
    let api: Api<Rollout> = Api::namespaced(embedded.client.clone(), NAMESPACE);
    let served = async {
        loop {
            let phase = api.get(ROLLOUT).await?.status.and_then(|status| status.phase);
            if phase == Some(RolloutPhase::Healthy) && load::is_answered(embedded.gateway).await {
                return Ok::<(), kube::Error>(());
            }
            tokio::time::sleep(START_POLL).await;
        }
    };
    tokio::time::timeout(START_MAX, served)
        .await
        .context("the first version did not become healthy")??;
    Ok(())
}

fn write_kubeconfig(embedded: &Embedded, wanted: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let path = wanted.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("ringfence-{}.kubeconfig", std::process::id()))
    });
    outside::write_whole(&path, &embedded.kubeconfig)?;
    Ok(path)
}

fn greet(
    embedded: &Embedded,
    page: SocketAddr,
    kubeconfig: &std::path::Path,
) -> anyhow::Result<()> {
    screen::line(&format!(
        "Ringfence demo is ready.\n\n  app        http://{}/color\n  dashboard  http://{page}/\n  API        {} (kubeconfig: {path})\n\nTry:\n  kubectl --kubeconfig {path} get rollout demo -w\n  KUBECONFIG={path} ringfence set image demo demo=argoproj/rollouts-demo:green\n\nPress Ctrl-C to end it.",
        embedded.gateway,
        format_args!("http://{}", embedded.api),
        path = kubeconfig.display(),
    ))
}
