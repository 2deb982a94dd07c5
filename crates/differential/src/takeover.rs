//! One controller takes over from another in the middle of everything, and hands back.
//!
//! All cases are played so far by the first controller. Then it is ended, the second is started, and
//! whatever that writes, or changes, is told; then the other way round.

use crate::{
    act::Act,
    case::Case,
    compare::{Difference, compare},
    manifest::{self, Kind},
    play::{QUIET, clear, perform, settle},
    program::Controllers,
    stage::{Side, Stage, StageError},
};
use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

/// The namespace and instance id that both controllers heed, one after the other.
const PLACE: Side = Side::Peer;
/// The case that tells that a controller has begun to work.
const MARKER: u64 = 99_900;

/// What a controller did when it took over one case.
#[derive(Clone, Debug)]
pub struct Handover {
    /// Which controller took over: the second, and then the first again.
    pub to: Side,
    /// The seed.
    pub seed: u64,
    /// Where the case was: kind, phase and step.
    pub state: String,
    /// What it changed.
    pub changes: Vec<Difference>,
    /// What it wrote: verb and path, without what is ours to write.
    pub writes: Vec<String>,
}

/// Plays the cases half through and hands them over, and back.
///
/// # Errors
/// When a controller cannot be started or the audit log cannot be read.
pub async fn takeover(
    stage: &Stage,
    cases: &[Case],
    controllers: &Controllers,
) -> Result<Vec<Handover>, StageError> {
    let first = controllers.start(Side::Peer, stage, PLACE)?;
    join_all(cases.iter().map(|case| begin(stage, case))).await;
    drop(first);
    let mut handovers = Vec::new();
    for (turn, to) in (0..).zip([Side::Ours, Side::Peer]) {
        handovers.extend(hand_over(stage, cases, controllers, (turn, to)).await?);
    }
    join_all(cases.iter().map(|case| clear(stage, case, PLACE))).await;
    Ok(handovers)
}

/// Plays a case so far: how far depends on its seed.
async fn begin(stage: &Stage, case: &Case) {
    let far = 1 + usize::try_from(case.seed).unwrap_or_default() % case.acts.len();
    for act in &case.acts[..far] {
        let begin = Instant::now();
        // What is refused is refused in the middle of things too.
        let _ = perform(stage, case, PLACE, (act, Timestamp::now())).await;
        settle(stage, &case.name, &[PLACE], begin).await;
    }
}

async fn hand_over(
    stage: &Stage,
    cases: &[Case],
    controllers: &Controllers,
    (turn, to): (u64, Side),
) -> Result<Vec<Handover>, StageError> {
    let before: Vec<Value> = cases.iter().map(|case| everything(stage, case)).collect();
    let asked = stage.ground.requests()?.len();
    let program = controllers.start(to, stage, PLACE)?;
    let marker = Case { acts: vec![Act::Apply], ..marker(turn) };
    let begin = Instant::now();
    let _ = perform(stage, &marker, PLACE, (&Act::Apply, Timestamp::now())).await;
    settle(stage, &marker.name, &[PLACE], begin).await;
    sleep(QUIET).await;
    drop(program);
    let requests = stage.ground.requests()?.split_off(asked);
    let told = cases.iter().zip(&before).map(|(case, before)| {
        let now = everything(stage, case);
        let by_controller = requests.iter().filter(|request| {
            request.user_agent.starts_with(AGENTS[usize::from(to == Side::Ours)])
        });
        let writes = by_controller.filter(|request| {
            !["get", "list", "watch"].contains(&request.verb.as_str())
                && request.uri.contains(&case.name)
        });
        Handover {
            to,
            seed: case.seed,
            state: state(case, before),
            changes: compare(before, &now),
            writes: writes.map(|request| format!("{} {}", request.verb, request.uri)).collect(),
        }
    });
    let told = told.collect();
    clear(stage, &marker, PLACE).await;
    Ok(told)
}

/// How the controllers call themselves, ours last.
const AGENTS: [&str; 2] = ["rollouts-controller", "ringfence-controller"];

/// A canary that is new.
fn marker(turn: u64) -> Case {
    let name = format!("m{:05}", MARKER + turn);
    let objects = manifest::plain(&name);
    Case { seed: MARKER + turn, name, kind: Kind::Canary, objects, acts: Vec::new() }
}

/// Every object of a case, by kind and name, without what counts writes.
fn everything(stage: &Stage, case: &Case) -> Value {
    let objects = stage.sight.objects(PLACE.name(), &case.name).now;
    let shown = objects.into_iter().filter(|object| object["kind"] != "Pod").map(|mut object| {
        let name = format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]));
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.shift_remove("resourceVersion");
            metadata.shift_remove("managedFields");
        }
        (name, by_type(object))
    });
    Value::Object(shown.collect::<Map<_, _>>())
}

/// Conditions under their type, so that one more moves no other.
fn by_type(mut object: Value) -> Value {
    if let Some(conditions) = object.pointer_mut("/status/conditions")
        && let Some(list) = conditions.as_array()
    {
        let typed =
            list.iter().map(|condition| (text(&condition["type"]).to_owned(), condition.clone()));
        *conditions = Value::Object(typed.collect());
    }
    object
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn state(case: &Case, everything: &Value) -> String {
    let status = &everything[format!("Rollout/{}", case.name)]["status"];
    let pauses = status["pauseConditions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|pause| text(&pause["reason"]));
    let runs = everything.as_object().into_iter().flatten().filter(|(name, run)| {
        name.starts_with("AnalysisRun") && run["status"]["phase"] == "Running"
    });
    let (pauses, runs) = (pauses.collect::<Vec<_>>().join(","), runs.count());
    json!([
        format!("{:?}", case.kind),
        status["phase"],
        status["abort"],
        status["currentStepIndex"],
        pauses,
        runs
    ])
    .to_string()
}
