//! Finding the cluster, the way kubectl does.

use crate::{ConnectArguments, Failure};
use kube::{
    Api, Client, Config,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};

/// A client and the namespace that unqualified names mean.
pub struct Connection {
    /// The client.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
}

/// Makes a client for the cluster that the arguments name.
///
/// # Errors
/// [`Failure`] when the arguments or the kubeconfig cannot be used; nobody is asked yet.
pub async fn connect(arguments: &ConnectArguments) -> Result<Connection, Failure> {
    let mut config = config(arguments).await?;
    name_server(arguments, &mut config)?;
    name_user(arguments, &mut config);
    let namespace = arguments.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let client =
        Client::try_from(config).map_err(|error| Failure::ClientUnusable(error.to_string()))?;
    Ok(Connection { client, namespace })
}

/// The names of a kind's objects in the namespace that the arguments mean; of our kinds only.
///
/// # Errors
/// [`Failure`] when they cannot be listed.
pub async fn names(arguments: &ConnectArguments, kind: &str) -> Result<Vec<String>, Failure> {
    let connection = connect(arguments).await?;
    let kind = GroupVersionKind::gvk(api::argo::GROUP, api::argo::VERSION, kind);
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> =
        Api::namespaced_with(connection.client, &connection.namespace, &resource);
    let found = api.list_metadata(&ListParams::default()).await?;
    Ok(found.items.into_iter().filter_map(|object| object.metadata.name).collect())
}

fn name_server(arguments: &ConnectArguments, config: &mut Config) -> Result<(), Failure> {
    if let Some(server) = &arguments.server {
        config.cluster_url = server.parse().map_err(|error| {
            Failure::ClientUnusable(format!("`{server}` is not an address: {error}"))
        })?;
    }
    if let Some(file) = &arguments.certificate_authority {
        if !file.is_file() {
            let shown = file.display();
            return Err(Failure::Wrong(format!("--certificate-authority names no file: {shown}")));
        }
        config.root_cert_file = Some(file.clone());
    }
    config.accept_invalid_certs |= arguments.insecure_skip_tls_verify;
    config.tls_server_name = arguments.tls_server_name.clone().or(config.tls_server_name.take());
    if !arguments.request_timeout.is_zero() {
        let limit = Some(arguments.request_timeout);
        (config.connect_timeout, config.write_timeout, config.read_timeout) = (limit, limit, limit);
        config.reset_reader_on_write = true;
    }
    Ok(())
}

fn name_user(arguments: &ConnectArguments, config: &mut Config) {
    let user = &mut config.auth_info;
    if let Some(token) = &arguments.token {
        user.token = Some(token.clone().into());
    }
    if arguments.client_certificate.is_some() {
        user.client_certificate.clone_from(&arguments.client_certificate);
        user.client_key.clone_from(&arguments.client_key);
        (user.client_certificate_data, user.client_key_data) = (None, None);
    }
    if let Some(name) = &arguments.act_as {
        user.impersonate = Some(name.clone());
        user.impersonate_uid.clone_from(&arguments.as_uid);
        user.impersonate_groups = Some(arguments.as_group.clone());
    }
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
    use std::{io, path::PathBuf, time::Duration};

    fn check(error: &KubeconfigError, words: &str) {
        let file = Some(PathBuf::from("team.yaml"));
        let arguments = ConnectArguments { kubeconfig: file, ..ConnectArguments::default() };
        assert_eq!(sentence(&arguments, error), words);
    }

    #[test]
    fn options_name_a_server_and_a_user() {
        let arguments = ConnectArguments {
            server: Some("https://10.0.0.1:6443".to_owned()),
            tls_server_name: Some("kubernetes".to_owned()),
            act_as: Some("jane".to_owned()),
            as_group: vec!["a".to_owned(), "b".to_owned()],
            request_timeout: Duration::from_secs(5),
            ..ConnectArguments::default()
        };
        let mut config = Config::new("http://127.0.0.1".parse().unwrap());
        name_server(&arguments, &mut config).unwrap();
        name_user(&arguments, &mut config);
        assert_eq!(config.cluster_url, "https://10.0.0.1:6443");
        assert_eq!(config.tls_server_name.as_deref(), Some("kubernetes"));
        assert_eq!(config.auth_info.impersonate.as_deref(), Some("jane"));
        assert_eq!(config.auth_info.impersonate_groups.unwrap(), ["a", "b"]);
        assert_eq!(config.read_timeout, Some(Duration::from_secs(5)));
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
