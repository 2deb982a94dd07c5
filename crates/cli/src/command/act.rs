//! The commands that change something.

use crate::{
    Failure, Screen,
    args::{
        NamesArguments, PromoteArguments, RestartArguments, SetImageArguments, SkipArguments,
        UndoArguments,
    },
    connect::{Connection, connect},
};
use actions::{ARGO_API_VERSION, Action, Refused, Subject};
use effects::Actor;
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use kube::{
    Api,
    api::ListParams,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::Value;
use vocab::{ObjectRef, Write};

pub(super) const ACTOR: Actor =
    Actor { field_manager: "kubectl-argo-rollouts", user_agent: "ringfence-cli" };
/// A kind, and what upstream calls it in a sentence.
const EXPERIMENT: (&str, &str) = ("Experiment", "experiment");
const RUN: (&str, &str) = ("AnalysisRun", "analysisRun");
/// How often a change is tried again when somebody else wrote meanwhile.
const ATTEMPTS: usize = 5;

pub(super) async fn promote(
    arguments: PromoteArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    for remark in deprecations(arguments.skip) {
        writeln!(screen.err, "{remark}")?;
    }
    let action = promotion(&arguments)?;
    let words = if arguments.full { "fully promoted" } else { "promoted" };
    let connection = connect(&arguments.connect).await?;
    perform(&connection, &arguments.name, &action).await?;
    Ok(writeln!(screen.out, "rollout '{}' {words}", arguments.name)?)
}

fn promotion(arguments: &PromoteArguments) -> Result<Action, Failure> {
    let skip = arguments.skip;
    let one = skip.current_step || skip.current_step_by_letter;
    let all = skip.all_steps || skip.all_steps_by_letter;
    match (one, all) {
        (true, true) => Err(Failure::Wrong(
            "Cannot use skip-current-step and skip-all-steps flags at the same time".to_owned(),
        )),
        (true, false) => Ok(Action::SkipStep),
        (false, true) => Ok(Action::SkipAllSteps),
        (false, false) if arguments.full => Ok(Action::PromoteFull),
        (false, false) => Ok(Action::Promote),
    }
}

/// What upstream says of its former options, in the order in which it says it.
fn deprecations(skip: SkipArguments) -> Vec<&'static str> {
    const ONE: &str = "Flag --skip-current-step has been deprecated, use without the flag instead ex: promote ROLLOUT_NAME";
    const ALL: &str = "Flag --skip-all-steps has been deprecated, use --full instead";
    let all = [
        (
            skip.current_step_by_letter,
            "Flag shorthand -c has been deprecated, use without the flag instead ex: promote ROLLOUT_NAME",
        ),
        (skip.current_step || skip.current_step_by_letter, ONE),
        (skip.all_steps_by_letter, "Flag shorthand -a has been deprecated, use --full instead"),
        (skip.all_steps || skip.all_steps_by_letter, ALL),
    ];
    all.into_iter().filter(|(given, _)| *given).map(|(_, words)| words).collect()
}

pub(super) async fn abort(
    arguments: NamesArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    each(&arguments, &Action::Abort, "aborted", screen).await
}

pub(super) async fn pause(
    arguments: NamesArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    each(&arguments, &Action::Pause, "paused", screen).await
}

pub(super) async fn retry(
    arguments: NamesArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    each(&arguments, &Action::Retry, "retried", screen).await
}

pub(super) async fn retry_experiment(
    arguments: NamesArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    write_each(&arguments, EXPERIMENT, (actions::retry_experiment, "retried"), screen).await
}

pub(super) async fn terminate_run(
    arguments: NamesArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    write_each(&arguments, RUN, (actions::terminate, "terminated"), screen).await
}

/// Upstream says `retried`, and scripts may wait for that word.
pub(super) async fn terminate_experiment(
    arguments: NamesArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    write_each(&arguments, EXPERIMENT, (actions::terminate, "retried"), screen).await
}

/// Makes one write for each object of a kind, without a look at it.
async fn write_each(
    arguments: &NamesArguments,
    (kind, told): (&str, &str),
    (write, words): (fn(ObjectRef) -> Write, &str),
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let connection = connect(&arguments.connect).await?;
    for name in &arguments.names {
        let target = ObjectRef::new(ARGO_API_VERSION, kind, &connection.namespace, name);
        effects::perform(&connection.client, ACTOR, &write(target)).await?;
        writeln!(screen.out, "{told} '{name}' {words}")?;
    }
    Ok(())
}

