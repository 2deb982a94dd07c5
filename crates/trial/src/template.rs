//! From files with templates to the one run that is wanted.
//!
//! Start with [`run`], then [`check_providers`] for what may be asked, and [`redirect`] for whom.

use crate::document::{self, Problem, Source};
use analysis::{
    arguments, rules,
    template::{self, TemplateError},
    validate::{self, provider_names},
};
use api::argo::{
    AnalysisRun, AnalysisRunSpec, AnalysisTemplate, AnalysisTemplateRef, AnalysisTemplateSpec,
    Argument, ClusterAnalysisTemplate, Metric, RolloutAnalysis,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;
use std::slice;

/// The plugin that asks a Prometheus for counts.
const COMPARE: &str = "ringfence/compare";
/// The namespace of a run that is in no cluster.
const NAMESPACE: &str = "default";

/// Which run is wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The template's name, if the files hold several.
    pub name: Option<String>,
    /// Values of arguments by name.
    pub args: Vec<(String, String)>,
    /// The metrics to measure; all of them when empty.
    pub metrics: Vec<String>,
}

/// Why the files make no run: every reason, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRun {
    /// A file is no YAML.
    #[error("{0}")]
    Unreadable(Problem),
    /// An object is no template after all.
    #[error("{name} is malformed: {cause}; `ringfence analysis lint` tells where")]
    Malformed {
        /// The object's name.
        name: String,
        /// What the reader said.
        cause: String,
    },
    /// There is no template, or none of that name.
    #[error("there is no such template in the files given; there are: {}", names(.0))]
    NotThere(Vec<String>),
    /// There are several templates that no other refers to.
    #[error("the files hold several templates; choose one with --name: {}", .0.join(", "))]
    Ambiguous(Vec<String>),
    /// Templates or arguments do not fit together.
    #[error("{}", .0.join("\n"))]
    Unfit(Vec<String>),
}

fn names(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Makes the run that a template and its arguments mean, with the templates that it refers to.
///
/// # Errors
/// [`NoRun`].
pub fn run(sources: &[Source], wanted: &Wanted) -> Result<AnalysisRun, NoRun> {
    let library = Library::read(sources)?;
    let root = library.choose(wanted.name.as_deref())?;
    let name = root.template_name.clone();
    let analysis = RolloutAnalysis { templates: vec![root], ..RolloutAnalysis::default() };
    let args: Vec<Argument> = wanted.args.iter().map(argument).collect();
    let (templates, cluster_templates) =
        (library.templates.as_slice(), library.cluster_templates.as_slice());
    let found = template::problems((templates, cluster_templates), &args, &analysis);
    let mut problems: Vec<String> = found.iter().map(with_hint).collect();
    let merged = template::merge(&analysis.templates, templates, cluster_templates);
    if let Ok(merged) = &merged {
        problems.extend(unknown_args(merged, &wanted.args));
        problems.extend(unknown_metrics(merged, &wanted.metrics));
    }
    let spec = merged.and_then(|merged| template::run_spec(merged, &args, &analysis));
    let mut spec = match spec {
        Ok(spec) => spec,
        Err(error) if problems.is_empty() => return Err(NoRun::Unfit(vec![with_hint(&error)])),
        Err(_) => return Err(NoRun::Unfit(problems)),
    };
    for arg in &mut spec.args {
        problems.extend(settle(arg, &wanted.args));
    }
    restrict(&mut spec, &wanted.metrics);
    if problems.is_empty() {
        problems.extend(invalid(&spec.metrics, &spec.args));
    }
    if !problems.is_empty() {
        return Err(NoRun::Unfit(problems));
    }
    let metadata = ObjectMeta {
        name: Some(name.clone()),
        namespace: Some(NAMESPACE.to_owned()),
        uid: Some(name),
        ..ObjectMeta::default()
    };
    Ok(AnalysisRun { metadata, spec, status: None })
}

/// Which services can be asked outside of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Askable {
    /// A Prometheus, about any instant.
    Prometheus,
    /// Everybody who answers HTTP.
    Anybody,
}

