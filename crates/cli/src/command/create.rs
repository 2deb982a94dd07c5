//! `create`: from files, and runs from templates.

use super::{
    act::{ACTOR, dynamic},
    get,
};
use crate::{
    Failure, Screen,
    args::{
        ConnectArguments, CreateAnalysisRunArguments, CreateArguments, CreateCommand, GetArguments,
        Output,
    },
    connect::{Connection, connect},
    manifest::{self, Document},
};
use api::argo::{Argument, GROUP, VERSION, keys};
use kube::{
    Api,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Map, Value, json};
use vocab::Write;

/// Where objects of a kind live.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Namespaced,
    Cluster,
}

/// The kinds that can be made, with the word for what was made; upstream has one word for both templates.
const KINDS: [(&str, &str, Scope); 5] = [
    ("AnalysisRun", "analysisrun", Scope::Namespaced),
    ("AnalysisTemplate", "analysistemplate", Scope::Namespaced),
    ("ClusterAnalysisTemplate", "analysistemplate", Scope::Cluster),
    ("Experiment", "experiment", Scope::Namespaced),
    ("Rollout", "rollout", Scope::Namespaced),
];

pub(super) async fn run(
    mut arguments: CreateArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    if let Some(CreateCommand::AnalysisRun(arguments)) = arguments.what.take() {
        return analysis_run(arguments, screen).await;
    }
    let mut documents = Vec::new();
    for file in &arguments.files {
        documents.extend(manifest::read(file)?);
    }
    if arguments.watch && documents.len() > 1 {
        return Err(Failure::Wrong("Cannot watch multiple resources".to_owned()));
    }
    let connection = connect(&arguments.connect).await?;
    let mut made = None;
    for document in documents {
        made = Some(create(&connection, document, screen).await?);
    }
    match made.filter(|_| arguments.watch) {
        None => Ok(()),
        Some(object) => watch(&object, &arguments, screen).await,
    }
}

/// Makes one object and says so.
async fn create(
    connection: &Connection,
    document: Document,
    screen: &mut Screen<'_>,
) -> Result<Value, Failure> {
    let known =
        KINDS.into_iter().find(|(kind, ..)| document.group() == GROUP && document.kind() == *kind);
    let Some((_, singular, scope)) = known else {
        let (group, kind) = (document.group(), document.kind());
        return Err(Failure::Wrong(format!("creates of {group}/{kind} unsupported")));
    };
    manifest::check(&document)?;
    let mut object = document.object;
    if scope == Scope::Namespaced && object["metadata"]["namespace"].is_null() {
        object["metadata"]["namespace"] = json!(connection.namespace);
    }
    perform(connection, object, singular, screen).await
}

async fn perform(
    connection: &Connection,
    object: Value,
    singular: &str,
    screen: &mut Screen<'_>,
) -> Result<Value, Failure> {
    let made = effects::perform(&connection.client, ACTOR, &Write::Create { object }).await?;
    let name = made["metadata"]["name"].as_str().unwrap_or_default();
    writeln!(screen.out, "{singular}.{GROUP}/{name} created")?;
    Ok(made)
}

/// Shows what was made as long as somebody looks.
async fn watch(
    object: &Value,
    arguments: &CreateArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let kind = match object["kind"].as_str() {
        Some("Rollout") => get::Kind::Rollout,
        Some("Experiment") => get::Kind::Experiment,
        _ => {
            let words = "Can only watch resources of type Rollout or Experiment";
            return Err(Failure::Wrong(words.to_owned()));
        }
    };
    let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
    let arguments = GetArguments {
        name: text("name"),
        watch: true,
        no_color: arguments.no_color,
        output: Output::Text,
        connect: ConnectArguments {
            namespace: Some(text("namespace")),
            ..arguments.connect.clone()
        },
    };
    get::run(kind, &arguments, screen).await
}

