//! Finding the cluster, the way kubectl does.

use crate::{ConnectArguments, Failure};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// A client and the namespace that unqualified names mean.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

pub(crate) async fn connect(arguments: &ConnectArguments) -> Result<Connection, Failure> {
    let mut config = config(arguments).await?;
    if let Some(server) = &arguments.server {
        config.cluster_url = server.parse().map_err(|error| {
            Failure::ClientUnusable(format!("`{server}` is not an address: {error}"))
        })?;
    }
    if let Some(token) = &arguments.token {
        config.auth_info.token = Some(token.clone().into());
    }
    config.accept_invalid_certs |= arguments.insecure_skip_tls_verify;
    let namespace = arguments.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let client =
        Client::try_from(config).map_err(|error| Failure::ClientUnusable(error.to_string()))?;
    Ok(Connection { client, namespace })
}

async fn config(arguments: &ConnectArguments) -> Result<Config, Failure> {
    let options = KubeConfigOptions {
        context: arguments.context.clone(),
        cluster: arguments.cluster.clone(),
        user: arguments.user.clone(),
    };
    if arguments.kubeconfig.is_none() && arguments.server.is_some() {
        let url = "http://127.0.0.1"
            .parse()
            .map_err(|_| Failure::ClientUnusable("no address".to_owned()))?;
        return Ok(Config::new(url));
    }
    let read = match &arguments.kubeconfig {
        Some(path) => Kubeconfig::read_from(path).map_err(Failure::ConfigUnusable)?,
        None => match Kubeconfig::read() {
            Ok(read) => read,
            Err(error) => return Config::incluster().map_err(|_| Failure::ConfigUnusable(error)),
        },
    };
    Config::from_custom_kubeconfig(read, &options).await.map_err(Failure::ConfigUnusable)
}
