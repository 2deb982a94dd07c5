//! One container's life: waiting, running, ended, and again.

use super::{
    lifecycle::Facts,
    orders::Orders,
    readiness::{self, Readiness},
};
use crate::{objects::stamp, spans};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, Pod,
};
use std::time::Duration;

/// The wait before the first restart; it doubles with each further one.
const FIRST_BACK_OFF: Duration = Duration::from_secs(10);
/// The longest wait before a restart.
const LONGEST_BACK_OFF: Duration = Duration::from_mins(5);
/// How long a failed pull is called an error before it is called a back-off.
const PULL_BACK_OFF: Duration = Duration::from_secs(10);
/// How long a crashing container runs, unless told otherwise.
const CRASH_AFTER: Duration = Duration::from_secs(1);

/// What is looked at for one container.
pub(crate) struct Look<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) orders: &'a Orders,
    pub(crate) facts: &'a Facts,
    pub(crate) now: Timestamp,
}

/// A container's next status and when to look again.
pub(crate) struct Next {
    pub(crate) status: ContainerStatus,
    pub(crate) wake: Option<Timestamp>,
}

impl Look<'_> {
    /// The next status of one container.
    pub(crate) fn next(&self, container: &Container, before: Option<&ContainerStatus>) -> Next {
        let image = container.image.clone().unwrap_or_default();
        let mut status = before.cloned().unwrap_or_else(|| fresh(container, &image));
        status.image.clone_from(&image);
        let state = status.state.clone().unwrap_or_default();
        let wake = if let Some(waiting) = self.blocked(&image) {
            // A container that runs keeps running whatever becomes of its image.
            if state.running.is_none() { hold(&mut status, waiting) } else { None }
        } else if let Some(running) = &state.running {
            let started = running.started_at.as_ref().map_or(self.now, |time| time.0);
            self.run(&mut status, container, started)
        } else if let Some(ended) = &state.terminated {
            self.again(&mut status, container, ended)
        } else if let Some(ended) = status.last_state.clone().and_then(|last| last.terminated) {
            self.restart(&mut status, container, &ended)
        } else {
            self.start(&mut status, container)
        };
        Next { status, wake }
    }

    /// Why a container cannot start, if so: the reason, the message and until when it holds.
    fn blocked(&self, image: &str) -> Option<(&'static str, String, Option<Timestamp>)> {
        if !is_image_name(image) {
            let message =
                format!("Failed to apply default image tag \"{image}\": couldn't parse image name");
            return Some(("InvalidImageName", message, None));
        }
        if !self.orders.image_pull_error {
            return None;
        }
        let later = spans::after(self.facts.bound_at, PULL_BACK_OFF);
        if self.now < later {
            let message = format!("failed to pull and unpack image \"{image}\": not found");
            return Some(("ErrImagePull", message, Some(later)));
        }
        Some(("ImagePullBackOff", format!("Back-off pulling image \"{image}\""), None))
    }

    fn start(&self, status: &mut ContainerStatus, container: &Container) -> Option<Timestamp> {
        let delay = self.orders.start_delay.unwrap_or(self.facts.start_delay);
        let at = spans::after(self.facts.bound_at, delay);
        if at > self.now {
            status.state = waiting("ContainerCreating", None);
            return Some(at);
        }
        self.launch(status, container)
    }

    fn launch(&self, status: &mut ContainerStatus, container: &Container) -> Option<Timestamp> {
        let uid = self.pod.metadata.uid.as_deref().unwrap_or_default();
        status.container_id =
            Some(format!("ringfence://{uid}/{}/{}", container.name, status.restart_count));
        status.image_id = format!("ringfence://{}", status.image);
        let running = ContainerStateRunning { started_at: stamp(self.now) };
        status.state = Some(ContainerState { running: Some(running), ..ContainerState::default() });
        status.started = Some(true);
        self.run(status, container, self.now)
    }

    fn run(
        &self,
        status: &mut ContainerStatus,
        container: &Container,
        started: Timestamp,
    ) -> Option<Timestamp> {
        if let Some((code, span)) = self.exit() {
            let at = spans::after(started, span);
            if at <= self.now {
                return self.end(status, container, code, started);
            }
            self.judge(status, container, started);
            return Some(at);
        }
        self.judge(status, container, started)
    }

    fn judge(
        &self,
        status: &mut ContainerStatus,
        container: &Container,
        started: Timestamp,
    ) -> Option<Timestamp> {
        // The time on the object has whole seconds only; the first start is known better.
        let precise =
            self.facts.started_at.filter(|_| status.restart_count == 0).unwrap_or(started);
        let readiness = readiness::judge(container, self.orders, self.facts, precise, self.now);
        status.ready = readiness == Readiness::Ready;
        if let Readiness::NotUntil(at) = readiness { Some(at) } else { None }
    }

    /// With which code and after how long containers exit; `None` when they run on.
    fn exit(&self) -> Option<(i32, Duration)> {
        if self.orders.crash_loop {
            return Some((
                self.orders.exit_code.unwrap_or(1),
                self.orders.run_for.unwrap_or(CRASH_AFTER),
            ));
        }
        let runs_to_completion = self.restart_policy() != "Always" && self.facts.serves.is_none();
        if self.orders.run_for.is_none() && self.orders.exit_code.is_none() && !runs_to_completion {
            return None;
        }
        Some((
            self.orders.exit_code.unwrap_or(0),
            self.orders.run_for.unwrap_or(self.facts.run_for),
        ))
    }

    fn end(
        &self,
        status: &mut ContainerStatus,
        container: &Container,
        code: i32,
        started: Timestamp,
    ) -> Option<Timestamp> {
        let reason = if code == 0 { "Completed" } else { "Error" };
        let ended = ContainerStateTerminated {
            exit_code: code,
            reason: Some(reason.into()),
            started_at: stamp(started),
            finished_at: stamp(self.now),
            container_id: status.container_id.clone(),
            ..ContainerStateTerminated::default()
        };
        status.ready = false;
        status.started = Some(false);
        status.state =
            Some(ContainerState { terminated: Some(ended.clone()), ..ContainerState::default() });
        self.again(status, container, &ended)
    }

    /// An ended container starts again or stays as it is, as the pod's restart policy says.
    fn again(
        &self,
        status: &mut ContainerStatus,
        container: &Container,
        ended: &ContainerStateTerminated,
    ) -> Option<Timestamp> {
        let comes_back = match self.restart_policy() {
            "Never" => false,
            "OnFailure" => ended.exit_code != 0,
            _ => true,
        };
        if !comes_back {
            return None;
        }
        status.last_state =
            Some(ContainerState { terminated: Some(ended.clone()), ..ContainerState::default() });
        self.restart(status, container, ended)
    }

    fn restart(
        &self,
        status: &mut ContainerStatus,
        container: &Container,
        ended: &ContainerStateTerminated,
    ) -> Option<Timestamp> {
        let doublings = u32::try_from(status.restart_count).unwrap_or(0).min(5);
        let wait = (FIRST_BACK_OFF * 2_u32.pow(doublings)).min(LONGEST_BACK_OFF);
        let finished = ended.finished_at.as_ref().map_or(self.now, |time| time.0);
        let at = spans::after(finished, wait);
        if at <= self.now {
            status.restart_count += 1;
            return self.launch(status, container);
        }
        let name = self.pod.metadata.name.as_deref().unwrap_or_default();
        let message = format!(
            "back-off {}s restarting failed container={} pod={name}",
            wait.as_secs(),
            container.name
        );
        status.state = waiting("CrashLoopBackOff", Some(message));
        status.ready = false;
        Some(at)
    }

    fn restart_policy(&self) -> &str {
        self.pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always")
    }
}

