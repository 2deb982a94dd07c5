//! What is known when a difference is judged: the case, the difference, and what both sides look like.

mod inconclusive;
mod promotion;

use crate::{act::Act, case::Case, compare::Difference, manifest::Kind};
use actions::Action;
use api::argo::keys;
use serde_json::{Value, json};

/// How many sentences about one object the peer's library tells before it drops the next, and we, too.
const SENTENCES: u64 = 25;
/// How it begins what it makes of many sentences that are alike.
const COMBINED: &str = "(combined from similar events)";
/// What the templates of a step that is an experiment are called.
const PARTS: [&str; 2] = ["baseline", "candidate"];
/// How an update to the first version of all is called complete.
const INITIAL: &str = ": Initial deploy";

/// What is known when a difference is judged.
pub(crate) struct Situation<'a> {
    pub(crate) case: &'a Case,
    pub(crate) difference: &'a Difference,
    pub(crate) peer: &'a Value,
    pub(crate) ours: &'a Value,
}

/// What the difference is about.
impl Situation<'_> {
    fn place(&self) -> &str {
        &self.difference.place
    }

    pub(crate) fn is_event(&self) -> bool {
        self.difference.is_of_events()
    }

    /// Whether it is about an event whose reason begins so.
    pub(crate) fn tells(&self, reason: &str) -> bool {
        self.is_event() && self.place().contains(&format!(" {reason}"))
    }

    /// Whether it is about an event with one of these reasons, or about their order.
    pub(crate) fn tells_or_orders(&self, reasons: &[&str]) -> bool {
        self.is_of(&["reasonsInOrder"]) || reasons.iter().any(|reason| self.tells(reason))
    }

    /// Whether its place has one of these words.
    pub(crate) fn says(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.place().contains(word))
    }

    /// Whether its place begins so.
    pub(crate) fn is_of(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.place().starts_with(place))
    }

    /// Whether only we have it.
    pub(crate) fn is_ours_alone(&self) -> bool {
        self.difference.peer.is_none()
    }

    /// Whether only the peer has it.
    pub(crate) fn is_the_peers_alone(&self) -> bool {
        self.difference.ours.is_none()
    }

    /// Whether an event was told more often by the peer.
    pub(crate) fn is_told_more_by_peer(&self) -> bool {
        let (peer, ours) = self.counts();
        peer > ours
    }

    /// Whether we told it too, but fewer times.
    pub(crate) fn is_told_again_by_peer(&self) -> bool {
        self.counts().1 > 0 && self.is_told_more_by_peer()
    }

    /// How often an event was told, the peer first.
    fn counts(&self) -> (u64, u64) {
        let count = |told: Option<&Value>| told.and_then(Value::as_u64).unwrap_or_default();
        (count(self.difference.peer.as_ref()), count(self.difference.ours.as_ref()))
    }

    /// Whether it is about why a metric of an analysis run was judged as it was.
    pub(crate) fn is_verdict_of_metric(&self) -> bool {
        self.is_of(&["runs."])
            && self.says(&["].message"])
            && self.says(&["metricResults["])
            && !self.says(&["measurements"])
    }

    /// Whether it is why a specification is invalid, of which we tell more.
    pub(crate) fn names_more_problems(&self) -> bool {
        let (peer, ours) = self.difference.texts();
        self.place().ends_with("message")
            && peer.contains(" is invalid: ")
            && ours.starts_with(&format!("{peer}; "))
    }

    /// Whether it is the rollout's message, which begins as the peer's does.
    pub(crate) fn is_longer_message(&self) -> bool {
        let (peer, ours) = self.difference.texts();
        self.place() == "rollout.status.message"
            && !peer.is_empty()
            && ours.starts_with(&format!("{peer}: "))
    }

    /// Whether it is what pods an experiment waits for, of which the peer says nothing.
    pub(crate) fn says_what_experiment_awaits(&self) -> bool {
        self.is_of(&["experiments."])
            && self.place().ends_with(".message")
            && self.is_ours_alone()
            && self.difference.texts().1.contains(" pods available")
    }

    /// Whether it is a whole ReplicaSet.
    pub(crate) fn is_whole_set(&self) -> bool {
        self.is_of(&["replicaSets."]) && !self.says(&[">."])
    }

    /// Whether it is the scaling of a version that is neither wanted nor stable here any more.
    pub(crate) fn tells_of_overtaken_set(&self) -> bool {
        let needed = ["/currentPodHash", "/stableRS"]
            .map(|place| hash(self.ours, place).unwrap_or_default());
        self.tells("ScalingReplicaSet") && !self.says(&needed)
    }

    /// Whether it is about how many pods there are.
    pub(crate) fn counts_pods(&self) -> bool {
        self.is_of(&["pods."])
            || self.place().to_lowercase().ends_with("replicas")
            || self.says(&[" ScalingReplicaSet: Scaled down"])
    }

    /// Whether it is about how many pods there are of one of these versions, or of all together.
    pub(crate) fn counts_pods_of(&self, versions: &[String]) -> bool {
        let of_one = || versions.iter().any(|version| self.place().contains(version.as_str()));
        !versions.is_empty() && self.counts_pods() && (self.is_of(&["rollout.status."]) || of_one())
    }

    /// Whether it is about an experiment, its pods, its analyses or what is told of them.
    pub(crate) fn is_about_experiments(&self) -> bool {
        self.is_of(&["experiments.", "runs.", "jobs.", "events.Experiment ", "events.AnalysisRun "])
            || self.says(&["<trial ", " ExperimentCreated", "status.canary.currentExperiment"])
            || (self.is_of(&["replicaSets."]) && PARTS.iter().any(|part| self.says(&[part])))
            || (self.is_of(&["events.Rollout "]) && self.says(&["AnalysisRun '"]))
    }

    /// Whether it is about analysis runs or what is told of them.
    pub(crate) fn is_about_runs(&self) -> bool {
        self.is_of(&["runs.", "jobs.", "events.AnalysisRun "])
            || (self.is_of(&["events.Rollout "]) && self.says(&[" Analysis Run '"]))
    }

    /// Whether it is about which analysis an abort is put down to.
    pub(crate) fn is_which_analysis_aborted(&self) -> bool {
        const FAILED: &str = " analysis phase error/failed";
        let shown = ["rollout.status.message", "rollout.status.conditions.Progressing.message"];
        let (peer, ours) = self.difference.texts();
        self.tells("RolloutAborted: ") && self.says(&[FAILED])
            || self.is_of(&shown) && peer.contains(FAILED) && ours.contains(FAILED)
    }

    /// Whether it is about metadata that pods have for the part they play.
    pub(crate) fn is_about_roles(&self) -> bool {
        self.says(&["ephemeral-metadata", "spec.template.metadata"]) || self.is_of(&["pods.<"])
    }

    /// Whether it is about a ReplicaSet that has no pods on either side.
    pub(crate) fn is_of_empty_set(&self) -> bool {
        let name = self.place().split('.').nth(1).unwrap_or_default();
        [self.peer, self.ours]
            .iter()
            .all(|picture| picture["replicaSets"][name]["spec.replicas"] == 0)
    }

    /// Whether it is for what number of pods a ReplicaSet was scaled down, after another one was asked for.
    pub(crate) fn is_size_noted_later(&self) -> bool {
        self.is_resized() && self.says(&[keys::DESIRED_REPLICAS]) && self.is_of_empty_set()
    }

    /// Whether it is about the scaling of a ReplicaSet that both scale in that direction.
    pub(crate) fn is_scaled_by_both(&self) -> bool {
        let Some((begin, _)) = self.place().split_once(" from ") else { return false };
        let begin = begin.trim_start_matches("events.");
        let scales = |picture: &Value| lines(picture).any(|(line, _)| line.starts_with(begin));
        self.tells("ScalingReplicaSet") && scales(self.peer) && scales(self.ours)
    }

    /// Whether it is an event that the peer's library dropped or made one of with others, because so much
    /// was told of objects of that kind, or that we dropped, which we never do with how things ended.
    pub(crate) fn is_dropped(&self) -> bool {
        let Some(line) = self.place().strip_prefix("events.") else { return false };
        if line.contains(COMBINED) {
            return self.is_the_peers_alone();
        }
        let kind = line.split_inclusive(' ').next().unwrap_or_default();
        let drops = |picture| {
            let told = || lines(picture).filter(move |(line, _)| line.starts_with(kind));
            let count: u64 = told().map(|(_, count)| count).sum();
            count >= SENTENCES || told().any(|(line, _)| line.contains(COMBINED))
        };
        if self.is_told_more_by_peer() {
            return drops(self.ours) && !self.says(&[" Warning ", " RolloutCompleted: "]);
        }
        drops(self.peer)
    }
}

