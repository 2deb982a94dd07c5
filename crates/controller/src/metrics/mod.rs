//! The controller's own numbers, in the Prometheus text format and under upstream's names.
//!
//! Upstream's counters do not all end in `_total`, so the text is written here rather than by a
//! library that would rename them.
//!
//! **Invariant.** Labels are bounded: series of an object go with the object, and names of objects
//! other than rollouts and analysis runs never become labels.

mod info;

pub(crate) use info::{experiment_samples, rollout_samples, run_samples, template_samples};

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
};
use vocab::{EventType, ObjectRef};

/// Upper bounds of the reconcile histograms, in seconds.
const RECONCILE_BUCKETS: [f64; 5] = [0.01, 0.15, 0.25, 0.5, 1.0];

/// Name, type and help of every metric, in the order they are printed.
const FAMILIES: &[(&str, &str, &str)] = &[
    ("analysis_run_info", "gauge", "Information about analysis run."),
    ("analysis_run_metric_phase", "gauge", "Phase of a metric of an analysis run."),
    ("analysis_run_metric_type", "gauge", "Type of a metric of an analysis run."),
    ("analysis_run_phase", "gauge", "State of the analysis run (deprecated: analysis_run_info)."),
    ("analysis_run_reconcile", "histogram", "Analysis Run reconciliation performance."),
    ("analysis_run_reconcile_error", "counter", "Error occurring during the analysis run"),
    ("analysis_template_info", "gauge", "Information about analysis templates."),
    ("analysis_template_metric_info", "gauge", "Information on metrics in analysis templates."),
    ("argo_rollouts_controller_info", "gauge", "Running controller version"),
    ("controller_clientset_k8s_request_total", "counter", "Number of requests to the API server."),
    ("experiment_info", "gauge", "Information about Experiment."),
    ("experiment_phase", "gauge", "State of the experiment (deprecated: experiment_info)."),
    ("experiment_reconcile", "histogram", "Experiments reconciliation performance."),
    ("experiment_reconcile_error", "counter", "Error occurring during the experiment"),
    ("ringfence_laws_broken_total", "counter", "Plans that were not carried out."),
    ("ringfence_measurement_calls_total", "counter", "Calls to metric providers by outcome."),
    ("ringfence_reconcile_failures_total", "counter", "Failed reconciles by fault and code."),
    ("ringfence_watch_errors_total", "counter", "Failures of watches by kind."),
    ("rollout_events_total", "counter", "Count of rollout events"),
    ("rollout_info", "gauge", "Information about rollout."),
    ("rollout_info_replicas_available", "gauge", "The number of available replicas per rollout."),
    ("rollout_info_replicas_desired", "gauge", "The number of desired replicas per rollout."),
    (
        "rollout_info_replicas_unavailable",
        "gauge",
        "The number of unavailable replicas per rollout.",
    ),
    ("rollout_info_replicas_updated", "gauge", "The number of updated replicas per rollout."),
    ("rollout_phase", "gauge", "State of the rollout (deprecated: rollout_info)."),
    ("rollout_reconcile", "histogram", "Rollout reconciliation performance."),
    ("rollout_reconcile_error", "counter", "Error occurring during the rollout"),
    ("workqueue_depth", "gauge", "Keys waiting to be looked at."),
];

/// One line of the exposition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// The metric.
    pub(crate) name: &'static str,
    /// Its labels in order.
    pub(crate) labels: Vec<(&'static str, String)>,
    /// Its value.
    pub(crate) value: f64,
}

type Series = (&'static str, Vec<(&'static str, String)>);

/// All numbers. Shared; each method locks for a moment.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    counters: BTreeMap<Series, u64>,
    histograms: BTreeMap<Series, Histogram>,
    objects: BTreeMap<ObjectRef, Vec<Sample>>,
    queue_depth: usize,
}

#[derive(Debug, Default)]
struct Histogram {
    buckets: [u64; RECONCILE_BUCKETS.len()],
    sum: f64,
    count: u64,
}