/// Makes a container wait; returns until when.
fn hold(
    status: &mut ContainerStatus,
    (reason, message, until): (&str, String, Option<Timestamp>),
) -> Option<Timestamp> {
    status.state = waiting(reason, Some(message));
    status.ready = false;
    status.started = Some(false);
    until
}

fn fresh(container: &Container, image: &str) -> ContainerStatus {
    ContainerStatus {
        name: container.name.clone(),
        image: image.to_owned(),
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

/// Whether a text can be the name of an image: path parts in lower case, then a tag or digest.
fn is_image_name(image: &str) -> bool {
    let (rest, digest) =
        image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
    let slash = rest.rfind('/').map_or(0, |place| place + 1);
    let (path, tag) = match rest[slash..].find(':') {
        Some(colon) => (&rest[..slash + colon], Some(&rest[slash + colon + 1..])),
        None => (rest, None),
    };
    let is_tag = |tag: &str| {
        let letters = tag.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        letters && !tag.is_empty() && tag.len() <= 128 && !tag.starts_with(['.', '-'])
    };
    let mut parts = path.split('/').enumerate();
    let is_part = |place: usize, part: &str| {
        let host = place == 0 && path.contains('/');
        let allowed = |c: char| {
            c.is_ascii_lowercase()
                || c.is_ascii_digit()
                || "._-".contains(c)
                || (host && (c == ':' || c.is_ascii_uppercase()))
        };
        !part.is_empty()
            && part.chars().all(allowed)
            && !part.starts_with(['.', '_', '-'])
            && !part.ends_with(['.', '_', '-'])
    };
    parts.all(|(place, part)| is_part(place, part))
        && tag.is_none_or(is_tag)
        && digest.is_none_or(|digest| digest.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_names_are_told_from_nonsense() {
        for good in [
            "nginx",
            "nginx:1.27",
            "argoproj/rollouts-demo:bad-blue",
            "localhost:5000/a/b:v1",
            "a@sha256:00",
        ] {
            assert!(is_image_name(good), "{good}");
        }
        for bad in ["", "a b", "UPPER/Case:1", "nginx:", "/x", "a//b", "nginx:a:b", "x:ä"] {
            assert!(!is_image_name(bad), "{bad}");
        }
    }
}