async fn each(
    arguments: &NamesArguments,
    action: &Action,
    words: &str,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let connection = connect(&arguments.connect).await?;
    for name in &arguments.names {
        perform(&connection, name, action).await?;
        writeln!(screen.out, "rollout '{name}' {words}")?;
    }
    Ok(())
}

pub(super) async fn restart(
    arguments: RestartArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let connection = connect(&arguments.connect).await?;
    let whole = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Trunc);
    let at = Timestamp::now()
        .checked_add(arguments.delay.length)
        .and_then(|at| at.round(whole))
        .unwrap_or(Timestamp::MAX);
    perform(&connection, &arguments.name, &Action::Restart { at: at.to_string() }).await?;
    let words = arguments.delay.text;
    Ok(writeln!(screen.out, "rollout '{}' restarts in {words}", arguments.name)?)
}

pub(super) async fn set_image(
    arguments: SetImageArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let (container, image) = arguments.image;
    let connection = connect(&arguments.connect).await?;
    let written =
        perform(&connection, &arguments.name, &Action::SetImage { container, image }).await?;
    let written = written.unwrap_or_default();
    let kind = written["kind"].as_str().unwrap_or("Rollout").to_lowercase();
    let name = written["metadata"]["name"].as_str().unwrap_or(&arguments.name);
    Ok(writeln!(screen.out, "{kind} \"{name}\" image updated")?)
}

pub(super) async fn undo(arguments: UndoArguments, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let connection = connect(&arguments.connect).await?;
    let action = Action::Undo { to_revision: arguments.to_revision };
    match perform(&connection, &arguments.name, &action).await {
        Err(Failure::Senseless(skipped @ Refused::AlreadyAtRevision(_))) => {
            Ok(writeln!(screen.out, "{skipped}")?)
        }
        outcome => {
            outcome?;
            Ok(writeln!(screen.out, "rollout '{}' undo", arguments.name)?)
        }
    }
}

/// Reads, works out the writes and performs them; begins again when somebody else wrote meanwhile.
async fn perform(
    connection: &Connection,
    name: &str,
    action: &Action,
) -> Result<Option<Value>, Failure> {
    let mut attempt = 1;
    loop {
        match perform_once(connection, name, action).await {
            Err(Failure::Refused(message, _)) if is_conflict(&message) && attempt < ATTEMPTS => {
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

fn is_conflict(message: &str) -> bool {
    message.contains("the object has been modified")
}

async fn perform_once(
    connection: &Connection,
    name: &str,
    action: &Action,
) -> Result<Option<Value>, Failure> {
    let rollout =
        value(&dynamic(connection, "argoproj.io", "v1alpha1", "Rollout").get(name).await?)?;
    let sets = match action {
        Action::Undo { .. } => {
            dynamic(connection, "apps", "v1", "ReplicaSet")
                .list(&ListParams::default())
                .await?
                .items
        }
        _ => Vec::new(),
    };
    let sets = sets.iter().map(value).collect::<Result<Vec<_>, _>>()?;
    // The rights to end a release go without those to look at workloads.
    let workload = match action {
        Action::SetImage { .. } | Action::Undo { .. } => workload(connection, &rollout).await?,
        _ => None,
    };
    let subject = Subject { rollout: &rollout, replica_sets: &sets, workload: workload.as_ref() };
    let mut last = None;
    for write in action.writes(subject)? {
        last = Some(effects::perform(&connection.client, ACTOR, &write).await?);
    }
    Ok(last)
}

async fn workload(connection: &Connection, rollout: &Value) -> Result<Option<Value>, Failure> {
    let field =
        |name: &str| rollout.pointer(&format!("/spec/workloadRef/{name}")).and_then(Value::as_str);
    let (Some(version), Some(kind), Some(name)) =
        (field("apiVersion"), field("kind"), field("name"))
    else {
        return Ok(None);
    };
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let found = dynamic(connection, group, version, kind).get_opt(name).await?;
    found.as_ref().map(value).transpose()
}

pub(super) fn dynamic(
    connection: &Connection,
    group: &str,
    version: &str,
    kind: &str,
) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(connection.client.clone(), &connection.namespace, &resource)
}

fn value(object: &DynamicObject) -> Result<Value, Failure> {
    Ok(serde_json::to_value(object)?)
}