/// Tells every metric whose provider cannot be asked.
///
/// # Errors
/// [`NoRun::Unfit`] with what to leave out.
pub fn check_providers(run: &AnalysisRun, askable: Askable) -> Result<(), NoRun> {
    let problem = |metric: &Metric| {
        let name = provider_names(&metric.provider).into_iter().next().unwrap_or_default();
        let why = match askable {
            Askable::Anybody if name == "job" => "needs a cluster",
            Askable::Anybody => return None,
            Askable::Prometheus if asks_prometheus(metric) => return None,
            Askable::Prometheus => "cannot be asked about another time than now",
        };
        let metric = &metric.name;
        Some(format!(
            "metric {metric}: the provider {name} {why}; name the other metrics with --metric"
        ))
    };
    let problems: Vec<String> = run.spec.metrics.iter().filter_map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(NoRun::Unfit(problems)) }
}

/// How those who are redirected let us in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// As the template says.
    AsWritten,
    /// They ask for nothing.
    Free,
}

/// Leads every metric that asks a Prometheus to this address.
pub fn redirect(run: &mut AnalysisRun, address: &str, access: Access) {
    for metric in &mut run.spec.metrics {
        if let Some(prometheus) = &mut metric.provider.prometheus {
            prometheus.address = Some(address.to_owned());
            if access == Access::Free {
                prometheus.authentication = api::argo::Authentication::default();
            }
        }
        let compare = metric.provider.plugin.get_mut(COMPARE);
        let source = compare.and_then(|config| config.pointer_mut("/source/prometheus"));
        if let Some(source) = source.and_then(serde_json::Value::as_object_mut) {
            source.insert("address".to_owned(), address.into());
            if access == Access::Free {
                source.remove("authentication");
            }
        }
    }
}

fn asks_prometheus(metric: &Metric) -> bool {
    let compare = metric.provider.plugin.get(COMPARE);
    metric.provider.prometheus.is_some()
        || compare.is_some_and(|config| config.pointer("/source/prometheus").is_some())
}

/// Leaves out the other metrics, and the rules that are about none but those.
fn restrict(spec: &mut AnalysisRunSpec, wanted: &[String]) {
    if wanted.is_empty() {
        return;
    }
    spec.metrics.retain(|metric| wanted.contains(&metric.name));
    let metrics = &spec.metrics;
    spec.dry_run.retain(|rule| rules::dry_run_metrics(slice::from_ref(rule), metrics).is_ok());
    spec.measurement_retention
        .retain(|rule| rules::kept_measurements(slice::from_ref(rule), metrics).is_ok());
}

fn argument((name, value): &(String, String)) -> Argument {
    Argument { name: name.clone(), value: Some(value.clone()), value_from: None }
}

fn with_hint(error: &TemplateError) -> String {
    match error {
        TemplateError::UnresolvedArgument { name } => {
            format!("{error}; give it with --arg {name}=VALUE")
        }
        TemplateError::NotFound { .. } => format!("{error}; name the file that holds it, too"),
        _ => error.to_string(),
    }
}

/// A value that was given outweighs a source; a source in a rollout cannot be followed.
fn settle(arg: &mut Argument, given: &[(String, String)]) -> Option<String> {
    if given.iter().any(|(name, _)| *name == arg.name) {
        arg.value_from = None;
    }
    let is_field = arg.value_from.as_ref().is_some_and(|from| from.field_ref.is_some());
    let name = &arg.name;
    (is_field && arg.value.is_none()).then(|| {
        format!("args.{name} is a field of a rollout, and there is none; give it with --arg {name}=VALUE")
    })
}

