//! What differs on purpose: defects of the peer and what we tell better, each with the reason.

use crate::{act::Act, case::Case, compare::Difference, manifest::Kind};
use actions::Action;
use serde_json::Value;

/// A difference that is meant.
pub struct Deliberate {
    /// A short name.
    pub name: &'static str,
    /// Why it is meant.
    pub reason: &'static str,
    /// A seed that shows it.
    pub seed: u64,
    applies: fn(&Situation<'_>) -> bool,
}

/// What is known when a difference is judged.
struct Situation<'a> {
    case: &'a Case,
    difference: &'a Difference,
    peer: &'a Value,
    ours: &'a Value,
}

/// How many sentences about one object the peer's library tells before it drops the next.
const SENTENCES: u64 = 25;

/// What is told of canary Ingresses.
const ROUTE_REASONS: [&str; 3] =
    ["CreatingCanaryIngress", "PatchingCanaryIngress", "TrafficWeightUpdated"];

/// How a duration that cannot be read is shown.
const UNREADABLE: &str = "Invalid value: \"soon\":";

/// Everything that differs on purpose.
pub const DELIBERATE: &[Deliberate] = &[
    Deliberate {
        name: "added-to-informer",
        reason: "it is told of every rollout whenever a controller starts, and says nothing of the rollout",
        seed: 0,
        applies: |at| at.tells("RolloutAddedToInformer"),
    },
    Deliberate {
        name: "weight-of-nothing",
        reason: "the peer tells of a weight, with a sentence that breaks off, when only a hash changed",
        seed: 0,
        applies: |at| {
            at.difference.place.ends_with("TrafficWeightUpdated: Traffic weight updated ")
        },
    },
    Deliberate {
        name: "running-before-judged",
        reason: "a run is running here from its first question on; the peer's status is empty until that is answered",
        seed: 12,
        applies: |at| at.tells("AnalysisRun") && at.says(&["'Running'", "Previous: ''"]),
    },
    Deliberate {
        name: "why-so-judged",
        reason: "a metric's message says which value met or missed which condition; the peer has none",
        seed: 12,
        applies: |at| at.is_about_runs("message") && at.difference.peer.is_none(),
    },
    Deliberate {
        name: "told-too-often",
        reason: "the peer's library drops or combines what is told of one object beyond ten alike or 25 in all",
        seed: 0,
        applies: |at| at.is_event() && at.drops_events(),
    },
    Deliberate {
        name: "delay-of-zero",
        reason: "the peer keeps the pods of old versions for ever, at full size, if scaleDownDelaySeconds is 0",
        seed: 25,
        applies: |at| *at.case.of_strategy("scaleDownDelaySeconds") == 0,
    },
    Deliberate {
        name: "whole-by-weight",
        reason: "without steps, and when promoted fully, all weight goes to the new version before its pods count as stable; the peer swaps what the services lead to under their users",
        seed: 67,
        applies: |at| {
            at.says(&["TrafficWeightUpdated", "PatchingCanaryIngress"])
                && at.is_event()
                && at.is_whole()
        },
    },
    Deliberate {
        name: "kept-after-abort",
        reason: "with abortScaleDownDelaySeconds 0 the pods stay up, as the peer's documentation says; there a routed canary loses them",
        seed: 89,
        applies: |at| {
            at.case.kind == Kind::Nginx
                && *at.case.of_strategy("abortScaleDownDelaySeconds") == 0
                && at.is_aborted()
                && at.counts_pods()
        },
    },
    Deliberate {
        name: "kept-when-overtaken",
        reason: "a routed version that another one overtakes keeps its pods for scaleDownDelaySeconds: proxies may not know of the route yet",
        seed: 70,
        applies: |at| {
            at.case.kind == Kind::Nginx
                && at.keeps_more()
                && (at.counts_pods() || at.says(&["scale-down-deadline"]))
        },
    },
    Deliberate {
        name: "held-when-inconclusive",
        reason: "an inconclusive analysis holds the steps, and so the weight, until somebody decides; the peer goes on through steps that need no pods",
        seed: 63,
        applies: |at| is_inconclusive(at.peer) && is_inconclusive(at.ours),
    },
    Deliberate {
        name: "promoted-although-inconclusive",
        reason: "who promotes fully has decided; the peer stays paused by the inconclusive analysis",
        seed: 154,
        applies: |at| {
            is_inconclusive(at.peer) && at.peer["rollout"]["status"]["promoteFull"] == true
        },
    },
    Deliberate {
        name: "promoted-before-the-time",
        reason: "promoting ends a pause with autoPromotionSeconds; the peer forgets it and pauses anew",
        seed: 206,
        applies: |at| {
            at.case.of_strategy("autoPromotionSeconds").as_i64() > Some(0)
                && at.case.acts.contains(&Act::Press(Action::Promote))
        },
    },
    Deliberate {
        name: "kept-version-at-full-size",
        reason: "going back to a version whose pods are still kept is immediate; the peer first shrinks them to previewReplicaCount",
        seed: 181,
        applies: |at| {
            at.has_small_preview()
                && (at.tells("ScalingReplicaSet") || (!is_healthy(at.peer) && is_healthy(at.ours)))
        },
    },
    Deliberate {
        name: "deadline-of-nothing",
        reason: "a ReplicaSet without pods needs no time at which they go",
        seed: 147,
        applies: |at| {
            at.says(&["scale-down-deadline"])
                && at.difference.ours.is_none()
                && at.is_of_empty_set()
        },
    },
    Deliberate {
        name: "says-what-is-awaited",
        reason: "after half a minute without progress the message goes on to name what is awaited",
        seed: 49,
        applies: |at| at.is_longer_message(),
    },
    Deliberate {
        name: "abort-is-told",
        reason: "who aborts a paused rollout is told so as well; the peer says nothing",
        seed: 56,
        applies: |at| at.tells("RolloutAborted") && at.difference.peer.is_none() && at.is_aborted(),
    },
    Deliberate {
        name: "in-other-strides",
        reason: "how many pods go at once without a router depends on how many became available between two looks; the peer differs from itself",
        seed: 259,
        applies: |at| at.case.kind == Kind::Canary && at.tells("ScalingReplicaSet"),
    },
    Deliberate {
        name: "ingress-at-once",
        reason: "the first deployment has its canary Ingress at once, with weight 0; the peer makes it once the version is available",
        seed: 1002,
        applies: |at| {
            at.case.kind == Kind::Nginx
                && at.difference.place.starts_with("reasonsInOrder")
                && untold(at.peer, &ROUTE_REASONS) == untold(at.ours, &ROUTE_REASONS)
        },
    },
    Deliberate {
        name: "all-problems-at-once",
        reason: "the peer names the first thing that is wrong with a specification, we name all",
        seed: 1031,
        applies: |at| at.names_more_problems(),
    },
    Deliberate {
        name: "told-of-experiments-twice",
        reason: "the peer looks at an experiment again before it sees its own status, and tells the same twice",
        seed: 1007,
        applies: |at| {
            at.difference.place.starts_with("events.Experiment ") && at.is_told_more_often_by_peer()
        },
    },
    Deliberate {
        name: "workload-is-noted",
        reason: "noting the generation of a Deployment on the rollout makes the peer write the present revision into revision-history, and a conflict with that write loses the event of the new ReplicaSet",
        seed: 1019,
        applies: |at| {
            let is_lost = at.tells("NewReplicaSetCreated") && at.difference.peer.is_none();
            !at.case.rollout()["spec"]["workloadRef"].is_null()
                && (at.says(&["revision-history"]) || is_lost)
        },
    },
    Deliberate {
        name: "refused-beforehand",
        reason: "what an experiment's analysis lacks is said before anything is released; the peer aborts the release at that step",
        seed: 1000,
        applies: |at| {
            let message = text(&at.ours["rollout"]["status"]["message"]);
            message.starts_with("InvalidSpec") && message.contains("].experiment.analyses[")
        },
    },
    Deliberate {
        name: "kept-service-while-invalid",
        reason: "a service that an invalid specification no longer names leads where it led; the peer lets it lead to every version",
        seed: 1016,
        applies: |at| {
            at.difference.place.starts_with("services.")
                && text(&at.ours["rollout"]["status"]["message"]).starts_with("InvalidSpec")
        },
    },
    Deliberate {
        name: "value-as-written",
        reason: "a duration that cannot be read is shown as it is written; the peer shows -1",
        seed: 1021,
        applies: |at| {
            let (peer, ours) = at.difference.texts();
            ours.contains(UNREADABLE) && peer.replace("Invalid value: -1:", UNREADABLE) == ours
        },
    },
    Deliberate {
        name: "strategy-exchanged",
        reason: "after a change of strategy users stay where they are until the new version is whole, and what the former strategy left goes; the peer counts the version as stable at once, keeps weights of services that it no longer steers, with the pods they name, and metadata of roles that are gone",
        seed: 1005,
        applies: |at| at.is_exchanged(),
    },
    Deliberate {
        name: "experiment-is-judged-twice",
        reason: "the peer looks at an experiment again before it sees the analysis run that it made, and makes another, which it then waits for",
        seed: 1007,
        applies: |at| {
            at.is_about_experiments() && has_second_run(at.peer) && !has_second_run(at.ours)
        },
    },
    Deliberate {
        name: "analysis-in-other-strides",
        reason: "which phases of an experiment's analysis are told depends on when it is looked at",
        seed: 1020,
        applies: |at| {
            at.difference.place.starts_with("events.Experiment ")
                && at.says(&[" transitioned from "])
        },
    },
    Deliberate {
        name: "one-inconclusive-experiment",
        reason: "while a rollout is paused by an inconclusive experiment none is made; the peer makes one after the other until one fails",
        seed: 1017,
        applies: |at| {
            let pauses = at.ours["rollout"]["status"]["pauseConditions"].to_string();
            pauses.contains("InconclusiveExperiment")
        },
    },
    Deliberate {
        name: "analyses-that-never-began",
        reason: "an experiment that fails before its analyses begin shows none; the peer shows them without a name and a phase",
        seed: 1037,
        applies: |at| {
            let nameless = r#""analysisRun":"","#;
            at.says(&["experiments."])
                && at.difference.ours.is_none()
                && at
                    .difference
                    .peer
                    .as_ref()
                    .is_some_and(|peer| peer.to_string().contains(nameless))
        },
    },
    Deliberate {
        name: "hash-of-its-own",
        reason: "an experiment that is made again gets hashes of its own, so that its pods do not pass for those of the one before",
        seed: 1032,
        applies: |at| {
            at.ours["experiments"].to_string().contains("collisionCount")
                && at.says(&["<trial ", "collisionCount", "rollouts-pod-template-hash"])
        },
    },
    Deliberate {
        name: "resumed-then-completed",
        reason: "that a rollout goes on is told before what comes of it; the peer tells it at its next look",
        seed: 152,
        applies: |at| {
            at.difference.place.starts_with("reasonsInOrder")
                && untold(at.peer, &["RolloutResumed"]) == untold(at.ours, &["RolloutResumed"])
        },
    },
    Deliberate {
        name: "rolled-back-fast",
        reason: "going back to a version whose pods are kept is called what it is; the peer has forgotten it by the time it is through",
        seed: 1015,
        applies: |at| {
            at.case.kind == Kind::BlueGreen && at.case.goes_back() && at.tells("RolloutCompleted")
        },
    },
    Deliberate {
        name: "kept-pods-excuse-nothing",
        reason: "a release that is stuck is past its deadline, whether or not pods of another version are kept",
        seed: 352,
        applies: |at| {
            let reason = &at.ours["rollout"]["status"]["conditions"]["Progressing"]["reason"];
            *reason == "ProgressDeadlineExceeded"
                && has_deadline(at.peer)
                && at.says(&[
                    "rollout.status.message",
                    "rollout.status.phase",
                    "conditions.Progressing",
                    "ProgressDeadlineExceeded",
                ])
        },
    },
    Deliberate {
        name: "steps-before-a-pause",
        reason: "steps that an inconclusive analysis held are not told as completed once somebody has promoted fully",
        seed: 361,
        applies: |at| {
            at.tells("RolloutStepCompleted") && at.case.rollout().to_string().contains("-unclear")
        },
    },
    Deliberate {
        name: "argument-of-nothing",
        reason: "an argument that leads to no field lets the peer fail at every look without a word; we tell what is missing and go on with the rest",
        seed: 1003,
        applies: |at| {
            let seen = &at.peer["rollout"]["status"]["observedGeneration"];
            *seen != "as it is now" && at.case.rollout().to_string().contains("spec.nothing")
        },
    },
    Deliberate {
        name: "dry-run-of-nothing",
        reason: "a rule for dry runs that fits no metric ends the background analysis with an error that is told; the peer never makes the run",
        seed: 1009,
        applies: |at| at.ours["runs"].to_string().contains("didn't match any metric name(s)"),
    },
    Deliberate {
        name: "undo-with-anti-affinity",
        reason: "the peer takes the rule that it injected for a part of the template, so that undo makes a new version",
        seed: 33,
        applies: |at| !at.case.of_strategy("antiAffinity").is_null() && at.case.goes_back(),
    },
];

