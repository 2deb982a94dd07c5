//! One container's life: waiting, starting, running, ended, and again.
//!
//! Start with [`Look::next`]. What the API's times, whole seconds all, cannot hold is in [`Memory`].

use super::{
    hooks,
    images::{is_image_name, is_missing},
    lifecycle::Facts,
    orders::Orders,
    probes::{self, Kind},
    program::{self, Manners, Program, Restarts},
};
use crate::{
    objects::{name_of, namespace_of, stamp, uid_of},
    spans,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, Pod,
};
use std::time::Duration;

/// The wait before the second restart, the first being immediate; it doubles with each further one.
const FIRST_BACK_OFF: Duration = Duration::from_secs(10);
/// The longest wait before a restart.
const LONGEST_BACK_OFF: Duration = Duration::from_mins(5);
/// A container that ran longer than this begins with short waits again.
const FORGIVEN_AFTER: Duration = Duration::from_mins(10);
/// How long a failed pull is called an error before it is called a back-off.
const PULL_BACK_OFF: Duration = Duration::from_secs(10);
/// How long a container that could not be started says so before it counts as ended.
const START_ERROR_SHOWN: Duration = Duration::from_secs(1);
/// The code of a container that could not be started.
const NOT_STARTED: i32 = 128;
/// The code of a container that was killed.
const KILLED: i32 = 137;

/// What is looked at for one container.
pub(crate) struct Look<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) orders: &'a Orders,
    pub(crate) facts: &'a Facts,
    pub(crate) now: Timestamp,
    /// When the container is started again after it ended.
    pub(crate) policy: Policy,
}

/// When a container is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Always,
    OnFailure,
    Never,
}

/// Whether it is a container's turn to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Now,
    Later(&'static str),
}

/// The last launch of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Which launch it was, counted from 0.
    pub(crate) run: i32,
    /// When it was.
    pub(crate) launched: Timestamp,
    /// How many launches in a row were soon over.
    pub(crate) step: u32,
    /// When the container ended.
    pub(crate) ended: Option<Timestamp>,
}

/// A container's next status, and what came with it.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) status: ContainerStatus,
    /// When to look again.
    pub(crate) wake: Option<Timestamp>,
    pub(crate) memory: Option<Memory>,
    /// What the container wrote.
    pub(crate) said: Option<Vec<String>>,
    /// Warnings about it, each a reason and a message.
    pub(crate) warnings: Vec<(&'static str, String)>,
    /// Whether it has launched but its post-start hook is not over.
    pub(crate) hooking: bool,
}

/// One look at one container.
struct Walk<'a> {
    look: &'a Look<'a>,
    container: &'a Container,
    next: Next,
}

impl Policy {
    /// The policy of a pod's ordinary containers.
    pub(crate) fn of(pod: &Pod) -> Self {
        match pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()) {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }

    fn restarts(self) -> Restarts {
        if self == Self::Always { Restarts::Always } else { Restarts::NotAlways }
    }
}

impl Look<'_> {
    /// The next status of one container.
    pub(crate) fn next(
        &self,
        container: &Container,
        before: Option<&ContainerStatus>,
        turn: Turn,
    ) -> Next {
        let image = container.image.clone().unwrap_or_default();
        let mut status = before.cloned().unwrap_or_else(|| fresh(container));
        status.image = image;
        let memory = self.facts.memory.get(&container.name).copied();
        let next =
            Next { status, wake: None, memory, said: None, warnings: Vec::new(), hooking: false };
        let mut walk = Walk { look: self, container, next };
        walk.step(turn);
        walk.next
    }
}

