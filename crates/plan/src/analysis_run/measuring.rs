//! From a provider's turn to a measurement.

use super::{Observed, redact::Redactor};
use analysis::{
    assess::{Conditions, assess},
    condition,
    validate::provider_names,
};
use api::argo::{AnalysisPhase, Measurement, Metric};
use jiff::{Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use providers::{MeasureError, Measured, MeasuredValue, Provider, Verdict};
use serde_json::Value;
use std::collections::BTreeMap;

/// Where a wait's state is kept within a measurement's metadata.
const STATE: &str = "ringfence.dev/state";
/// What stands before the name of a plugin; see [`provider_names`].
const PLUGIN: &str = "plugin ";
/// Longest text kept of a value or a message, in bytes; statuses have a limit too.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// The provider of a metric with its settings.
///
/// # Errors
/// The name of a provider that is not there.
pub(super) fn provider_of(
    metric: &Metric,
    observed: &Observed,
) -> Result<(&'static dyn Provider, Value), String> {
    let name = provider_names(&metric.provider).into_iter().next().unwrap_or_default();
    let provider = providers::by_name(&name).ok_or(name)?;
    let mut config = match provider.name().strip_prefix(PLUGIN) {
        Some(plugin) => metric.provider.plugin.get(plugin).cloned().unwrap_or_default(),
        None => serde_json::to_value(&metric.provider).unwrap_or_default()[provider.name()].take(),
    };
    let prometheus = match provider.name() {
        "prometheus" => Some(&mut config),
        _ => config.pointer_mut("/source/prometheus"),
    };
    if let (Some(address), Some(Value::Object(settings))) =
        (&observed.prometheus_address, prometheus)
    {
        settings.entry("address").or_insert_with(|| Value::String(address.clone()));
    }
    Ok((provider, config))
}

/// A finished measurement, judged by the metric's conditions.
pub(super) fn finished(
    conditions: &Conditions,
    outcome: Result<Measured, MeasureError>,
    redactor: &Redactor,
    now: Timestamp,
) -> Measurement {
    let mut measurement = match outcome {
        Ok(measured) => judged(conditions, measured, now),
        Err(error) => failed(error.message),
    };
    measurement.finished_at = Some(seconds(now));
    let kept = |text: String| Some(shortened(text)).filter(|text| !text.is_empty());
    measurement.message = measurement.message.and_then(|text| kept(redactor.clean(&text)));
    measurement.value = measurement.value.and_then(|text| kept(redactor.clean_value(&text)));
    for value in measurement.metadata.values_mut() {
        *value = shortened(redactor.clean(value));
    }
    measurement
}

/// A measurement that waits, with what the provider needs to go on and what it tells meanwhile.
pub(super) fn waiting(
    at: Timestamp,
    state: &Value,
    told: BTreeMap<String, String>,
    redactor: &Redactor,
) -> Measurement {
    let clean = |(key, text): (String, String)| (key, shortened(redactor.clean(&text)));
    let mut metadata: BTreeMap<String, String> = told.into_iter().map(clean).collect();
    metadata.insert(STATE.to_owned(), redactor.clean_texts(state).to_string());
    Measurement {
        phase: AnalysisPhase::Running,
        resume_at: Some(seconds(at)),
        metadata,
        ..Measurement::default()
    }
}

/// The state of a measurement that waits; null when another controller began it.
pub(super) fn state_of(measurement: &Measurement) -> Value {
    measurement
        .metadata
        .get(STATE)
        .and_then(|state| serde_json::from_str(state).ok())
        .unwrap_or_default()
}

/// A time as objects carry it: in whole seconds.
pub(super) fn seconds(time: Timestamp) -> Time {
    Time(
        time.round(jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Floor))
            .unwrap_or(time),
    )
}

fn judged(conditions: &Conditions, measured: Measured, now: Timestamp) -> Measurement {
    let Measured { value, metadata, verdict, .. } = &measured;
    let (value, metadata) = (Some(value.clone()), metadata.clone());
    if let Some(verdict) = verdict {
        return Measurement { phase: phase(*verdict), value, metadata, ..Measurement::default() };
    }
    let judged = by_conditions(conditions, measured.result, now);
    Measurement { value, metadata, ..judged }
}

fn phase(verdict: Verdict) -> AnalysisPhase {
    match verdict {
        Verdict::Successful => AnalysisPhase::Successful,
        Verdict::Inconclusive => AnalysisPhase::Inconclusive,
        Verdict::Failed => AnalysisPhase::Failed,
    }
}

fn by_conditions(conditions: &Conditions, result: MeasuredValue, now: Timestamp) -> Measurement {
    let value = match result {
        MeasuredValue::Number(number) => condition::Measured::Number(number),
        MeasuredValue::Numbers(numbers) => condition::Measured::Numbers(numbers),
        MeasuredValue::Json(json) => condition::Measured::Json(json),
    };
    match assess(conditions, &value, now) {
        Ok(phase) => Measurement { phase, ..Measurement::default() },
        Err(error) => failed(error.to_string()),
    }
}

fn failed(message: String) -> Measurement {
    Measurement { phase: AnalysisPhase::Error, message: Some(message), ..Measurement::default() }
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        text.push('…');
    }
    text
}
