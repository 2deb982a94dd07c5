//! What is wrong with one analysis template, or with an analysis run that is written down.

use super::{Known, given::Given};
use crate::document::{Document, Problem};
use analysis::{
    condition::{self, Measured},
    template::{self, TemplateError},
    validate::{self, provider_names},
};
use api::argo::{
    AnalysisTemplate, AnalysisTemplateRef, AnalysisTemplateSpec, Argument, ClusterAnalysisTemplate,
    Metric, RolloutAnalysis,
};
use jiff::Timestamp;
use metrics::promql::{self, Facts, Kind};
use serde_json::Value;

/// The address that stands for one that the controller is told to use.
const SOME_ADDRESS: &str = "http://prometheus";
/// Providers that judge by themselves.
const JUDGES: [&str; 3] = ["job", "kayenta", "plugin ringfence/compare"];
/// What an index beyond the end is called; a vector may have any length.
const BEYOND: &str = "index out of range";

/// Everything wrong with the metrics of a template.
pub(super) fn problems(
    document: &Document,
    spec: &AnalysisTemplateSpec,
    known: Option<&Known>,
) -> Vec<Problem> {
    let given = Given::of(&spec.args);
    let mut problems = untold_tags(document, &given);
    problems.extend(limits(document, spec, &given));
    for (index, metric) in spec.metrics.iter().enumerate() {
        let path = format!("spec.metrics[{index}]");
        let subject = Subject { document, path: &path, metric, given: &given };
        let facts = subject.queries(known, &mut problems);
        subject.provider(&mut problems);
        subject.conditions(facts.as_ref(), &mut problems);
        if subject.judges_nothing() && !is_dry_run(spec, &metric.name) {
            let message =
                "neither successCondition nor failureCondition is set: every value passes";
            problems.push(document.problem(&path, message));
        }
    }
    problems
}

/// Everything that keeps a template from being merged with those it refers to.
pub(super) fn clashes(
    document: &Document,
    spec: &AnalysisTemplateSpec,
    (templates, cluster_templates): (&[AnalysisTemplate], &[ClusterAnalysisTemplate]),
) -> Vec<Problem> {
    let is_cluster = document.text("/kind") == "ClusterAnalysisTemplate";
    let itself = AnalysisTemplateRef {
        template_name: document.text("/metadata/name").to_owned(),
        cluster_scope: Some(is_cluster),
    };
    let analysis = RolloutAnalysis { templates: vec![itself], ..RolloutAnalysis::default() };
    let found = template::problems((templates, cluster_templates), &[], &analysis);
    let placed = |error: TemplateError| {
        let path = match &error {
            // A template on its own may leave them open, and its own metrics were looked at before.
            TemplateError::UnresolvedArgument { .. } => return None,
            TemplateError::DuplicateMetric { .. } if spec.templates.is_empty() => return None,
            TemplateError::NotFound { .. } | TemplateError::DuplicateMetric { .. } => {
                "spec.templates"
            }
            TemplateError::DuplicateDryRun { .. } => "spec.dryRun",
            TemplateError::DuplicateRetention { .. } => "spec.measurementRetention",
            TemplateError::ConflictingArgument { .. } => "spec.args",
        };
        Some(document.problem(path, error.to_string()))
    };
    found.into_iter().filter_map(placed).collect()
}

/// Arguments with a value, for a run that is written down.
pub(super) fn unsupplied(document: &Document, args: &[Argument]) -> Vec<Problem> {
    let open =
        args.iter().enumerate().filter(|(_, arg)| arg.value.is_none() && arg.value_from.is_none());
    let problem = |(index, arg): (usize, &Argument)| {
        let message = format!("argument \"{}\" was not supplied", arg.name);
        document.problem(&format!("spec.args[{index}]"), message)
    };
    open.map(problem).collect()
}

/// Tags in the metrics that name no argument of the template.
fn untold_tags(document: &Document, given: &Given) -> Vec<Problem> {
    let mut problems = Vec::new();
    let metrics = document.value.pointer("/spec/metrics").cloned().unwrap_or_default();
    each_text(&metrics, "spec.metrics", &mut |path, text| {
        if text.contains("{{")
            && let Err(error) = given.read(text, |_| Ok(()))
        {
            problems.push(document.problem(path, error));
        }
    });
    problems
}

fn each_text(json: &Value, path: &str, visit: &mut impl FnMut(&str, &str)) {
    match json {
        Value::String(text) => visit(path, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                each_text(item, &format!("{path}[{index}]"), visit);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                each_text(field, &format!("{path}.{key}"), visit);
            }
        }
        _ => {}
    }
}

/// Limits, counts, times and names, in upstream's words.
fn limits(document: &Document, spec: &AnalysisTemplateSpec, given: &Given) -> Vec<Problem> {
    if spec.metrics.is_empty() && !spec.templates.is_empty() {
        return Vec::new();
    }
    // One that cannot be settled has a problem of its own; an empty one keeps its place.
    let settled = |metric: &Metric| given.settle(metric).unwrap_or_else(|| metric.clone());
    let metrics: Vec<Metric> = spec.metrics.iter().map(settled).collect();
    let placed = |problem: validate::Problem| {
        let path = match problem.path.as_str() {
            "" => "spec.metrics".to_owned(),
            path => format!("spec.{path}"),
        };
        let words = problem.message.split(|c: char| !c.is_alphanumeric());
        let fields = words.filter(|word| !word.is_empty()).map(|word| format!("{path}.{word}"));
        let field = fields.into_iter().find(|field| document.has(field));
        document.problem(&field.unwrap_or(path), problem.message)
    };
    validate::metrics(&metrics).into_iter().map(placed).collect()
}

