//! The counters of one backend.

use super::dialects::{self, Series};
use super::latency::Histogram;
use super::{Backend, Tally};
use crate::series::Sample;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

/// A request's method; those that are not in the standard count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// Anything else.
    Other,
}

impl Method {
    /// The method of this name.
    pub fn named(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// The name as labels show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "OTHER",
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Status code of the response.
    pub code: u16,
    /// Method of the request.
    pub method: Method,
    /// Time from the request's arrival to the response's head.
    pub latency: Duration,
}

#[derive(Debug)]
struct Cell {
    code: u16,
    method: Method,
    latencies: Histogram,
    series: OnceLock<Series>,
}

/// The counters of one backend; adding to them takes a read lock that nobody holds for long.
#[derive(Debug)]
pub struct Recorder {
    backend: Backend,
    cells: RwLock<Vec<Arc<Cell>>>,
}

impl Recorder {
    pub(super) fn new(backend: Backend) -> Self {
        Self { backend, cells: RwLock::default() }
    }

    /// Who is counted here.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Counts `count` requests with the same outcome.
    pub fn record(&self, outcome: Outcome, count: u64) {
        self.with_cell(outcome.code, outcome.method, |cell| {
            cell.latencies.add(outcome.latency, count);
        });
    }

    /// Counts a distribution of latencies at once: each pair is a latency and how many had it.
    pub fn record_distribution(
        &self,
        code: u16,
        method: Method,
        latencies: impl IntoIterator<Item = (Duration, u64)>,
    ) {
        self.with_cell(code, method, |cell| {
            for (latency, count) in latencies {
                cell.latencies.add(latency, count);
            }
        });
    }

    /// What was counted, by code.
    pub fn tally(&self) -> Tally {
        let cells = self.cells.read().unwrap_or_else(PoisonError::into_inner);
        let mut tally = Tally::default();
        for cell in cells.iter() {
            tally.add(cell.code, &cell.latencies.read());
        }
        tally
    }

    pub(super) fn scrape(&self, samples: &mut Vec<Sample>) {
        let cells = self.cells.read().unwrap_or_else(PoisonError::into_inner);
        for cell in cells.iter() {
            let named = || dialects::series(&self.backend, cell.code, cell.method);
            cell.series.get_or_init(named).scrape(&cell.latencies.read(), samples);
        }
    }

    fn with_cell(&self, code: u16, method: Method, record: impl FnOnce(&Cell)) {
        let same = |cell: &&Arc<Cell>| cell.code == code && cell.method == method;
        let cells = self.cells.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = cells.iter().find(same) {
            return record(cell);
        }
        drop(cells);
        let mut cells = self.cells.write().unwrap_or_else(PoisonError::into_inner);
        let found = cells.iter().find(same).cloned();
        let cell = found.unwrap_or_else(|| {
            let (latencies, series) = (Histogram::default(), OnceLock::new());
            let cell = Arc::new(Cell { code, method, latencies, series });
            cells.push(cell.clone());
            cell
        });
        drop(cells);
        record(&cell);
    }
}
