//! Templates: from references and arguments to the spec of one analysis run.
//!
//! Start with [`merge`], then [`run_spec`]. Templates of the namespace come first, those of the
//! cluster after them, each once, with the templates they refer to.
//!
//! **Invariant.** Nothing is silently overridden: two things of one name are an error.

use api::argo::{
    AnalysisRunSpec, AnalysisTemplate, AnalysisTemplateRef, AnalysisTemplateSpec, Argument,
    ClusterAnalysisTemplate, DryRun, MeasurementRetention, Metric, RolloutAnalysis,
};
use std::{borrow::Borrow, collections::BTreeSet};

/// Why templates and arguments made no run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A reference led nowhere.
    #[error("{kind} '{name}' not found")]
    NotFound {
        /// `AnalysisTemplate` or `ClusterAnalysisTemplate`.
        kind: &'static str,
        /// The name referred to.
        name: String,
    },
    /// Two metrics had one name.
    #[error("two metrics have the same name '{name}'")]
    DuplicateMetric {
        /// The name.
        name: String,
    },
    /// Two dry-run rules had one name.
    #[error("two Dry-Run metric rules have the same name '{name}'")]
    DuplicateDryRun {
        /// The name.
        name: String,
    },
    /// Two retention rules had one name.
    #[error("two Measurement Retention metric rules have the same name '{name}'")]
    DuplicateRetention {
        /// The name.
        name: String,
    },
    /// Two templates gave one argument different values.
    #[error(
        "Argument `{name}` specified multiple times with different values: '{first}', '{second}'"
    )]
    ConflictingArgument {
        /// Name of the argument.
        name: String,
        /// The value met first.
        first: String,
        /// The value met later.
        second: String,
    },
    /// An argument ended up with no value and no source.
    #[error("args.{name} was not resolved")]
    UnresolvedArgument {
        /// Name of the argument.
        name: String,
    },
}

/// A reference that leads nowhere, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// `AnalysisTemplate` or `ClusterAnalysisTemplate`.
    pub kind: &'static str,
    /// The name referred to.
    pub name: String,
    /// Who refers to it.
    pub by: Referrer,
}

/// Who refers to a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referrer {
    /// The analysis itself.
    Analysis,
    /// Another template, by its `spec.templates`.
    Template,
}

impl From<Missing> for TemplateError {
    fn from(missing: Missing) -> Self {
        Self::NotFound { kind: missing.kind, name: missing.name }
    }
}

/// Every template that is referred to, directly or by another template, and is not there.
pub fn missing<A, C>(
    refs: &[AnalysisTemplateRef],
    templates: &[A],
    cluster_templates: &[C],
) -> Vec<Missing>
where
    A: Borrow<AnalysisTemplate>,
    C: Borrow<ClusterAnalysisTemplate>,
{
    Gathered::default().add(refs, &Library::new(templates, cluster_templates))
}

/// Merges the templates that are referred to, and those they refer to, into one spec.
///
/// `templates` are those of the rollout's namespace.
///
/// # Errors
/// [`TemplateError`] when a template is missing or two of them contradict each other.
pub fn merge<A, C>(
    refs: &[AnalysisTemplateRef],
    templates: &[A],
    cluster_templates: &[C],
) -> Result<AnalysisTemplateSpec, TemplateError>
where
    A: Borrow<AnalysisTemplate>,
    C: Borrow<ClusterAnalysisTemplate>,
{
    let library = Library::new(templates, cluster_templates);
    let mut gathered = Gathered::default();
    match gathered.add(refs, &library).into_iter().next() {
        Some(missing) => Err(missing.into()),
        None => flatten(&gathered.all()),
    }
}

/// The templates that are referred to and those they refer to, by name, in the order in which they are merged.
pub fn gathered<'a, A, C>(
    refs: &'a [AnalysisTemplateRef],
    templates: &'a [A],
    cluster_templates: &'a [C],
) -> Vec<Named<'a>>
where
    A: Borrow<AnalysisTemplate>,
    C: Borrow<ClusterAnalysisTemplate>,
{
    let mut gathered = Gathered::default();
    gathered.add(refs, &Library::new(templates, cluster_templates));
    gathered.all()
}

