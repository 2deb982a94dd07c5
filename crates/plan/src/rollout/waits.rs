//! Everything a rollout can wait for, each with its evidence.
//!
//! Start with [`Wait`]; it becomes a [`Reason`] in the plan, in `status.reasons` and, when the wait
//! grows long, in `status.message`. No wait carries a running clock: a reason changes only when the
//! facts do.

use super::seconds_text;
use jiff::Timestamp;
use std::collections::BTreeMap;
use vocab::Reason;

/// One thing a rollout waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Pods of a ReplicaSet are not available yet.
    Pods {
        /// The ReplicaSet.
        replica_set: String,
        /// Pods available.
        available: i32,
        /// Pods wanted.
        wanted: i32,
        /// Why, per object: `ImagePullBackOff`, `Unschedulable` and the like for `pod/NAME`, and for
        /// `replicaSet/NAME` why no pod can be made.
        why: BTreeMap<String, String>,
    },
    /// A service does not show the pods as endpoints yet.
    Endpoints {
        /// The service.
        service: String,
        /// Hash of the pods.
        hash: String,
        /// Ready endpoints seen.
        visible: i32,
        /// Ready endpoints needed.
        needed: i32,
    },
    /// A service does not select the version yet.
    Service {
        /// The service.
        service: String,
        /// What it selects.
        selects: String,
        /// What it should select.
        wanted: String,
        /// What holds the switch back.
        because: String,
    },
    /// The router does not show the weight yet, or its data plane has not confirmed it.
    Weight {
        /// The canary's weight in force, unless it cannot be told.
        in_force: Option<i32>,
        /// The canary's weight wanted.
        wanted: i32,
    },
    /// The router cannot be read or steered.
    Router(Reason),
    /// An analysis run is under way.
    Analysis {
        /// The run.
        run: String,
        /// Its phase.
        phase: String,
        /// Where each metric stands: `success-rate: Running, 1 failed`.
        metrics: BTreeMap<String, String>,
    },
    /// An experiment is under way.
    Experiment {
        /// The experiment.
        experiment: String,
        /// Its phase.
        phase: String,
        /// Where each template and analysis stands.
        parts: BTreeMap<String, String>,
    },
    /// The time of an experiment has not passed.
    Duration {
        /// When it ends; only by its analyses or by a person when absent.
        until: Option<Timestamp>,
    },
    /// A pause is under way.
    Pause {
        /// Why it pauses.
        reason: String,
        /// When it ends; never, unless somebody resumes it, when absent.
        until: Option<Timestamp>,
    },
    /// `spec.paused` is set.
    UserPause,
    /// The stable version must grow before traffic returns to it.
    Stable {
        /// The ReplicaSet.
        replica_set: String,
        /// Pods available.
        available: i32,
        /// Pods needed.
        needed: i32,
    },
    /// An old ReplicaSet is kept for a while.
    ScaleDownDelay {
        /// The ReplicaSet.
        replica_set: String,
        /// Until when.
        until: Timestamp,
    },
    /// A ReplicaSet may not shrink because traffic still reaches it.
    Traffic {
        /// The ReplicaSet.
        replica_set: String,
        /// What still leads there.
        through: String,
    },
    /// The blue-green switch waits for the analysis before it.
    PrePromotion {
        /// The run, if it exists yet.
        run: Option<String>,
    },
    /// Blue-green promotion waits for the analysis after the switch.
    PostPromotion {
        /// The run, if it exists yet.
        run: Option<String>,
    },
    /// Older pods must go first.
    OldPods {
        /// How many are left.
        left: i32,
    },
    /// The specification cannot be carried out.
    InvalidSpec {
        /// The field.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

impl Wait {
    /// The sentence, the code and the facts.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Pods { replica_set, available, wanted, why } => {
                let mut reason = Reason::new(
                    "WaitingForPods",
                    format!(
                        "{replica_set} has {available} of {wanted} pods available{}",
                        causes(why)
                    ),
                    [
                        ("replicaSet", replica_set.clone()),
                        ("available", available.to_string()),
                        ("wanted", wanted.to_string()),
                    ],
                );
                reason.evidence.extend(why.clone());
                reason
            }
            Self::Endpoints { service, hash, visible, needed } => Reason::new(
                "WaitingForEndpoints",
                format!("service {service} shows {visible} of {needed} ready endpoints of {hash}"),
                [
                    ("service", service.clone()),
                    ("hash", hash.clone()),
                    ("visible", visible.to_string()),
                    ("needed", needed.to_string()),
                ],
            ),
            Self::Service { service, selects, wanted, because } => Reason::new(
                "WaitingForService",
                format!("service {service} is not switched to {wanted} yet: {because}"),
                [
                    ("service", service.clone()),
                    ("selects", selects.clone()),
                    ("wanted", wanted.clone()),
                ],
            ),
            Self::Weight { in_force, wanted } => weight(*in_force, *wanted),
            Self::Router(reason) => {
                let mut reason = reason.clone();
                reason.evidence.insert(
                    "cause".to_owned(),
                    std::mem::replace(&mut reason.code, "WaitingForRouter".to_owned()),
                );
                reason
            }
            Self::Traffic { replica_set, through } => Reason::new(
                "WaitingForTraffic",
                format!("{replica_set} keeps its pods because {through} still leads there"),
                [("replicaSet", replica_set.clone()), ("through", through.clone())],
            ),
            _ => self.keeping(),
        }
    }

    /// The order in which people should read several waits, most important first.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::InvalidSpec { .. } => 0,
            Self::UserPause | Self::Pause { .. } => 1,
            Self::PrePromotion { .. }
            | Self::PostPromotion { .. }
            | Self::Analysis { .. }
            | Self::Experiment { .. } => 2,
            Self::Pods { .. } | Self::Stable { .. } => 3,
            Self::Router(_) => 4,
            Self::Endpoints { .. } | Self::Service { .. } => 5,
            Self::Weight { .. } | Self::OldPods { .. } | Self::Duration { .. } => 6,
            Self::Traffic { .. } | Self::ScaleDownDelay { .. } => 7,
        }
    }

    /// Whether it is for pods or traffic to get where they should be, and not for a time or a decision.
    pub(crate) fn is_obstacle(&self) -> bool {
        matches!(
            self,
            Self::Pods { .. }
                | Self::Stable { .. }
                | Self::Router(_)
                | Self::Endpoints { .. }
                | Self::Service { .. }
                | Self::Weight { .. }
                | Self::Traffic { .. }
        )
    }

    /// Waits for pods that must stay a while longer.
    fn keeping(&self) -> Reason {
        match self {
            Self::Stable { replica_set, available, needed } => Reason::new(
                "WaitingForStable",
                format!(
                    "stable {replica_set} has {available} of {needed} pods available that its traffic needs"
                ),
                [
                    ("replicaSet", replica_set.clone()),
                    ("available", available.to_string()),
                    ("needed", needed.to_string()),
                ],
            ),
            Self::ScaleDownDelay { replica_set, until } => Reason::new(
                "WaitingForScaleDownDelay",
                format!("{replica_set} is kept until {}", seconds_text(*until)),
                [("replicaSet", replica_set.clone()), ("until", seconds_text(*until))],
            ),
            Self::OldPods { left } => Reason::new(
                "WaitingForOldPods",
                format!("{left} pods of older versions must go first"),
                [("left", left.to_string())],
            ),
            Self::Experiment { experiment, phase, parts } => {
                let mut reason = Reason::new(
                    "WaitingForExperiment",
                    format!("experiment {experiment} is {phase}{}", causes(parts)),
                    [("experiment", experiment.clone()), ("phase", phase.clone())],
                );
                reason.evidence.extend(parts.clone());
                reason
            }
            Self::Duration { until } => {
                let end = until.map_or_else(|| "it is ended".to_owned(), seconds_text);
                let message = format!("the experiment runs until {end}");
                Reason::new("WaitingForDuration", message, [("until", end)])
            }
            _ => self.decision(),
        }
    }

    /// Waits for somebody or something outside the pods and the traffic.
    fn decision(&self) -> Reason {
        match self {
            Self::Analysis { run, phase, metrics } => {
                let mut reason = Reason::new(
                    "WaitingForAnalysis",
                    format!("analysis run {run} is {phase}{}", causes(metrics)),
                    [("run", run.clone()), ("phase", phase.clone())],
                );
                reason.evidence.extend(
                    metrics
                        .iter()
                        .map(|(metric, state)| (format!("metric/{metric}"), state.clone())),
                );
                reason
            }
            Self::Pause { reason, until: Some(until) } => Reason::new(
                "WaitingForPause",
                format!("paused by {reason} until {}", seconds_text(*until)),
                [("reason", reason.clone()), ("until", seconds_text(*until))],
            ),
            Self::Pause { reason, until: None } => Reason::new(
                "WaitingForPause",
                format!("paused by {reason} until somebody promotes it"),
                [("reason", reason.clone()), ("until", "promoted".to_owned())],
            ),
            Self::PrePromotion { run } => {
                promotion("WaitingForPrePromotion", "pre-promotion", run.as_deref())
            }
            Self::PostPromotion { run } => {
                promotion("WaitingForPostPromotion", "post-promotion", run.as_deref())
            }
            Self::InvalidSpec { path, problem } => Reason::new(
                "InvalidSpec",
                format!("{path}: {problem}"),
                [("path", path.clone()), ("problem", problem.clone())],
            ),
            _ => Reason::new("PausedByUser", "spec.paused is set".to_owned(), []),
        }
    }
}

fn weight(in_force: Option<i32>, wanted: i32) -> Reason {
    let found = in_force.map_or_else(|| "unknown".to_owned(), |weight| weight.to_string());
    Reason::new(
        "WaitingForWeight",
        format!("canary weight {wanted} is not confirmed yet, {found} is in force"),
        [("inForce", found), ("wanted", wanted.to_string())],
    )
}

fn promotion(code: &str, name: &str, run: Option<&str>) -> Reason {
    let run = run.unwrap_or("not started");
    Reason::new(code, format!("waiting for the {name} analysis ({run})"), [("run", run.to_owned())])
}

/// The distinct causes, each with how many share it.
fn causes(why: &BTreeMap<String, String>) -> String {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for cause in why.values() {
        *counted.entry(cause).or_default() += 1;
    }
    if counted.is_empty() {
        return String::new();
    }
    let list: Vec<String> = counted
        .into_iter()
        .map(
            |(cause, times)| {
                if times == 1 { cause.to_owned() } else { format!("{cause} ×{times}") }
            },
        )
        .collect();
    format!(" ({})", list.join(", "))
}
