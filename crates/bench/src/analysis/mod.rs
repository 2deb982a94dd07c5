//! Many analysis runs and one controller: what a measurement costs.
//!
//! | figure | how it is measured |
//! |---|---|
//! | measurements | the metric server counts what it is asked |
//! | time between measurements | the metric server, for each run by itself |
//! | processor, memory | `/proc` of the controller's process |
//! | requests | the audit log, by the controller's user agent |
//!
//! Every run asks a metric server on a loopback address for one number, again and again, and never ends.

mod figures;
mod load;
mod service;

pub use figures::{Figures, Ratios};

use crate::{
    error::BenchError,
    process::{megabytes, memory, processor_time, while_runs},
    scale::figures::by_kind,
};
use api::argo::AnalysisRun;
use control_plane::AuditedRequest;
use differential::{Binary, Ground, Program, Side};
use futures::{StreamExt, TryStreamExt, stream};
use kube::{Api, api::PostParams};
use serde_json::Value;
use service::Service;
use std::{io, path::Path, path::PathBuf, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// How many requests the load sends at once.
const AT_ONCE: usize = 100;
/// How long a controller may take until every run was measured, and longer by [`BY_RUN`].
const PATIENCE: Duration = Duration::from_mins(2);
/// How much longer for every run.
const BY_RUN: Duration = Duration::from_millis(200);
/// How often it is looked whether every run was measured.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// How many intervals pass between the first measurements and those that count.
const INTERVALS_BEFORE: u32 = 2;
/// What lets our controller ask a service on a loopback address.
const ALLOW_LOOPBACK: &str = "--egress-allow=127.0.0.0/8";

/// Which load.
#[derive(Clone, Debug)]
pub struct Work {
    /// How many analysis runs there are at the same time.
    pub runs: usize,
    /// How long each waits between two measurements.
    pub interval: Duration,
    /// How long measurements are counted.
    pub during: Duration,
    /// Flags of both controllers, besides those that they must have.
    pub flags: Vec<String>,
    /// A folder for the controllers' logs.
    pub logs: Option<PathBuf>,
}

/// Measures one controller on a control plane of its own.
///
/// # Errors
/// When the controller does not measure every run, or a figure cannot be read.
pub async fn analyse(side: Side, binary: &Binary, work: &Work) -> Result<Figures, BenchError> {
    let ground = Ground::set(&[side]).await?;
    let service = Service::start().await?;
    let bench = Bench { side, binary, work, ground: &ground, service: &service };
    bench.make_runs().await?;
    let began = Instant::now();
    let mut program = bench.start()?;
    while_runs((side, &mut program), bench.expect_all_measured()).await?;
    let first_round = began.elapsed();
    sleep(work.interval * INTERVALS_BEFORE).await;
    bench.counted(program.pid(), first_round).await
}

/// One controller, its control plane and its runs.
struct Bench<'a> {
    side: Side,
    binary: &'a Binary,
    work: &'a Work,
    ground: &'a Ground,
    service: &'a Service,
}

impl Bench<'_> {
    /// Makes the runs, before there is a controller.
    async fn make_runs(&self) -> Result<(), BenchError> {
        let runs: Api<AnalysisRun> = Api::namespaced(self.ground.client.clone(), self.side.name());
        let address = self.service.address();
        let objects =
            (0..self.work.runs).map(|run| load::run(self.side, run, self.work.interval, address));
        let made = stream::iter(objects).map(|object| make(&runs, object));
        Ok(made.buffer_unordered(AT_ONCE).try_collect::<()>().await?)
    }

    fn start(&self) -> io::Result<Program> {
        let name = format!("{}.log", self.side.name());
        let log = self.work.logs.as_deref().map(|folder| folder.join(name));
        let log = log.as_deref().unwrap_or(Path::new("/dev/null"));
        let own = (self.side == Side::Ours).then_some(ALLOW_LOOPBACK);
        let flags: Vec<&str> = self.work.flags.iter().map(String::as_str).chain(own).collect();
        self.binary.start(&self.ground.kubeconfig(), self.side.name(), &flags, log)
    }

    async fn expect_all_measured(&self) -> Result<(), BenchError> {
        let all = async {
            while self.service.runs_seen() < self.work.runs {
                sleep(BETWEEN_LOOKS).await;
            }
        };
        let runs = u32::try_from(self.work.runs).unwrap_or(u32::MAX);
        let came = timeout(PATIENCE + BY_RUN * runs, all).await;
        came.map_err(|_| BenchError::Stuck(self.side, "every run is measured"))
    }

    /// Counts for a while.
    async fn counted(&self, pid: u32, first_round: Duration) -> Result<Figures, BenchError> {
        let (asked, processor) = (self.ground.requests()?.len(), processor_time(pid)?);
        self.service.forget();
        let began = Instant::now();
        sleep(self.work.during).await;
        let (seconds, seen) = (began.elapsed(), self.service.seen());
        let processor = processor_time(pid)?.saturating_sub(processor);
        let by_kind = by_kind(&self.asked_since(asked)?);
        let memory = memory(pid)?;
        let held = (megabytes(memory.resident), megabytes(memory.peak));
        Ok(Figures::of(self.work, (first_round, seconds, processor), &seen, by_kind, held))
    }

    /// What the controller has asked since there were so many requests of all.
    fn asked_since(&self, asked: usize) -> io::Result<Vec<AuditedRequest>> {
        let mut requests = self.ground.requests()?.split_off(asked);
        let agent = self.binary.user_agent();
        requests.retain(|request| request.user_agent.starts_with(&agent));
        Ok(requests)
    }
}

async fn make(api: &Api<AnalysisRun>, object: Value) -> Result<(), kube::Error> {
    let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
    api.create(&PostParams::default(), &object).await.map(|_| ())
}
