//! Everything that happened to the objects of a cluster, in order.

use faults::{Sender, served};
use jiff::Timestamp;
use rehearsal::Witness;
use std::sync::{Arc, Mutex, PoisonError};
use store::{Change, EventKind, Object};

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Step {
    /// When it happened.
    pub at: Timestamp,
    /// The controller that caused it; `None` when somebody else did.
    pub by: Option<Sender>,
    /// The place of that controller's request in its gate's log.
    pub request: Option<usize>,
    /// The plural of the kind.
    pub resource: String,
    /// Created, changed or gone.
    pub kind: EventKind,
    /// The object after the change, or as it was last when it is gone.
    pub object: Arc<Object>,
}

/// The changes of one run, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The changes.
    pub steps: Vec<Step>,
}

impl History {
    /// Between which two requests of a controller each change came that is not of its work: the places of the
    /// last request before it that changed something, and of the next one.
    pub(crate) fn between(&self) -> Vec<(usize, usize)> {
        let mut last = 0;
        let mut open = Vec::new();
        let mut found = Vec::new();
        for step in &self.steps {
            match step.request.filter(|_| step.resource != "leases") {
                None => open.push(last),
                Some(request) => {
                    found.extend(open.drain(..).map(|from| (from, request)));
                    last = request;
                }
            }
        }
        found.extend(open.into_iter().map(|from| (from, usize::MAX)));
        found.dedup();
        found
    }
}

/// Writes a history; copies share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chronicler(Arc<Mutex<History>>);

impl Chronicler {
    /// What is to be told of every change.
    pub(crate) fn witness(&self) -> Witness {
        let history = Arc::clone(&self.0);
        Arc::new(move |change: &Change, at| {
            let (by, request) = served().unzip();
            let step = Step {
                at,
                by,
                request,
                resource: change.resource.resource.clone(),
                kind: change.kind,
                object: Arc::clone(&change.object),
            };
            history.lock().unwrap_or_else(PoisonError::into_inner).steps.push(step);
        })
    }

    /// What was written so far.
    pub(crate) fn history(&self) -> History {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
