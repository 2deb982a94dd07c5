//! `ringfence cluster`: the embedded cluster for any client.

use crate::{args::ClusterArguments, outside, screen};
use embedded::{Embedded, EmbeddedConfig, Transport, WithController};
use std::process::ExitCode;

/// Serves until asked to end; the kubeconfig appears when everything is ready.
pub(crate) async fn run(arguments: ClusterArguments) -> anyhow::Result<ExitCode> {
    let config = EmbeddedConfig {
        port: arguments.port,
        data: arguments.data,
        token: arguments.token,
        transport: if arguments.tls { Transport::Tls } else { Transport::Plain },
        controller: if arguments.with_controller {
            WithController::Yes
        } else {
            WithController::No
        },
    };
    let embedded = Embedded::start(config, outside::http()?).await?;
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