/// Everything that keeps templates and what the rollout adds to them from making a run, where [`merge`]
/// and [`run_spec`] tell the first of it.
///
/// An argument is not called unresolved while a template is missing: it may be its.
pub fn problems<A, C>(
    (templates, cluster_templates): (&[A], &[C]),
    args: &[Argument],
    analysis: &RolloutAnalysis,
) -> Vec<TemplateError>
where
    A: Borrow<AnalysisTemplate>,
    C: Borrow<ClusterAnalysisTemplate>,
{
    let library = Library::new(templates, cluster_templates);
    let mut gathered = Gathered::default();
    let missing = gathered.add(&analysis.templates, &library);
    let mut problems: Vec<TemplateError> = missing.into_iter().map(TemplateError::from).collect();
    let is_whole = problems.is_empty();
    let specs: Vec<&AnalysisTemplateSpec> = gathered.all().iter().map(|(_, spec)| *spec).collect();
    problems.extend(clashes(&specs, analysis));
    let mut declared = Vec::new();
    for arg in specs.iter().flat_map(|spec| &spec.args) {
        problems.extend(add_arg(&mut declared, arg.clone()).err());
    }
    if is_whole {
        problems.extend(unresolved(&given(args, declared)));
    }
    problems
}

/// Every name that is there twice: metrics, dry-run rules, retention rules.
fn clashes(specs: &[&AnalysisTemplateSpec], analysis: &RolloutAnalysis) -> Vec<TemplateError> {
    let metrics = specs.iter().flat_map(|spec| &spec.metrics).map(|metric| &metric.name);
    let dry_run = specs.iter().flat_map(|spec| &spec.dry_run).chain(&analysis.dry_run);
    let retention = specs.iter().flat_map(|spec| &spec.measurement_retention);
    let retention = retention.chain(&analysis.measurement_retention);
    let metrics = duplicates(metrics).map(|name| TemplateError::DuplicateMetric { name });
    let dry_run = duplicates(dry_run.map(|rule| &rule.metric_name))
        .map(|name| TemplateError::DuplicateDryRun { name });
    let retention = duplicates(retention.map(|rule| &rule.metric_name))
        .map(|name| TemplateError::DuplicateRetention { name });
    metrics.chain(dry_run).chain(retention).collect()
}

/// Makes a run's spec of merged templates and what the rollout adds to them.
///
/// Arguments that no template declares are left out, as upstream does.
///
/// # Errors
/// [`TemplateError`] when an argument stays without value or two rules have one name.
pub fn run_spec(
    merged: AnalysisTemplateSpec,
    args: &[Argument],
    analysis: &RolloutAnalysis,
) -> Result<AnalysisRunSpec, TemplateError> {
    Ok(AnalysisRunSpec {
        args: merge_args(args, merged.args)?,
        metrics: merged.metrics,
        dry_run: unique_dry_run([analysis.dry_run.clone(), merged.dry_run].concat())?,
        measurement_retention: unique_retention(
            [analysis.measurement_retention.clone(), merged.measurement_retention].concat(),
        )?,
        ..AnalysisRunSpec::default()
    })
}

/// Gives the declared arguments the values that come in.
///
/// # Errors
/// [`TemplateError::UnresolvedArgument`] when one is left with neither value nor source.
pub fn merge_args(
    incoming: &[Argument],
    declared: Vec<Argument>,
) -> Result<Vec<Argument>, TemplateError> {
    let args = given(incoming, declared);
    let open = unresolved(&args).next();
    match open {
        Some(error) => Err(error),
        None => Ok(args),
    }
}

fn given(incoming: &[Argument], mut declared: Vec<Argument>) -> Vec<Argument> {
    for arg in incoming {
        let Some(target) = declared.iter_mut().find(|it| it.name == arg.name) else { continue };
        if arg.value.is_some() {
            target.value.clone_from(&arg.value);
        } else if arg.value_from.is_some() {
            target.value_from.clone_from(&arg.value_from);
        }
    }
    declared
}

fn unresolved(args: &[Argument]) -> impl Iterator<Item = TemplateError> {
    let open = args.iter().filter(|arg| arg.value.is_none() && arg.value_from.is_none());
    open.map(|arg| TemplateError::UnresolvedArgument { name: arg.name.clone() })
}

