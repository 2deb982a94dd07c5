//! `list rollouts` and `list experiments`.

use super::print_json;
use crate::{
    Failure, Screen,
    args::{ListExperimentsArguments, ListRolloutsArguments, Output},
    connect::connect,
    print::{self, ExperimentRow, Extra, ListRow, Namespace},
};
use api::argo::{Experiment, Rollout};
use futures::StreamExt;
use jiff::Timestamp;
use kube::{
    Api,
    api::ListParams,
    runtime::{WatchStreamExt, watcher},
};
use std::collections::BTreeMap;

/// How often in a row a watch may break off.
const ATTEMPTS: u32 = 5;

pub(super) async fn rollouts(
    arguments: ListRolloutsArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let connection = connect(&arguments.connect).await?;
    let api: Api<Rollout> = if arguments.all_namespaces {
        Api::all(connection.client.clone())
    } else {
        connection.api()
    };
    let fields =
        arguments.name.as_ref().map(|name| format!("metadata.name={name}")).unwrap_or_default();
    let rollouts = api.list(&ListParams::default().fields(&fields)).await?;
    let rows: Vec<ListRow> = rollouts.iter().map(print::row).collect();
    if arguments.output == Output::Json {
        return print_json(screen, &rows);
    }
    if rows.is_empty() && !arguments.watch {
        writeln!(screen.err, "No resources found.")?;
        return Ok(());
    }
    write!(screen.out, "{}", print::list(&rows, extra(&arguments)))?;
    if arguments.watch { watch(api, &fields, rows, (&arguments, screen)).await } else { Ok(()) }
}

pub(super) async fn experiments(
    arguments: ListExperimentsArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let connection = connect(&arguments.connect).await?;
    let api: Api<Experiment> = if arguments.all_namespaces {
        Api::all(connection.client.clone())
    } else {
        connection.api()
    };
    let found = api.list(&ListParams::default()).await?;
    let now = Timestamp::now();
    let rows: Vec<ExperimentRow> =
        found.iter().map(|experiment| print::experiment_row(experiment, now)).collect();
    if arguments.output == Output::Json {
        return print_json(screen, &rows);
    }
    if rows.is_empty() {
        return Ok(writeln!(screen.err, "No resources found.")?);
    }
    let namespace = if arguments.all_namespaces { Namespace::Shown } else { Namespace::Hidden };
    Ok(write!(screen.out, "{}", print::experiments(&rows, namespace))?)
}

fn extra(arguments: &ListRolloutsArguments) -> Extra {
    let namespace = if arguments.all_namespaces { Namespace::Shown } else { Namespace::Hidden };
    Extra { timestamp: arguments.timestamps.then(Timestamp::now), namespace }
}

async fn watch(
    api: Api<Rollout>,
    fields: &str,
    rows: Vec<ListRow>,
    (arguments, screen): (&ListRolloutsArguments, &mut Screen<'_>),
) -> Result<(), Failure> {
    let key = |row: &ListRow| (row.namespace.clone(), row.name.clone());
    let mut shown: BTreeMap<_, _> = rows.into_iter().map(|row| (key(&row), row)).collect();
    let mut changes = Box::pin(
        watcher(api, watcher::Config::default().fields(fields)).default_backoff().applied_objects(),
    );
    let mut broken = 0;
    while let Some(change) = changes.next().await {
        let rollout = match change {
            Ok(rollout) => rollout,
            Err(error) if broken == ATTEMPTS => return Err(Failure::Unwatched(error.to_string())),
            Err(_) => {
                broken += 1;
                continue;
            }
        };
        broken = 0;
        let row = print::row(&rollout);
        if shown.get(&key(&row)) != Some(&row) {
            writeln!(screen.out, "{}", print::line(&row, extra(arguments)))?;
            screen.out.flush()?;
            shown.insert(key(&row), row);
        }
    }
    Ok(())
}
