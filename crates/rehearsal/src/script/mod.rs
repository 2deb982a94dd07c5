//! The language of rehearsals: one command a line, the same file a user's rehearsal and our test.
//!
//! ```text
//! # A bad release is taken back.
//! apply demo.yaml
//! traffic 50
//! expect phase Healthy within 2m
//! set image demo=argoproj/rollouts-demo:bad-red
//! expect phase Degraded within 5m
//! expect failed <= 40
//! ```
//!
//! [`parse`] is pure and reports every broken line at once, each with its line and column.

mod expectations;
mod parse;
mod words;

pub use parse::{ParseError, parse};

use std::{fmt, time::Duration};

/// One command and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Line number, counted from 1.
    pub number: usize,
    /// The line as written, without its comment.
    pub text: String,
    /// What it asks for.
    pub command: Command,
}

/// What a line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Server-side applies every object of a manifest.
    Apply(Manifest),
    /// Deletes one object of the rehearsal's namespace.
    Delete {
        /// Resource name as kubectl takes it, such as `pod` or `rollout`.
        resource: String,
        /// Object name.
        name: String,
    },
    /// Merge-patches one object of the rehearsal's namespace.
    Patch {
        /// Resource name as kubectl takes it.
        resource: String,
        /// Object name.
        name: String,
        /// The merge patch.
        body: serde_json::Value,
    },
    /// Loses one pod, as when its node fails.
    LosePod(Side),
    /// Lets virtual time pass.
    Advance(Duration),
    /// Says which rollout the following lines are about.
    Rollout(String),
    /// Something a person does to the rollout.
    Act(UserAction),
    /// Sets the rate of modelled user traffic in requests per second.
    Traffic(f64),
    /// Sets the rate of users who send a header, besides all others.
    Senders {
        /// The header.
        name: String,
        /// What it holds.
        value: String,
        /// Requests per second.
        rate: f64,
    },
    /// Makes the canary, or one image, misbehave.
    Fault(Fault),
    /// Ends every fault.
    Heal,
    /// Takes the metric service away.
    MetricsDown,
    /// Brings the metric service back.
    MetricsUp,
    /// Ends the controller as `kill -9` would.
    KillController,
    /// Starts a controller where none runs.
    StartController,
    /// Waits until the release is through or taken back, and promotes whenever it waits for a person.
    SeeThrough(Duration),
    /// Puts an annotation on pods of one version, or takes it off.
    Annotate {
        /// Which version.
        side: Side,
        /// How many of its pods; `None` means all.
        count: Option<usize>,
        /// The annotation.
        key: String,
        /// Its value; `None` takes it off.
        value: Option<String>,
    },
    /// Something that must hold.
    Expect {
        /// What must hold.
        what: Expectation,
        /// When it must.
        when: When,
    },
}

/// When an expectation must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At this moment.
    Now,
    /// At some moment before this time has passed.
    Within(Duration),
    /// At every moment until this time has passed.
    For(Duration),
    /// At every moment until the script ends.
    Always,
}

/// One of the two versions of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The version that users had before.
    Stable,
    /// The newest version.
    Canary,
}

/// A manifest named by a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// A file, relative to the script.
    File(String),
    /// The text itself, given between `apply <<WORD` and `WORD`.
    Inline(String),
}

/// Something a person does to the rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserAction {
    /// `set image CONTAINER=IMAGE`; `*` means every container.
    SetImage {
        /// Container name or `*`.
        container: String,
        /// The new image.
        image: String,
    },
    /// Goes on to the next step.
    Promote,
    /// Skips every step, pause and analysis.
    PromoteFull,
    /// Takes the release back.
    Abort,
    /// Tries an aborted release again.
    Retry,
    /// Goes back to the revision before, or to the one given.
    Undo(Option<u64>),
    /// Sets `spec.paused`.
    Pause,
    /// Clears `spec.paused`.
    Resume,
    /// Has every pod replaced that is older than now.
    Restart,
    /// Sets `spec.replicas`.
    Scale(u32),
}

