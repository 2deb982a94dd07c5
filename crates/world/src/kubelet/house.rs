//! Where pods live: their addresses, their listeners, and what their objects cannot say exactly.

use super::{addresses::Addresses, lifecycle::Facts, logs::PodLogs, orders};
use crate::{
    app::{
        App, Behaviour,
        server::{AppServer, OnChange},
    },
    config::{ServePods, WorldConfig},
    effect::{Decision, Effect, Part},
    objects::{annotation, name_of, namespace_of, uid_of},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::Ipv4Addr,
};

/// The port of the demo application when its container names none.
const DEMO_PORT: u16 = 8080;

/// All pods of the node.
pub(crate) struct House {
    config: WorldConfig,
    addresses: Addresses,
    rooms: BTreeMap<(String, String), Room>,
    pub(crate) logs: PodLogs,
    arrivals: u64,
}

/// What is kept of one pod.
struct Room {
    uid: String,
    address: Option<Ipv4Addr>,
    seed: u64,
    bound_at: Timestamp,
    started_at: Option<Timestamp>,
    leaving_since: Option<Timestamp>,
    server: Option<AppServer>,
}

impl House {
    /// A house without pods.
    pub(crate) fn new(config: WorldConfig) -> Self {
        let addresses = Addresses::within(config.pod_network);
        Self { config, addresses, rooms: BTreeMap::new(), logs: PodLogs::default(), arrivals: 0 }
    }

    /// What is known of a pod; a pod never seen before moves in.
    pub(crate) fn facts(&mut self, pod: &Pod, now: Timestamp) -> Facts {
        let key = key(pod);
        if self.rooms.get(&key).is_none_or(|room| room.uid != uid_of(&pod.metadata)) {
            self.leave(&key.0, &key.1);
            let room = self.move_in(pod, now);
            self.rooms.insert(key.clone(), room);
        }
        let leaving = pod.metadata.deletion_timestamp.is_some();
        let Some(room) = self.rooms.get_mut(&key) else { return Facts::default() };
        if leaving && room.leaving_since.is_none() {
            room.leaving_since = Some(now);
        }
        Facts {
            address: room.address.map(|address| address.to_string()).unwrap_or_default(),
            bound_at: room.bound_at,
            started_at: room.started_at,
            leaving_since: room.leaving_since,
            start_delay: self.config.start_delay,
            stop_delay: self.config.stop_delay,
            run_for: self.config.run_for,
            serves: Behaviour::of_pod(pod),
            accepting: room.server.as_ref().is_none_or(AppServer::is_accepting),
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
            started_at: None,
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

    /// Opens the listeners of a pod that a decision starts, before anybody is told of it.
    ///
    /// # Errors
    /// When a port cannot be bound.
    pub(crate) async fn prepare(
        &mut self,
        pod: &Pod,
        decision: &Decision,
        now: Timestamp,
        changed: OnChange,
    ) -> io::Result<()> {
        let starts = decision.effects.iter().any(starts_containers);
        let runs = starts || super::lifecycle::runs(pod);
        let Some(room) = self.rooms.get_mut(&key(pod)) else { return Ok(()) };
        if starts && room.started_at.is_none() {
            room.started_at = Some(now);
        }
        if !runs || room.server.is_some() || self.config.serve_pods == ServePods::None {
            return Ok(());
        }
        let (Some(address), ports) = (room.address, ports(pod)) else { return Ok(()) };
        if ports.is_empty() {
            return Ok(());
        }
        let app =
            App::new(Behaviour::of_pod(pod), name_of(&pod.metadata), environment(pod), room.seed);
        let server = AppServer::start(app, address, &ports, changed).await?;
        room.server = Some(server);
        Ok(())
    }

    /// Notes that a decision started or ended containers.
    pub(crate) fn write_logs(&self, pod: &Pod, decision: &Decision) {
        let (namespace, name) = key(pod);
        for effect in &decision.effects {
            let Effect::Tell(event) = effect else { continue };
            let lines = match event.reason.as_str() {
                "Started" => {
                    let ordered = annotation(&pod.metadata, orders::LOG).map(str::to_owned);
                    ordered.unwrap_or_else(|| greeting(pod))
                }
                "BackOff" => event.message.clone(),
                _ => continue,
            };
            let told = |name: &str| event.message.ends_with(&format!(" container {name}"));
            let all = pod.spec.iter().flat_map(|spec| &spec.containers);
            for container in all.filter(|c| event.reason != "Started" || told(&c.name)) {
                lines
                    .lines()
                    .for_each(|line| self.logs.write(&namespace, &name, &container.name, line));
            }
        }
    }

    /// Closes the listeners of a pod whose containers no longer run.
    pub(crate) fn tidy(&mut self, pod: &Pod) {
        if !super::lifecycle::runs(pod)
            && let Some(room) = self.rooms.get_mut(&key(pod))
        {
            room.server = None;
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

fn starts_containers(effect: &Effect) -> bool {
    let Effect::Patch { part: Part::Status, body, .. } = effect else { return false };
    let statuses = body["status"]["containerStatuses"].as_array();
    statuses.into_iter().flatten().any(|status| status["state"]["running"].is_object())
}

fn ports(pod: &Pod) -> Vec<u16> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    let tcp = ports.filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP");
    let mut ports: BTreeSet<u16> =
        tcp.filter_map(|port| u16::try_from(port.container_port).ok()).collect();
    if ports.is_empty() && Behaviour::of_pod(pod).is_some() {
        ports.insert(DEMO_PORT);
    }
    ports.into_iter().collect()
}

fn environment(pod: &Pod) -> BTreeMap<String, String> {
    let variables =
        pod.spec.iter().flat_map(|spec| &spec.containers).flat_map(|c| c.env.iter().flatten());
    variables
        .filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)))
        .collect()
}

fn greeting(pod: &Pod) -> String {
    match Behaviour::of_pod(pod) {
        Some(behaviour) => format!("Started server on :{DEMO_PORT} (color {})", behaviour.colour),
        None => format!("{} started", name_of(&pod.metadata)),
    }
}
