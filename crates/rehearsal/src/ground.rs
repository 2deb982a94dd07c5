//! What a stage stands on: a cluster, and the time that passes there.

use crate::{
    conditions::Conditions, elsewhere::Elsewhere, prepared, recorder::Recorder, stage::SetUpFailed,
};
use apiserver::Server;
use axum::Router;
use clock::Clock;
use faults::Gate;
use jiff::Timestamp;
use kube::Client;
use std::{sync::Arc, time::Duration};
use world::{Recording, ServePods, World, WorldConfig, WorldHandle};

/// When every rehearsal begins, so that two runs print the same.
const EPOCH: &str = "2026-01-05T09:00:00Z";
/// How long containers take to start, so that nothing looks instant that is not.
const START_DELAY: Duration = Duration::from_secs(3);

/// A cluster and its time.
pub(crate) struct Ground {
    pub(crate) clock: Clock,
    /// The API server, for clients that stand behind something.
    pub(crate) router: Router,
    /// A client that nothing stands in the way of.
    pub(crate) client: Client,
    /// How long after a route first leads somewhere its users come, so that all of its endpoints are there.
    pub(crate) arrival: Duration,
    /// What follows the objects.
    pub(crate) recorder: Recorder,
    /// What is there because of us, to end with us.
    ours: Option<(Arc<Server>, WorldHandle)>,
}

impl Ground {
    /// A cluster of its own.
    pub(crate) async fn embedded(seed: u64, conditions: &Conditions) -> Result<Self, SetUpFailed> {
        let clock = Clock::starting_at(EPOCH.parse().unwrap_or(Timestamp::UNIX_EPOCH));
        let server = prepared::server(clock, seed).await?;
        let recorder = Recorder::default();
        let (heard, witness) = (recorder.clone(), conditions.witness.clone());
        server.set_witness(Box::new(move |change, now| {
            heard.hear(change);
            if let Some(witness) = &witness {
                witness(change, now);
            }
        }));
        let client = server.client();
        let config = WorldConfig {
            serve_pods: ServePods::None,
            recording: Recording::Nothing,
            start_delay: START_DELAY,
            ..WorldConfig::default()
        };
        let world = World::start(client.clone(), clock, config).await?;
        server.set_pod_logs(world.pod_logs());
        Ok(Self {
            clock,
            router: server.router(),
            client,
            arrival: Duration::ZERO,
            recorder,
            ours: Some((server, world)),
        })
    }

    /// A cluster that lives without us, in real time.
    pub(crate) fn elsewhere(place: &Elsewhere, conditions: &Conditions) -> Self {
        let (clock, router) = (Clock::system(), place.router());
        let client = Gate::open(clock, 0).client(router.clone(), "rehearsal");
        let (arrival, recorder) = (conditions.settle, Recorder::default());
        Self { clock, router, client, arrival, recorder, ours: None }
    }

    /// Whether the recorder hears of changes without watching.
    pub(crate) fn tells_of_changes(&self) -> bool {
        self.ours.is_some()
    }
}
