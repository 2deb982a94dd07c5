//! Where pods live: their addresses, their listeners, and what their objects cannot say exactly.

use super::{
    addresses::Addresses,
    containers::Memory,
    lifecycle::{self, Facts, LastWords, Step, Tenancy},
    logs::PodLogs,
    node::Nodes,
    orders::Orders,
    prober::{self, Prober},
    probes::Health,
};
use crate::{
    app::{
        App, Behaviour,
        server::{AppServer, OnChange},
    },
    config::{Parts, ServePods, WorldConfig},
    objects::{name_of, namespace_of, uid_of},
    spans,
};
use clock::Clock;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::Ipv4Addr,
};

/// The port of the demo application when its container names none.
pub(super) const DEMO_PORT: u16 = 8080;

/// All pods of our nodes.
pub(crate) struct House {
    config: WorldConfig,
    clock: Clock,
    addresses: Addresses,
    rooms: BTreeMap<(String, String), Room>,
    pub(crate) nodes: Nodes,
    pub(crate) logs: PodLogs,
    arrivals: u64,
}

/// What is kept of one pod.
struct Room {
    uid: String,
    address: Option<Ipv4Addr>,
    seed: u64,
    bound_at: Timestamp,
    memory: BTreeMap<String, Memory>,
    probers: BTreeMap<String, Prober>,
    leaving_since: Option<Timestamp>,
    server: Option<AppServer>,
}

impl Room {
    /// Whether any container has been launched and has not ended.
    fn is_alive(&self) -> bool {
        self.memory.values().any(|memory| memory.ended.is_none())
    }
}

impl House {
    /// A house without pods.
    pub(crate) fn new(config: WorldConfig, clock: Clock) -> Self {
        let mut addresses = Addresses::within(config.pod_network);
        let nodes = Nodes::of(&config);
        nodes.addresses().for_each(|address| addresses.reserve(address));
        Self {
            config,
            clock,
            addresses,
            rooms: BTreeMap::new(),
            nodes,
            logs: PodLogs::default(),
            arrivals: 0,
        }
    }

    /// What is known of a pod; a pod never seen before moves in.
    pub(crate) fn facts(&mut self, pod: &Pod, now: Timestamp) -> Facts {
        let key = key(pod);
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        let ours = node.is_none_or(|node| self.nodes.is_up(node));
        if !ours {
            return Facts { tenancy: Tenancy::Theirs, ..Facts::default() };
        }
        if self.rooms.get(&key).is_none_or(|room| room.uid != uid_of(&pod.metadata)) {
            self.leave(&key.0, &key.1);
            let room = self.move_in(pod, now);
            self.rooms.insert(key.clone(), room);
        }
        let leaving = pod.metadata.deletion_timestamp.is_some();
        let Some(room) = self.rooms.get_mut(&key) else { return Facts::default() };
        if node.is_none() {
            room.bound_at = now;
        }
        if leaving && room.leaving_since.is_none() {
            room.leaving_since = Some(now);
        }
        let probed = match self.config.serve_pods {
            ServePods::Sockets => probed(pod, room),
            ServePods::None => BTreeMap::new(),
        };
        Facts {
            address: room.address.map(|address| address.to_string()).unwrap_or_default(),
            host: self.nodes.address(node.unwrap_or_default()).to_string(),
            tenancy: Tenancy::Ours,
            node: None,
            bound_at: room.bound_at,
            memory: room.memory.clone(),
            probed,
            leaving_since: room.leaving_since,
            start_delay: self.config.start_delay,
            pull_fails_after: self.config.pull_fails_after,
            stop_delay: self.config.stop_delay,
            run_for: self.config.run_for,
            serves: Behaviour::of_pod(pod),
            accepting: room.server.as_ref().is_none_or(AppServer::is_accepting),
            last_words: match self.config.parts {
                Parts::Everything => LastWords::Awaited,
                Parts::Nodes => LastWords::Always,
            },
        }
    }

    fn move_in(&mut self, pod: &Pod, now: Timestamp) -> Room {
        let status = pod.status.as_ref();
        let known = status.and_then(|status| status.pod_ip.as_ref()?.parse().ok());
        let address = match known {
            Some(address) => {
                self.addresses.reserve(address);
                Some(address)
            }
            None => self
                .addresses
                .take()
                .inspect_err(|error| tracing::error!(%error, "a pod has no address"))
                .ok(),
        };
        self.arrivals += 1;
        Room {
            uid: uid_of(&pod.metadata).to_owned(),
            address,
            seed: self.arrivals,
            bound_at: status
                .and_then(|status| status.start_time.as_ref())
                .map_or(now, |time| time.0),
            memory: BTreeMap::new(),
            probers: BTreeMap::new(),
            leaving_since: None,
            server: None,
        }
    }