impl Walk<'_> {
    fn step(&mut self, turn: Turn) {
        let state = self.next.status.state.clone().unwrap_or_default();
        let last = self.next.status.last_state.clone().and_then(|last| last.terminated);
        if let Some(running) = &state.running {
            return self.run_on(running);
        }
        if let Some(ended) = &state.terminated {
            return self.again(ended);
        }
        if self.launched().is_some_and(|memory| memory.ended.is_none()) {
            return self.hook();
        }
        if let Some(refused) = self.launched() {
            return self.show_start_error(refused);
        }
        if let Some((reason, message, until)) = self.blocked() {
            self.next.wake = until;
            return self.wait(reason, message);
        }
        match (last, turn) {
            (Some(ended), _) => self.restart(&ended),
            (None, Turn::Now) => self.start(),
            (None, Turn::Later(reason)) => self.wait(reason, None),
        }
    }

    /// The launch that the status does not show yet.
    fn launched(&self) -> Option<Memory> {
        let status = &self.next.status;
        let ran = ended_before(status) || status.restart_count > 0;
        let coming = if ran { status.restart_count + 1 } else { 0 };
        self.next.memory.filter(|memory| memory.run == coming)
    }

    /// Why a container cannot start, if so: the reason, the message and until when it holds.
    fn blocked(&self) -> Option<(&'static str, Option<String>, Option<Timestamp>)> {
        let image = self.next.status.image.as_str();
        if !is_image_name(image) {
            let message =
                format!("Failed to apply default image tag \"{image}\": couldn't parse image name");
            return Some(("InvalidImageName", Some(message), None));
        }
        if !self.look.orders.image_pull_error && !is_missing(image) {
            return None;
        }
        let failed = spans::after(self.look.facts.bound_at, self.look.facts.pull_fails_after);
        if self.look.now < failed {
            return Some(("ContainerCreating", None, Some(failed)));
        }
        let later = spans::after(failed, PULL_BACK_OFF);
        if self.look.now < later {
            let message = format!("failed to pull and unpack image \"{image}\": not found");
            return Some(("ErrImagePull", Some(message), Some(later)));
        }
        Some(("ImagePullBackOff", Some(format!("Back-off pulling image \"{image}\"")), None))
    }

    fn start(&mut self) {
        let delay = self.look.orders.start_delay.unwrap_or(self.look.facts.start_delay);
        let at = spans::after(self.look.facts.bound_at, delay);
        if at > self.look.now {
            self.next.wake = Some(at);
            return self.wait("ContainerCreating", None);
        }
        self.launch(0, 0);
    }

    fn launch(&mut self, run: i32, step: u32) {
        let now = self.look.now;
        let mut memory = Memory { run, launched: now, step, ended: None };
        let program = self.program();
        if program.is_err() {
            memory.ended = Some(now);
        }
        self.next.memory = Some(memory);
        match program {
            Ok(program) => {
                self.next.said = Some(program.said);
                self.hook();
            }
            Err(_) if self.look.policy == Policy::Never => self.show_start_error(memory),
            Err(error) => {
                self.next.wake = Some(spans::after(now, START_ERROR_SHOWN));
                self.wait("RunContainerError", Some(error.to_string()));
            }
        }
    }

    fn program(&self) -> Result<Program, program::NotExecutable> {
        let Look { orders, facts, policy, .. } = self.look;
        program::of(self.container, orders, facts, policy.restarts())
    }

    /// A launch that failed counts as an end after a moment in which it is called by its name.
    fn show_start_error(&mut self, memory: Memory) {
        let shown = spans::after(memory.launched, START_ERROR_SHOWN);
        if self.look.policy != Policy::Never && shown > self.look.now {
            self.next.wake = Some(shown);
            return;
        }
        let message = self.program().err().map(|error| error.to_string());
        let ended = ContainerStateTerminated {
            exit_code: NOT_STARTED,
            reason: Some("StartError".into()),
            message,
            started_at: stamp(Timestamp::UNIX_EPOCH),
            finished_at: stamp(memory.launched),
            ..ContainerStateTerminated::default()
        };
        self.next.status.restart_count = memory.run;
        self.close(&ended);
    }

    /// A launched container counts as running when its post-start hook is over.
    fn hook(&mut self) {
        let Some(memory) = self.next.memory else { return };
        let hook = hooks::post_start(self.container);
        let up = hook.takes.map(|takes| spans::after(memory.launched, takes));
        if up.is_none_or(|up| up > self.look.now) {
            self.next.wake = up;
            self.next.hooking = true;
            if !ended_before(&self.next.status) {
                self.wait("ContainerCreating", None);
            }
            return;
        }
        let uid = uid_of(&self.look.pod.metadata);
        let status = &mut self.next.status;
        status.restart_count = memory.run;
        status.container_id =
            Some(format!("ringfence://{uid}/{}/{}", self.container.name, memory.run));
        status.image_id = format!("ringfence://{}", status.image);
        let running = ContainerStateRunning { started_at: stamp(memory.launched) };
        status.state = Some(ContainerState { running: Some(running), ..ContainerState::default() });
        if hook.code == 0 {
            return self.run(memory);
        }
        let message = format!("PostStartHook failed with exit code {}", hook.code);
        self.next.warnings.push(("FailedPostStartHook", message));
        self.end(KILLED, memory);
    }

    fn run_on(&mut self, running: &ContainerStateRunning) {
        let count = self.next.status.restart_count;
        let known = self.next.memory.filter(|memory| memory.run == count && memory.ended.is_none());
        let memory = known.unwrap_or_else(|| Memory {
            run: count,
            launched: running.started_at.as_ref().map_or(self.look.now, |time| time.0),
            step: u32::try_from(count).unwrap_or(0),
            ended: None,
        });
        self.next.memory = Some(memory);
        self.run(memory);
    }

    fn run(&mut self, memory: Memory) {
        let Look { orders, facts, now, .. } = *self.look;
        let program = self.program().ok();
        let end = program.as_ref().and_then(|program| program.end);
        let end = end.map(|(after, code)| (spans::after(memory.launched, after), code));
        if let Some((_, code)) = end.filter(|(at, _)| *at <= now) {
            return self.end(code, memory);
        }
        let health = probes::foresee(self.container, orders, facts, memory.launched);
        let manners = program.map_or(Manners::Heeds, |program| program.manners);
        let killed = health.dies.map(|(at, kind)| {
            let takes = stop_takes(self.look.pod, self.container, (orders, facts), manners);
            (spans::after(at, takes), kind)
        });
        if let Some((_, kind)) = killed.filter(|(at, _)| *at <= now) {
            self.tell_of_kill(kind);
            let code = if manners == Manners::Heeds { 0 } else { KILLED };
            return self.end(code, memory);
        }
        let reached = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        self.next.status.started = Some(reached(health.started));
        self.next.status.ready = reached(health.started) && reached(health.ready);
        let times = [health.started, health.ready, end.map(|end| end.0), killed.map(|k| k.0)];
        self.next.wake = times.into_iter().flatten().filter(|at| *at > now).min();
    }

    fn tell_of_kill(&mut self, kind: Kind) {
        let (name, word) = (&self.container.name, kind.word());
        let title = word[..1].to_uppercase() + &word[1..];
        self.next.warnings.push(("Unhealthy", format!("{title} probe failed")));
        let message = format!("Container {name} failed {word} probe, will be restarted");
        self.next.warnings.push(("Killing", message));
    }

    fn end(&mut self, code: i32, memory: Memory) {
        let reason = if code == 0 { "Completed" } else { "Error" };
        self.next.memory = Some(Memory { ended: Some(self.look.now), ..memory });
        let ended = ContainerStateTerminated {
            exit_code: code,
            reason: Some(reason.into()),
            started_at: stamp(memory.launched),
            finished_at: stamp(self.look.now),
            container_id: self.next.status.container_id.clone(),
            ..ContainerStateTerminated::default()
        };
        self.close(&ended);
    }

    fn close(&mut self, ended: &ContainerStateTerminated) {
        let status = &mut self.next.status;
        status.ready = false;
        status.started = Some(false);
        status.state =
            Some(ContainerState { terminated: Some(ended.clone()), ..ContainerState::default() });
        self.again(ended);
    }

    /// An ended container starts again or stays as it is, as its restart policy says.
    fn again(&mut self, ended: &ContainerStateTerminated) {
        let comes_back = match self.look.policy {
            Policy::Never => false,
            Policy::OnFailure => ended.exit_code != 0,
            Policy::Always => true,
        };
        if !comes_back {
            return;
        }
        self.next.status.last_state =
            Some(ContainerState { terminated: Some(ended.clone()), ..ContainerState::default() });
        self.restart(ended);
    }

    fn restart(&mut self, ended: &ContainerStateTerminated) {
        let count = self.next.status.restart_count;
        let known = self.next.memory.filter(|memory| memory.run == count);
        let finished = known.and_then(|memory| memory.ended);
        let finished = finished.or(ended.finished_at.as_ref().map(|time| time.0));
        let finished = finished.unwrap_or(self.look.now);
        let step = match known {
            Some(memory) if spans::between(memory.launched, finished) > FORGIVEN_AFTER => 1,
            Some(memory) => memory.step + 1,
            None => u32::try_from(count + 1).unwrap_or(1),
        };
        let wait = back_off(step);
        let at = spans::after(finished, wait);
        if at <= self.look.now {
            return self.launch(count + 1, step);
        }
        let meta = &self.look.pod.metadata;
        let message = format!(
            "back-off {}s restarting failed container={} pod={}_{}({})",
            wait.as_secs(),
            self.container.name,
            name_of(meta),
            namespace_of(meta),
            uid_of(meta),
        );
        self.next.wake = Some(at);
        self.wait("CrashLoopBackOff", Some(message));
    }

    fn wait(&mut self, reason: &str, message: Option<String>) {
        let status = &mut self.next.status;
        status.state = waiting(reason, message);
        status.ready = false;
        status.started = Some(false);
    }
}

