//! Making sense of a run's spec before anything is measured.
//!
//! Start with [`prepared`] for all that needs no secret, and [`with_secrets`] for what calls need. A run is looked
//! at twice for each measurement and its spec hardly ever changes; whoever gathers keeps the [`Specification`].

use super::{
    Observed, SecretRead, SecretRef,
    redact::{REDACTED, Redactor},
};
use analysis::{arguments, assess::Conditions, rules, validate};
use api::argo::{AnalysisRun, AnalysisRunSpec, Argument, Metric};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

/// What the spec of a run comes to, worked out by the first that asks. Copies share it.
#[derive(Clone, Debug, Default)]
pub struct Specification(Arc<OnceLock<Known>>);

#[derive(Debug)]
struct Known {
    of: AnalysisRunSpec,
    outcome: Outcome,
}

/// The spec, or the message that the run ends with.
type Outcome = Result<Arc<Prepared>, String>;

impl Specification {
    /// Whether this is what the spec of `run` comes to, or will be.
    pub fn is_of(&self, run: &AnalysisRun) -> bool {
        self.0.get().is_none_or(|known| known.of == run.spec)
    }
}

/// A run's spec with its arguments, and with stars for secrets.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The metrics, fit to be shown.
    pub(super) metrics: Vec<Metric>,
    /// The conditions of each of them.
    conditions: Vec<Conditions>,
    /// Whether there are secrets among the arguments.
    has_secrets: bool,
    /// Names of the metrics that decide nothing.
    pub(super) dry_run: BTreeSet<String>,
    /// Measurements to keep, of the metrics that have a rule.
    pub(super) kept: BTreeMap<String, usize>,
}

/// The spec of the run under plan, checked.
///
/// # Errors
/// The message the run ends with.
pub(super) fn prepared(observed: &Observed) -> Outcome {
    let (spec, memory) = (&observed.run.spec, &observed.specification.0);
    let known = memory.get_or_init(|| Known { of: spec.clone(), outcome: prepare(spec) });
    if known.of == *spec { known.outcome.clone() } else { prepare(spec) }
}

impl Prepared {
    /// The conditions of one of the metrics, whose arguments are the real ones.
    pub(super) fn conditions(&self, metric: &Metric) -> Cow<'_, Conditions> {
        let place = self.metrics.iter().position(|known| known.name == metric.name);
        match place.and_then(|place| self.conditions.get(place)) {
            Some(known) if !self.has_secrets => Cow::Borrowed(known),
            _ => Cow::Owned(Conditions::of(metric)),
        }
    }
}

fn prepare(spec: &AnalysisRunSpec) -> Outcome {
    let args: Vec<Argument> = spec.args.iter().map(starred).collect();
    let metrics = resolve(&spec.metrics, &args)?;
    let problems: Vec<String> =
        validate::metrics(&metrics).iter().map(ToString::to_string).collect();
    if !problems.is_empty() {
        return Err(format!("Analysis spec invalid: {}", problems.join("; ")));
    }
    let invalid = |error: rules::RuleError| format!("Analysis spec invalid: {error}");
    let dry_run = rules::dry_run_metrics(&spec.dry_run, &metrics).map_err(invalid)?;
    let kept = rules::kept_measurements(&spec.measurement_retention, &metrics).map_err(invalid)?;
    let conditions = metrics.iter().map(Conditions::of).collect();
    let has_secrets = spec.args.iter().any(|arg| secret_ref(arg).is_some());
    Ok(Arc::new(Prepared { metrics, conditions, has_secrets, dry_run, kept }))
}

/// A run's metrics with all arguments, to be shown to nobody.
///
/// # Errors
/// The message the run ends with.
pub(super) fn with_secrets<'a>(
    prepared: &'a Prepared,
    observed: &Observed,
) -> Result<Cow<'a, [Metric]>, String> {
    if !prepared.has_secrets {
        return Ok(Cow::Borrowed(&prepared.metrics));
    }
    let args = observed.run.spec.args.iter().map(|arg| revealed(arg, observed));
    resolve(&observed.run.spec.metrics, &args.collect::<Result<Vec<_>, _>>()?).map(Cow::Owned)
}

