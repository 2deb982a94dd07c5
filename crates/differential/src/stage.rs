//! Where cases are played: a real control plane, nodes, the five kinds, a metric server, two namespaces.

use crate::{metrics::Metrics, sight::Sight};
use control_plane::{ControlPlane, StartFailed, Unavailable};
use k8s_openapi::{
    api::core::v1::{Namespace, ServiceAccount},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition as Definition,
};
use kube::{
    Api, Client, ResourceExt,
    api::PostParams,
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use serde_json::json;
use std::{io, path::PathBuf, time::Duration};
use world::{Recording, StartError, World, WorldConfig, WorldHandle};

/// How long containers take to start, and to stop.
const POD_DELAY: Duration = Duration::from_millis(300);

/// The two controllers that are compared; each has a namespace and an instance id of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Argo Rollouts' own controller.
    Peer,
    /// Ours.
    Ours,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Peer, Self::Ours];

    /// Its namespace and its instance id.
    pub fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Ours => "ours",
        }
    }
}

/// Why there is no stage.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// There is no real control plane at hand.
    #[error("no real control plane at hand")]
    Unavailable(#[from] Unavailable),
    /// It did not start.
    #[error("the real control plane did not start")]
    Start(#[from] Box<StartFailed>),
    /// A node could not be made.
    #[error("nodes did not start")]
    World(#[from] StartError),
    /// An object could not be made.
    #[error("the control plane could not be prepared")]
    Prepare(#[from] kube::Error),
    /// A kind was never served.
    #[error("a kind was not served")]
    Wait(#[from] kube::runtime::wait::Error),
    /// A controller did not keep running.
    #[error("the controller of {} ended at once; --logs shows why", .0.name())]
    Ended(Side),
    /// No port could be had, or a program could not be run.
    #[error("a process or a port could not be had")]
    Io(#[from] io::Error),
}

/// A real control plane with nodes, the five kinds and namespaces.
pub struct Ground {
    /// Talks to the control plane.
    pub client: Client,
    // Ended in this order.
    _world: WorldHandle,
    plane: ControlPlane,
}

impl Ground {
    /// Sets everything up, with a namespace for each side.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn set(sides: &[Side]) -> Result<Self, StageError> {
        let plane = ControlPlane::start(&control_plane::available()?).await.map_err(Box::new)?;
        let client = plane.client();
        install(&client).await?;
        for side in sides {
            namespace(&client, side.name()).await?;
        }
        let config = WorldConfig {
            nodes: 4,
            start_delay: POD_DELAY,
            stop_delay: POD_DELAY,
            recording: Recording::Nothing,
            ..WorldConfig::nodes_only()
        };
        let world = World::start(client.clone(), clock::Clock::system(), config).await?;
        Ok(Self { client, _world: world, plane })
    }

    /// What controllers reach the control plane with.
    pub fn kubeconfig(&self) -> PathBuf {
        self.plane.kubeconfig()
    }

    /// Every request that came so far.
    ///
    /// # Errors
    /// When the audit log cannot be read.
    pub fn requests(&self) -> io::Result<Vec<control_plane::AuditedRequest>> {
        self.plane.requests()
    }
}

/// Everything that a case needs but the controllers.
pub struct Stage {
    /// Where it is played.
    pub ground: Ground,
    /// What there is.
    pub sight: Sight,
    pub(crate) metrics: Metrics,
}

impl Stage {
    /// Sets everything up.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn set() -> Result<Self, StageError> {
        let ground = Ground::set(&Side::BOTH).await?;
        let (sight, metrics) = (Sight::start(&ground.client), Metrics::start().await?);
        Ok(Self { ground, sight, metrics })
    }
}

async fn install(client: &Client) -> Result<(), StageError> {
    let api: Api<Definition> = Api::all(client.clone());
    for definition in api::crds() {
        api.create(&PostParams::default(), &definition).await?;
        await_condition(api.clone(), &definition.name_any(), is_crd_established()).await?;
    }
    Ok(())
}

/// Makes a namespace in which pods can be made.
async fn namespace(client: &Client, name: &str) -> Result<(), StageError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let object = json!({ "metadata": { "name": name } });
    let object = serde_json::from_value(object).unwrap_or_default();
    namespaces.create(&PostParams::default(), &object).await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), name);
    let made = |account: Option<&ServiceAccount>| account.is_some();
    await_condition(accounts, "default", made).await?;
    Ok(())
}
