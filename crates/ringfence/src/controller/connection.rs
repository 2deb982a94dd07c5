//! Kubernetes' client flags, as upstream's controller takes them.

use super::args::switch;
use anyhow::{Context, ensure};
use clap::{ArgAction, Args};
use cli::ConnectArguments;
use kube::Config;
use std::{path::PathBuf, time::Duration};

/// Which cluster, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArguments {
    #[command(flatten)]
    pub(crate) connect: Place,
    /// Name this server's certificate is checked for; its host when absent
    #[arg(long, value_name = "NAME")]
    tls_server_name: Option<String>,
    /// Certificates of the authorities the server may be certified by
    #[arg(long, value_name = "FILE")]
    certificate_authority: Option<PathBuf>,
    /// Certificate to present
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_certificate: Option<String>,
    /// Key of that certificate
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    client_key: Option<String>,
    /// User to act as
    #[arg(long = "as", value_name = "USER")]
    act_as: Option<String>,
    /// Uid to act as
    #[arg(long, value_name = "UID", requires = "act_as")]
    as_uid: Option<String>,
    /// Group to act as; may be given more than once
    #[arg(long, value_name = "GROUP", requires = "act_as")]
    as_group: Vec<String>,
    /// User of basic authentication
    #[arg(long, value_name = "USER")]
    username: Option<String>,
    /// Password of basic authentication
    #[arg(long)]
    password: Option<String>,
    /// Proxy to go through
    #[arg(long, value_name = "URL")]
    proxy_url: Option<http::Uri>,
    /// How long connecting and sending one request may take; 0 sets no limit
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = cli::duration)]
    request_timeout: Duration,
}

/// The flags that name a cluster, a user and a namespace.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Place {
    /// Namespace of --namespaced; the context's when absent
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// Path to the kubeconfig file; needed outside of a cluster only
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Name of the kubeconfig context to use
    #[arg(long)]
    context: Option<String>,
    /// Name of the kubeconfig cluster to use
    #[arg(long)]
    cluster: Option<String>,
    /// Name of the kubeconfig user to use
    #[arg(long)]
    user: Option<String>,
    /// Address of the API server
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Bearer token for the API server
    #[arg(long)]
    token: Option<String>,
    /// Leave the server's certificate unchecked
    #[arg(long, default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_parser = switch, action = ArgAction::Set)]
    insecure_skip_tls_verify: bool,
}

impl ConnectionArguments {
    /// How the cluster is reached, with the namespace that is meant when none is named.
    pub(super) async fn config(&self) -> anyhow::Result<Config> {
        let place = &self.connect;
        let arguments = ConnectArguments {
            kubeconfig: place.kubeconfig.clone(),
            context: place.context.clone(),
            cluster: place.cluster.clone(),
            user: place.user.clone(),
            server: place.server.clone(),
            ..ConnectArguments::default()
        };
        let found = cli::config(&arguments).await;
        let mut config = found.context("name a cluster with --kubeconfig or KUBECONFIG")?;
        self.name_server(&mut config)?;
        self.name_user(&mut config);
        config.default_namespace = place.namespace.clone().unwrap_or(config.default_namespace);
        Ok(config)
    }

    fn name_server(&self, config: &mut Config) -> anyhow::Result<()> {
        if let Some(server) = &self.connect.server {
            let address = server.parse::<http::Uri>();
            config.cluster_url =
                address.with_context(|| format!("--server `{server}` is not an address"))?;
        }
        if let Some(file) = &self.certificate_authority {
            let shown = file.display();
            ensure!(file.is_file(), "--certificate-authority names no file: {shown}");
            config.root_cert_file = Some(file.clone());
        }
        config.accept_invalid_certs |= self.connect.insecure_skip_tls_verify;
        config.tls_server_name = self.tls_server_name.clone().or(config.tls_server_name.take());
        config.proxy_url = self.proxy_url.clone().or(config.proxy_url.take());
        if !self.request_timeout.is_zero() {
            config.connect_timeout = Some(self.request_timeout);
            config.write_timeout = Some(self.request_timeout);
        }
        Ok(())
    }

    fn name_user(&self, config: &mut Config) {
        let user = &mut config.auth_info;
        if let Some(token) = &self.connect.token {
            user.token = Some(token.clone().into());
            user.token_file = None;
        }
        if self.client_certificate.is_some() {
            user.client_certificate.clone_from(&self.client_certificate);
            user.client_key.clone_from(&self.client_key);
            (user.client_certificate_data, user.client_key_data) = (None, None);
        }
        if let Some(name) = &self.act_as {
            user.impersonate = Some(name.clone());
            user.impersonate_uid.clone_from(&self.as_uid);
            user.impersonate_groups = Some(self.as_group.clone());
        }
        if let Some(name) = &self.username {
            user.username = Some(name.clone());
            user.password = self.password.clone().map(Into::into);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Given {
        #[command(flatten)]
        connection: ConnectionArguments,
    }

    async fn config(flags: &[&str]) -> anyhow::Result<Config> {
        Given::parse_from(["controller"].iter().chain(flags)).connection.config().await
    }

    #[tokio::test]
    async fn flags_alone_name_a_cluster_and_a_user() {
        let given = [
            "--server=https://10.0.0.1:6443",
            "--insecure-skip-tls-verify",
            "--tls-server-name=kubernetes",
            "--as=jane",
            "--as-group=a",
            "--as-group=b",
            "--request-timeout=5s",
            "-n",
            "shop",
        ];
        let config = config(&given).await.unwrap();
        assert_eq!(config.cluster_url, "https://10.0.0.1:6443");
        assert_eq!(config.default_namespace, "shop");
        assert_eq!(config.tls_server_name.as_deref(), Some("kubernetes"));
        assert_eq!(config.auth_info.impersonate.as_deref(), Some("jane"));
        assert_eq!(config.auth_info.impersonate_groups.unwrap(), ["a", "b"]);
        assert!(config.accept_invalid_certs);
        assert_eq!(config.connect_timeout, Some(Duration::from_secs(5)));
    }

    #[tokio::test]
    async fn a_certificate_that_is_not_there_is_named() {
        let given = ["--server=https://10.0.0.1", "--certificate-authority=/nowhere/ca.pem"];
        let error = config(&given).await.unwrap_err();
        assert_eq!(error.to_string(), "--certificate-authority names no file: /nowhere/ca.pem");
    }
}