impl Situation<'_> {
    fn is_event(&self) -> bool {
        self.difference.is_of_events()
    }

    /// Whether it is about an event whose reason begins so.
    fn tells(&self, reason: &str) -> bool {
        self.is_event() && self.difference.place.contains(&format!(" {reason}"))
    }

    /// Whether its place has one of these words.
    fn says(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.difference.place.contains(word))
    }

    /// Whether it is about that field of a metric of an analysis run.
    fn is_about_runs(&self, field: &str) -> bool {
        let place = &self.difference.place;
        place.starts_with("runs.") && place.contains("metricResults") && place.ends_with(field)
    }

    /// Whether we told it too, but fewer times.
    fn is_told_more_often_by_peer(&self) -> bool {
        let count = |told: Option<&Value>| told.and_then(Value::as_u64).unwrap_or_default();
        let (peer, ours) =
            (count(self.difference.peer.as_ref()), count(self.difference.ours.as_ref()));
        ours > 0 && peer > ours
    }

    /// Whether it is why a specification is invalid, of which we tell more.
    fn names_more_problems(&self) -> bool {
        let (peer, ours) = self.difference.texts();
        self.difference.place.ends_with("message")
            && peer.contains(" is invalid: ")
            && ours.starts_with(&format!("{peer}; "))
    }

    /// Whether another strategy has taken the place of the one that the case began with. Of what blue-green
    /// leaves to a canary only metadata is meant.
    fn is_exchanged(&self) -> bool {
        let status = |picture: &Value| picture["rollout"]["status"]["blueGreen"].is_object();
        if self.case.kind == Kind::BlueGreen {
            let left = ["ephemeral-metadata", "spec.template.metadata", "pods.<"];
            return self.case.is_given("canary") && self.says(&left);
        }
        self.case.is_given("blueGreen") && (status(self.peer) || status(self.ours))
    }

    /// Whether it is about an experiment, its analyses or what is told of them.
    fn is_about_experiments(&self) -> bool {
        ["experiments.", "runs.", "events.Experiment ", "events.AnalysisRun "]
            .iter()
            .any(|place| self.difference.place.starts_with(place))
    }

    /// Whether the new version gets everything at once.
    fn is_whole(&self) -> bool {
        let steps = self.case.of_strategy("steps").as_array().map(Vec::len).unwrap_or_default();
        steps == 0 || self.case.acts.contains(&Act::Press(Action::PromoteFull))
    }

    fn is_aborted(&self) -> bool {
        self.ours["rollout"]["status"]["abort"] == true
            && self.peer["rollout"]["status"]["abort"] == true
    }

    /// Whether it is about how many pods there are.
    fn counts_pods(&self) -> bool {
        let place = &self.difference.place;
        place.starts_with("pods.")
            || place.to_lowercase().ends_with("replicas")
            || place.contains(" ScalingReplicaSet: Scaled down")
    }

    /// Whether a version waits here for its deadline that has none at the peer's.
    fn keeps_more(&self) -> bool {
        let sets = self.ours["replicaSets"].as_object();
        let deadline = |set: &Value| !set["annotations"]["scale-down-deadline"].is_null();
        sets.into_iter()
            .flatten()
            .any(|(name, set)| deadline(set) && !deadline(&self.peer["replicaSets"][name]))
    }

    fn has_small_preview(&self) -> bool {
        !self.case.of_strategy("previewReplicaCount").is_null()
    }

    /// Whether it is the rollout's message, which begins as the peer's does.
    fn is_longer_message(&self) -> bool {
        let (peer, ours) = self.difference.texts();
        self.difference.place == "rollout.status.message"
            && !peer.is_empty()
            && ours.starts_with(&format!("{peer}: "))
    }

    /// Whether it is about a ReplicaSet that has no pods on either side.
    fn is_of_empty_set(&self) -> bool {
        let name = self.difference.place.split('.').nth(1).unwrap_or_default();
        [self.peer, self.ours]
            .iter()
            .all(|picture| picture["replicaSets"][name]["spec.replicas"] == 0)
    }

    /// Whether the peer has told so much of one object that it drops what comes next.
    fn drops_events(&self) -> bool {
        let events = self.peer["events"].as_object();
        let told = || events.into_iter().flatten();
        let count: u64 = told().filter_map(|(_, count)| count.as_u64()).sum();
        count >= SENTENCES
            || told().any(|(line, _)| line.contains("(combined from similar events)"))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The reasons of a rollout's events in their order, without some.
fn untold<'a>(picture: &'a Value, reasons: &[&str]) -> Vec<&'a Value> {
    let told = picture["reasonsInOrder"].as_array().into_iter().flatten();
    told.filter(|told| !reasons.iter().any(|reason| *told == reason)).collect()
}

