//! `ringfence dashboard`: the page of one rollout of a cluster, for the person who started it.

use crate::{args::DashboardArguments, outside, screen};
use anyhow::{Context, bail};
use api::argo::Rollout;
use cli::Connection;
use clock::Clock;
use dashboard::{Feed, FeedConfig, Ticket};
use kube::{Api, api::ListParams};
use std::{fmt::Write, fs::File, io::Read, process::ExitCode};
use tokio::net::TcpListener;

/// Bytes of chance in a ticket.
const TICKET_BYTES: usize = 16;

/// Serves the page on loopback until asked to end.
pub(crate) async fn run(arguments: DashboardArguments) -> anyhow::Result<ExitCode> {
    let connection = cli::connect(&arguments.connect).await?;
    let rollout = chosen(&connection, arguments.rollout).await?;
    let port = arguments.port;
    let listener = TcpListener::bind(("127.0.0.1", port)).await.with_context(|| {
        format!("port {port} of 127.0.0.1 is in use; choose another with --port")
    })?;
    let address = listener.local_addr()?;
    let ticket = Ticket {
        secret: secret()?,
        cookie: format!("ringfence-{}", address.port()),
        home: arguments.root_path,
    };
    let link = format!("http://{address}{}?ticket={}", ticket.home, ticket.secret);
    let Connection { client, namespace } = connection;
    let config =
        FeedConfig { namespace: namespace.clone(), rollout: rollout.clone(), releases: Vec::new() };
    // Requests are counted by the gateway, and that is not in this process.
    let feed = Feed::start(&client, Clock::system(), None, config);
    let page = dashboard::router(client, feed, (&namespace, &rollout), Vec::new());
    screen::line(&format!(
        "Argo Rollouts Dashboard is now available at {link}\nIt acts with your rights: whoever has this address can press its buttons."
    ))?;
    tokio::select! {
        served = axum::serve(listener, dashboard::ticketed(page, ticket)).into_future() => served?,
        asked = outside::asked_to_end() => asked?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The rollout that was named, or the only one there is.
async fn chosen(connection: &Connection, wanted: Option<String>) -> anyhow::Result<String> {
    let namespace = &connection.namespace;
    let api: Api<Rollout> = Api::namespaced(connection.client.clone(), namespace);
    if let Some(name) = wanted {
        api.get(&name).await?;
        return Ok(name);
    }
    let found = api.list(&ListParams::default()).await?;
    let names: Vec<String> =
        found.into_iter().filter_map(|rollout| rollout.metadata.name).collect();
    match names.as_slice() {
        [] => {
            bail!("there is no rollout in namespace {namespace}; choose another with --namespace")
        }
        [only] => Ok(only.clone()),
        several => {
            bail!("name one of the rollouts in namespace {namespace}: {}", several.join(", "))
        }
    }
}

/// A ticket that nobody can guess.
fn secret() -> anyhow::Result<String> {
    let mut bytes = [0; TICKET_BYTES];
    let source = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    source.context("the system gives no random numbers")?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
