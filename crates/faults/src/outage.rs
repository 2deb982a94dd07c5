//! A client that is cut off from the server for a while, or frozen, from one of its writes on.

use serde::Serialize;
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// A while in which nothing goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// The write it begins with, counted from 1 over all lives; renewals of a lease do not count.
    pub write: usize,
    /// How long it lasts.
    pub span: Duration,
    /// What becomes of requests meanwhile. Watches tell everything afterwards.
    pub sort: OutageSort,
}

/// What becomes of requests in an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutageSort {
    /// They arrive when it is over.
    Frozen,
    /// They never arrive and are never answered.
    Partitioned,
}

/// The outage that is going on, if any.
#[derive(Debug, Default)]
pub(crate) struct Outages {
    planned: Vec<Outage>,
    writes: usize,
    now: watch::Sender<Option<(Instant, OutageSort)>>,
}

impl Outages {
    pub(crate) fn plan(&mut self, outage: Outage) {
        self.planned.push(outage);
    }

    /// Ends what goes on and what is planned.
    pub(crate) fn end(&mut self) {
        self.planned.clear();
        self.now.send_replace(None);
    }

    /// Counts a write; an outage that begins with it begins.
    pub(crate) fn count(&mut self) {
        self.writes += 1;
        if let Some(outage) = self.planned.iter().find(|outage| outage.write == self.writes) {
            self.now.send_replace(Some((Instant::now() + outage.span, outage.sort)));
        }
    }

    /// The outage of this moment, with its end.
    pub(crate) fn present(&self) -> Option<(Instant, OutageSort)> {
        (*self.now.borrow()).filter(|(end, _)| *end > Instant::now())
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Option<(Instant, OutageSort)>> {
        self.now.subscribe()
    }
}

/// Waits until no outage goes on.
pub(crate) async fn outlast(outage: watch::Receiver<Option<(Instant, OutageSort)>>) {
    let end = (*outage.borrow()).map(|(end, _)| end);
    if let Some(end) = end {
        sleep_until(end).await;
    }
}