async fn analysis_run(
    arguments: CreateAnalysisRunArguments,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    if arguments.source.from.is_some() == arguments.source.from_file.is_some() {
        let words = "one of --from or --from-file must be specified";
        return Err(Failure::Wrong(words.to_owned()));
    }
    let values = values(&arguments.arguments)?;
    let connection = connect(&arguments.connect).await?;
    let template = template(&connection, &arguments).await?;
    let mut object = run_of(&template, &values, &arguments)?;
    object["metadata"]["namespace"] = json!(connection.namespace);
    perform(&connection, object, "analysisrun", screen).await.map(drop)
}

fn values(given: &[String]) -> Result<Vec<Argument>, Failure> {
    let value = |text: &String| {
        let (name, value) = text.split_once('=')?;
        let (name, value) = (name.to_owned(), Some(value.to_owned()));
        Some(Argument { name, value, ..Argument::default() })
    };
    let words = || Failure::Wrong("arguments must be in the form NAME=VALUE".to_owned());
    given.iter().map(|text| value(text).ok_or_else(words)).collect()
}

/// The template, from the cluster or from a file.
async fn template(
    connection: &Connection,
    arguments: &CreateAnalysisRunArguments,
) -> Result<Value, Failure> {
    if let Some(file) = &arguments.source.from_file {
        let first = manifest::read(file)?.into_iter().next();
        let empty = || Failure::Wrong(format!("{} has no object in it", file.display()));
        return first.map(|document| document.object).ok_or_else(empty);
    }
    let name = arguments.source.from.as_deref().unwrap_or_default();
    let found = if arguments.global {
        let kind = GroupVersionKind::gvk(GROUP, VERSION, "ClusterAnalysisTemplate");
        let resource = ApiResource::from_gvk(&kind);
        Api::<DynamicObject>::all_with(connection.client.clone(), &resource).get(name).await?
    } else {
        dynamic(connection, GROUP, VERSION, "AnalysisTemplate").get(name).await?
    };
    Ok(serde_json::to_value(found)?)
}

/// A run that measures what the template says.
fn run_of(
    template: &Value,
    values: &[Argument],
    arguments: &CreateAnalysisRunArguments,
) -> Result<Value, Failure> {
    let mut spec = template["spec"].as_object().cloned().unwrap_or_default();
    let merged = match spec.get("args") {
        None => values.to_vec(),
        Some(declared) => {
            let declared: Vec<Argument> = serde_json::from_value(declared.clone())?;
            analysis::template::merge_args(values, declared)
                .map_err(|error| Failure::Wrong(error.to_string()))?
        }
    };
    if !merged.is_empty() {
        spec.insert("args".to_owned(), serde_json::to_value(merged)?);
    }
    Ok(json!({
        "apiVersion": api::argo::API_VERSION,
        "kind": "AnalysisRun",
        "metadata": metadata(template, arguments)?,
        "spec": spec,
    }))
}

/// The run's name, or what its name begins with, and what the template's labels and annotations say.
fn metadata(
    template: &Value,
    arguments: &CreateAnalysisRunArguments,
) -> Result<Map<String, Value>, Failure> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let own = template["metadata"]["name"].as_str().unwrap_or_default();
    let mut metadata = Map::new();
    if let Some(name) = given(&arguments.name) {
        metadata.insert("name".to_owned(), json!(name));
    } else {
        let prefix = given(&arguments.generate_name).unwrap_or_else(|| format!("{own}-"));
        if prefix == "-" {
            return Err(Failure::Wrong("name is invalid".to_owned()));
        }
        metadata.insert("generateName".to_owned(), json!(prefix));
    }
    let mut labels = template["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    if let Some(id) = given(&arguments.instance_id) {
        labels.insert(keys::CONTROLLER_INSTANCE_ID.to_owned(), json!(id));
    }
    let mut annotations =
        template["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    annotations.shift_remove(keys::LAST_APPLIED);
    for (name, map) in [("labels", labels), ("annotations", annotations)] {
        if !map.is_empty() {
            metadata.insert(name.to_owned(), Value::Object(map));
        }
    }
    Ok(metadata)
}
