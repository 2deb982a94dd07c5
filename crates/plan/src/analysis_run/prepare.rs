//! Making sense of a run's spec before anything is measured.
//!
//! Start with [`prepare`] for all that needs no secret, and [`with_secrets`] for what calls need.

use super::{
    Observed, SecretRead, SecretRef,
    redact::{REDACTED, Redactor},
};
use analysis::{arguments, rules, validate};
use api::argo::{AnalysisRunSpec, Argument, Metric};
use std::collections::{BTreeMap, BTreeSet};

/// A run's spec with its arguments, and with stars for secrets.
pub(super) struct Prepared {
    /// The metrics, fit to be shown.
    pub(super) metrics: Vec<Metric>,
    /// Names of the metrics that decide nothing.
    pub(super) dry_run: BTreeSet<String>,
    /// Measurements to keep, of the metrics that have a rule.
    pub(super) kept: BTreeMap<String, usize>,
}

/// Checks a run's spec.
///
/// # Errors
/// The message the run ends with.
pub(super) fn prepare(spec: &AnalysisRunSpec) -> Result<Prepared, String> {
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
    Ok(Prepared { metrics, dry_run, kept })
}

/// A run's metrics with all arguments, to be shown to nobody.
///
/// # Errors
/// The message the run ends with.
pub(super) fn with_secrets(observed: &Observed) -> Result<Vec<Metric>, String> {
    let args = observed.run.spec.args.iter().map(|arg| revealed(arg, observed));
    resolve(&observed.run.spec.metrics, &args.collect::<Result<Vec<_>, _>>()?)
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