/// What hides the run's secrets and the credentials of its providers.
pub(super) fn redactor(observed: &Observed) -> Redactor {
    let secrets = observed.secrets.values().filter_map(|read| match read {
        SecretRead::Value(value) => Some(value.as_str()),
        SecretRead::NoSecret | SecretRead::NoKey | SecretRead::Refused(_) => None,
    });
    Redactor::new(secrets.chain(observed.credentials.hidden()))
}

/// Where an argument's secret is.
pub(super) fn secret_ref(arg: &Argument) -> Option<SecretRef> {
    let found = arg.value_from.as_ref()?.secret_key_ref.as_ref()?;
    Some(SecretRef { name: found.name.clone(), key: found.key.clone() })
}

fn resolve(metrics: &[Metric], args: &[Argument]) -> Result<Vec<Metric>, String> {
    let resolved = metrics.iter().map(|metric| arguments::resolve_metric(metric, args));
    resolved
        .collect::<Result<_, _>>()
        .map_err(|error| format!("Unable to resolve metric arguments: {error}"))
}

fn starred(arg: &Argument) -> Argument {
    if secret_ref(arg).is_none() {
        return arg.clone();
    }
    Argument { name: arg.name.clone(), value: Some(REDACTED.to_owned()), value_from: None }
}

fn revealed(arg: &Argument, observed: &Observed) -> Result<Argument, String> {
    let Some(wanted) = secret_ref(arg) else { return Ok(arg.clone()) };
    let failed = |cause: String| Err(format!("Unable to resolve metric arguments: {cause}"));
    match observed.secrets.get(&wanted) {
        Some(SecretRead::Value(value)) => {
            Ok(Argument { name: arg.name.clone(), value: Some(value.clone()), value_from: None })
        }
        Some(SecretRead::NoKey) => {
            failed(format!("key '{}' does not exist in secret '{}'", wanted.key, wanted.name))
        }
        Some(SecretRead::Refused(why)) => failed(why.clone()),
        Some(SecretRead::NoSecret) | None => {
            failed(format!("secrets \"{}\" not found", wanted.name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use analysis::{assess::assess, condition::Measured};
    use api::argo::AnalysisPhase;
    use jiff::Timestamp;
    use serde_json::{Value, json};

    fn observed(spec: &Value) -> Observed {
        let run = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
        Observed { run: Arc::new(run), ..Observed::default() }
    }

    fn metric(name: &str, condition: &str) -> Value {
        let web = json!({"url": "http://svc/"});
        json!({"name": name, "successCondition": condition, "provider": {"web": web}})
    }

    #[test]
    fn a_spec_that_was_edited_is_worked_out_anew() {
        let mut observed = observed(&json!({"metrics": [metric("one", "result > 1")]}));
        assert_eq!(prepared(&observed).unwrap().metrics.len(), 1);
        assert!(observed.specification.is_of(&observed.run));
        let more = serde_json::from_value(metric("two", "result > 2")).unwrap();
        Arc::make_mut(&mut observed.run).spec.metrics.push(more);
        assert_eq!(prepared(&observed).unwrap().metrics.len(), 2);
        assert!(!observed.specification.is_of(&observed.run));
    }

    #[test]
    fn a_condition_holds_by_the_real_secret_and_shows_stars() {
        let args =
            json!([{"name": "word", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]);
        let metrics = [metric("one", "result == '{{args.word}}'")];
        let mut observed = observed(&json!({"metrics": metrics, "args": args}));
        let secret = SecretRef { name: "s".to_owned(), key: "k".to_owned() };
        observed.secrets.insert(secret, SecretRead::Value("s3cr3t".to_owned()));
        let prepared = prepared(&observed).unwrap();
        let shown = prepared.metrics[0].success_condition.as_deref();
        assert_eq!(shown, Some("result == '*****'"));
        let real = with_secrets(&prepared, &observed).unwrap();
        let value = Measured::Json(json!("s3cr3t"));
        let judged = assess(&prepared.conditions(&real[0]), &value, Timestamp::UNIX_EPOCH);
        assert_eq!(judged, Ok(AnalysisPhase::Successful));
    }
}
