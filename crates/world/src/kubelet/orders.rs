//! Orders to a pod's stand-in, as annotations with the prefix `ringfence.dev/`.

use crate::{objects::annotation, spans};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::time::Duration;

/// Containers start only after this long (`5s`).
pub const START_DELAY: &str = "ringfence.dev/start-delay";
/// Containers are ready only this long after they started.
pub const READY_DELAY: &str = "ringfence.dev/ready-delay";
/// `"true"`: containers exit soon after each start.
pub const CRASH_LOOP: &str = "ringfence.dev/crash-loop";
/// `"true"`: the image is never found.
pub const IMAGE_PULL_ERROR: &str = "ringfence.dev/image-pull-error";
/// `"true"`: containers run but are never ready.
pub const NOT_READY: &str = "ringfence.dev/not-ready";
/// The code with which containers exit.
pub const EXIT_CODE: &str = "ringfence.dev/exit-code";
/// How long containers run before they exit.
pub const RUN_FOR: &str = "ringfence.dev/run-for";
/// How long containers take to stop when told to.
pub const STOP_DELAY: &str = "ringfence.dev/stop-delay";
/// What containers write to their log when they start.
pub const LOG: &str = "ringfence.dev/log";
/// How long after their start they write it (`90s`).
pub const LOG_DELAY: &str = "ringfence.dev/log-delay";

/// On a Node, `"true"`: it falls silent, with all its pods, until the annotation is gone.
pub const LOST: &str = "ringfence.dev/lost";

/// The orders of one pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Orders {
    pub(crate) start_delay: Option<Duration>,
    pub(crate) ready_delay: Duration,
    pub(crate) crash_loop: bool,
    pub(crate) image_pull_error: bool,
    pub(crate) not_ready: bool,
    pub(crate) exit_code: Option<i32>,
    pub(crate) run_for: Option<Duration>,
    pub(crate) stop_delay: Option<Duration>,
    pub(crate) log_delay: Duration,
}

/// An annotation whose value could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("annotation {key} is {value:?}, which is not {wanted}")]
pub(crate) struct OrderMisread {
    key: &'static str,
    value: String,
    wanted: &'static str,
}

impl Orders {
    /// Reads the orders of a pod; the first annotation that cannot be read is the error.
    pub(crate) fn read(meta: &ObjectMeta) -> Result<Self, OrderMisread> {
        Ok(Self {
            start_delay: span(meta, START_DELAY)?,
            ready_delay: span(meta, READY_DELAY)?.unwrap_or_default(),
            crash_loop: flag(meta, CRASH_LOOP)?,
            image_pull_error: flag(meta, IMAGE_PULL_ERROR)?,
            not_ready: flag(meta, NOT_READY)?,
            exit_code: read(meta, EXIT_CODE, "a whole number", |text| text.parse().ok())?,
            run_for: span(meta, RUN_FOR)?,
            stop_delay: span(meta, STOP_DELAY)?,
            log_delay: span(meta, LOG_DELAY)?.unwrap_or_default(),
        })
    }
}

fn span(meta: &ObjectMeta, key: &'static str) -> Result<Option<Duration>, OrderMisread> {
    read(meta, key, "a span of time such as 5s", spans::parse)
}

fn flag(meta: &ObjectMeta, key: &'static str) -> Result<bool, OrderMisread> {
    Ok(read(meta, key, "true or false", |text| text.parse().ok())?.unwrap_or(false))
}

fn read<T>(
    meta: &ObjectMeta,
    key: &'static str,
    wanted: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, OrderMisread> {
    let Some(value) = annotation(meta, key) else { return Ok(None) };
    match parse(value) {
        Some(value) => Ok(Some(value)),
        None => Err(OrderMisread { key, value: value.to_owned(), wanted }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Words;

    #[test]
    fn a_misread_order_names_its_annotation() {
        let meta = ObjectMeta {
            annotations: Some(Words::from([(START_DELAY.into(), "soon".into())])),
            ..ObjectMeta::default()
        };
        let error = Orders::read(&meta).unwrap_err().to_string();
        assert_eq!(
            error,
            "annotation ringfence.dev/start-delay is \"soon\", which is not a span of time such as 5s"
        );
    }
}
