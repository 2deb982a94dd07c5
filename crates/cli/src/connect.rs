//! Finding the cluster, the way kubectl does.

use crate::{ConnectArguments, Failure};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
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

/// Where the cluster is and as whom to talk to it: the file given, `KUBECONFIG`, `~/.kube/config`, or
/// the pod this runs in.
///
/// # Errors
/// [`Failure::ConfigUnusable`], which names the file.
pub async fn config(arguments: &ConnectArguments) -> Result<Config, Failure> {
    let options = KubeConfigOptions {
        context: arguments.context.clone(),
        cluster: arguments.cluster.clone(),
        user: arguments.user.clone(),
    };
    if arguments.kubeconfig.is_none() && arguments.server.is_some() {
        let nowhere = |_| Failure::ClientUnusable("no address".to_owned());
        return Ok(Config::new("http://127.0.0.1".parse().map_err(nowhere)?));
    }
    let unusable = |error| Failure::ConfigUnusable(sentence(arguments, &error));
    let read = match &arguments.kubeconfig {
        Some(path) => Kubeconfig::read_from(path).map_err(unusable)?,
        None => match Kubeconfig::read() {
            Ok(read) => read,
            Err(error) => return Config::incluster().map_err(|_| unusable(error)),
        },
    };
    Config::from_custom_kubeconfig(read, &options).await.map_err(unusable)
}

/// Names the file and what is wrong with it, on one line.
fn sentence(arguments: &ConnectArguments, error: &KubeconfigError) -> String {
    let file = match (&arguments.kubeconfig, std::env::var("KUBECONFIG")) {
        (Some(path), _) => path.display().to_string(),
        (None, Ok(paths)) if !paths.is_empty() => paths,
        _ => "~/.kube/config".to_owned(),
    };
    match error {
        KubeconfigError::ReadConfig(cause, path) => {
            format!("{} cannot be read: {cause}", path.display())
        }
        KubeconfigError::Parse(cause) => {
            let cause = cause.to_string();
            format!("{file} is not a kubeconfig: {}", cause.lines().next().unwrap_or_default())
        }
        KubeconfigError::LoadContext(name) => format!("{file} has no context `{name}`"),
        KubeconfigError::CurrentContextNotSet => format!("{file} names no current context"),
        other => format!("{file}: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io, path::PathBuf};

    fn check(error: &KubeconfigError, words: &str) {
        let file = Some(PathBuf::from("team.yaml"));
        let arguments = ConnectArguments { kubeconfig: file, ..ConnectArguments::default() };
        assert_eq!(sentence(&arguments, error), words);
    }

    #[test]
    fn what_is_wrong_with_a_kubeconfig_is_one_sentence_that_names_it() {
        let missing = io::Error::new(io::ErrorKind::NotFound, "not there");
        check(
            &KubeconfigError::ReadConfig(missing, "team.yaml".into()),
            "team.yaml cannot be read: not there",
        );
        check(&KubeconfigError::LoadContext("prod".into()), "team.yaml has no context `prod`");
        check(
            &KubeconfigError::MissingClusterUrl,
            "team.yaml: cluster url is missing on selected cluster",
        );
    }
}
