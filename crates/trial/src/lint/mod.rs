//! Finding what is wrong with templates before anybody releases anything.
//!
//! Start with [`lint`]. Objects are looked at in three ways: as an API server looks at them, one by one
//! as templates, and together as a rollout uses them.

mod given;
mod names;
mod rollouts;
mod schemas;
mod templates;

pub use names::{AskFailed, known_names};

use crate::document::{self, Document, Problem, Source};
use api::argo::{
    AnalysisRun, AnalysisTemplate, AnalysisTemplateSpec, ClusterAnalysisTemplate, Rollout,
};
use schemas::Schemas;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;

/// The metrics that a Prometheus has.
#[derive(Clone, Debug)]
pub struct Known {
    /// Their names.
    pub names: BTreeSet<String>,
    /// Whose they are.
    pub address: String,
}

/// There was nothing to look at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no AnalysisTemplate, ClusterAnalysisTemplate, AnalysisRun or Rollout is in {files}; name the files that hold them"
)]
pub struct NothingThere {
    files: String,
}

/// Everything wrong with the templates, runs and rollouts of some files, in the order of the files.
///
/// # Errors
/// [`NothingThere`] when the files hold nothing of these kinds: a check of nothing would always pass.
pub fn lint(sources: &[Source], known: Option<&Known>) -> Result<Vec<Problem>, NothingThere> {
    let mut problems = Vec::new();
    let mut documents = Vec::new();
    for source in sources {
        match document::read(source) {
            Ok(found) => documents.extend(found),
            Err(problem) => problems.push(problem),
        }
    }
    documents.retain(Object::is_one);
    if documents.is_empty() && problems.is_empty() {
        let files: Vec<&str> = sources.iter().map(|source| source.file.as_str()).collect();
        return Err(NothingThere { files: files.join(", ") });
    }
    problems.extend(of_documents(&documents, known));
    let order = |problem: &Problem| sources.iter().position(|source| source.file == problem.file);
    problems.sort_by(|one, other| (order(one), one).cmp(&(order(other), other)));
    problems.dedup();
    Ok(problems)
}

fn of_documents(documents: &[Document], known: Option<&Known>) -> Vec<Problem> {
    let mut schemas = Schemas::new();
    let mut problems = Vec::new();
    let mut read = Vec::new();
    for document in documents {
        let found = schemas.problems(document);
        match Object::read(document) {
            Ok(object) => read.push((document, object)),
            // The schema says it better.
            Err(error) if found.is_empty() => problems.push(document.problem("", error)),
            Err(_) => {}
        }
        problems.extend(found);
    }
    let (mut templates, mut cluster_templates) = (Vec::new(), Vec::new());
    for (_, object) in &read {
        match object {
            Object::Template(template) => templates.push(template.clone()),
            Object::ClusterTemplate(template) => cluster_templates.push(template.clone()),
            Object::Run(_) | Object::Rollout(_) => {}
        }
    }
    let library = (templates.as_slice(), cluster_templates.as_slice());
    problems.extend(
        read.iter().flat_map(|(document, object)| object.problems(document, library, known)),
    );
    problems
}

/// An object of a kind that is looked at.
enum Object {
    Template(AnalysisTemplate),
    ClusterTemplate(ClusterAnalysisTemplate),
    Run(Box<AnalysisRun>),
    Rollout(Box<Rollout>),
}

impl Object {
    fn is_one(document: &Document) -> bool {
        let kinds = ["AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun", "Rollout"];
        document.text("/apiVersion").starts_with("argoproj.io/")
            && kinds.contains(&document.text("/kind"))
    }

    fn read(document: &Document) -> Result<Self, String> {
        match document.text("/kind") {
            "AnalysisTemplate" => typed(document).map(Self::Template),
            "ClusterAnalysisTemplate" => typed(document).map(Self::ClusterTemplate),
            "AnalysisRun" => typed(document).map(|run| Self::Run(Box::new(run))),
            _ => typed(document).map(|rollout| Self::Rollout(Box::new(rollout))),
        }
    }

    fn problems(
        &self,
        document: &Document,
        library: (&[AnalysisTemplate], &[ClusterAnalysisTemplate]),
        known: Option<&Known>,
    ) -> Vec<Problem> {
        let of_template = |spec: &AnalysisTemplateSpec| {
            let mut problems = templates::problems(document, spec, known);
            problems.extend(templates::clashes(document, spec, library));
            problems
        };
        match self {
            Self::Template(template) => of_template(&template.spec),
            Self::ClusterTemplate(template) => of_template(&template.spec),
            Self::Run(run) => {
                let spec = AnalysisTemplateSpec {
                    metrics: run.spec.metrics.clone(),
                    args: run.spec.args.clone(),
                    dry_run: run.spec.dry_run.clone(),
                    ..AnalysisTemplateSpec::default()
                };
                let mut problems = templates::problems(document, &spec, known);
                problems.extend(templates::unsupplied(document, &spec.args));
                problems
            }
            Self::Rollout(rollout) => rollouts::problems(document, rollout, library),
        }
    }
}

fn typed<T: DeserializeOwned>(document: &Document) -> Result<T, String> {
    serde_json::from_value(document.value.clone()).map_err(|error| error.to_string())
}