/// What both sides look like.
impl Situation<'_> {
    fn both(&self) -> [&Value; 2] {
        [self.peer, self.ours]
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.both().iter().all(|picture| picture["rollout"]["status"]["abort"] == true)
    }

    /// Whether blue-green is past its deadline at the peer's alone, while an analysis is under way.
    pub(crate) fn is_judged_past_deadline(&self) -> bool {
        let [peer, ours] = self.both().map(|picture| {
            picture["rollout"]["status"]["conditions"]["Progressing"]["reason"]
                == "ProgressDeadlineExceeded"
        });
        let status = &self.ours["rollout"]["status"]["blueGreen"];
        let runs = ["prePromotionAnalysisRunStatus", "postPromotionAnalysisRunStatus"];
        peer && !ours && runs.iter().any(|run| status[*run]["status"] == "Running")
    }

    /// Whether the run after the switch is one that was made again, and the peer's the first one.
    pub(crate) fn is_judged_again_here_alone(&self) -> bool {
        let [peer, ours] = self.both().map(|picture| {
            let status = &picture["rollout"]["status"]["blueGreen"];
            status["postPromotionAnalysisRunStatus"]["name"].as_str().unwrap_or_default()
        });
        !peer.is_empty() && ours.strip_prefix(peer).is_some_and(|rest| rest.starts_with('.'))
    }

    /// Whether an inconclusive experiment pauses ours, or did.
    pub(crate) fn pauses_for_experiment(&self) -> bool {
        is_paused(self.ours, "InconclusiveExperiment")
            || lines(self.ours).any(|(line, _)| line.ends_with("paused (InconclusiveExperiment)"))
    }

    /// Whether the peer did not yet see the specification as it is.
    pub(crate) fn is_unseen_by_peer(&self) -> bool {
        self.peer["rollout"]["status"]["observedGeneration"] != "as it is now"
    }

    /// Whether both call the specification invalid.
    pub(crate) fn is_invalid(&self) -> bool {
        let conditions = |picture: &Value| picture["rollout"]["status"]["conditions"].clone();
        self.both().iter().all(|picture| !conditions(picture)["InvalidSpec"].is_null())
    }

    /// Whether only ours is not healthy, while it has more pods than are asked for.
    pub(crate) fn is_unhealthy_by_more_pods(&self) -> bool {
        let [peer, ours] = self
            .both()
            .map(|picture| &picture["rollout"]["status"]["conditions"]["Healthy"]["status"]);
        let rollout = &self.ours["rollout"];
        let asked = rollout["spec.replicas"].as_u64();
        peer == "True" && ours != "True" && rollout["status"]["replicas"].as_u64() > asked
    }

    /// Versions that are kept for a while here and have no such time at the peer's.
    pub(crate) fn kept_longer(&self) -> Vec<String> {
        let sets = self.ours["replicaSets"].as_object().into_iter().flatten();
        let kept = sets.filter(|(name, set)| {
            let theirs = &self.peer["replicaSets"][name.as_str()];
            has_deadline(set) && !has_deadline(theirs)
        });
        kept.map(|(name, _)| version(name)).collect()
    }

    /// The version that is wanted, by both.
    pub(crate) fn wanted(&self) -> Vec<String> {
        hash(self.ours, "/currentPodHash").map(str::to_owned).into_iter().collect()
    }

    /// Whether the peer keeps pods of a version that is neither wanted nor stable.
    pub(crate) fn peer_keeps_others(&self) -> bool {
        let needed = ["/currentPodHash", "/stableRS"]
            .map(|place| hash(self.peer, place).unwrap_or_default());
        let sets = self.peer["replicaSets"].as_object().into_iter().flatten();
        let mut others = sets.filter(|(name, _)| !needed.contains(&version(name).as_str()));
        others.any(|(_, set)| has_deadline(set))
    }

    /// Whether it is about pods of a version that the peer alone still keeps for a while.
    pub(crate) fn is_about_pods_kept_by_peer(&self) -> bool {
        self.peer_keeps_others()
            && ((self.counts_pods() && !self.wanted().iter().any(|wanted| self.says(&[wanted])))
                || (self.says(&["scale-down-deadline"]) && self.is_the_peers_alone()))
    }

    /// Whether the peer told that it aborted.
    pub(crate) fn was_aborted_by_peer(&self) -> bool {
        lines(self.peer).any(|(line, _)| line.contains(" RolloutAborted: "))
    }

    /// Whether a run has a rule for dry runs that fits none of its metrics.
    pub(crate) fn has_rule_for_nothing(&self) -> bool {
        // The history may have let go of the run that says so; what was told of it stays.
        let says = |part: &Value| part.to_string().contains("didn't match any metric name(s)");
        self.both().iter().any(|picture| says(&picture["runs"]) || says(&picture["events"]))
    }

    /// Whether it is about an analysis run that ended with an error here.
    pub(crate) fn is_of_run_in_error(&self) -> bool {
        let name = self.place().split('.').nth(1).unwrap_or_default();
        self.ours["runs"][name]["status"]["phase"] == "Error"
    }

    /// Whether it is about an analysis that is under way according to the peer's experiment, which is over.
    pub(crate) fn is_of_ended_analysis(&self) -> bool {
        let of_experiment = self.place().strip_prefix("experiments.");
        let Some((name, field)) = of_experiment.and_then(|place| place.split_once(".status."))
        else {
            return self.is_told_end_of_open_experiment();
        };
        let experiment = &self.peer["experiments"][name];
        let runs = experiment["status"]["analysisRuns"].as_array().map_or(&[][..], Vec::as_slice);
        let is_open = |(place, run): (usize, &Value)| {
            let of_run = ["phase", "message"].map(|part| format!("analysisRuns[{place}].{part}"));
            let of_whole =
                ["phase", "message"].contains(&field) || field.starts_with("conditions.");
            !is_over(&run["phase"]) && (of_whole || of_run.contains(&field.to_owned()))
        };
        (is_over(&experiment["status"]["phase"]) || experiment["spec"]["terminate"] == true)
            && runs.iter().enumerate().any(is_open)
    }

    /// Whether only we told the end of an experiment that somebody ended and that goes on at the peer's.
    fn is_told_end_of_open_experiment(&self) -> bool {
        let mut all = self.peer["experiments"].as_object().into_iter().flatten();
        self.is_of(&["events.Experiment "])
            && self.says(&[": Experiment transitioned from Running -> "])
            && self.is_ours_alone()
            && all.any(|(_, experiment)| {
                experiment["spec"]["terminate"] == true && !is_over(&experiment["status"]["phase"])
            })
    }

    /// Whether it is about measurements that a run of ours did not wait for when it was over.
    pub(crate) fn is_of_unawaited_measurement(&self) -> bool {
        let results = |picture: &Value, name: &str| {
            let results = picture["runs"][name]["status"]["metricResults"].as_array();
            results.map(Vec::len).unwrap_or_default()
        };
        let runs = self.ours["runs"].as_object().into_iter().flatten();
        let mut ended = runs.filter(|(name, run)| {
            is_over(&run["status"]["phase"]) && results(self.ours, name) < results(self.peer, name)
        });
        if self.is_of(&["events.AnalysisRun "]) {
            return self.is_told_more_by_peer() && ended.next().is_some();
        }
        let parts = ["metricResults", "runSummary", "dryRunSummary"];
        ended.any(|(name, _)| {
            parts.iter().any(|part| self.is_of(&[&format!("runs.{name}.status.{part}")]))
        })
    }

    /// Whether an experiment of the peer's goes on though all that is required has succeeded, as ours knows.
    pub(crate) fn is_held_by_unrequired_analysis(&self) -> bool {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let has_required = |experiment: &Value| {
            let runs = list(&experiment["status"]["analysisRuns"]);
            let succeeded = |name: &Value| {
                runs.iter().any(|run| run["name"] == *name && run["phase"] == "Successful")
            };
            let mut required = list(&experiment["spec"]["analyses"]);
            required.retain(|analysis| analysis["requiredForCompletion"] == true);
            !required.is_empty() && required.iter().all(|analysis| succeeded(&analysis["name"]))
        };
        let mut all = self.peer["experiments"].as_object().into_iter().flatten();
        all.any(|(name, experiment)| {
            let is_of_step = experiment["owners"] != json!([]);
            experiment["status"]["phase"] == "Running"
                && has_required(experiment)
                && self.ours["experiments"][name.as_str()]["status"]["phase"] == "Successful"
                && (is_of_step || self.is_about_experiments())
        })
    }

    /// Whether a step of the peer's made an experiment whose name has a hash that no version has.
    pub(crate) fn peer_made_experiment_of_no_version(&self) -> bool {
        let is_of_version = |name: &str| {
            let hash = name.split('-').next().and_then(|hash| hash.strip_prefix('<'));
            hash.is_some_and(|hash| hash.starts_with(|first: char| first.is_ascii_digit()))
        };
        // The peer deletes it at a later look, for it belongs to no version; what was told of it stays.
        let told = ["Created Experiment 'it-", " up ReplicaSet it-<trial "];
        let made = lines(self.peer)
            .filter_map(|(line, _)| told.iter().find_map(|told| line.split_once(told)));
        let owned = self.peer["experiments"].as_object().into_iter().flatten();
        let owned = owned.filter(|(_, experiment)| experiment["owners"] != json!([]));
        let mut names = made
            .map(|(_, name)| name)
            .chain(owned.filter_map(|(name, _)| name.strip_prefix("it-")));
        names.any(|name| !is_of_version(name))
    }

    /// Whether the peer made more versions than we.
    pub(crate) fn peer_made_more(&self) -> bool {
        let made = |picture: &Value| -> u64 {
            let made = lines(picture).filter(|(line, _)| line.contains(" NewReplicaSetCreated: "));
            made.map(|(_, count)| count).sum()
        };
        // What it told of them may have been dropped.
        let mut theirs = self.peer["replicaSets"].as_object().into_iter().flatten();
        let is_new = |(name, set): (&String, &Value)| {
            !is_of_experiment(set) && self.ours["replicaSets"][name.as_str()].is_null()
        };
        made(self.peer) > made(self.ours) || theirs.any(is_new)
    }

    /// Whether it is about pods or arguments of an experiment that has a version's hash at the peer's.
    pub(crate) fn is_of_shared_hash(&self) -> bool {
        let shared = |(_, set): (&String, &Value)| {
            let hash = set["labels"][keys::POD_TEMPLATE_HASH].as_str().unwrap_or_default();
            let (peer, _) = self.difference.texts();
            is_of_experiment(set)
                && !hash.starts_with("<trial")
                && (self.place().starts_with(&format!("pods.{hash}")) || peer == hash)
        };
        let mut sets = self.peer["replicaSets"].as_object().into_iter().flatten();
        (self.is_of(&["pods."]) || (self.is_of(&["runs."]) && self.says(&[".spec.args["])))
            && sets.any(shared)
    }

    /// Whether it is about an experiment whose analysis the peer has made again, without need.
    pub(crate) fn is_of_second_run(&self) -> bool {
        let again: Vec<&str> = second_runs(self.peer).collect();
        let of_one = || {
            let mut parts = self.place().split('.').skip(1);
            let name = parts.next().unwrap_or_default();
            again.iter().any(|run| run.starts_with(name))
        };
        !again.is_empty()
            && second_runs(self.ours).next().is_none()
            && (self.is_of(&["events.Experiment ", "events.AnalysisRun "])
                || (self.is_of(&["runs.", "experiments."]) && of_one())
                || (self.is_of(&["jobs."])
                    && again.iter().any(|run| self.place().contains(&format!("jobs.{run}")))))
    }

    /// Whether it is about weights that the peer has kept though nothing splits any more, or about the pods of
    /// versions that they name.
    pub(crate) fn is_about_kept_weights(&self) -> bool {
        let kept = weights(self.peer);
        let named = ["canary", "stable"].map(|side| kept[side]["podTemplateHash"].as_str());
        let named: Vec<String> = named.into_iter().flatten().map(str::to_owned).collect();
        let is_of_named = || named.iter().any(|version| self.says(&[version]));
        let is_deadline = || self.says(&["scale-down-deadline"]) && is_of_named();
        // With pods it never goes beyond the history, leaves another its place there, and is taken up again
        // with its past.
        let is_left = || {
            let is_past = self.says(&["revision-history"]) && is_of_named();
            self.is_the_peers_alone() && (self.is_whole_set() || is_past)
        };
        weights(self.ours).is_null()
            && !kept.is_null()
            && (self.is_of(&["rollout.status.canary"])
                || self.counts_pods_of(&named)
                || is_deadline()
                || is_left())
    }
}

