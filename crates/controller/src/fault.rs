//! Who must act on a failure, and what it is called.

use crate::authority::Refusal;
use vocab::ObjectRef;

/// The name of a request for patience.
pub(crate) const THROTTLED: &str = "Throttled";

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The person who wrote the object: nothing changes until they do.
    User,
    /// The surroundings: trying again may help.
    Environment,
    /// We: it is loud in the log and counted.
    Bug,
}

/// One request to the API server that did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not {verb} {target}: {cause}")]
pub(crate) struct RequestFailed {
    /// What was tried: `create`, `patch`, `delete`, `evict` or `get`.
    pub(crate) verb: &'static str,
    /// On what.
    pub(crate) target: ObjectRef,
    /// What came of it. It is part of the sentence above, hence no source of its own.
    pub(crate) cause: Cause,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cause {
    /// The object changed since it was looked at.
    #[error("it changed meanwhile")]
    Conflicted,
    /// An object of that name was there already.
    #[error("it was there already")]
    AlreadyExisted,
    /// The object was gone.
    #[error("it was gone")]
    Missed,
    /// The API server does not let us; its own words.
    #[error("{0}")]
    Forbidden(String),
    /// The API server found the object wrong; its own words.
    #[error("{0}")]
    Invalid(String),
    /// The API server asked for patience; its own words.
    #[error("the API server asked for patience: {0}")]
    Throttled(String),
    /// The API server failed; its own words.
    #[error("the API server answered {code}: {message}")]
    Failed {
        /// HTTP status code.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// No answer came back, so the outcome is unknown.
    #[error("no answer came back: {0}")]
    Unanswered(String),
    /// We may not write any more.
    #[error("this process may not write any more")]
    Refused(Refusal),
}

impl RequestFailed {
    /// In the API server's words, why an object may not be made.
    pub(crate) fn not_created(&self) -> Option<String> {
        self.refusal().filter(|_| self.verb == "create")
    }

    /// In the API server's words, why a ReplicaSet may not be changed.
    pub(crate) fn not_resized(&self) -> Option<String> {
        self.refusal().filter(|_| self.verb == "patch" && self.target.kind == "ReplicaSet")
    }

    fn refusal(&self) -> Option<String> {
        match &self.cause {
            Cause::Forbidden(why) | Cause::Invalid(why) => Some(why.clone()),
            _ => None,
        }
    }
}

impl Cause {
    /// Sorts an error of the Kubernetes client.
    pub(crate) fn from_client(error: &kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self::Unanswered(error.to_string());
        };
        let message = status.message.clone();
        match (status.code, status.reason.as_str()) {
            (_, "AlreadyExists") => Self::AlreadyExisted,
            (409, _) => Self::Conflicted,
            (404, _) => Self::Missed,
            (403, _) => Self::Forbidden(message),
            (400 | 413 | 415 | 422, _) => Self::Invalid(message),
            (429, _) => Self::Throttled(message),
            (code, _) => Self::Failed { code, message },
        }
    }

    /// Who must act.
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::Invalid(_) => Fault::User,
            _ => Fault::Environment,
        }
    }

    /// A stable name, fit for a metric label and a status reason.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Conflicted => "Conflict",
            Self::AlreadyExisted => "AlreadyExists",
            Self::Missed => "NotFound",
            Self::Forbidden(_) => "Forbidden",
            Self::Invalid(_) => "Invalid",
            Self::Throttled(_) => THROTTLED,
            Self::Failed { .. } => "ServerError",
            Self::Unanswered(_) => "NoAnswer",
            Self::Refused(Refusal::LeaseLost) => "LeaseLost",
            Self::Refused(Refusal::Stopped) => "Stopped",
        }
    }

    /// Whether it only means that our picture of the object was old, which is nobody's fault.
    pub(crate) fn is_stale_picture(&self) -> bool {
        matches!(self, Self::Conflicted | Self::AlreadyExisted | Self::Missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    #[track_caller]
    fn check(code: u16, reason: &str, expected: &str, fault: Fault) {
        let status = Status::failure("words", reason).with_code(code);
        let cause = Cause::from_client(&kube::Error::Api(Box::new(status)));
        assert_eq!((cause.code(), cause.fault()), (expected, fault));
    }

    #[test]
    fn answers_of_the_api_server_are_sorted_by_who_must_act() {
        check(409, "AlreadyExists", "AlreadyExists", Fault::Environment);
        check(409, "Conflict", "Conflict", Fault::Environment);
        check(404, "NotFound", "NotFound", Fault::Environment);
        check(403, "Forbidden", "Forbidden", Fault::Environment);
        check(422, "Invalid", "Invalid", Fault::User);
        check(429, "TooManyRequests", "Throttled", Fault::Environment);
        check(503, "ServiceUnavailable", "ServerError", Fault::Environment);
    }
}