fn is_dry_run(spec: &AnalysisTemplateSpec, metric: &str) -> bool {
    spec.dry_run.iter().any(|rule| rule.metric_name == "*" || rule.metric_name == metric)
}

/// One metric, and where it stands.
struct Subject<'a> {
    document: &'a Document,
    path: &'a str,
    metric: &'a Metric,
    given: &'a Given,
}

impl Subject<'_> {
    /// Checks the PromQL of the metric; the facts are those of the one query that conditions judge.
    fn queries(&self, known: Option<&Known>, problems: &mut Vec<Problem>) -> Option<Facts> {
        let mut facts = None;
        let asked = self.metric.provider.prometheus.as_ref();
        if let Some(query) = asked.and_then(|prometheus| prometheus.query.as_deref()) {
            let path = format!("{}.provider.prometheus.query", self.path);
            facts = self.query(&path, query, known, problems);
        }
        let plugin = format!("{}.provider.plugin.ringfence/compare", self.path);
        let compare = self.metric.provider.plugin.get("ringfence/compare");
        let compare = compare.filter(|config| config.pointer("/source/prometheus").is_some());
        for side in ["canary", "stable"] {
            for part in ["bad", "total", "buckets"] {
                let query = compare.and_then(|config| config[side][part].as_str());
                if let Some(query) = query {
                    self.query(&format!("{plugin}.{side}.{part}"), query, known, problems);
                }
            }
        }
        facts
    }

    fn query(
        &self,
        path: &str,
        query: &str,
        known: Option<&Known>,
        problems: &mut Vec<Problem>,
    ) -> Option<Facts> {
        let inspect = |text: &str| promql::inspect(text).map_err(|error| error.to_string());
        let facts = match self.given.read(query, inspect) {
            Ok(facts) => facts,
            // A tag that names nothing was told already.
            Err(error) if error.starts_with("failed to resolve") => return None,
            Err(error) => {
                problems.push(self.document.problem(path, error));
                return None;
            }
        };
        if let Some(known) = known.filter(|_| !self.given.is_open(query)) {
            for name in facts.names.difference(&known.names) {
                let message = format!("metric {name} is not known to {}", known.address);
                problems.push(self.document.problem(path, message));
            }
        }
        Some(facts)
    }

    /// Checks the provider's settings.
    fn provider(&self, problems: &mut Vec<Problem>) {
        let name = provider_names(&self.metric.provider).into_iter().next().unwrap_or_default();
        let Some(provider) = providers::by_name(&name) else { return };
        let Some(settled) = self.given.settle(self.metric) else { return };
        let settings = serde_json::to_value(&settled.provider).unwrap_or_default();
        let (mut settings, path) = match name.strip_prefix("plugin ") {
            Some(plugin) => (settings["plugin"][plugin].clone(), format!("plugin.{plugin}")),
            None => (settings[&name].clone(), name.clone()),
        };
        let prometheus = match name.as_str() {
            "prometheus" => Some(&mut settings),
            _ => settings.pointer_mut("/source/prometheus"),
        };
        if let Some(Value::Object(settings)) = prometheus {
            settings.entry("address").or_insert_with(|| SOME_ADDRESS.into());
        }
        let base = format!("{}.provider.{path}", self.path);
        for (field, message) in provider.validate(&settings) {
            let path = if field.is_empty() { base.clone() } else { format!("{base}.{field}") };
            if !self.is_guessed(&path) {
                problems.push(self.document.problem(&path, message));
            }
        }
    }

    /// Whether a setting holds an argument whose value is not known.
    fn is_guessed(&self, path: &str) -> bool {
        let mut found = false;
        each_text(&self.document.value, "", &mut |at, text| {
            found |= at.trim_start_matches('.').starts_with(path) && self.given.is_open(text);
        });
        found
    }

    /// Checks that the conditions are sentences of the language, and speak of what they will see.
    fn conditions(&self, facts: Option<&Facts>, problems: &mut Vec<Problem>) {
        let sample = facts.and_then(|facts| match facts.kind {
            Kind::Scalar => Some(Measured::Number(1.0)),
            Kind::Vector | Kind::Matrix => Some(Measured::Numbers(vec![1.0])),
            Kind::Text => None,
        });
        let conditions = [
            ("successCondition", self.metric.success_condition.as_deref()),
            ("failureCondition", self.metric.failure_condition.as_deref()),
        ];
        for (field, condition) in conditions {
            let Some(condition) = condition.filter(|condition| !condition.is_empty()) else {
                continue;
            };
            match self.given.read(condition, |text| judge(text, sample.as_ref())) {
                Err(error) if !error.starts_with("failed to resolve") => {
                    let path = format!("{}.{field}", self.path);
                    problems.push(self.document.problem(&path, error));
                }
                _ => {}
            }
        }
    }

    fn judges_nothing(&self) -> bool {
        let is_absent = |condition: &Option<String>| condition.as_deref().is_none_or(str::is_empty);
        let providers = provider_names(&self.metric.provider);
        is_absent(&self.metric.success_condition)
            && is_absent(&self.metric.failure_condition)
            && providers.iter().all(|name| !JUDGES.contains(&name.as_str()))
            && !providers.is_empty()
    }
}

/// Reads a condition, and tries it on a sample of what it will see.
fn judge(condition: &str, sample: Option<&Measured>) -> Result<(), String> {
    condition::parse(condition).map_err(|error| error.message)?;
    let nothing = Measured::Json(Value::Null);
    let tried = condition::holds(condition, sample.unwrap_or(&nothing), Timestamp::UNIX_EPOCH);
    match tried {
        Ok(_) => Ok(()),
        Err(error) if sample.is_some() && !error.message.contains(BEYOND) => Err(error.message),
        Err(error) if error.message.starts_with("unknown name") => Err(error.message),
        Err(_) => Ok(()),
    }
}
