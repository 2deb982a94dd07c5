//! A place for a controller: it is started, dies, and is started again.

use crate::conditions::{Conditions, Election, Seat as Borne};
use clock::Clock;
use controller::{
    Controller, ControllerConfig, ControllerHandle, HttpCaller, LeaderElection, LeaseConfig, Meter,
    StartFailed,
};
use faults::{Gate, Passed};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// Where the lease of contending controllers is.
const LEASE_NAMESPACE: &str = "kube-system";

/// A place for a controller.
pub(crate) struct Seat {
    router: axum::Router,
    clock: Clock,
    http: Arc<dyn HttpCaller>,
    gate: Gate,
    borne: Borne,
    config: ControllerConfig,
    lives: AtomicU32,
    state: Mutex<State>,
}

/// Who sits there, and whether somebody should.
#[derive(Default)]
struct State {
    controller: Option<ControllerHandle>,
    wanted: bool,
}

impl Seat {
    /// An empty place, the one of that number.
    pub(crate) fn new(
        (router, clock): (axum::Router, Clock),
        http: Arc<dyn HttpCaller>,
        gate: Gate,
        (conditions, number): (&Conditions, usize),
    ) -> Self {
        let elects = conditions.seats.len() > 1 && conditions.election == Election::Lease;
        let leader_election = if elects {
            LeaderElection::Lease(LeaseConfig::in_namespace(LEASE_NAMESPACE))
        } else {
            LeaderElection::Off
        };
        let config = ControllerConfig {
            identity: format!("rehearsal-{}", number + 1),
            planner: Arc::clone(&conditions.planner),
            leader_election,
            ..ControllerConfig::alone()
        };
        let (lives, state) = (AtomicU32::default(), Mutex::default());
        let borne = conditions.seats.get(number).cloned().unwrap_or_default();
        Self { router, clock, http, gate, borne, config, lives, state }
    }

    /// Starts a controller unless one runs.
    pub(crate) async fn start(&self) -> Result<(), StartFailed> {
        if self.state().controller.is_some() {
            return Ok(());
        }
        let life = self.lives.fetch_add(1, Ordering::Relaxed) + 1;
        let identity = format!("{}-{life}", self.config.identity);
        let client = self.gate.client(self.router.clone(), &identity);
        let meter = Meter::default();
        let config = ControllerConfig { identity, meter, ..self.config.clone() };
        let clock = self.borne.clock(self.clock, life);
        let controller = Controller::start(client, clock, Arc::clone(&self.http), config).await?;
        *self.state() = State { controller: Some(controller), wanted: true };
        Ok(())
    }

    /// Ends the controller at once, as a lost machine would, for as long as nobody starts one.
    pub(crate) fn kill(&self) {
        self.state().wanted = false;
        self.end();
    }

    fn end(&self) {
        let controller = self.state().controller.take();
        if let Some(controller) = controller {
            controller.abort();
        }
    }

    /// Starts the controller again, some time after each time it was cut off; never returns.
    pub(crate) async fn attend(self: Arc<Self>, absence: Duration) {
        let mut deaths: watch::Receiver<usize> = self.gate.deaths();
        while deaths.changed().await.is_ok() {
            self.end();
            tokio::time::sleep(absence).await;
            let wanted = self.state().wanted;
            if wanted && let Err(error) = self.start().await {
                tracing::error!(%error, "a controller could not be started again");
            }
        }
    }

    /// Ends what disturbs it.
    pub(crate) fn heal(&self) {
        self.gate.heal();
    }

    /// Every request from here.
    pub(crate) fn passed(&self) -> Vec<Passed> {
        self.gate.passed()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
