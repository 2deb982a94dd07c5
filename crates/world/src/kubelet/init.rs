//! Containers that go before the others: one after the other, those that stay running along.

use super::{
    containers::{Look, Next, Policy, Turn},
    lifecycle::Facts,
    orders::Orders,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodStatus};
use std::time::Duration;

/// How far the init containers are.
pub(super) struct Progress {
    pub(super) looks: Vec<Next>,
    /// Whether the other containers may start.
    pub(super) done: bool,
    /// Whether one has failed for good.
    pub(super) failed: bool,
}

/// The next statuses of a pod's init containers.
pub(super) fn advance(
    pod: &Pod,
    (orders, facts): (&Orders, &Facts),
    old: &PodStatus,
    now: Timestamp,
) -> Progress {
    let containers = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_deref());
    let containers = containers.unwrap_or_default();
    let mut progress = Progress { looks: Vec::new(), done: true, failed: false };
    if containers.is_empty() {
        return progress;
    }
    // Orders are for the application; what prepares it takes no time unless its command says so.
    let orders = Orders { start_delay: orders.start_delay, ..Orders::default() };
    let facts = Facts { run_for: Duration::ZERO, serves: None, ..facts.clone() };
    // Once the others have run, an init container is not run again.
    let over = super::lifecycle::has_started(old.container_statuses.as_deref());
    for container in containers {
        let policy = policy(pod, container);
        let look = Look { pod, orders: &orders, facts: &facts, now, policy };
        let before = old.init_container_statuses.iter().flatten();
        let before = before.into_iter().find(|status| status.name == container.name);
        let may = progress.done && !progress.failed;
        let turn = if may { Turn::Now } else { Turn::Later("PodInitializing") };
        let mut next = look.next(container, before, turn);
        if stays(container) {
            progress.done &= next.status.started == Some(true);
        } else {
            let ended = next.status.state.as_ref().and_then(|state| state.terminated.as_ref());
            let code = ended.map(|ended| ended.exit_code);
            next.status.ready = code == Some(0);
            progress.done &= code == Some(0) || over;
            progress.failed |= code.is_some_and(|code| code != 0) && policy == Policy::Never;
        }
        progress.looks.push(next);
    }
    progress
}

/// Whether an init container runs on beside the others.
pub(super) fn stays(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn policy(pod: &Pod, container: &Container) -> Policy {
    match Policy::of(pod) {
        _ if stays(container) => Policy::Always,
        Policy::Never => Policy::Never,
        Policy::OnFailure | Policy::Always => Policy::OnFailure,
    }
}

/// The statuses of containers, in their order.
pub(super) fn statuses(looks: &[Next]) -> Vec<ContainerStatus> {
    looks.iter().map(|next| next.status.clone()).collect()
}
