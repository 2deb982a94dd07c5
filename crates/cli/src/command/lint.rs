//! `lint`: what is wrong with the rollouts of a file, without asking a cluster.

use super::print_json;
use crate::{
    Failure, Screen,
    args::{LintArguments, Output},
    manifest::{self, Document, Misfit, Syntax},
};
use api::argo::{GROUP, Rollout};
use k8s_openapi::api::core::v1::Service;
use plan::rollout::lint::{Finding, Neighbours, Severity, lint};
use serde::Serialize;

/// Something that was found, as programs read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Remark {
    /// Name of the rollout; empty when it has none.
    rollout: String,
    /// The field.
    path: String,
    /// What is wrong with it.
    message: String,
    /// `error`, or `unsupported` for what this program does not carry out yet.
    severity: &'static str,
}

pub(super) fn run(arguments: &LintArguments, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let mut documents = manifest::read(&arguments.file)?;
    // Upstream's linter reads JSON as YAML, and its complaints say so.
    for document in &mut documents {
        document.syntax = Syntax::Yaml;
        document.object = document.as_meant();
    }
    let rollouts: Vec<&Document> = documents.iter().filter(|found| is_rollout(found)).collect();
    match arguments.output {
        Output::Text => tell(&rollouts, &documents, screen),
        Output::Json => list(&rollouts, &documents, screen),
    }
}

fn is_rollout(document: &Document) -> bool {
    document.group() == GROUP && document.kind() == "Rollout"
}

/// Says what upstream says where upstream says it: on standard output each problem without its field, and
/// the first with it as the error. What we cannot do yet goes to standard error.
fn tell(
    rollouts: &[&Document],
    documents: &[Document],
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let misfits: Vec<String> = rollouts
        .iter()
        .flat_map(|document| manifest::misfits(document))
        .map(|misfit| misfit.to_string())
        .collect();
    if let Some(first) = rollouts.first().filter(|_| !misfits.is_empty()) {
        return Err(first.complaint(&misfits.join(", ")));
    }
    let mut first = None;
    for finding in findings(rollouts, documents)?.into_iter().map(|(_, finding)| finding) {
        let words = format!("{}: {}", finding.path, finding.text);
        match finding.severity {
            Severity::Unsupported => writeln!(screen.err, "Warning: {words}")?,
            Severity::Error => {
                writeln!(screen.out, "{}", finding.text)?;
                first.get_or_insert(words);
            }
        }
    }
    first.map_or(Ok(()), |words| Err(Failure::Found(words)))
}

/// Everything that was found as one list; the first error decides how the command ends.
fn list(
    rollouts: &[&Document],
    documents: &[Document],
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let mut remarks: Vec<Remark> = rollouts
        .iter()
        .flat_map(|document| {
            manifest::misfits(document).into_iter().map(|misfit| of_misfit(document, misfit))
        })
        .collect();
    // What does not fit its definition cannot be read, and so not be judged.
    if remarks.is_empty() {
        remarks.extend(findings(rollouts, documents)?.into_iter().map(of_finding));
    }
    print_json(screen, &remarks)?;
    match remarks.iter().find(|remark| remark.severity == "error") {
        None => Ok(()),
        Some(first) => Err(Failure::Found(format!("{}: {}", first.path, first.message))),
    }
}

fn of_misfit(document: &Document, misfit: Misfit) -> Remark {
    let message = misfit.to_string();
    let rollout = document.object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    Remark { rollout, path: misfit.path, message, severity: "error" }
}

fn of_finding((rollout, finding): (String, Finding)) -> Remark {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Unsupported => "unsupported",
    };
    Remark { rollout, path: finding.path, message: finding.text, severity }
}

/// What is wrong with each rollout, by name.
fn findings(
    rollouts: &[&Document],
    documents: &[Document],
) -> Result<Vec<(String, Finding)>, Failure> {
    let neighbours = neighbours(documents)?;
    let mut found = Vec::new();
    for document in rollouts {
        let rollout: Rollout = parse(document)?;
        let name = rollout.metadata.name.clone().unwrap_or_default();
        let of_one = lint(&rollout, &neighbours).into_iter();
        found.extend(of_one.map(|finding| (name.clone(), finding)));
    }
    Ok(found)
}

fn neighbours(documents: &[Document]) -> Result<Neighbours, Failure> {
    let is_service =
        |document: &&Document| document.group().is_empty() && document.kind() == "Service";
    let services = documents.iter().filter(is_service).map(parse::<Service>);
    let objects =
        documents.iter().filter(|document| !is_rollout(document) && !is_service(document));
    Ok(Neighbours {
        services: services.collect::<Result<_, _>>()?,
        objects: objects.map(|document| document.object.clone()).collect(),
    })
}

fn parse<T: serde::de::DeserializeOwned>(document: &Document) -> Result<T, Failure> {
    serde_json::from_value(document.object.clone())
        .map_err(|error| document.complaint(&format!("json: {error}")))
}
