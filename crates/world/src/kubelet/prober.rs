//! Asking the containers of one pod how they are, over real connections.
//!
//! Start with [`Prober::start`]. What it finds is a [`Health`], as the foreseen one is.

use super::{
    lifecycle::Facts,
    probes::{self, Health, Kind, Rhythm},
};
use crate::app::server::OnChange;
use clock::Clock;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Container, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

/// Bytes of an answer in which its status has to be.
const HEAD: usize = 64;

/// The probes of one launch of one container; dropping it ends them.
pub(crate) struct Prober {
    pub(crate) run: i32,
    health: Arc<Mutex<Health>>,
    task: JoinHandle<()>,
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One question, ready to be asked.
#[derive(Clone, Debug)]
enum Question {
    Get {
        to: SocketAddr,
        request: String,
    },
    Connect {
        to: SocketAddr,
    },
    /// The answer is known without asking.
    Known(bool),
}

/// One probe: what it asks, and how often.
#[derive(Clone, Debug)]
struct Asker {
    question: Question,
    rhythm: Rhythm,
}

/// All probes of a container.
struct Asking {
    startup: Option<Asker>,
    readiness: Option<Asker>,
    liveness: Option<Asker>,
    launched: Timestamp,
    clock: Clock,
    health: Arc<Mutex<Health>>,
    changed: OnChange,
}

/// Whether a container has a probe that asks over the network.
pub(crate) fn is_asked(container: &Container) -> bool {
    let probes = [&container.startup_probe, &container.readiness_probe, &container.liveness_probe];
    probes.into_iter().flatten().any(|probe| probe.tcp_socket.is_some() || probe.http_get.is_some())
}

/// The ports that the probes of a container ask.
pub(crate) fn ports(container: &Container) -> impl Iterator<Item = u16> {
    let probes = [&container.startup_probe, &container.readiness_probe, &container.liveness_probe];
    probes.into_iter().flatten().filter_map(|probe| {
        let tcp = probe.tcp_socket.as_ref().map(|socket| &socket.port);
        port(probe.http_get.as_ref().map(|get| &get.port).or(tcp)?, container)
    })
}

fn port(port: &IntOrString, container: &Container) -> Option<u16> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let named = |port: &&k8s_openapi::api::core::v1::ContainerPort| {
                port.name.as_ref() == Some(name)
            };
            let found = container.ports.iter().flatten().find(named);
            found.map(|port| port.container_port).or_else(|| name.parse().ok())?
        }
    };
    u16::try_from(number).ok()
}

impl Prober {
    /// Starts to ask a container that was launched just now.
    pub(crate) fn start(
        container: &Container,
        address: Ipv4Addr,
        facts: &Facts,
        (clock, changed): (Clock, OnChange),
        (run, launched): (i32, Timestamp),
    ) -> Self {
        let health = Arc::new(Mutex::new(Health::default()));
        let asker = |probe: &Option<Probe>| {
            probe.as_ref().map(|probe| Asker {
                question: question(probe, container, address, facts),
                rhythm: Rhythm::of(probe),
            })
        };
        let asking = Asking {
            startup: asker(&container.startup_probe),
            readiness: asker(&container.readiness_probe),
            liveness: asker(&container.liveness_probe),
            launched,
            clock,
            health: health.clone(),
            changed,
        };
        Self { run, health, task: tokio::spawn(asking.run()) }
    }

    /// What is known by now.
    pub(crate) fn health(&self) -> Health {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn question(probe: &Probe, container: &Container, address: Ipv4Addr, facts: &Facts) -> Question {
    let known = || Question::Known(probes::passes(probe, container, facts));
    if let Some(get) = &probe.http_get {
        // Other hosts and TLS are none of our pods'.
        let foreign = get.host.is_some() || get.scheme.as_deref() == Some("HTTPS");
        let Some(port) = port(&get.port, container).filter(|_| !foreign) else { return known() };
        let path = get.path.as_deref().unwrap_or("/");
        let headers = get.http_headers.iter().flatten().fold(String::new(), |head, header| {
            head + &header.name + ": " + &header.value + "\r\n"
        });
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}:{port}\r\nUser-Agent: kube-probe/1.36\r\nAccept: */*\r\nConnection: close\r\n{headers}\r\n"
        );
        return Question::Get { to: (address, port).into(), request };
    }
    let socket = probe.tcp_socket.as_ref().filter(|socket| socket.host.is_none());
    match socket.and_then(|socket| port(&socket.port, container)) {
        Some(port) => Question::Connect { to: (address, port).into() },
        None => known(),
    }
}

impl Asker {
    async fn asks(&self) -> bool {
        let answer = async {
            match &self.question {
                Question::Known(answer) => Ok(*answer),
                Question::Connect { to } => TcpStream::connect(to).await.map(|_| true),
                Question::Get { to, request } => get(*to, request).await,
            }
        };
        matches!(timeout(self.rhythm.timeout, answer).await, Ok(Ok(true)))
    }
}

/// Whether the answer's code is one of success or of redirection.
async fn get(to: SocketAddr, request: &str) -> io::Result<bool> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    stream.take(HEAD as u64).read_to_end(&mut head).await?;
    let head = String::from_utf8_lossy(&head);
    let code = head.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok());
    Ok(code.is_some_and(|code| (200..400).contains(&code)))
}

impl Asking {
    async fn run(self) {
        if let Some(startup) = &self.startup
            && !self.asks_until(startup, Wanted::FirstSuccess).await
        {
            return self.tell(|health, now| health.dies = Some((now, Kind::Startup)));
        }
        let ready = self.readiness.is_none();
        self.tell(|health, now| {
            health.started = Some(now);
            health.ready = ready.then_some(now);
        });
        let liveness = async {
            if let Some(liveness) = &self.liveness {
                self.asks_until(liveness, Wanted::TooManyFailures).await;
                self.tell(|health, now| health.dies = Some((now, Kind::Liveness)));
            }
        };
        tokio::join!(self.asks_for_readiness(), liveness);
    }

    /// Asks until there was a success, or too many failures in a row; says whether it was a success.
    async fn asks_until(&self, asker: &Asker, wanted: Wanted) -> bool {
        self.begin(asker).await;
        let mut failures = 0;
        loop {
            if asker.asks().await {
                failures = 0;
                if wanted == Wanted::FirstSuccess {
                    return true;
                }
            } else {
                failures += 1;
            }
            if failures >= asker.rhythm.failures {
                return false;
            }
            tokio::time::sleep(asker.rhythm.period).await;
        }
    }

    async fn asks_for_readiness(&self) {
        let Some(asker) = &self.readiness else { return };
        self.begin(asker).await;
        let (mut ready, mut streak) = (false, 0);
        loop {
            let passes = asker.asks().await;
            streak = if passes == ready { 0 } else { streak + 1 };
            let enough = if passes { asker.rhythm.successes } else { asker.rhythm.failures };
            if streak >= enough {
                (ready, streak) = (passes, 0);
                self.tell(|health, now| health.ready = passes.then_some(now));
            }
            tokio::time::sleep(asker.rhythm.period).await;
        }
    }

    async fn begin(&self, asker: &Asker) {
        self.clock.sleep_until(crate::spans::after(self.launched, asker.rhythm.delay)).await;
    }

    fn tell(&self, change: impl FnOnce(&mut Health, Timestamp)) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut health, self.clock.now());
        drop(health);
        (self.changed)();
    }
}

/// What ends a row of questions early.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    FirstSuccess,
    TooManyFailures,
}
