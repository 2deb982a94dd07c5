//! What a container does after it started and before it stops.

use super::program;
use k8s_openapi::api::core::v1::{Container, LifecycleHandler};
use std::time::Duration;

/// How long a hook takes and how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    /// `None` when it never ends.
    pub(crate) takes: Option<Duration>,
    /// Zero when it did what it should.
    pub(crate) code: i32,
}

const NOTHING: Hook = Hook { takes: Some(Duration::ZERO), code: 0 };

/// The hook that holds a container back from running.
pub(crate) fn post_start(container: &Container) -> Hook {
    let lifecycle = container.lifecycle.as_ref();
    lifecycle.and_then(|l| l.post_start.as_ref()).map_or(NOTHING, |hook| of(hook, container))
}

/// The hook that comes before the signal to stop.
pub(crate) fn pre_stop(container: &Container) -> Hook {
    let lifecycle = container.lifecycle.as_ref();
    lifecycle.and_then(|l| l.pre_stop.as_ref()).map_or(NOTHING, |hook| of(hook, container))
}

/// Requests, and commands that only the image knows, are over at once and well.
fn of(hook: &LifecycleHandler, container: &Container) -> Hook {
    if let Some(sleep) = &hook.sleep {
        let seconds = u64::try_from(sleep.seconds).unwrap_or(0);
        return Hook { takes: Some(Duration::from_secs(seconds)), code: 0 };
    }
    let outcome = hook.exec.as_ref().and_then(|exec| program::of_action(exec, container));
    outcome.map_or(NOTHING, |outcome| Hook { takes: outcome.after, code: outcome.code })
}
