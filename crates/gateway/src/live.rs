//! A table joined with what outlasts it: splits, turns, connections and counters.

use crate::connection::Pool;
use crate::mirror::{Copies, LiveMirror};
use crate::objects::Key;
use crate::split::Split;
use crate::table::{Endpoint, Rule, Table, Target};
use metrics::access::{AccessLog, Backend, Recorder};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type PortKey = (Key, Option<u16>);
type SplitKey = (Key, Vec<PortKey>, usize);

/// A table in force.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) table: Table,
    pub(crate) rules: Vec<LiveRule>,
    /// The targets without a route, in the order of the table's.
    pub(crate) direct: Vec<Destination>,
    /// Counts the requests that nothing answers.
    pub(crate) unmatched: Arc<Recorder>,
    /// The copies of requests under way.
    pub(crate) copies: Arc<Copies>,
}

/// A rule with the state of its split.
#[derive(Debug)]
pub(crate) struct LiveRule {
    pub(crate) destinations: Vec<Destination>,
    pub(crate) mirrors: Vec<Arc<LiveMirror>>,
    weights: Vec<u32>,
    split: Arc<Mutex<Split>>,
}

/// The pods of one service, as one route sees them.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) endpoints: Vec<LiveEndpoint>,
    /// Counts the requests that reach no pod.
    pub(crate) unreached: Arc<Recorder>,
    turn: Arc<AtomicUsize>,
}

/// A pod with its connections and its counter.
#[derive(Debug)]
pub(crate) struct LiveEndpoint {
    pub(crate) pool: Arc<Pool>,
    pub(crate) recorder: Arc<Recorder>,
}

/// What outlasts every table.
#[derive(Debug)]
pub(crate) struct Memory {
    access: Arc<AccessLog>,
    pools: BTreeMap<SocketAddr, Arc<Pool>>,
    splits: BTreeMap<SplitKey, Arc<Mutex<Split>>>,
    turns: BTreeMap<Key, Arc<AtomicUsize>>,
    copies: Arc<Copies>,
}

impl LiveRule {
    /// The next destination by the weights; none when no weight is above zero.
    pub(crate) fn pick(&self) -> Option<usize> {
        if let [weight] = self.weights.as_slice() {
            return (*weight > 0).then_some(0);
        }
        self.split.lock().unwrap_or_else(PoisonError::into_inner).pick(&self.weights)
    }
}

impl Destination {
    /// Whose turn it is among the endpoints.
    pub(crate) fn turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }
}

impl Memory {
    pub(crate) fn new(access: Arc<AccessLog>) -> Self {
        Self {
            access,
            pools: BTreeMap::new(),
            splits: BTreeMap::new(),
            turns: BTreeMap::new(),
            copies: Arc::default(),
        }
    }

    /// Joins a table with the state of its predecessors and forgets what it has no use for.
    pub(crate) fn attach(&mut self, table: Table) -> Live {
        let mut seen: BTreeMap<(Key, Vec<PortKey>), usize> = BTreeMap::new();
        let rules = table
            .rules
            .iter()
            .map(|rule| {
                let backends: Vec<PortKey> =
                    rule.backends.iter().map(|b| (b.service.clone(), b.port)).collect();
                let count = seen.entry((rule.route.clone(), backends.clone())).or_default();
                *count += 1;
                self.rule(&table, rule, (rule.route.clone(), backends, *count))
            })
            .collect();
        let nowhere = Key::default();
        let direct =
            table.targets.iter().map(|t| self.destination(&nowhere, &t.service, Some(t))).collect();
        let unmatched = self.access.recorder(&Backend::default());
        self.pools.retain(|_, pool| Arc::strong_count(pool) > 1);
        self.splits.retain(|_, split| Arc::strong_count(split) > 1);
        self.turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        let copies = self.copies.clone();
        Live { table, rules, direct, unmatched, copies }
    }

    /// Closes connections that have been idle for too long.
    pub(crate) fn sweep(&self) {
        for pool in self.pools.values() {
            pool.sweep();
        }
    }

    fn rule(&mut self, table: &Table, rule: &Rule, key: SplitKey) -> LiveRule {
        let destination = |backend: &crate::table::RuleBackend| {
            let target = backend.target.as_ref().ok().and_then(|place| table.targets.get(*place));
            (backend.service.clone(), target)
        };
        let found: Vec<_> = rule.backends.iter().map(destination).collect();
        let mirrors = rule.mirrors.iter().enumerate();
        let mirrors = mirrors.map(|(place, mirror)| {
            let (service, target) = destination(&mirror.backend);
            // Counted from the other end, so that it is never the split of a rule.
            let port = (service.clone(), mirror.backend.port);
            let key = (rule.route.clone(), vec![port], usize::MAX - place);
            let split = self.splits.entry(key).or_default().clone();
            let destination = self.destination(&rule.route, &service, target);
            Arc::new(LiveMirror { destination, shares: mirror.shares, split })
        });
        let mirrors = mirrors.collect();
        LiveRule {
            mirrors,
            destinations: found
                .into_iter()
                .map(|(service, target)| self.destination(&rule.route, &service, target))
                .collect(),
            weights: rule.backends.iter().map(|backend| backend.weight).collect(),
            split: self.splits.entry(key).or_default().clone(),
        }
    }

    fn destination(&mut self, route: &Key, service: &Key, target: Option<&Target>) -> Destination {
        let backend = |hash: &str, workload: &str| Backend {
            namespace: service.namespace.clone(),
            route: route.name.clone(),
            service: service.name.clone(),
            pod_template_hash: hash.to_owned(),
            workload: workload.to_owned(),
        };
        let endpoints = target.map(|target| target.endpoints.as_slice()).unwrap_or_default();
        let live = endpoints.iter().map(|Endpoint { address, version }| {
            let pool = self.pools.entry(*address).or_insert_with(|| Arc::new(Pool::new(*address)));
            let recorder = self.access.recorder(&backend(&version.hash, &version.workload));
            LiveEndpoint { pool: pool.clone(), recorder }
        });
        let live = live.collect();
        let selected = target.map(|t| t.selected_hash.as_str()).unwrap_or_default();
        let same = |e: &&Endpoint| e.version.hash == selected;
        let workload = endpoints.iter().find(same).map(|e| e.version.workload.as_str());
        Destination {
            endpoints: live,
            unreached: self.access.recorder(&backend(selected, workload.unwrap_or_default())),
            turn: self.turns.entry(service.clone()).or_default().clone(),
        }
    }
}
