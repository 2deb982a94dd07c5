//! The servers that are asked: a fresh embedded one, or a real one.

use apiserver::{Server, ServerConfig, ServerError};
use clock::Clock;
use control_plane::{Binary, ControlPlane, Controllers, StartFailed, Unavailable};
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
    _held: Held,
}

/// What ends with the subject.
enum Held {
    Nothing,
    Embedded { _server: Arc<Server> },
    Real { _plane: Box<ControlPlane> },
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// There is no real control plane at hand.
    #[error("no real control plane at hand")]
    Unavailable(#[from] Unavailable),
    /// The real control plane did not start.
    #[error("real control plane did not start")]
    Start(#[from] Box<StartFailed>),
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
        Ok(Self { client, version, _held: Held::Embedded { _server: server } })
    }

    /// A fresh real API server without controllers, which ends with the subject.
    ///
    /// # Errors
    ///
    /// When there is none at hand or it does not start.
    pub async fn real() -> Result<Self, SubjectError> {
        Self::started(&control_plane::available()?).await
    }

    /// A fresh real API server of this program; see [`Subject::real`].
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn started(binary: &Binary) -> Result<Self, SubjectError> {
        let plane = ControlPlane::start_with(binary, Controllers::None).await.map_err(Box::new)?;
        let subject = Self::at(&plane.kubeconfig()).await?;
        Ok(Self { _held: Held::Real { _plane: Box::new(plane) }, ..subject })
    }

    /// The server a client talks to.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn of(client: Client) -> Result<Self, SubjectError> {
        let version = client.apiserver_version().await?.git_version;
        Ok(Self { client, version, _held: Held::Nothing })
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
