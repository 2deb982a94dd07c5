//! Taking a run to its end, in real time or in none.
//!
//! Start with [`pursue`]. In virtual time a wait is over at once, and whoever is asked is told for which
//! instant; answers belong to the instant of their question.

use crate::{
    course::Course,
    instant,
    report::{Report, Taken},
};
use clock::Clock;
use controller::HttpCaller;
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;
use plan::analysis_run::MeasurementCall;
use providers::Destination;
use vocab::{Reply, ReplyError};

/// Measurements that one run may take in virtual time; a metric without end would go on for ever.
pub const MAX_MEASUREMENTS: usize = 100_000;

/// Which time it is.
#[derive(Clone, Copy, Debug)]
pub enum Time {
    /// The time of the world.
    Real(Clock),
    /// A time that passes only when everybody waits.
    Virtual(Timestamp),
}

impl Time {
    /// The present.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Real(clock) => clock.now(),
            Self::Virtual(now) => *now,
        }
    }

    async fn pass_until(&mut self, at: Timestamp) {
        match self {
            Self::Real(clock) => clock.sleep_until(at).await,
            Self::Virtual(now) => *now = at.max(*now),
        }
    }
}

/// Why a run has no end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfinished {
    /// It never began.
    #[error("{0}")]
    Refused(String),
    /// It took too many measurements.
    #[error(
        "the run took {MAX_MEASUREMENTS} measurements without an end; end it with --for, or give its metrics a count"
    )]
    Endless,
    /// It waits for nothing.
    #[error("the run waits for something that never comes at {at}")]
    Stuck {
        /// Since when.
        at: Timestamp,
    },
}

/// Why no logs are read.
const NO_CLUSTER: &str = "logs of pods are read by a controller only";

type Answer = (MeasurementCall, Result<Reply, ReplyError>);
type UnderWay<'a> = FuturesUnordered<BoxFuture<'a, Answer>>;

/// Takes a run to its end; after `last` it is ended as a promotion ends one in the background.
///
/// `tell` hears of each measurement as it comes.
///
/// # Errors
/// [`Unfinished`].
pub async fn pursue(
    mut course: Course,
    caller: &dyn HttpCaller,
    (mut time, last): (Time, Option<Timestamp>),
    tell: &mut (dyn FnMut(&Taken) + Send),
) -> Result<Report, Unfinished> {
    let mut under_way = UnderWay::new();
    let (mut told, mut is_ended) = (0, false);
    loop {
        for call in course.plan(time.now()) {
            under_way.push(ask(caller, call, &time));
        }
        for taken in course.taken().iter().skip(told) {
            tell(taken);
        }
        told = course.taken().len();
        if let Some(why) = course.refusal() {
            return Err(Unfinished::Refused(why.to_owned()));
        }
        if course.is_over() {
            return Ok(course.report());
        }
        if told >= MAX_MEASUREMENTS {
            return Err(Unfinished::Endless);
        }
        let wake = course.wake();
        let end = last.filter(|last| wake.is_none_or(|wake| wake > *last));
        if let Some((call, reply)) = next(&mut under_way, &mut time, end.or(wake)).await? {
            for call in course.absorb((call, reply), time.now()) {
                under_way.push(ask(caller, call, &time));
            }
        } else if end.is_some_and(|end| end <= time.now()) {
            if is_ended {
                return Err(Unfinished::Stuck { at: time.now() });
            }
            course.terminate();
            is_ended = true;
        }
    }
}

/// The next answer; nothing when it is time to plan again.
async fn next(
    under_way: &mut UnderWay<'_>,
    time: &mut Time,
    wake: Option<Timestamp>,
) -> Result<Option<Answer>, Unfinished> {
    let is_virtual = matches!(time, Time::Virtual(_));
    match wake {
        None if under_way.is_empty() => Err(Unfinished::Stuck { at: time.now() }),
        Some(at) if under_way.is_empty() => {
            time.pass_until(at).await;
            Ok(None)
        }
        Some(at) if !is_virtual => tokio::select! {
            answer = under_way.next() => Ok(answer),
            () = time.pass_until(at) => Ok(None),
        },
        _ => Ok(under_way.next().await),
    }
}

fn ask<'a>(
    caller: &'a dyn HttpCaller,
    call: MeasurementCall,
    time: &Time,
) -> BoxFuture<'a, Answer> {
    let asked = match time {
        Time::Real(_) => call.call.clone(),
        Time::Virtual(now) => instant::at(call.call.clone(), *now),
    };
    if call.to == Destination::Cluster {
        let (url, cause) = (asked.url, NO_CLUSTER.to_owned());
        return Box::pin(async move { (call, Err(ReplyError::Unreachable { url, cause })) });
    }
    let answer = caller.call(asked);
    Box::pin(async move { (call, answer.await) })
}