impl Metrics {
    /// Counts one request to the API server.
    pub(crate) fn count_request(&self, target: &ObjectRef, verb: &str, outcome: &str) {
        let labels = vec![
            ("kind", target.kind.clone()),
            ("namespace", target.namespace.clone()),
            ("name", "N/A".to_owned()),
            ("verb", verb.to_owned()),
            ("status_code", outcome.to_owned()),
        ];
        self.count("controller_clientset_k8s_request_total", labels);
    }

    /// Counts one emitted event.
    pub(crate) fn count_event(&self, regarding: &ObjectRef, event_type: EventType, reason: &str) {
        let mut labels = owner(regarding);
        labels.push(("type", format!("{event_type:?}")));
        labels.push(("reason", reason.to_owned()));
        self.count("rollout_events_total", labels);
    }

    /// Counts one plan that broke a law.
    pub(crate) fn count_broken_law(&self, law: &str) {
        self.count("ringfence_laws_broken_total", vec![("law", law.to_owned())]);
    }

    /// Counts one call to a metric provider.
    pub(crate) fn count_call(&self, outcome: &str) {
        self.count("ringfence_measurement_calls_total", vec![("outcome", outcome.to_owned())]);
    }

    /// Counts one failure of a watch.
    pub(crate) fn count_watch_error(&self, kind: &str, code: &str) {
        let labels = vec![("kind", kind.to_owned()), ("code", code.to_owned())];
        self.count("ringfence_watch_errors_total", labels);
    }

    /// Counts one failed reconcile of an object.
    pub(crate) fn count_failure(&self, object: &ObjectRef, fault: &str, code: &str) {
        let labels = vec![("fault", fault.to_owned()), ("code", code.to_owned())];
        self.count("ringfence_reconcile_failures_total", labels);
        let name = match object.kind.as_str() {
            "AnalysisRun" => "analysis_run_reconcile_error",
            "Experiment" => "experiment_reconcile_error",
            _ => "rollout_reconcile_error",
        };
        self.count(name, owner(object));
    }

    /// Records how long one reconcile took.
    pub(crate) fn time_reconcile(&self, object: &ObjectRef, seconds: f64) {
        let name = match object.kind.as_str() {
            "AnalysisRun" => "analysis_run_reconcile",
            "Experiment" => "experiment_reconcile",
            _ => "rollout_reconcile",
        };
        let mut inner = self.lock();
        inner.histograms.entry((name, owner(object))).or_default().record(seconds);
    }

    /// Replaces the gauges of one object.
    pub(crate) fn set_object(&self, object: ObjectRef, samples: Vec<Sample>) {
        self.lock().objects.insert(object, samples);
    }

    /// Removes everything labelled with an object that is gone.
    pub(crate) fn forget_object(&self, object: &ObjectRef) {
        let mut inner = self.lock();
        inner.objects.remove(object);
        let labels = owner(object);
        let of_kind = |name: &str| (object.kind == "Rollout") == name.starts_with("rollout_");
        let stays = |(name, own): &Series| !(of_kind(name) && own.starts_with(&labels));
        inner.counters.retain(|series, _| stays(series));
        inner.histograms.retain(|series, _| stays(series));
    }

    /// Notes how many keys wait.
    pub(crate) fn set_queue_depth(&self, depth: usize) {
        self.lock().queue_depth = depth;
    }

    /// Everything in the Prometheus text format.
    pub(crate) fn render(&self) -> String {
        let by_name = self.collect();
        let mut text = String::new();
        for (name, kind, help) in FAMILIES {
            let Some(lines) = by_name.get(name) else { continue };
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            text.extend(lines.iter().map(String::as_str));
        }
        text
    }

