//! Which requests fare ill, and how.

use crate::passed::{Passed, Verb};
use serde::Serialize;
use std::time::Duration;

/// Trouble for some requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Which requests.
    pub requests: Requests,
    /// What becomes of them.
    pub trouble: Trouble,
}

/// Some requests of the clients of a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// By what they do.
    pub which: Which,
    /// By the plural of their kind; any kind when absent.
    pub resource: Option<String>,
    /// By a part of their path, such as a name; any path when absent.
    pub path: Option<String>,
    /// From this one on, counted from 1 among those that match, over all lives.
    pub from: usize,
    /// So many of them.
    pub count: usize,
}

/// Requests by what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Which {
    /// All but watches.
    Any,
    /// Those that change something.
    Writes,
    /// Those that read.
    Reads,
    /// Those that open a watch.
    Watches,
    /// Those that do just this.
    Only(Verb),
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Trouble {
    /// It is answered without arriving.
    Refused(Refusal),
    /// It never arrives; the client waits for an answer until it gives up.
    Lost,
    /// It is carried out; the client waits for an answer until it gives up.
    Unanswered,
    /// It is carried out, and the answer is a time-out.
    TimedOut,
    /// The connection breaks before it arrives.
    ResetBefore,
    /// The connection breaks after it was carried out.
    ResetAfter,
    /// It arrives late.
    Slow(Duration),
}

/// An answer in the server's stead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Refusal {
    /// 409: somebody else was faster.
    Conflict,
    /// 429 with `Retry-After`, in seconds.
    TooManyRequests(u32),
    /// 500.
    Internal,
    /// 503.
    Unavailable,
    /// 403.
    Forbidden,
    /// 404 as for a kind that does not exist.
    NoSuchKind,
    /// 410: the version asked for is forgotten.
    Gone,
}

impl Which {
    fn includes(self, verb: Verb) -> bool {
        match self {
            Self::Any => verb != Verb::Watch,
            Self::Writes => verb.is_write(),
            Self::Reads => verb == Verb::Read,
            Self::Watches => verb == Verb::Watch,
            Self::Only(only) => verb == only,
        }
    }
}

impl Requests {
    /// Every request of a sort.
    pub fn all(which: Which) -> Self {
        Self { which, resource: None, path: None, from: 1, count: usize::MAX }
    }

    /// Just the one of that number, counted from 1.
    pub fn nth(which: Which, number: usize) -> Self {
        Self { which, resource: None, path: None, from: number, count: 1 }
    }

    /// Of these, the ones about a kind, by its plural.
    #[must_use]
    pub fn about(self, resource: &str) -> Self {
        Self { resource: Some(resource.to_owned()), ..self }
    }

    /// Of these, the ones whose path has this part.
    #[must_use]
    pub fn along(self, part: &str) -> Self {
        Self { path: Some(part.to_owned()), ..self }
    }

    /// Of these, the ones from that number on, counted from 1.
    #[must_use]
    pub fn from(self, number: usize) -> Self {
        Self { from: number, ..self }
    }

    /// Of these, only so many.
    #[must_use]
    pub fn at_most(self, count: usize) -> Self {
        Self { count, ..self }
    }

    pub(crate) fn matches(&self, request: &Passed) -> bool {
        let about = self.resource.as_ref();
        let part = self.path.as_ref();
        self.which.includes(request.verb)
            && about.is_none_or(|about| *about == request.resource)
            && part.is_none_or(|part| request.path.contains(part.as_str()))
    }

    /// Whether the matching request of that number, counted from 1, is among them.
    pub(crate) fn includes(&self, number: usize) -> bool {
        number >= self.from && number - self.from < self.count
    }
}

/// A rule and how many requests it has matched.
#[derive(Debug)]
pub(crate) struct Standing {
    rule: Rule,
    seen: usize,
}

impl Standing {
    pub(crate) fn new(rule: Rule) -> Self {
        Self { rule, seen: 0 }
    }

    /// What this rule does to a request.
    pub(crate) fn judge(&mut self, request: &Passed) -> Option<Trouble> {
        if !self.rule.requests.matches(request) {
            return None;
        }
        self.seen += 1;
        self.rule.requests.includes(self.seen).then_some(self.rule.trouble)
    }
}