fn unknown_args(merged: &AnalysisTemplateSpec, given: &[(String, String)]) -> Vec<String> {
    let declared: Vec<String> = merged.args.iter().map(|arg| arg.name.clone()).collect();
    let unknown = given.iter().filter(|(name, _)| !declared.contains(name));
    let told = |(name, _): &(String, String)| {
        format!("the template has no argument {name}; it has: {}", names(&declared))
    };
    unknown.map(told).collect()
}

fn unknown_metrics(merged: &AnalysisTemplateSpec, wanted: &[String]) -> Vec<String> {
    let there: Vec<String> = merged.metrics.iter().map(|metric| metric.name.clone()).collect();
    let unknown = wanted.iter().filter(|name| !there.contains(name));
    let told =
        |name: &String| format!("the template has no metric {name}; it has: {}", names(&there));
    unknown.map(told).collect()
}

/// What the run would end with at once.
fn invalid(metrics: &[Metric], args: &[Argument]) -> Vec<String> {
    let shown = arguments::without_secrets(args);
    let resolve = |metric| arguments::resolve_metric(metric, &shown);
    match metrics.iter().map(resolve).collect::<Result<Vec<_>, _>>() {
        Ok(metrics) => validate::metrics(&metrics).iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    }
}

#[derive(Default)]
struct Library {
    templates: Vec<AnalysisTemplate>,
    cluster_templates: Vec<ClusterAnalysisTemplate>,
}

impl Library {
    fn read(sources: &[Source]) -> Result<Self, NoRun> {
        let mut library = Self::default();
        for source in sources {
            for document in document::read(source).map_err(NoRun::Unreadable)? {
                match document.text("/kind") {
                    "AnalysisTemplate" => library.templates.push(typed(&document)?),
                    "ClusterAnalysisTemplate" => library.cluster_templates.push(typed(&document)?),
                    _ => {}
                }
            }
        }
        Ok(library)
    }

    /// The template of that name, or else the only one that no other refers to.
    fn choose(&self, name: Option<&str>) -> Result<AnalysisTemplateRef, NoRun> {
        let all = self.all();
        let meant: Vec<&AnalysisTemplateRef> = match name {
            Some(name) => all.iter().filter(|it| it.template_name == name).collect(),
            None => all.iter().filter(|it| !self.is_referred_to(it)).collect(),
        };
        let names = |refs: &[&AnalysisTemplateRef]| {
            refs.iter().map(|it| it.template_name.clone()).collect::<Vec<_>>()
        };
        match meant.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(NoRun::NotThere(names(&all.iter().collect::<Vec<_>>()))),
            several => Err(NoRun::Ambiguous(names(several))),
        }
    }

    fn all(&self) -> Vec<AnalysisTemplateRef> {
        let reference = |name: &Option<String>, cluster_scope| AnalysisTemplateRef {
            template_name: name.clone().unwrap_or_default(),
            cluster_scope: Some(cluster_scope),
        };
        let own = self.templates.iter().map(|it| reference(&it.metadata.name, false));
        let cluster = self.cluster_templates.iter().map(|it| reference(&it.metadata.name, true));
        own.chain(cluster).collect()
    }

    fn is_referred_to(&self, wanted: &AnalysisTemplateRef) -> bool {
        let specs = self.templates.iter().map(|it| &it.spec);
        let specs = specs.chain(self.cluster_templates.iter().map(|it| &it.spec));
        let mut refs = specs.flat_map(|spec| &spec.templates);
        refs.any(|it| {
            it.template_name == wanted.template_name
                && it.cluster_scope.unwrap_or(false) == wanted.cluster_scope.unwrap_or(false)
        })
    }
}

fn typed<T: DeserializeOwned>(document: &document::Document) -> Result<T, NoRun> {
    serde_json::from_value(document.value.clone()).map_err(|error| NoRun::Malformed {
        name: format!("{} {}", document.text("/kind"), document.text("/metadata/name")),
        cause: error.to_string(),
    })
}