/// A template of either kind, by name.
pub type Named<'a> = (&'a str, &'a AnalysisTemplateSpec);

struct Library<'a> {
    templates: Vec<Named<'a>>,
    cluster_templates: Vec<Named<'a>>,
}

impl<'a> Library<'a> {
    fn new<A, C>(templates: &'a [A], cluster_templates: &'a [C]) -> Self
    where
        A: Borrow<AnalysisTemplate>,
        C: Borrow<ClusterAnalysisTemplate>,
    {
        Self {
            templates: templates
                .iter()
                .map(|it| (name(it.borrow().metadata.name.as_ref()), &it.borrow().spec))
                .collect(),
            cluster_templates: cluster_templates
                .iter()
                .map(|it| (name(it.borrow().metadata.name.as_ref()), &it.borrow().spec))
                .collect(),
        }
    }
}

#[derive(Default)]
struct Gathered<'a> {
    namespaced: Vec<Named<'a>>,
    cluster: Vec<Named<'a>>,
}

impl<'a> Gathered<'a> {
    /// Adds each template once with all it refers to, and tells those that are missing; a template that
    /// refers to itself does no harm.
    fn add(&mut self, refs: &'a [AnalysisTemplateRef], library: &Library<'a>) -> Vec<Missing> {
        let mut missing = Vec::new();
        let mut pending: Vec<_> = refs.iter().rev().map(|it| (it, Referrer::Analysis)).collect();
        while let Some((wanted, by)) = pending.pop() {
            let (known, gathered, kind) = if wanted.cluster_scope.unwrap_or(false) {
                (&library.cluster_templates, &mut self.cluster, "ClusterAnalysisTemplate")
            } else {
                (&library.templates, &mut self.namespaced, "AnalysisTemplate")
            };
            if gathered.iter().any(|(name, _)| *name == wanted.template_name) {
                continue;
            }
            let found = known.iter().find(|(name, _)| *name == wanted.template_name);
            let Some(found) = found else {
                missing.push(Missing { kind, name: wanted.template_name.clone(), by });
                continue;
            };
            gathered.push(*found);
            let nested = found.1.templates.iter().rev();
            pending.extend(nested.map(|it| (it, Referrer::Template)));
        }
        missing
    }

    /// Those of the namespace, then those of the cluster.
    fn all(&self) -> Vec<Named<'a>> {
        self.namespaced.iter().chain(&self.cluster).copied().collect()
    }
}

fn name(name: Option<&String>) -> &str {
    name.map_or("", String::as_str)
}

