//! What differs on purpose: defects of the peer and what we tell better, each with the reason.

use crate::{
    case::Case,
    compare::Difference,
    manifest::Kind,
    situation::{Situation, untold},
};
use actions::Action;
use serde_json::Value;

/// A difference that is meant.
pub struct Deliberate {
    /// A short name.
    pub name: &'static str,
    /// Why it is meant.
    pub reason: &'static str,
    /// Seeds that show it: one, or some of which each shows it at times.
    pub seeds: &'static [u64],
    applies: fn(&Situation<'_>) -> bool,
}

/// What is told of canary Ingresses.
const ROUTE_REASONS: [&str; 3] =
    ["CreatingCanaryIngress", "PatchingCanaryIngress", "TrafficWeightUpdated"];

/// What is told while steps go on.
const STEP_REASONS: [&str; 3] =
    ["RolloutStepCompleted", "PatchingCanaryIngress", "TrafficWeightUpdated"];

/// How a duration that cannot be read is shown.
const UNREADABLE: &str = "Invalid value: \"soon\":";

/// Everything that differs on purpose.
pub const DELIBERATE: &[Deliberate] = &[
    Deliberate {
        name: "weight-of-nothing",
        reason: "the peer tells of a weight, with a sentence that breaks off, when only a hash changed",
        seeds: &[12],
        applies: |at| {
            at.is_the_peers_alone()
                && at.says(&["TrafficWeightUpdated: Traffic weight updated "])
                && at.difference.place.ends_with(' ')
        },
    },
    Deliberate {
        name: "running-before-judged",
        reason: "a run is running here from its first question on; the peer's status is empty until that is answered",
        seeds: &[12],
        applies: |at| {
            at.is_of(&["events.Rollout "])
                && at.tells("AnalysisRun")
                && at.says(&["'Running'", "Previous: ''"])
        },
    },
    Deliberate {
        name: "why-so-judged",
        reason: "a metric's message says which value met or missed which condition; the peer has none",
        seeds: &[12],
        applies: |at| at.is_verdict_of_metric() && at.is_ours_alone(),
    },
    Deliberate {
        name: "told-too-often",
        reason: "the peer's library combines what is told of one object beyond ten alike and drops it beyond 25 in all; we drop beyond as many, but for warnings and the end of a release",
        seeds: &[67],
        applies: |at| at.is_dropped(),
    },
    Deliberate {
        name: "delay-of-zero",
        reason: "if scaleDownDelaySeconds is 0 the peer neither takes old pods nor gives them a time to go, so that they stay for ever",
        seeds: &[112, 3038],
        applies: |at| {
            *at.case.of_strategy("scaleDownDelaySeconds") == 0
                && (at.counts_pods()
                    || (at.tells("ScalingReplicaSet") && at.is_ours_alone())
                    || (at.is_of(&["replicaSets."]) && at.is_the_peers_alone())
                    || at.is_of(&[
                        "rollout.status.phase",
                        "rollout.status.message",
                        "rollout.status.conditions.Healthy",
                        "rollout.status.conditions.Progressing",
                    ]))
        },
    },
    Deliberate {
        name: "whole-by-weight",
        reason: "without steps, and when promoted fully, all weight goes to the new version before its pods count as stable; the peer leaves the weight and swaps what the services lead to under their users",
        seeds: &[67],
        applies: |at| {
            at.case.kind == Kind::Nginx
                && at.says(&["TrafficWeightUpdated", "PatchingCanaryIngress"])
                && at.is_event()
                && at.is_whole()
        },
    },
    Deliberate {
        name: "kept-after-abort",
        reason: "with abortScaleDownDelaySeconds 0 the pods stay up, as the peer's documentation says; there a routed canary loses them, for its weight is 0",
        seeds: &[89],
        applies: |at| {
            at.case.kind == Kind::Nginx
                && *at.case.of_strategy("abortScaleDownDelaySeconds") == 0
                && at.is_aborted()
                && at.counts_pods_of(&at.wanted())
        },
    },
    Deliberate {
        name: "kept-when-overtaken",
        reason: "a routed version that another one overtakes keeps its pods for scaleDownDelaySeconds: proxies may not know of the route yet; the peer takes them at once",
        seeds: &[70],
        applies: |at| {
            let kept = at.kept_longer();
            let is_of_kept = kept.iter().any(|version| at.says(&[version.as_str()]));
            let is_deadline = at.says(&["scale-down-deadline"]) && is_of_kept;
            // Without pods it goes as soon as it is beyond the history.
            let is_gone = is_of_kept && at.is_whole_set() && at.is_ours_alone();
            let is_why_unhealthy = at.is_unhealthy_by_more_pods()
                && at.is_of(&[
                    "rollout.status.conditions.Healthy",
                    "rollout.status.conditions.Progressing",
                ]);
            at.case.kind == Kind::Nginx
                && (is_deadline
                    || is_gone
                    || at.is_size_noted_later()
                    || at.counts_pods_of(&kept)
                    || (!kept.is_empty() && is_why_unhealthy))
        },
    },
    Deliberate {
        name: "held-when-inconclusive",
        reason: "an inconclusive analysis holds the steps, and so the weight, until somebody decides; the peer holds only the number of pods and goes on through steps that need no others; and how far either had come when the analysis ended is a matter of moments",
        seeds: &[63],
        applies: |at| {
            let is_over = at.was_inconclusive() && at.tells_of_overtaken_set();
            let is_held = at.is_inconclusive()
                && (at.tells_or_orders(&STEP_REASONS)
                    || at.tells("ScalingReplicaSet")
                    || at.counts_pods_of(&at.wanted())
                    || at.is_of(&[
                        "ingresses.",
                        "rollout.status.canary",
                        "rollout.status.currentStepIndex",
                        "rollout.status.message",
                        "rollout.status.pauseConditions",
                    ]));
            is_held || is_over
        },
    },
    Deliberate {
        name: "heard-although-inconclusive",
        reason: "who promotes fully or asks for another version has decided; where the number of pods changed meanwhile the peer does nothing but scale (rollout/context.go:79), which the inconclusive analysis forbids (rollout/canary.go:418), and so takes notice of nothing",
        seeds: &[154],
        applies: |at| {
            let is_more_by_peer = at.is_event() && at.is_told_more_by_peer();
            at.is_resized()
                && at.is_stuck_in_scaling()
                && at.is_heard_here_alone()
                && (!is_more_by_peer || at.tells("ScalingReplicaSet"))
        },
    },
    Deliberate {
        name: "promoted-before-the-time",
        reason: "promoting ends a pause with autoPromotionSeconds; the peer forgets it within that look and pauses anew",
        seeds: &[206, 4021],
        applies: |at| {
            at.case.of_strategy("autoPromotionSeconds").as_i64() > Some(0)
                && *at.case.of_strategy("autoPromotionEnabled") != false
                && at.is_pressed(&Action::Promote)
                && (at.waits_alone()
                    || at.has_another_stable()
                    || at.tells_or_orders(&["RolloutPaused", "RolloutResumed"]))
        },
    },
    Deliberate {
        name: "preview-of-the-last-version",
        reason: "each version waits for its own preview; at the peer the checkpoint outlives a change of the template (rollout/bluegreen.go:329), so that the next version begins at full size, and its analysis before the switch waits for previewReplicaCount pods for ever",
        seeds: &[3020],
        applies: |at| {
            !at.case.of_strategy("previewReplicaCount").is_null()
                && !at.case.of_strategy("prePromotionAnalysis").is_null()
                && at.peer["rollout"]["status"]["message"] == "active service cutover pending"
        },
    },
    Deliberate {
        name: "users-of-an-invalid-specification",
        reason: "users stay where they are while a specification is invalid; the peer lets go of the service that is named no longer (service/service.go:204), and takes the version it is mended with for the first of all",
        seeds: &[3034],
        applies: |at| {
            at.case.kind == Kind::BlueGreen
                && at.case.is_given("blueGreen")
                && at.begins_anew_at_peer()
                && (at.is_event() || at.counts_pods() || at.is_of(&["pods.", "replicaSets."]))
        },
    },
    Deliberate {
        name: "kept-version-at-full-size",
        reason: "going back to a version whose pods are still kept is immediate; the peer first shrinks them to previewReplicaCount, and then knows no more that they were kept",
        seeds: &[181],
        applies: |at| {
            !at.case.of_strategy("previewReplicaCount").is_null()
                && at.case.asks_for_a_former_version()
                && (at.tells("ScalingReplicaSet")
                    || at.tells("RolloutPaused")
                    || at.tells("RolloutResumed")
                    || at.is_of(&["rollout.status.duration.totalManualPauseDurationSeconds"])
                    || at.is_switched_here_alone()
                    || at.is_about_pods_kept_by_peer())
        },
    },
    Deliberate {
        name: "resized-after-abort",
        reason: "another number of pods gives an aborted canary none; with dynamicStableScale the peer sizes it by the pods that stable lacks for a moment (utils/replicaset/canary.go:386), and takes them again",
        seeds: &[1113],
        applies: |at| {
            *at.case.of_strategy("dynamicStableScale") == true
                && at.is_resized()
                && at.is_aborted()
                && at.tells("ScalingReplicaSet")
                && at.is_told_more_by_peer()
        },
    },
    Deliberate {
        name: "deadline-of-nothing",
        reason: "a ReplicaSet without pods needs no time at which they go; the peer leaves it where an abort took them",
        seeds: &[147],
        applies: |at| {
            at.says(&["scale-down-deadline"]) && at.is_the_peers_alone() && at.is_of_empty_set()
        },
    },
    Deliberate {
        name: "says-what-is-awaited",
        reason: "after half a minute without progress the message goes on to name what is awaited",
        seeds: &[1003],
        applies: |at| at.is_longer_message() || at.says_what_experiment_awaits(),
    },
    Deliberate {
        name: "in-other-strides",
        reason: "how many pods go at once without a router depends on how many became available between two looks; the peer differs from itself",
        seeds: &[1017],
        applies: |at| at.case.kind == Kind::Canary && at.is_scaled_by_both(),
    },
    Deliberate {
        name: "ingress-at-once",
        reason: "the first deployment has its canary Ingress at once, with weight 0; the peer makes it once a version is stable",
        seeds: &[1002],
        applies: |at| {
            at.case.kind == Kind::Nginx
                && at.is_of(&["reasonsInOrder"])
                && untold(at.peer, &ROUTE_REASONS) == untold(at.ours, &ROUTE_REASONS)
        },
    },
    Deliberate {
        name: "made-last",
        reason: "the condition names the ReplicaSet that was made last; the peer's sticks to the one before where no other reason came in between (rollout/sync.go:257), and so does the time from which its deadline counts",
        seeds: &[1024],
        applies: |at| {
            let (peer, ours) = at.difference.texts();
            at.is_of(&["rollout.status.conditions.Progressing.message"])
                && [peer, ours].iter().all(|text| text.starts_with("Created new replica set "))
        },
    },
    Deliberate {
        name: "all-problems-at-once",
        reason: "the peer names the first thing that is wrong with a specification, we name all",
        seeds: &[1009],
        applies: |at| at.names_more_problems(),
    },
    Deliberate {
        name: "told-of-experiments-twice",
        reason: "the peer looks at an experiment or a run again before it sees its own status, and tells the same twice",
        seeds: &[1007],
        applies: |at| {
            at.is_of(&["events.Experiment ", "events.AnalysisRun "]) && at.is_told_again_by_peer()
        },
    },
    Deliberate {
        name: "workload-is-noted",
        reason: "noting the generation of a Deployment on the rollout makes the peer write the present revision into revision-history, and a conflict with that write loses the event of the new ReplicaSet",
        seeds: &[1019],
        applies: |at| {
            let is_lost = at.tells("NewReplicaSetCreated") && at.is_ours_alone();
            !at.case.rollout()["spec"]["workloadRef"].is_null()
                && (at.says(&["revision-history"]) || is_lost)
        },
    },
    Deliberate {
        name: "kept-service-while-invalid",
        reason: "a service that an invalid specification no longer names leads where it led; the peer lets it lead to every version, and on to a new one without waiting for anybody",
        seeds: &[1016, 4058],
        applies: |at| {
            let is_given_back = at.tells("SwitchService")
                && at.says(&[" from '' to "])
                && at.is_told_more_by_peer();
            (at.is_of(&["services."]) && at.is_ours_alone() && at.is_invalid())
                || (at.case.names_other_services()
                    && (is_given_back || at.is_switched_at_peer_alone()))
        },
    },
    Deliberate {
        name: "service-to-and-fro",
        reason: "an aborted canary's service is led to stable once; as long as the canary has pods the peer leads it to them first and to stable then, at every look",
        seeds: &[1113, 1204],
        applies: |at| {
            at.case.kind == Kind::Nginx
                && at.tells("SwitchService")
                && at.is_told_more_by_peer()
                && at.was_aborted_by_peer()
        },
    },
    Deliberate {
        name: "value-as-written",
        reason: "a duration that cannot be read is shown as it is written; the peer shows -1",
        seeds: &[1021],
        applies: |at| {
            let (peer, ours) = at.difference.texts();
            ours.contains(UNREADABLE) && peer.replace("Invalid value: -1:", UNREADABLE) == ours
        },
    },
    Deliberate {
        name: "weights-of-a-former-strategy",
        reason: "blue-green has no weights; the peer carries those of the canary before along, and keeps the pods of the versions they name for ever",
        seeds: &[1005],
        applies: |at| at.becomes_blue_green() && at.is_about_kept_weights(),
    },
    Deliberate {
        name: "roles-of-a-former-strategy",
        reason: "metadata of a part that no pod plays any more goes; the peer looks after it only where the present strategy asks for some",
        seeds: &[1019],
        applies: |at| (at.becomes_blue_green() || at.becomes_canary()) && at.is_about_roles(),
    },
    Deliberate {
        name: "stable-until-whole",
        reason: "when blue-green takes the place of a canary under an update, users stay where they are until the new version is whole; the peer takes it for the first version of all while the active service leads to every pod, and calls it stable without one",
        seeds: &[1022, 4011],
        applies: |at| {
            at.becomes_blue_green()
                && (at.is_about_early_promotion() || at.is_a_return_to_one_alone())
        },
    },
    Deliberate {
        name: "experiment-is-judged-twice",
        reason: "the peer looks at an experiment again before it sees its own status, and makes an analysis run that has ended meanwhile once more, which it then waits for",
        seeds: &[1007],
        applies: |at| at.is_of_second_run(),
    },
    Deliberate {
        name: "analysis-in-other-strides",
        reason: "which phases of an experiment's analysis are told depends on when it is looked at",
        seeds: &[1020],
        applies: |at| at.is_of(&["events.Experiment "]) && at.says(&["' transitioned from "]),
    },
    Deliberate {
        name: "good-news-is-no-warning",
        reason: "what becomes of an experiment's analysis is told on the rollout as a warning where it is bad news; the peer warns of everything, and which phases it tells depends on when it looks",
        seeds: &[1032],
        applies: |at| {
            at.is_of(&["events.Rollout Warning AnalysisRun", "events.Rollout Normal AnalysisRun"])
                && at.says(&[": AnalysisRun '"])
                && at.says(&["' transitioned from "])
        },
    },
    Deliberate {
        name: "one-inconclusive-experiment",
        reason: "while a rollout is paused by an inconclusive experiment none is made; the peer forgets the one that ended so, and makes one after the other, until one ends whose analysis has not begun",
        seeds: &[1017, 4031],
        applies: |at| {
            at.pauses_for_experiment()
                && (at.is_about_experiments()
                    || at.has_another_stable()
                    || at.is_a_return_to_one_alone())
        },
    },
    Deliberate {
        name: "experiment-of-another-hash",
        reason: "an experiment has the hash of its version in its name and labels; the peer works one out of the template again (rollout/experiment.go:29), which after an undo has what the API server filled in, and is no version's",
        seeds: &[1156],
        applies: |at| {
            at.case.goes_back()
                && at.is_about_experiments()
                && at.peer_made_experiment_of_no_version()
        },
    },
    Deliberate {
        name: "experiment-of-a-skipped-step",
        reason: "going back within rollbackWindow skips every step; the peer makes the experiment of the first one before it notices (rollout/canary.go:368 looks for its pods first, :377 at the next look does not)",
        seeds: &[1074],
        applies: |at| {
            !at.case.rollout()["spec"]["rollbackWindow"].is_null()
                && at.case.asks_for_a_former_version()
                && at.is_about_experiments()
                && (at.is_the_peers_alone() || at.is_told_again_by_peer())
        },
    },
    Deliberate {
        name: "analyses-that-never-began",
        reason: "an experiment that fails before its analyses begin shows none; the peer shows them without a name and a phase",
        seeds: &[1037],
        applies: |at| {
            let peer = at.difference.peer.as_ref().map(Value::to_string).unwrap_or_default();
            at.is_of(&["experiments."])
                && at.is_the_peers_alone()
                && peer.contains(r#""analysisRun":"","#)
        },
    },
    Deliberate {
        name: "end-of-an-ended-analysis",
        reason: "an experiment that is over shows how its analyses ended; the peer looks no more (experiments/experiment.go:499), takes one without a phase for a success (assessAnalysisRuns) and shows it as under way for ever",
        seeds: &[1000],
        applies: |at| at.is_of_ended_analysis(),
    },
    Deliberate {
        name: "failed-at-once",
        reason: "a run ends with the first metric that fails, or when it is ended, though others were asked at the same time; the peer waits for every answer of that look (analysis/analysis.go:428), however slow",
        seeds: &[1009, 1011, 1173],
        applies: |at| at.is_of_unawaited_measurement(),
    },
    Deliberate {
        name: "required-is-enough",
        reason: "an experiment is over when the analyses that are required have succeeded; with another one under way the peer's stays as it is for ever (experiments/experiment.go:641), and so does the step",
        seeds: &[1091],
        applies: |at| at.is_held_by_unrequired_analysis(),
    },
    Deliberate {
        name: "hash-of-its-own",
        reason: "an experiment that is made again gets hashes of its own, so that its pods do not pass for those of the one before",
        seeds: &[1032],
        applies: |at| {
            at.ours["experiments"].to_string().contains("collisionCount")
                && (at.says(&["<trial ", "collisionCount", "rollouts-pod-template-hash"])
                    || at.is_of_shared_hash())
        },
    },
    Deliberate {
        name: "resumed-then-completed",
        reason: "that a rollout goes on is told before what comes of it; the peer tells it at the end of that look",
        seeds: &[152],
        applies: |at| {
            at.is_of(&["reasonsInOrder"])
                && untold(at.peer, &["RolloutResumed"]) == untold(at.ours, &["RolloutResumed"])
        },
    },
    Deliberate {
        name: "rolled-back-fast",
        reason: "going back to a version whose pods are kept is called what it is; the peer takes the time they have as soon as they are wanted, and when they are not there at that look knows no more that they were kept",
        seeds: &[1015],
        applies: |at| {
            let called = if at.is_told_more_by_peer() {
                ": Completed blue-green update"
            } else {
                ": Fast rollback"
            };
            at.case.kind == Kind::BlueGreen
                && at.tells("RolloutCompleted")
                && at.difference.place.ends_with(called)
        },
    },
    Deliberate {
        name: "kept-pods-excuse-nothing",
        reason: "a release that is stuck is past its deadline, whether or not pods of another version are kept",
        seeds: &[352],
        applies: |at| {
            let reason = &at.ours["rollout"]["status"]["conditions"]["Progressing"]["reason"];
            *reason == "ProgressDeadlineExceeded"
                && at.peer_keeps_others()
                && at.is_of(&[
                    "rollout.status.message",
                    "rollout.status.phase",
                    "rollout.status.conditions.Progressing",
                ])
        },
    },
    Deliberate {
        name: "judged-meanwhile",
        reason: "being judged before or after the switch is no lack of progress; to the peer only the steps of a canary are (rollout/sync.go:799)",
        seeds: &[1222],
        applies: |at| {
            at.is_judged_past_deadline()
                && at.is_of(&[
                    "rollout.status.message",
                    "rollout.status.phase",
                    "rollout.status.conditions.Progressing",
                ])
        },
    },
    Deliberate {
        name: "completed-although-inconclusive",
        reason: "an inconclusive analysis holds a release until somebody decides; the peer holds no more than scaling (rollout/canary.go:418), so that where the last step needs no other pods it takes that step (:404, :308 asks for spec.paused alone), calls the release complete (rollout/sync.go:1277) and drops the pause (:1322)",
        seeds: &[361, 34_153],
        applies: |at| at.case.kind != Kind::BlueGreen && at.follows_early_completion(),
    },
    Deliberate {
        name: "steps-before-a-pause",
        reason: "steps that an inconclusive analysis held are not told as completed once somebody has promoted fully, aborted or asked for another version; the peer went on through those that need no other pods (rollout/canary.go:418 halts no more than scaling)",
        seeds: &[895],
        applies: |at| {
            at.tells("RolloutStepCompleted") && at.is_told_more_by_peer() && at.was_inconclusive()
        },
    },
    Deliberate {
        name: "argument-of-nothing",
        reason: "an argument that leads to no field lets the peer fail at every look without a word, before its status is written; we tell what is missing and go on with the rest",
        seeds: &[1003],
        applies: |at| {
            at.is_unseen_by_peer() && at.case.rollout().to_string().contains("spec.nothing")
        },
    },
    Deliberate {
        name: "end-of-an-early-error",
        reason: "a run that errs before its first measurement has begun and ended; the peer notes neither",
        seeds: &[1086],
        applies: |at| {
            at.is_of(&["runs."])
                && at.says(&[".status.startedAt", ".status.completedAt"])
                && at.is_ours_alone()
                && at.is_of_run_in_error()
        },
    },
    Deliberate {
        name: "first-of-two-ends",
        reason: "where a background analysis errs at once, for a rule for dry runs that fits no metric, and a step's fails, the one that is seen first has the other ended and is why it aborts, and of the two the history keeps either",
        seeds: &[1009],
        applies: |at| {
            at.case.kind != Kind::BlueGreen
                && at.has_rule_for_nothing()
                && (at.is_about_runs() || at.is_which_analysis_aborted())
        },
    },
    Deliberate {
        name: "judged-anew",
        reason: "a retry judges blue-green's new version anew; where that was judged after the switch the peer forgets the abort before users are there again (rollout/analysis.go:194), and aborts at once for the run that failed before",
        seeds: &[1086],
        applies: |at| {
            at.case.kind == Kind::BlueGreen
                && at.is_pressed(&Action::Retry)
                && at.is_judged_again_here_alone()
                && (at.is_about_runs()
                    || at.is_of(&["rollout.status.blueGreen.postPromotionAnalysisRunStatus"]))
        },
    },
    Deliberate {
        name: "deadline-told-once",
        reason: "an abort because the deadline has passed is told once; the peer tells it where it decides it (rollout/sync.go:856) and with the conditions",
        seeds: &[1205],
        applies: |at| {
            at.tells("RolloutAborted: ReplicaSet \"")
                && at.says(&["\" has timed out progressing."])
                && at.is_the_peers_alone()
        },
    },
    Deliberate {
        name: "not-against-itself",
        reason: "no version is kept off its own nodes; the peer works a hash out of the template again (utils/replicaset/replicaset.go:212), which after an undo is no version's, and takes the stable version for another one",
        seeds: &[1015],
        applies: |at| {
            let (peer, _) = at.difference.texts();
            !at.case.of_strategy("antiAffinity").is_null()
                && at.case.goes_back()
                && at.says(&["spec.affinity.podAntiAffinity."])
                && at.is_of(&[&format!("replicaSets.it-{peer}.")])
        },
    },
    Deliberate {
        name: "undo-with-anti-affinity",
        reason: "undo copies the rule for nodes that was injected into a ReplicaSet; the peer then takes it for a part of the template, and makes a new version",
        seeds: &[492],
        applies: |at| {
            !at.case.of_strategy("antiAffinity").is_null()
                && at.case.goes_back()
                && at.peer_made_more()
        },
    },
];

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
#[path = "deliberate_tests.rs"]
mod tests;