/// What is done in the case.
impl Situation<'_> {
    /// Whether the new version gets everything at once.
    pub(crate) fn is_whole(&self) -> bool {
        let steps = self.case.of_strategy("steps").as_array().map(Vec::len).unwrap_or_default();
        steps == 0 || self.is_pressed(&Action::PromoteFull)
    }

    /// Whether somebody does it.
    pub(crate) fn is_pressed(&self, action: &Action) -> bool {
        self.case.acts.contains(&Act::Press(action.clone()))
    }

    /// Whether somebody asks for another number of pods.
    pub(crate) fn is_resized(&self) -> bool {
        let resizes = |act: &Act| matches!(act, Act::Edit(patch) if !patch["replicas"].is_null());
        self.case.acts.iter().any(resizes)
    }

    /// Whether the peer took more versions than we for the first of all.
    pub(crate) fn begins_anew_at_peer(&self) -> bool {
        let [peer, ours] = self
            .both()
            .map(|picture| lines(picture).filter(|(line, _)| line.ends_with(INITIAL)).count());
        peer > ours
    }

    /// Whether blue-green takes the place of a canary.
    pub(crate) fn becomes_blue_green(&self) -> bool {
        self.case.kind != Kind::BlueGreen
            && self.case.is_given("blueGreen")
            && self
                .both()
                .iter()
                .any(|picture| picture["rollout"]["status"]["blueGreen"].is_object())
    }

    /// Whether a canary takes the place of blue-green.
    pub(crate) fn becomes_canary(&self) -> bool {
        self.case.kind == Kind::BlueGreen && self.case.is_given("canary")
    }
}

