//! Why a piece of work did not get to its end, in words for people.
//!
//! **Invariant.** A failure names who must act.

use crate::{
    fault::{Cause, Fault, RequestFailed},
    quarrel::Quarrel,
};
use api::argo::keys::SET_CREATE_ERROR;
use plan::rollout::failure::{Failed, Kind, set_not_created};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};
use vocab::{ObjectRef, Reason, Write};

/// Why a piece of work did not get to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Who must act.
    pub(crate) fault: Fault,
    /// A stable name.
    pub(crate) code: &'static str,
    /// A sentence.
    pub(crate) message: String,
    /// What may not be made or could not be changed, if that is it.
    pub(crate) target: Option<Box<ObjectRef>>,
    /// In the API server's words, why `target` may not be made.
    pub(crate) not_created: Option<String>,
    /// In its words, why `target`, a ReplicaSet, may not be changed.
    pub(crate) not_resized: Option<String>,
    /// Whether it is worth telling, rather than our picture having been old.
    pub(crate) is_telling: bool,
}

impl Failure {
    /// The object itself is wrong.
    pub(crate) fn invalid(message: String) -> Self {
        Self {
            fault: Fault::User,
            code: "InvalidSpec",
            message,
            target: None,
            not_created: None,
            not_resized: None,
            is_telling: true,
        }
    }

    /// Reason and sentence of the event that tells it.
    pub(crate) fn as_event(&self) -> (&'static str, String) {
        match (self.code, self.refusal()) {
            (_, Some((set, why))) if set.kind == "ReplicaSet" => {
                (SET_CREATE_ERROR, set_not_created(set, why))
            }
            ("PlanRejected" | "InvalidSpec" | "FieldFight", _) => (self.code, self.message.clone()),
            _ => ("ReconciliationError", self.message.clone()),
        }
    }

    /// What may not be made, and why.
    pub(crate) fn refusal(&self) -> Option<(&ObjectRef, &str)> {
        self.target.as_deref().zip(self.not_created.as_deref())
    }

    /// What may not be made or given its size, and why: an experiment or a run goes on without it.
    pub(crate) fn to_plan_around(&self) -> Option<(&ObjectRef, &str)> {
        let why = self.not_created.as_deref().or(self.not_resized.as_deref());
        self.target.as_deref().zip(why)
    }

    /// As the plan of a status takes it, where the API server drops `status.reasons` or does not.
    pub(crate) fn as_planned(&self, drops_reasons: bool) -> Failed<'_> {
        let evidence = [("fault", format!("{:?}", self.fault))];
        let reason = Reason::new(self.code, self.message.clone(), evidence);
        Failed { reason, kind: self.kind(), drops_reasons }
    }

    /// Whether the phase may speak of it, or of something else that is over, so that the status has to say so.
    pub(crate) fn concerns_phase(&self) -> bool {
        self.kind() != Kind::Other
    }

    fn kind(&self) -> Kind<'_> {
        match self.refusal() {
            Some((target, why)) => Kind::NotCreated(target, why),
            None if self.target.is_some() => Kind::NotChanged,
            None if self.code == "InvalidSpec" => Kind::Unreadable,
            None => Kind::Other,
        }
    }

    /// Somebody keeps changing back what we write.
    pub(crate) fn quarrelled(write: &Write, quarrel: &Quarrel) -> Self {
        let target = write.target();
        let Quarrel { times, until, fields } = quarrel;
        let message = format!(
            "somebody has changed {} of {target} back {times} times; it is written again at {until}",
            fields.join(", ")
        );
        let fault = Fault::Environment;
        Self {
            fault,
            code: "FieldFight",
            message,
            target: Some(Box::new(target)),
            not_created: None,
            not_resized: None,
            is_telling: true,
        }
    }

    /// Our own code gave up.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        let message = format!("planning panicked: {}", text.unwrap_or_default());
        Self {
            fault: Fault::Bug,
            code: "Panicked",
            message,
            target: None,
            not_created: None,
            not_resized: None,
            is_telling: true,
        }
    }
}

impl From<RequestFailed> for Failure {
    fn from(failed: RequestFailed) -> Self {
        let silent = failed.cause.is_stale_picture() || matches!(failed.cause, Cause::Refused(_));
        let (not_created, not_resized) = (failed.not_created(), failed.not_resized());
        let message = failed.to_string();
        let says_of_it = match failed.verb {
            "get" => false,
            // Whether it may be made is not known then.
            "create" => not_created.is_some(),
            _ => true,
        };
        Self {
            fault: failed.cause.fault(),
            code: failed.cause.code(),
            message,
            not_created,
            not_resized,
            target: says_of_it.then(|| Box::new(failed.target)),
            is_telling: !silent,
        }
    }
}

/// Runs pure code; a panic in it becomes our fault for this key alone.
pub(crate) fn caught<T>(act: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| Failure::panicked(panic.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_while_planning_is_our_fault_and_nobody_elses() {
        let failure = caught(|| -> u8 { panic!("no stable set") }).unwrap_err();
        assert_eq!((failure.fault, failure.code), (Fault::Bug, "Panicked"));
        assert_eq!(failure.message, "planning panicked: no stable set");
    }

    #[test]
    fn an_old_picture_is_not_worth_telling() {
        let target = ObjectRef::new("v1", "Service", "shop", "web");
        let failed =
            |cause| Failure::from(RequestFailed { verb: "patch", target: target.clone(), cause });
        assert!(!failed(Cause::Conflicted).is_telling);
        let denied = failed(Cause::Forbidden("no".to_owned()));
        assert_eq!(denied.message, "could not patch Service shop/web: no");
        assert!(denied.is_telling);
    }
}