    fn collect(&self) -> BTreeMap<&'static str, Vec<String>> {
        let inner = self.lock();
        let mut lines: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for sample in inner.objects.values().flatten() {
            let text = line(sample.name, &sample.labels, sample.value);
            lines.entry(sample.name).or_default().push(text);
        }
        for ((name, labels), count) in &inner.counters {
            lines.entry(name).or_default().push(line(name, labels, as_f64(*count)));
        }
        for ((name, labels), histogram) in &inner.histograms {
            lines.entry(name).or_default().push(histogram.render(name, labels));
        }
        let version = [("version", env!("CARGO_PKG_VERSION").to_owned())];
        let info = "argo_rollouts_controller_info";
        lines.insert(info, vec![line(info, &version, 1.0)]);
        let depth = as_f64(u64::try_from(inner.queue_depth).unwrap_or(u64::MAX));
        let name = [("name", "Rollouts".to_owned())];
        lines.insert("workqueue_depth", vec![line("workqueue_depth", &name, depth)]);
        lines
    }

    fn count(&self, name: &'static str, labels: Vec<(&'static str, String)>) {
        *self.lock().counters.entry((name, labels)).or_default() += 1;
    }

    /// A panic elsewhere leaves plain numbers behind, which are as good as any.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Histogram {
    fn record(&mut self, seconds: f64) {
        for (bucket, bound) in self.buckets.iter_mut().zip(RECONCILE_BUCKETS) {
            *bucket += u64::from(seconds <= bound);
        }
        self.sum += seconds;
        self.count += 1;
    }

    fn render(&self, name: &str, labels: &[(&'static str, String)]) -> String {
        let mut text = String::new();
        let bounds = RECONCILE_BUCKETS.iter().map(ToString::to_string);
        let counts = self.buckets.iter().copied();
        let all = bounds.zip(counts).chain([("+Inf".to_owned(), self.count)]);
        for (bound, count) in all {
            let mut labels = labels.to_vec();
            labels.push(("le", bound));
            text.push_str(&line(&format!("{name}_bucket"), &labels, as_f64(count)));
        }
        text.push_str(&line(&format!("{name}_sum"), labels, self.sum));
        text.push_str(&line(&format!("{name}_count"), labels, as_f64(self.count)));
        text
    }
}

fn owner(object: &ObjectRef) -> Vec<(&'static str, String)> {
    vec![("namespace", object.namespace.clone()), ("name", object.name.clone())]
}

#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are not reached")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

fn line(name: &str, labels: &[(&'static str, String)], value: f64) -> String {
    let labels = labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escape(value)));
    format!("{name}{{{}}} {value}\n", labels.collect::<Vec<_>>().join(","))
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> ObjectRef {
        ObjectRef::new("argoproj.io/v1alpha1", "Rollout", "shop", "web")
    }

    #[test]
    fn counters_keep_upstreams_names_and_labels() {
        let metrics = Metrics::default();
        metrics.count_event(&web(), EventType::Normal, "RolloutCompleted");
        metrics.count_failure(&web(), "Environment", "Conflict");
        let text = metrics.render();
        let events = "rollout_events_total{namespace=\"shop\",name=\"web\",type=\"Normal\",reason=\"RolloutCompleted\"} 1\n";
        assert!(text.contains(events), "{text}");
        assert!(
            text.contains("rollout_reconcile_error{namespace=\"shop\",name=\"web\"} 1\n"),
            "{text}"
        );
    }

    #[test]
    fn histograms_are_cumulative() {
        let metrics = Metrics::default();
        metrics.time_reconcile(&web(), 0.2);
        metrics.time_reconcile(&web(), 3.0);
        let text = metrics.render();
        assert!(text.contains("le=\"0.15\"} 0\n") && text.contains("le=\"0.25\"} 1\n"), "{text}");
        assert!(
            text.contains("le=\"+Inf\"} 2\n") && text.contains("rollout_reconcile_sum"),
            "{text}"
        );
    }

    #[test]
    fn the_series_of_an_object_go_with_it() {
        let metrics = Metrics::default();
        metrics.time_reconcile(&web(), 0.2);
        metrics.count_event(&web(), EventType::Normal, "RolloutCompleted");
        metrics.forget_object(&web());
        assert!(!metrics.render().contains("name=\"web\""));
    }
}
