use super::*;
use crate::build::{self, second};

/// Plays the walk with a ReplicaSet controller that obeys at once, and returns each resize.
fn walk(deployment: &mut Deployment, sets: &mut Vec<ReplicaSet>) -> Vec<String> {
    let mut story = Vec::new();
    for _ in 0..60 {
        let look: Vec<&ReplicaSet> = sets.iter().collect();
        let decision = decide(deployment, &look, &[], second(0));
        if decision.effects.is_empty() {
            break;
        }
        for effect in decision.effects {
            apply(effect, deployment, sets, &mut story);
        }
    }
    story
}

fn apply(
    effect: Effect,
    deployment: &mut Deployment,
    sets: &mut Vec<ReplicaSet>,
    story: &mut Vec<String>,
) {
    match effect {
        Effect::Create(object) => {
            let mut set: ReplicaSet = serde_json::from_value(object).unwrap();
            set.metadata.uid = Some(format!("uid-{}", name_of(&set.metadata)));
            set.metadata.creation_timestamp =
                Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(second(
                    i64::try_from(sets.len()).unwrap(),
                )));
            sets.push(set);
            obey(sets.last_mut().unwrap());
        }
        Effect::Patch { target, part: _, body } if target.kind == "ReplicaSet" => {
            let set = sets.iter_mut().find(|set| name_of(&set.metadata) == target.name).unwrap();
            *set = merged(set, &body);
            obey(set);
        }
        Effect::Patch { body, .. } => *deployment = merged(deployment, &body),
        Effect::Delete { target, .. } => sets.retain(|set| name_of(&set.metadata) != target.name),
        Effect::Bind { .. } => unreachable!("a Deployment binds no pods"),
        Effect::Tell(event) => story.push(event.message),
    }
}

fn merged<T: serde::Serialize + serde::de::DeserializeOwned>(
    object: &T,
    patch: &serde_json::Value,
) -> T {
    let mut value = serde_json::to_value(object).unwrap();
    merge(&mut value, patch);
    serde_json::from_value(value).unwrap()
}

fn merge(value: &mut serde_json::Value, patch: &serde_json::Value) {
    let Some(fields) = patch.as_object() else { return value.clone_from(patch) };
    if !value.is_object() {
        *value = json!({});
    }
    for (key, part) in fields {
        merge(&mut value[key], part);
    }
    value.as_object_mut().unwrap().retain(|_, field| !field.is_null());
}

fn obey(set: &mut ReplicaSet) {
    let size = wanted_of(set);
    let status = set.status.get_or_insert_default();
    status.replicas = size;
    status.ready_replicas = Some(size);
    status.available_replicas = Some(size);
    status.observed_generation = set.metadata.generation;
}

fn sizes(sets: &[ReplicaSet]) -> Vec<i32> {
    sets.iter().map(wanted_of).collect()
}

fn reason(deployment: &Deployment, kind: &str) -> String {
    let conditions = deployment.status.as_ref().unwrap().conditions.as_ref().unwrap();
    conditions.iter().find(|c| c.type_ == kind).unwrap().reason.clone().unwrap()
}

fn image(deployment: &mut Deployment, colour: &str) {
    let template = &mut deployment.spec.as_mut().unwrap().template;
    template.spec.as_mut().unwrap().containers[0].image =
        Some(format!("argoproj/rollouts-demo:{colour}"));
    deployment.metadata.generation =
        deployment.metadata.generation.map(|generation| generation + 1);
}

#[test]
fn a_new_deployment_becomes_complete() {
    let (mut deployment, mut sets) = (build::deployment("web", 4, "blue"), Vec::new());
    walk(&mut deployment, &mut sets);
    assert_eq!(sizes(&sets), [4]);
    assert_eq!(reason(&deployment, "Progressing"), "NewReplicaSetAvailable");
    assert_eq!(reason(&deployment, "Available"), "MinimumReplicasAvailable");
    assert_eq!(annotation(&deployment.metadata, REVISION), Some("1"));
}

