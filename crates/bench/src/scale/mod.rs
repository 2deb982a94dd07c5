//! Many rollouts and one controller: what a change of all of them costs, what one change alone, what rest.
//!
//! | figure | how it is measured |
//! |---|---|
//! | processor, memory | `/proc` of the controller's process |
//! | requests | the audit log, by the controller's user agent |
//! | first status | a watch: from the moment a change is sent until the status speaks of it |
//! | lone change | a watch: from the answer to a change until the first write of the controller |
//! | cold start | a watch: from starting the program until a rollout made before it has a status |

pub(crate) mod figures;
mod load;
mod sight;

pub use figures::{Figures, Idle, Load, Ratios, Spread};

use crate::{
    error::BenchError,
    process::{megabytes, memory, processor_time, while_runs},
};
use api::argo::Rollout;
use control_plane::AuditedRequest;
use differential::{Binary, Ground, Program, Side};
use figures::{by_kind, is_write};
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::Value;
use sight::{All, Sight};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How many requests the load sends at once.
const AT_ONCE: usize = 100;
/// How many changes are made one after the other.
const LONE_CHANGES: usize = 100;
/// How long it is quiet before something is measured.
const QUIET: Duration = Duration::from_secs(3);
/// How long a lone change has for what follows its first write.
const BETWEEN: Duration = Duration::from_millis(200);
/// The version that comes after the first one.
const FIRST_CHANGE: usize = 2;
/// How long the controller is left alone.
const IDLE: Duration = Duration::from_secs(20);
/// How long a controller may take for any of this, and longer by [`BY_ROLLOUT`].
const PATIENCE: Duration = Duration::from_mins(2);
/// How much longer for every rollout.
const BY_ROLLOUT: Duration = Duration::from_secs(1);

/// Which load.
#[derive(Clone, Debug)]
pub struct Work {
    /// How many rollouts.
    pub rollouts: usize,
    /// Pods of each.
    pub replicas: u32,
    /// What is done to them.
    pub task: Task,
    /// Flags of both controllers, besides those that they must have.
    pub flags: Vec<String>,
    /// A folder for the controllers' logs.
    pub logs: Option<PathBuf>,
}

/// What is done to the rollouts of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// All are taken to another version at the same time.
    Change,
    /// They are only there.
    Rest,
}

/// Measures one controller on a control plane of its own.
///
/// # Errors
/// When the controller does not do its work, or a figure cannot be read.
pub async fn scale(side: Side, binary: &Binary, work: &Work) -> Result<Figures, BenchError> {
    let ground = Ground::set(&[side]).await?;
    let bench = Bench::set(side, binary, work, &ground).await?;
    let (program, cold_start) = bench.start().await?;
    bench.expect("every rollout is healthy", |all| all.values().all(sight::Seen::is_done)).await?;
    sleep(QUIET).await;
    let load = match work.task {
        Task::Change => Some(bench.load(program.pid()).await?),
        Task::Rest => None,
    };
    sleep(QUIET).await;
    let lone = bench.lone_changes().await?;
    sleep(QUIET).await;
    let idle = bench.idle(program.pid()).await?;
    Ok(Figures {
        rollouts: work.rollouts,
        cold_start_ms: cold_start.as_secs_f64() * 1000.0,
        load,
        lone_ms: Spread::of(&lone),
        idle,
        peak_mb: megabytes(memory(program.pid())?.peak),
    })
}

/// One controller, its control plane and its rollouts.
struct Bench<'a> {
    side: Side,
    binary: &'a Binary,
    work: &'a Work,
    ground: &'a Ground,
    rollouts: Api<Rollout>,
    sight: Sight,
}

impl<'a> Bench<'a> {
    /// Makes the rollouts, before there is a controller.
    async fn set(
        side: Side,
        binary: &'a Binary,
        work: &'a Work,
        ground: &'a Ground,
    ) -> Result<Self, BenchError> {
        let rollouts = Api::namespaced(ground.client.clone(), side.name());
        let objects = (0..work.rollouts).map(|number| load::rollout(side, number, work.replicas));
        let made =
            stream::iter(objects.chain([load::lone(side)])).map(|object| make(&rollouts, object));
        made.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        let sight = Sight::start(&ground.client, side.name());
        let bench = Self { side, binary, work, ground, rollouts, sight };
        bench.expect("every rollout is seen", |all| all.len() > work.rollouts).await?;
        Ok(bench)
    }

    /// Starts the controller, and waits until it has said something about a rollout.
    async fn start(&self) -> Result<(Program, Duration), BenchError> {
        let name = format!("{}.log", self.side.name());
        let log = self.work.logs.as_deref().map(|folder| folder.join(name));
        let log = log.as_deref().unwrap_or(Path::new("/dev/null"));
        let flags: Vec<&str> = self.work.flags.iter().map(String::as_str).collect();
        let began = Instant::now();
        let kubeconfig = self.ground.kubeconfig();
        let mut program = self.binary.start(&kubeconfig, self.side.name(), &flags, log)?;
        let first = self.expect("a first status", |all| all.values().any(|seen| seen.observed > 0));
        while_runs((self.side, &mut program), first).await?;
        Ok((program, began.elapsed()))
    }