/// Misbehaviour of some pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fault {
    /// Share of requests that fail, 0 to 1.
    pub errors: Option<f64>,
    /// Added to every request's latency.
    pub latency: Option<Duration>,
    /// Pods whose image contains this text; all canary pods when absent.
    pub image: Option<String>,
}

/// What can be expected.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// `status.phase` is this.
    Phase(String),
    /// `status.message` contains this.
    Message(String),
    /// `status.currentStepIndex` is this.
    Step(u32),
    /// `status.canary.weights` gives the canary this weight.
    Weight(u32),
    /// Stable pods run this image.
    StableImage(String),
    /// So many pods are ready in all versions together.
    Pods(Comparison),
    /// So many pods are ready in the stable ReplicaSet.
    StablePods(Comparison),
    /// So many pods are ready in the newest ReplicaSet.
    CanaryPods(Comparison),
    /// An event with this reason was emitted.
    Event(String),
    /// No event with this reason was emitted.
    NoEvent(String),
    /// So many events with this reason were emitted.
    EventCount {
        /// The reason.
        reason: String,
        /// How many.
        bound: Comparison,
    },
    /// Events with these reasons were emitted in this order, with others between them or not.
    Events(Vec<String>),
    /// The route has given the canary exactly these weights, one after the other, since the last such line.
    Weights(Vec<u32>),
    /// What the busiest pod carries, in hundredths of an even share.
    Load(Comparison),
    /// Nothing changes and nothing is said.
    Quiet,
    /// A wait with this code is among `status.reasons`.
    Reason(String),
    /// The newest AnalysisRun has this phase.
    Analysis(String),
    /// A status condition has this status.
    Condition {
        /// Condition type.
        kind: String,
        /// `True`, `False` or `Unknown`.
        status: String,
        /// Its reason, if that matters.
        reason: Option<String>,
    },
    /// User requests that failed since traffic began.
    Failed(Comparison),
    /// User requests that failed because no pod could take them.
    Unserved(Comparison),
    /// Copies of user requests since traffic began, whose answers nobody got.
    Mirrored(Comparison),
    /// User requests that met a version which was later taken back.
    MetBad(Comparison),
    /// Replica sets of the rollout that exist.
    ReplicaSets(Comparison),
    /// Analysis runs of the rollout that exist.
    AnalysisRuns(Comparison),
    /// A field of some object has this value.
    Field {
        /// Resource name as kubectl takes it.
        resource: String,
        /// Object name.
        name: String,
        /// JSON pointer such as `/spec/replicas`.
        pointer: String,
        /// What it must be.
        value: FieldValue,
    },
}

/// What a field must be.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// This text; `absent` when there is no such field.
    Text(String),
    /// Some text with this part.
    Containing(String),
    /// A number within this bound.
    Number(Comparison),
}

/// A number held against a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// The relation.
    pub relation: Relation,
    /// The bound.
    pub bound: f64,
}

impl Comparison {
    /// Whether `value` stands in the relation to the bound.
    #[expect(clippy::float_cmp, reason = "counts are whole numbers far below 2^53")]
    pub fn holds(self, value: f64) -> bool {
        match self.relation {
            Relation::Equal => value == self.bound,
            Relation::NotEqual => value != self.bound,
            Relation::AtMost => value <= self.bound,
            Relation::AtLeast => value >= self.bound,
            Relation::Below => value < self.bound,
            Relation::Above => value > self.bound,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.relation.sign(), self.bound)
    }
}

/// How a number must relate to its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `>`
    Above,
}

impl Relation {
    /// Every relation, longest sign first.
    pub const ALL: [Self; 6] =
        [Self::NotEqual, Self::AtMost, Self::AtLeast, Self::Equal, Self::Below, Self::Above];

    /// The sign as scripts write it.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::AtMost => "<=",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::Above => ">",
        }
    }
}