#[test]
fn an_update_stays_within_surge_and_availability() {
    let (mut deployment, mut sets) = (build::deployment("web", 4, "blue"), Vec::new());
    walk(&mut deployment, &mut sets);
    image(&mut deployment, "green");
    let story = walk(&mut deployment, &mut sets);
    let tail = |line: &String| line.split(' ').skip(5).collect::<Vec<_>>().join(" ");
    let steps: Vec<String> = story.iter().map(tail).collect();
    assert_eq!(
        steps,
        ["from 0 to 1", "from 4 to 2", "from 1 to 3", "from 2 to 0", "from 3 to 4"],
        "{story:?}"
    );
    assert_eq!(annotation(&deployment.metadata, REVISION), Some("2"));
}

#[test]
fn going_back_reuses_the_old_set_under_a_new_number() {
    let (mut deployment, mut sets) = (build::deployment("web", 2, "blue"), Vec::new());
    walk(&mut deployment, &mut sets);
    image(&mut deployment, "green");
    walk(&mut deployment, &mut sets);
    image(&mut deployment, "blue");
    walk(&mut deployment, &mut sets);
    assert_eq!(sizes(&sets), [2, 0]);
    assert_eq!(annotation(&sets[0].metadata, REVISION), Some("3"));
    assert_eq!(annotation(&sets[0].metadata, REVISION_HISTORY), Some("1"));
}

#[test]
fn a_paused_deployment_scales_but_does_not_update() {
    let (mut deployment, mut sets) = (build::deployment("web", 2, "blue"), Vec::new());
    walk(&mut deployment, &mut sets);
    deployment.spec.as_mut().unwrap().paused = Some(true);
    deployment.spec.as_mut().unwrap().replicas = Some(5);
    image(&mut deployment, "green");
    walk(&mut deployment, &mut sets);
    assert_eq!(sizes(&sets), [5]);
}

#[test]
fn history_beyond_its_limit_goes() {
    let (mut deployment, mut sets) = (build::deployment("web", 1, "blue"), Vec::new());
    deployment.spec.as_mut().unwrap().revision_history_limit = Some(1);
    for colour in ["blue", "green", "red", "yellow"] {
        image(&mut deployment, colour);
        walk(&mut deployment, &mut sets);
    }
    assert_eq!(sets.iter().map(|set| sets::revision_of(&set.metadata)).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn recreate_waits_until_the_last_old_pod_is_gone() {
    let (mut deployment, mut sets) = (build::deployment("web", 2, "blue"), Vec::new());
    deployment.spec.as_mut().unwrap().strategy.as_mut().unwrap().type_ = Some("Recreate".into());
    walk(&mut deployment, &mut sets);
    image(&mut deployment, "green");
    sets[0].spec.as_mut().unwrap().replicas = Some(0);
    let pod = build::pod("left", &sets[0]).leaving(30).done();
    let decision = decide(&deployment, &[&sets[0]], &[&pod], second(0));
    assert!(!decision.effects.iter().any(|effect| matches!(effect, Effect::Create(_))));
    let decision = decide(&deployment, &[&sets[0]], &[], second(0));
    assert!(decision.effects.iter().any(|effect| matches!(effect, Effect::Create(_))));
}

#[test]
fn lack_of_progress_is_reported_at_the_deadline() {
    let (mut deployment, mut sets) = (build::deployment("web", 1, "blue"), Vec::new());
    walk(&mut deployment, &mut sets);
    image(&mut deployment, "green");
    for _ in 0..4 {
        let look: Vec<&ReplicaSet> = sets.iter().collect();
        let decision = decide(&deployment, &look, &[], second(0));
        for effect in decision.effects {
            apply(effect, &mut deployment, &mut sets, &mut Vec::new());
        }
        if let Some(set) = sets.get_mut(1) {
            set.status.as_mut().unwrap().available_replicas = None;
            set.status.as_mut().unwrap().ready_replicas = None;
        }
    }
    let look: Vec<&ReplicaSet> = sets.iter().collect();
    assert_eq!(decide(&deployment, &look, &[], second(1)).wake, Some(second(600)));
    let late = decide(&deployment, &look, &[], second(601));
    let Some(Effect::Patch { body, .. }) = late.effects.last() else { panic!("no status") };
    assert_eq!(body["status"]["conditions"][1]["reason"], "ProgressDeadlineExceeded");
}
