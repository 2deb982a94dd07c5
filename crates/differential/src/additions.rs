//! What was first drawn later: analyses with arguments and Jobs, experiments, workloads, mistakes.
//!
//! It comes from a chance of its own, so that nothing that is drawn here changes what a seed meant before.

use crate::{analyses, case::Case, edits, experiments, manifest::Kind, workloads};
use chance::Chance;
use serde_json::json;

/// Gives a case whatever was not drawn at first.
pub(crate) fn add(case: &mut Case) {
    let chance = &mut Chance::named(case.seed, "additions");
    analyses::add(chance, case);
    experiments::add(chance, case);
    threshold(chance, case);
    workloads::add(chance, case);
    edits::add(chance, case);
    anti_affinity(chance, case);
}

/// Nodes that a new version must not share with the stable one.
fn anti_affinity(chance: &mut Chance, case: &mut Case) {
    if chance.percent(5) {
        let rule = json!({ "requiredDuringSchedulingIgnoredDuringExecution": {} });
        case.strategy_mut()["antiAffinity"] = rule;
    }
}

/// How much of a new version counts as enough.
fn threshold(chance: &mut Chance, case: &mut Case) {
    let (kind, value) =
        chance.one([("Percent", 50), ("Percent", 100), ("Percent", 34), ("Pods", 1), ("Pods", 2)]);
    if chance.percent(20) && case.kind != Kind::BlueGreen {
        case.strategy_mut()["replicaProgressThreshold"] = json!({ "type": kind, "value": value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::EVERYTHING_FROM;
    use api::argo::{Experiment, Rollout};

    fn some() -> impl Iterator<Item = Case> {
        (EVERYTHING_FROM..EVERYTHING_FROM + 300).map(Case::of_seed)
    }

    #[test]
    fn everything_that_is_added_comes_up() {
        let text: String = some().map(|case| format!("{case:?}")).collect::<Vec<_>>().concat();
        for word in [
            "workloadRef",
            "never",
            "onsuccess",
            "progressively",
            "experiment",
            "requiredForCompletion",
            "specRef",
            "replicaProgressThreshold",
            "requiredDuringScheduling",
            "Pods",
            "dryRun",
            "measurementRetention",
            "analysisRunMetadata",
            "podTemplateHashValue",
            "fieldRef",
            "job",
            "scaleDownDelaySeconds",
            "terminate",
            "restartPolicy",
            "minReadySeconds",
            "blueGreen",
        ] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn every_object_can_be_read() {
        for case in some() {
            serde_json::from_value::<Rollout>(case.rollout().clone()).unwrap();
            for object in case.objects.iter().filter(|object| object["kind"] == "Experiment") {
                serde_json::from_value::<Experiment>(object.clone()).unwrap();
            }
        }
    }

    #[test]
    fn a_workload_has_the_template_and_the_rollout_has_none() {
        for case in some().filter(|case| !case.rollout()["spec"]["workloadRef"].is_null()) {
            assert!(case.rollout()["spec"]["template"].is_null(), "seed {}", case.seed);
            let named = &case.rollout()["spec"]["workloadRef"]["name"];
            assert!(case.objects.iter().any(|object| object["metadata"]["name"] == *named));
        }
    }
}