fn flatten(templates: &[Named<'_>]) -> Result<AnalysisTemplateSpec, TemplateError> {
    let specs = || templates.iter().map(|(_, spec)| *spec);
    let metrics = unique_metrics(specs().flat_map(|spec| spec.metrics.clone()).collect())?;
    let mut args = Vec::new();
    for arg in specs().flat_map(|spec| &spec.args) {
        add_arg(&mut args, arg.clone())?;
    }
    Ok(AnalysisTemplateSpec {
        metrics,
        args,
        dry_run: unique_dry_run(specs().flat_map(|spec| spec.dry_run.clone()).collect())?,
        measurement_retention: unique_retention(
            specs().flat_map(|spec| spec.measurement_retention.clone()).collect(),
        )?,
        templates: Vec::new(),
    })
}

fn add_arg(combined: &mut Vec<Argument>, arg: Argument) -> Result<(), TemplateError> {
    let Some(known) = combined.iter_mut().find(|known| known.name == arg.name) else {
        combined.push(arg);
        return Ok(());
    };
    match (&known.value, &arg.value) {
        (Some(first), Some(second)) if first != second => Err(TemplateError::ConflictingArgument {
            name: arg.name.clone(),
            first: first.clone(),
            second: second.clone(),
        }),
        (None, _) => {
            *known = arg;
            Ok(())
        }
        (Some(_), _) => Ok(()),
    }
}

fn unique_metrics(metrics: Vec<Metric>) -> Result<Vec<Metric>, TemplateError> {
    let twice = duplicates(metrics.iter().map(|metric| &metric.name)).next();
    match twice {
        Some(name) => Err(TemplateError::DuplicateMetric { name }),
        None => Ok(metrics),
    }
}

fn unique_dry_run(rules: Vec<DryRun>) -> Result<Vec<DryRun>, TemplateError> {
    let twice = duplicates(rules.iter().map(|rule| &rule.metric_name)).next();
    match twice {
        Some(name) => Err(TemplateError::DuplicateDryRun { name }),
        None => Ok(rules),
    }
}

fn unique_retention(
    rules: Vec<MeasurementRetention>,
) -> Result<Vec<MeasurementRetention>, TemplateError> {
    let twice = duplicates(rules.iter().map(|rule| &rule.metric_name)).next();
    match twice {
        Some(name) => Err(TemplateError::DuplicateRetention { name }),
        None => Ok(rules),
    }
}

/// The names that were met before, each time they are.
fn duplicates<'a>(names: impl Iterator<Item = &'a String>) -> impl Iterator<Item = String> {
    let mut seen = BTreeSet::new();
    names.filter(move |name| !seen.insert(*name)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::slice;

    fn template<T: serde::de::DeserializeOwned>(name: &str, spec: &Value) -> T {
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
    }

    fn spec(metrics: &[&str]) -> Value {
        let metrics: Vec<Value> =
            metrics.iter().map(|name| json!({"name": name, "provider": {}})).collect();
        json!({"metrics": metrics})
    }

    /// The specs as templates `a`, `b`, … and the references to them.
    fn library<T: serde::de::DeserializeOwned>(
        specs: &[Value],
        cluster: bool,
    ) -> (Vec<T>, Vec<AnalysisTemplateRef>) {
        let reference = |name: &str| AnalysisTemplateRef {
            template_name: name.to_owned(),
            cluster_scope: Some(cluster),
        };
        specs
            .iter()
            .zip(["a", "b", "c"])
            .map(|(spec, name)| (template(name, spec), reference(name)))
            .unzip()
    }

    fn merged(namespaced: &[Value], cluster: &[Value]) -> Result<AnalysisTemplateSpec, String> {
        let (templates, refs) = library::<AnalysisTemplate>(namespaced, false);
        let (cluster_templates, cluster_refs) = library::<ClusterAnalysisTemplate>(cluster, true);
        merge(&[refs, cluster_refs].concat(), &templates, &cluster_templates)
            .map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(namespaced: &[Value], cluster: &[Value], expected: Result<&[&str], &str>) {
        let got = merged(namespaced, cluster);
        let names = got
            .as_ref()
            .map(|spec| spec.metrics.iter().map(|it| it.name.as_str()).collect::<Vec<_>>());
        assert_eq!(names.map_err(String::as_str), expected.map(<[&str]>::to_vec));
    }

    #[test]
    fn templates_come_before_cluster_templates() {
        check(&[], &[], Ok(&[]));
        check(&[spec(&["foo"]), spec(&["bar"])], &[], Ok(&["foo", "bar"]));
        check(&[spec(&["foo"])], &[spec(&["bar"])], Ok(&["foo", "bar"]));
        check(&[spec(&["foo"]), spec(&["foo"])], &[], Err("two metrics have the same name 'foo'"));
        check(&[spec(&["foo"])], &[spec(&["foo"])], Err("two metrics have the same name 'foo'"));
    }

    #[test]
    fn rules_of_one_name_are_an_error() {
        let dry_run = json!({"dryRun": [{"metricName": "foo"}]});
        check(
            slice::from_ref(&dry_run),
            slice::from_ref(&dry_run),
            Err("two Dry-Run metric rules have the same name 'foo'"),
        );
        let retention = json!({"measurementRetention": [{"metricName": "foo", "limit": 1}]});
        let expected = "two Measurement Retention metric rules have the same name 'foo'";
        check(&[retention.clone(), retention], &[], Err(expected));
    }

    #[test]
    fn arguments_of_one_name_agree_or_conflict() {
        let with = |args: Value| json!({"args": args});
        let set = with(json!([{"name": "foo", "value": "true"}]));
        let unset = with(json!([{"name": "foo"}]));
        let other = with(json!([{"name": "foo", "value": "false"}]));
        for pair in [[set.clone(), unset.clone()], [unset, set.clone()], [set.clone(), set.clone()]]
        {
            let spec = merged(&pair, &[]).unwrap();
            assert_eq!(spec.args.len(), 1);
            assert_eq!(spec.args[0].value.as_deref(), Some("true"));
        }
        let expected =
            "Argument `foo` specified multiple times with different values: 'true', 'false'";
        check(&[set, other], &[], Err(expected));
    }

    #[test]
    fn nested_templates_are_gathered_once_even_in_a_circle() {
        let outer = json!({
            "metrics": [{"name": "outer", "provider": {}}],
            "templates": [{"templateName": "b"}, {"templateName": "a", "clusterScope": true}],
        });
        let inner = json!({"metrics": [{"name": "inner", "provider": {}}], "templates": [{"templateName": "a"}]});
        check(&[outer, inner], &[spec(&["cluster"])], Ok(&["outer", "inner", "cluster"]));
        let lost = json!({"templates": [{"templateName": "gone", "clusterScope": true}]});
        check(&[lost], &[], Err("ClusterAnalysisTemplate 'gone' not found"));
    }

    #[track_caller]
    fn check_args(incoming: &Value, declared: &Value, expected: Result<&Value, &str>) {
        let read = |json: &Value| serde_json::from_value::<Vec<Argument>>(json.clone()).unwrap();
        let got = merge_args(&read(incoming), read(declared)).map_err(|error| error.to_string());
        assert_eq!(
            got.as_deref().map_err(String::as_str),
            expected.map(read).as_deref().map_err(|it| *it)
        );
    }

    #[test]
    fn incoming_arguments_override_and_extra_ones_are_left_out() {
        let defaults = json!([
            {"name": "foo", "value": "bar"},
            {"name": "secret", "valueFrom": {"secretKeyRef": {"name": "n", "key": "k"}}},
        ]);
        check_args(&json!([]), &json!([]), Ok(&json!([])));
        check_args(&json!([]), &defaults, Ok(&defaults));
        let incoming = json!([{"name": "foo", "value": "mine"}, {"name": "extra", "value": "x"}]);
        check_args(
            &incoming,
            &json!([{"name": "foo"}]),
            Ok(&json!([{"name": "foo", "value": "mine"}])),
        );
        check_args(
            &json!([{"name": "foo"}]),
            &json!([{"name": "foo"}]),
            Err("args.foo was not resolved"),
        );
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let one = json!({
            "metrics": [{"name": "m", "provider": {}}, {"name": "n", "provider": {}}],
            "args": [{"name": "a", "value": "1"}, {"name": "open"}, {"name": "given"}],
        });
        let other = json!({
            "metrics": [{"name": "n", "provider": {}}, {"name": "m", "provider": {}}],
            "args": [{"name": "a", "value": "2"}],
        });
        let (templates, refs) = library::<AnalysisTemplate>(&[one, other], false);
        let none: Vec<ClusterAnalysisTemplate> = Vec::new();
        let args: Vec<Argument> =
            serde_json::from_value(json!([{"name": "given", "value": "x"}])).unwrap();
        let told = |templates: &[AnalysisTemplate]| {
            let analysis =
                RolloutAnalysis { templates: refs.clone(), ..RolloutAnalysis::default() };
            let found = problems((templates, none.as_slice()), &args, &analysis);
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let expected = [
            "two metrics have the same name 'n'",
            "two metrics have the same name 'm'",
            "Argument `a` specified multiple times with different values: '1', '2'",
            "args.open was not resolved",
        ];
        assert_eq!(told(&templates), expected);
        assert_eq!(told(&templates[..1]), ["AnalysisTemplate 'b' not found"]);
    }

    #[test]
    fn a_run_takes_the_rollouts_rules_first() {
        let merged = merged(&[json!({"dryRun": [{"metricName": "a"}]})], &[]).unwrap();
        let analysis: RolloutAnalysis =
            serde_json::from_value(json!({"dryRun": [{"metricName": "b"}]})).unwrap();
        let spec = run_spec(merged.clone(), &[], &analysis).unwrap();
        let names: Vec<&str> = spec.dry_run.iter().map(|rule| rule.metric_name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        let twice: RolloutAnalysis =
            serde_json::from_value(json!({"dryRun": [{"metricName": "a"}]})).unwrap();
        assert!(run_spec(merged, &[], &twice).is_err());
    }
}