/// How long a container takes to stop once it is told to, the grace period of its pod included.
pub(crate) fn stop_takes(
    pod: &Pod,
    container: &Container,
    (orders, facts): (&Orders, &Facts),
    manners: Manners,
) -> Duration {
    let spec = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    let grace = pod.metadata.deletion_grace_period_seconds.or(spec).unwrap_or(30);
    let grace = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
    let stop = match (orders.stop_delay, manners) {
        (Some(stop), _) => stop,
        (None, Manners::Heeds) => facts.stop_delay,
        (None, Manners::Deaf) => grace,
    };
    let hook = hooks::pre_stop(container).takes.unwrap_or(grace);
    hook.saturating_add(stop).min(grace)
}

/// Whether a container has ended before its present state; a server may hold an empty state for none.
pub(crate) fn ended_before(status: &ContainerStatus) -> bool {
    status.last_state.as_ref().is_some_and(|last| last.terminated.is_some())
}

fn back_off(step: u32) -> Duration {
    match step {
        0 | 1 => Duration::ZERO,
        step => (FIRST_BACK_OFF * 2_u32.pow((step - 2).min(5))).min(LONGEST_BACK_OFF),
    }
}

fn fresh(container: &Container) -> ContainerStatus {
    ContainerStatus {
        name: container.name.clone(),
        started: Some(false),
        ..ContainerStatus::default()
    }
}

/// The state of a container that waits.
#[expect(clippy::unnecessary_wraps, reason = "a status holds its state as an option")]
pub(crate) fn waiting(reason: &str, message: Option<String>) -> Option<ContainerState> {
    let waiting = ContainerStateWaiting { reason: Some(reason.into()), message };
    Some(ContainerState { waiting: Some(waiting), ..ContainerState::default() })
}
