//! `ringfence cluster`: the embedded cluster for any client.

use crate::{args::ClusterArguments, outside, screen};
use embedded::{Embedded, EmbeddedConfig, StartError, Transport, WithController};
use std::{path::Path, process::ExitCode};

/// Serves until asked to end; the kubeconfig appears when everything is ready.
pub(crate) async fn run(arguments: ClusterArguments) -> anyhow::Result<ExitCode> {
    outside::check_place(&arguments.kubeconfig)?;
    let config = EmbeddedConfig {
        port: arguments.port,
        data: arguments.data.clone(),
        transport: if arguments.tls || arguments.token.is_some() {
            Transport::Tls
        } else {
            Transport::Plain
        },
        token: arguments.token,
        controller: if arguments.with_controller {
            WithController::Yes
        } else {
            WithController::No
        },
    };
    let started = Embedded::start(config, outside::http_with_loopback()?).await;
    let embedded = started.map_err(|error| way_out(error, arguments.data.as_deref()))?;
    outside::write_whole(&arguments.kubeconfig, &embedded.kubeconfig)?;
    let path = arguments.kubeconfig.display();
    screen::note(&format!(
        "API server  {}\ngateway     http://{}\nPrometheus  http://{}\nkubeconfig  {path}\n\nTry:\n  kubectl --kubeconfig {path} get nodes",
        embedded.api, embedded.gateway, embedded.prometheus,
    ));
    outside::asked_to_end().await?;
    embedded.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

/// A folder that cannot hold the objects is the user's to change.
fn way_out(error: StartError, data: Option<&Path>) -> anyhow::Error {
    match (error, data) {
        (StartError::Server(cause), Some(folder)) => anyhow::Error::new(cause).context(format!(
            "no objects can be kept in {}; choose another folder with --data",
            folder.display()
        )),
        (error, _) => error.into(),
    }
}