/// The reasons of a rollout's events in their order, without some.
pub(crate) fn untold<'a>(picture: &'a Value, reasons: &[&str]) -> Vec<&'a Value> {
    let told = picture["reasonsInOrder"].as_array().into_iter().flatten();
    told.filter(|told| !reasons.iter().any(|reason| *told == reason)).collect()
}

/// The sentences that were told, and how often.
fn lines(picture: &Value) -> impl Iterator<Item = (&str, u64)> {
    let told = picture["events"].as_object().into_iter().flatten();
    told.map(|(line, count)| (line.as_str(), count.as_u64().unwrap_or_default()))
}

/// The runs of experiments that were made again, by the name they had at first.
fn second_runs(picture: &Value) -> impl Iterator<Item = &str> {
    let runs = picture["runs"].as_object().into_iter().flatten();
    runs.filter_map(|(name, _)| name.strip_suffix(".1"))
}

fn hash<'a>(picture: &'a Value, place: &str) -> Option<&'a str> {
    picture["rollout"]["status"].pointer(place)?.as_str()
}

fn weights(picture: &Value) -> &Value {
    &picture["rollout"]["status"]["canary"]["weights"]
}

/// The version in the name of a ReplicaSet.
fn version(name: &str) -> String {
    name.rsplit('-').next().unwrap_or_default().to_owned()
}

fn is_of_experiment(set: &Value) -> bool {
    !set["annotations"][keys::EXPERIMENT_NAME].is_null()
}

/// Whether a phase is one of an end.
fn is_over(phase: &Value) -> bool {
    ["Successful", "Failed", "Error", "Inconclusive"].iter().any(|end| phase == end)
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn has_deadline(set: &Value) -> bool {
    !set["annotations"]["scale-down-deadline"].is_null()
}

fn is_paused(picture: &Value, reason: &str) -> bool {
    let pauses = picture["rollout"]["status"]["pauseConditions"].as_array();
    pauses.into_iter().flatten().any(|pause| pause["reason"] == reason)
}
