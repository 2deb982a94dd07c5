//! Under what conditions a rehearsal is played, beyond what its script says.

use clock::Clock;
use controller::{HttpCaller, Planner, Product};
use faults::{Cut, Disorder, Gate, Outage, Passed, Past, Rule};
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use std::{sync::Arc, time::Duration};
use store::Change;

/// Told of every change in the cluster, as it happens; [`faults::served`] says whose request it is.
pub type Witness = Arc<dyn Fn(&Change, Timestamp) + Send + Sync>;

/// Somebody else who acts in the cluster, beside users, workloads and controllers. It must not run on
/// after its work: virtual time stands still for whoever never sleeps.
pub type Companion = Arc<dyn Fn(Client, Clock) -> BoxFuture<'static, ()> + Send + Sync>;

/// Changes what metric providers answer.
pub type Interpreter = Arc<dyn Fn(Arc<dyn HttpCaller>) -> Arc<dyn HttpCaller> + Send + Sync>;

/// Conditions; [`Default`] is a rehearsal where nothing goes wrong by itself.
#[derive(Clone)]
pub struct Conditions {
    /// The controllers.
    pub seats: Vec<Seat>,
    /// How several controllers agree on the one that works.
    pub election: Election,
    /// What decides for each of them.
    pub planner: Arc<dyn Planner>,
    /// How long a controller that was cut off stays away.
    pub absence: Duration,
    /// How long everything that follows from a line at once may take.
    pub settle: Duration,
    /// How much longer than it says each expectation may take.
    pub patience: Duration,
    /// When rules and disorders end, counted from the beginning.
    pub heals_after: Option<Duration>,
    /// How long the cluster is left to itself after the last line.
    pub afterwards: Duration,
    /// What becomes of a line that cannot be carried out.
    pub refusals: Refusals,
    /// Which watches of the data plane fare ill, so that traffic follows its routes late.
    pub data_plane: Vec<Disorder>,
    /// Who else acts.
    pub companions: Vec<Companion>,
    /// What stands between the controllers and metric providers.
    pub interpreter: Option<Interpreter>,
    /// Who is told of every change.
    pub witness: Option<Witness>,
}

/// How several controllers agree on the one that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Election {
    /// Whoever holds a lease works.
    Lease,
    /// Not at all: everyone works.
    None,
}

/// What becomes of a line that cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusals {
    /// The rehearsal ends with an error.
    Stop,
    /// It is noted, and the next line follows.
    PassOver,
}

/// What one controller has to bear.
#[derive(Clone, Debug, Default)]
pub struct Seat {
    /// Where its lives end, the first life first.
    pub cuts: Vec<Cut>,
    /// Which of its requests fare ill.
    pub rules: Vec<Rule>,
    /// Which of its watches fare ill.
    pub disorders: Vec<Disorder>,
    /// When it cannot reach the server.
    pub outages: Vec<Outage>,
    /// What its later lives are shown first.
    pub past: Option<Past>,
    /// How far its clock is ahead of the world's, one for each life; the last is also that of all others.
    pub ahead: Vec<SignedDuration>,
}

/// What the controllers asked of the API server.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Every request of every seat in the order it came, first those of the first seat.
    pub passed: Vec<Passed>,
    /// When the last line of the script was done.
    pub script_ended: Timestamp,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            seats: vec![Seat::default()],
            election: Election::Lease,
            planner: Arc::new(Product),
            absence: Duration::from_secs(5),
            settle: Duration::from_millis(100),
            patience: Duration::ZERO,
            heals_after: None,
            refusals: Refusals::Stop,
            data_plane: Vec::new(),
            afterwards: Duration::ZERO,
            companions: Vec::new(),
            interpreter: None,
            witness: None,
        }
    }
}

impl Seat {
    /// A gate that does all this.
    pub(crate) fn gate(&self, clock: Clock, seed: u64) -> Gate {
        let gate = Gate::open(clock, seed);
        self.cuts.iter().for_each(|cut| gate.cut(*cut));
        self.rules.iter().for_each(|rule| gate.rule(rule.clone()));
        self.disorders.iter().for_each(|disorder| gate.disturb(disorder.clone()));
        self.outages.iter().for_each(|outage| gate.interrupt(*outage));
        self.past.iter().for_each(|past| gate.lag(past.clone()));
        gate
    }

    /// The clock of a life, counted from 1.
    pub(crate) fn clock(&self, clock: Clock, life: u32) -> Clock {
        let index = usize::try_from(life).unwrap_or(usize::MAX).saturating_sub(1);
        let ahead = self.ahead.get(index).or(self.ahead.last());
        ahead.map_or(clock, |by| clock.ahead(*by))
    }
}