/// Whether an experiment has made a run again whose name was taken.
fn has_second_run(picture: &Value) -> bool {
    let runs = picture["runs"].as_object().into_iter().flatten();
    runs.map(|(name, _)| name).any(|name| name.ends_with(".1"))
}

/// Whether pods of some version are kept until a time.
fn has_deadline(picture: &Value) -> bool {
    let sets = picture["replicaSets"].as_object().into_iter().flatten();
    sets.map(|(_, set)| &set["annotations"]["scale-down-deadline"]).any(|time| !time.is_null())
}

fn is_inconclusive(picture: &Value) -> bool {
    picture["rollout"]["status"]["pauseConditions"].to_string().contains("Inconclusive")
}

fn is_healthy(picture: &Value) -> bool {
    picture["rollout"]["status"]["phase"] == "Healthy"
}

/// Why a difference is meant, if it is.
pub(crate) fn find(
    case: &Case,
    difference: &Difference,
    (peer, ours): (&Value, &Value),
) -> Option<&'static Deliberate> {
    let situation = Situation { case, difference, peer, ours };
    DELIBERATE.iter().find(|known| (known.applies)(&situation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(place: &str, events: &Value, expected: Option<&str>) {
        let difference = Difference { place: place.to_owned(), peer: None, ours: Some(json!(1)) };
        let found =
            find(&Case::of_seed(1), &difference, (&json!({ "events": events }), &json!({})));
        assert_eq!(found.map(|known| known.name), expected);
    }

    #[test]
    fn only_what_is_listed_is_meant() {
        check("rollout.status.phase", &json!({}), None);
        check("events.Rollout Normal RolloutPaused: Rollout is paused (a)", &json!({}), None);
        check(
            "events.Rollout Normal RolloutAddedToInformer: x",
            &json!({}),
            Some("added-to-informer"),
        );
    }

    #[test]
    fn a_peer_that_told_too_much_drops_events_and_nothing_else() {
        let much = json!({ "Rollout Normal ScalingReplicaSet: x": 25 });
        check("events.Rollout Normal RolloutPaused: x", &much, Some("told-too-often"));
        check("rollout.status.phase", &much, None);
    }

    #[test]
    fn every_entry_has_a_name_of_its_own_and_a_reason() {
        let names: std::collections::BTreeSet<_> =
            DELIBERATE.iter().map(|known| known.name).collect();
        assert_eq!(names.len(), DELIBERATE.len());
        assert!(DELIBERATE.iter().all(|known| known.reason.len() > 20));
    }
}