    /// Keeps the address that a pod has from before the house was built.
    pub(crate) fn reserve(&mut self, pod: &Pod) {
        let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()?.parse().ok());
        if let Some(address) = address {
            self.addresses.reserve(address);
        }
    }

    /// Gives a pod another address because somebody else listens on its own; `false` when its
    /// address is known to others already or there is none left. The old address is not used again.
    pub(crate) fn rehouse(&mut self, pod: &Pod) -> bool {
        let told = pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some());
        let Some(room) = self.rooms.get_mut(&key(pod)).filter(|_| !told) else { return false };
        room.address = self.addresses.take().ok();
        room.address.is_some()
    }

    /// Opens the listeners of a pod that a step starts, before anybody is told of it, and remembers
    /// what the step says of its containers.
    ///
    /// # Errors
    /// When a port cannot be bound; nothing is remembered then.
    pub(crate) async fn prepare(
        &mut self,
        pod: &Pod,
        step: &Step,
        facts: &Facts,
        changed: OnChange,
    ) -> io::Result<()> {
        let sockets = self.config.serve_pods == ServePods::Sockets;
        let Some(room) = self.rooms.get_mut(&key(pod)) else { return Ok(()) };
        let alive = step.memory.values().any(|memory| memory.ended.is_none());
        let ports = if sockets && alive { ports(pod) } else { Vec::new() };
        if let (Some(address), false, None) = (room.address, ports.is_empty(), &room.server) {
            let name = name_of(&pod.metadata);
            let environment = lifecycle::environment(pod);
            let app = App::new(Behaviour::of_pod(pod), name, environment, room.seed);
            let server = AppServer::start(app, address, &ports, changed.clone()).await?;
            room.server = Some(server);
        }
        room.memory.clone_from(&step.memory);
        if sockets {
            ask(pod, room, facts, (self.clock, changed));
        }
        Ok(())
    }

    /// Notes what containers wrote.
    pub(crate) fn write_logs(&self, pod: &Pod, step: &Step) {
        let (namespace, name) = key(pod);
        let delay = Orders::read(&pod.metadata).unwrap_or_default().log_delay;
        let at = spans::after(self.clock.now(), delay);
        for (container, lines) in &step.said {
            for line in lines {
                self.logs.write((&namespace, &name), container, (at, line));
            }
        }
    }

    /// Closes the listeners of a pod whose containers no longer run.
    pub(crate) fn tidy(&mut self, namespace: &str, name: &str) {
        let room = self.rooms.get_mut(&(namespace.to_owned(), name.to_owned()));
        if let Some(room) = room.filter(|room| !room.is_alive()) {
            room.server = None;
            room.probers.clear();
        }
    }

    /// Forgets a pod that is gone.
    pub(crate) fn leave(&mut self, namespace: &str, name: &str) {
        let Some(room) = self.rooms.remove(&(namespace.to_owned(), name.to_owned())) else {
            return;
        };
        room.address.into_iter().for_each(|address| self.addresses.free(address));
        self.logs.forget(namespace, name);
    }
}

fn key(pod: &Pod) -> (String, String) {
    (namespace_of(&pod.metadata).to_owned(), name_of(&pod.metadata).to_owned())
}

/// The probes that ask a pod's containers: one set for each launch that has not ended.
fn ask(pod: &Pod, room: &mut Room, facts: &Facts, (clock, changed): (Clock, OnChange)) {
    let Some(address) = room.address else { return };
    let launched = |name: &String| room.memory.get(name).filter(|memory| memory.ended.is_none());
    room.probers
        .retain(|name, prober| launched(name).is_some_and(|memory| memory.run == prober.run));
    for container in asked(pod) {
        let name = &container.name;
        let Some(memory) = room.memory.get(name).filter(|memory| memory.ended.is_none()) else {
            continue;
        };
        if !room.probers.contains_key(name) {
            let (run, times) = ((memory.run, memory.launched), (clock, changed.clone()));
            let prober = Prober::start(container, address, facts, times, run);
            room.probers.insert(name.clone(), prober);
        }
    }
}

/// What the probes found so far; nothing yet where they have only just begun.
fn probed(pod: &Pod, room: &Room) -> BTreeMap<String, Health> {
    let health = |container: &Container| {
        let prober = room.probers.get(&container.name).filter(|prober| {
            room.memory.get(&container.name).is_some_and(|memory| memory.run == prober.run)
        });
        (container.name.clone(), prober.map(Prober::health).unwrap_or_default())
    };
    asked(pod).map(health).collect()
}

fn asked(pod: &Pod) -> impl Iterator<Item = &Container> {
    let spec = pod.spec.iter();
    let all = spec.flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    all.filter(|container| prober::is_asked(container))
}

fn ports(pod: &Pod) -> Vec<u16> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    let tcp = ports.filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP");
    let mut ports: BTreeSet<u16> =
        tcp.filter_map(|port| u16::try_from(port.container_port).ok()).collect();
    if Behaviour::of_pod(pod).is_none() {
        // Of other images nothing is known but what their probes ask for.
        ports.extend(pod.spec.iter().flat_map(|spec| &spec.containers).flat_map(prober::ports));
    } else if ports.is_empty() {
        ports.insert(DEMO_PORT);
    }
    ports.into_iter().collect()
}