    /// Takes every rollout of the load to another version.
    async fn load(&self, pid: u32) -> Result<Load, BenchError> {
        let (began, processor) = (Instant::now(), processor_time(pid)?);
        let asked = self.ground.requests()?.len();
        let names = (0..self.work.rollouts).map(load::name);
        let changes = stream::iter(names).map(|name| self.change(name, FIRST_CHANGE));
        let sent: Vec<Sent> = changes.buffer_unordered(AT_ONCE).try_collect().await?;
        let done = |all: &All| sent.iter().all(|sent| sent.is_done(all));
        self.expect("every rollout has its new version", done).await?;
        let seconds = began.elapsed().as_secs_f64();
        // What is told late is part of the work.
        sleep(QUIET).await;
        let by_kind = by_kind(&self.asked_since(asked)?);
        let processor = processor_time(pid)?.saturating_sub(processor);
        let firsts = sent
            .iter()
            .filter_map(|sent| self.sight.of(&sent.name).observed_at.map(|at| at - sent.at));
        let firsts = firsts.collect::<Vec<_>>();
        Ok(Load::of(self.work.rollouts, seconds, processor, &firsts, by_kind))
    }

    /// Changes one rollout again and again, and tells how long each change waited for the first write.
    async fn lone_changes(&self) -> Result<Vec<Duration>, BenchError> {
        let mut waits = Vec::new();
        for number in 0..LONE_CHANGES {
            let sent = self.change(load::LONE.to_owned(), FIRST_CHANGE + number).await?;
            self.expect("a lone change is written down", |all| sent.is_written(all)).await?;
            let seen = self.sight.of(&sent.name);
            waits.extend(seen.changed_at.zip(seen.written_at).map(|(from, to)| to - from));
            self.expect("a lone change is observed", |all| sent.is_observed(all)).await?;
            sleep(BETWEEN).await;
        }
        Ok(waits)
    }

    /// Leaves the controller alone.
    async fn idle(&self, pid: u32) -> Result<Idle, BenchError> {
        let (asked, processor) = (self.ground.requests()?.len(), processor_time(pid)?);
        sleep(IDLE).await;
        let processor = processor_time(pid)?.saturating_sub(processor);
        let by_kind = by_kind(&self.asked_since(asked)?);
        let writes = by_kind.iter().filter(|(kind, _)| is_write(kind));
        Ok(Idle {
            seconds: IDLE.as_secs_f64(),
            cpu_seconds: processor.as_secs_f64(),
            writes: writes.map(|(_, count)| count).sum(),
            resident_mb: megabytes(memory(pid)?.resident),
        })
    }

    /// What the controller has asked since there were so many requests of all.
    fn asked_since(&self, asked: usize) -> io::Result<Vec<AuditedRequest>> {
        let mut requests = self.ground.requests()?.split_off(asked);
        let agent = self.binary.user_agent();
        requests.retain(|request| request.user_agent.starts_with(&agent));
        Ok(requests)
    }

    async fn change(&self, name: String, version: usize) -> Result<Sent, BenchError> {
        let at = Instant::now();
        let patch = Patch::Merge(load::change(version));
        let changed = self.rollouts.patch(&name, &PatchParams::default(), &patch).await?;
        Ok(Sent { name, at, generation: changed.metadata.generation.unwrap_or_default() })
    }

    async fn expect(
        &self,
        what: &'static str,
        is_so: impl Fn(&All) -> bool,
    ) -> Result<(), BenchError> {
        let rollouts = u32::try_from(self.work.rollouts).unwrap_or(u32::MAX);
        let within = PATIENCE + BY_ROLLOUT * rollouts;
        let came = self.sight.comes_to(within, is_so).await;
        if came { Ok(()) } else { Err(BenchError::Stuck(self.side, what)) }
    }
}

async fn make(api: &Api<Rollout>, object: Value) -> Result<(), kube::Error> {
    let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
    api.create(&PostParams::default(), &object).await.map(|_| ())
}

/// A change that was sent.
struct Sent {
    name: String,
    at: Instant,
    /// The generation that it made.
    generation: i64,
}

impl Sent {
    fn seen<'a>(&self, all: &'a All) -> Option<&'a sight::Seen> {
        all.get(&self.name).filter(|seen| seen.generation >= self.generation)
    }

    fn is_written(&self, all: &All) -> bool {
        self.seen(all).is_some_and(|seen| seen.written_at.is_some())
    }

    fn is_observed(&self, all: &All) -> bool {
        self.seen(all).is_some_and(|seen| seen.observed_at.is_some())
    }

    fn is_done(&self, all: &All) -> bool {
        self.seen(all).is_some_and(sight::Seen::is_done)
    }
}
