//! The servers that are asked: a fresh embedded one, or a real one.

use apiserver::{Server, ServerConfig, ServerError};
use clock::Clock;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::Path;
use std::sync::Arc;

/// Any will do; uids and generated names are normalised.
const SEED: u64 = 1;

/// A server that exchanges are played against; it lives as long as this value.
pub struct Subject {
    /// Talks to it.
    pub(crate) client: Client,
    /// The version it says it is.
    pub version: String,
    _embedded: Option<Arc<Server>>,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// There is no real server at hand.
    #[error("no real control plane at hand")]
    Nothing,
    /// The embedded server did not start.
    #[error("embedded server did not start")]
    Embedded(#[from] ServerError),
    /// The kubeconfig could not be used.
    #[error("kubeconfig could not be used")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The server did not say its version.
    #[error("server did not say its version")]
    Version(#[from] kube::Error),
}

impl Subject {
    /// A fresh embedded server. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn embedded() -> Result<Self, SubjectError> {
        let server = Server::new(ServerConfig::new(Clock::system(), SEED))?;
        let (client, version) = (server.client(), "embedded".to_owned());
        Ok(Self { client, version, _embedded: Some(server) })
    }

    /// The server a client talks to.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn of(client: Client) -> Result<Self, SubjectError> {
        let version = client.apiserver_version().await?.git_version;
        Ok(Self { client, version, _embedded: None })
    }

    /// The server of a kubeconfig's current context.
    ///
    /// # Errors
    ///
    /// When the file cannot be used or the server does not answer.
    pub async fn at(kubeconfig: &Path) -> Result<Self, SubjectError> {
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        // An answer that says "try again" is an answer to compare.
        config.default_retry = false;
        Self::of(Client::try_from(config)?).await
    }
}
