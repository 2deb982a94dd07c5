//! The controller's own numbers, in the Prometheus text format and under upstream's names.
//!
//! Upstream's counters do not all end in `_total`, so the text is written here rather than by a
//! library that would rename them.
//!
//! **Invariant.** Labels are bounded: series of an object go with the object, and names of objects
//! other than rollouts and analysis runs never become labels.

mod families;
mod info;
mod own;
mod text;
mod updates;

use crate::{
    asked::{Asked, Verb},
    cache::Kind,
    key::Name,
};
use api::argo::RolloutDurationStatus;
use families::{FAMILIES, Family, buckets};
use own::{Lines, Own};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use text::{Histogram, as_f64, line};
pub(crate) use updates::ended;
use vocab::{EventType, ObjectRef};

/// How requests are counted that are not about objects.
const UNKNOWN: &str = "Unknown";

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
    objects: BTreeMap<(Kind, Name), Own>,
    /// Reasons that events had.
    reasons: BTreeSet<Arc<str>>,
    queue_depth: usize,
    /// Whether another process leads, which describes the objects: sums over all processes stay right.
    stands_by: bool,
}

impl Metrics {
    /// Counts one request to the API server. Upstream's label for the object's name stays empty: it would
    /// make a series of every object there ever was.
    pub(crate) fn count_request(&self, asked: Option<&Asked>, code: u16) {
        let kind = asked.and_then(|asked| asked.resource.split('/').next()).unwrap_or(UNKNOWN);
        let labels = vec![
            ("kind", kind.to_owned()),
            ("namespace", asked.map_or(UNKNOWN, |asked| &asked.namespace).to_owned()),
            ("name", String::new()),
            ("verb", asked.map_or(UNKNOWN, |asked| spelled(asked.verb)).to_owned()),
            ("status_code", code.to_string()),
        ];
        self.count("controller_clientset_k8s_request_total", labels);
    }

    /// Counts one emitted event, if it is about a rollout.
    pub(crate) fn count_event(&self, regarding: &ObjectRef, event_type: EventType, reason: &str) {
        if regarding.kind != "Rollout" {
            return;
        }
        let mut inner = self.lock();
        let known = inner.reasons.get(reason).cloned();
        let reason = known.unwrap_or_else(|| Arc::from(reason));
        inner.reasons.insert(Arc::clone(&reason));
        inner.own(Kind::Rollout, regarding.into()).count_event(event_type, reason);
    }

    /// Counts one event that was never written, because too many waited.
    pub(crate) fn count_untold_event(&self) {
        self.count("ringfence_events_untold_total", Vec::new());
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
        if let Some(kind) = Kind::of(object) {
            self.lock().own(kind, object.into()).errors += 1;
        }
    }

    /// Records how long one reconcile took.
    pub(crate) fn time_reconcile(&self, kind: Kind, name: Name, seconds: f64) {
        self.lock().own(kind, name).time_reconcile(kind, seconds);
    }

    /// Records how long an update took that has ended.
    pub(crate) fn time_update(&self, times: &RolloutDurationStatus) {
        let (Some(began), Some(ended)) = (&times.rollout_started_at, &times.finished_at) else {
            return;
        };
        let Some(status) = &times.completion_status else { return };
        let whole = ended.0.duration_since(began.0).as_secs_f64();
        let paused = times.total_manual_pause_duration_seconds.unwrap_or_default();
        let paused = std::time::Duration::from_secs(paused.max(0).unsigned_abs()).as_secs_f64();
        let labels = || vec![("status", status.clone())];
        self.record(("rollout_duration_seconds", labels()), whole);
        self.record(("rollout_progression_duration_seconds", labels()), whole - paused);
        self.record(("rollout_manual_pause_duration_seconds", labels()), paused);
    }

    /// Shows one object as it is now, if it is of a kind that has gauges.
    pub(crate) fn set_object(&self, kind: Kind, name: &Name, text: &Arc<str>) {
        if info::has_gauges(kind) {
            self.lock().own(kind, name.clone()).text = Some(Arc::clone(text));
        }
    }

    /// Removes everything labelled with an object that is gone.
    pub(crate) fn forget_object(&self, kind: Kind, name: &Name) {
        self.lock().objects.remove(&(kind, name.clone()));
    }

    /// Notes whether another process leads.
    pub(crate) fn set_standing_by(&self, stands_by: bool) {
        self.lock().stands_by = stands_by;
    }

    /// Notes how many keys wait.
    pub(crate) fn set_queue_depth(&self, depth: usize) {
        self.lock().queue_depth = depth;
    }

    /// Everything in the Prometheus text format.
    pub(crate) fn render(&self) -> String {
        let by_name = self.collect();
        let mut text = String::new();
        for Family { name, kind, help, .. } in FAMILIES {
            let Some(lines) = by_name.get(name) else { continue };
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            text.extend(lines.iter().map(String::as_str));
        }
        text
    }

    fn collect(&self) -> Lines {
        let inner = self.lock();
        let mut lines = Lines::new();
        for ((kind, name), own) in &inner.objects {
            if !inner.stands_by {
                own.describe(*kind, &mut lines);
            }
            own.account(*kind, name, &mut lines);
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
        lines.insert("build_info", vec![line("build_info", &build(), 1.0)]);
        let depth = as_f64(u64::try_from(inner.queue_depth).unwrap_or(u64::MAX));
        let name = [("name", "Rollouts".to_owned())];
        lines.insert("workqueue_depth", vec![line("workqueue_depth", &name, depth)]);
        lines
    }

    fn record(&self, series: Series, value: f64) {
        let bounds = buckets(series.0);
        let mut inner = self.lock();
        let histogram = inner.histograms.entry(series);
        histogram.or_insert_with(|| Histogram::new(bounds)).record(value);
    }

    fn count(&self, name: &'static str, labels: Vec<(&'static str, String)>) {
        *self.lock().counters.entry((name, labels)).or_default() += 1;
    }

    /// A panic elsewhere leaves plain numbers behind, which are as good as any.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn own(&mut self, kind: Kind, name: Name) -> &mut Own {
        self.objects.entry((kind, name)).or_default()
    }
}

/// Upstream's labels. What was built by no Go says so by an empty word, which dashboards can still join on.
fn build() -> [(&'static str, String); 4] {
    [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("goversion", String::new()),
        ("goarch", std::env::consts::ARCH.to_owned()),
        ("commit", option_env!("RINGFENCE_COMMIT").unwrap_or_default().to_owned()),
    ]
}

/// A verb as upstream's metric spells it.
fn spelled(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "Get",
        Verb::List => "List",
        Verb::Watch => "Watch",
        Verb::Create => "Create",
        Verb::Update => "Update",
        Verb::Patch => "Patch",
        Verb::Delete => "Delete",
        Verb::DeleteCollection => "DeleteCollection",
    }
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
        metrics.time_reconcile(Kind::Rollout, Name::new("shop", "web"), 0.2);
        metrics.time_reconcile(Kind::Rollout, Name::new("shop", "web"), 3.0);
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
        metrics.time_reconcile(Kind::Rollout, Name::new("shop", "web"), 0.2);
        metrics.count_event(&web(), EventType::Normal, "RolloutCompleted");
        metrics.forget_object(Kind::Service, &Name::new("shop", "web"));
        assert!(metrics.render().contains("name=\"web\""), "a service of the same name went");
        metrics.forget_object(Kind::Rollout, &Name::new("shop", "web"));
        assert!(!metrics.render().contains("name=\"web\""));
    }

    #[test]
    fn objects_are_described_by_the_process_that_leads() {
        let metrics = Metrics::default();
        let rollout = r#"{"metadata": {"name": "web", "namespace": "shop"}, "spec": {}}"#;
        metrics.set_object(Kind::Rollout, &Name::new("shop", "web"), &Arc::from(rollout));
        let described = || metrics.render().contains("rollout_info{");
        assert!(described(), "{}", metrics.render());
        metrics.set_standing_by(true);
        assert!(!described());
    }

    #[test]
    fn an_event_about_anything_but_a_rollout_is_no_event_of_a_rollout() {
        let metrics = Metrics::default();
        let run = ObjectRef::new("argoproj.io/v1alpha1", "AnalysisRun", "shop", "web-1");
        metrics.count_event(&run, EventType::Normal, "AnalysisRunSuccessful");
        assert!(!metrics.render().contains("rollout_events_total"));
    }

    #[test]
    fn requests_are_counted_without_the_name_of_the_object() {
        let metrics = Metrics::default();
        let uri = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web/status";
        let asked = Asked::of(&http::Method::PATCH, &uri.parse().unwrap());
        metrics.count_request(asked.as_ref(), 200);
        let expected = "controller_clientset_k8s_request_total{kind=\"rollouts\",namespace=\"shop\",name=\"\",verb=\"Patch\",status_code=\"200\"} 1\n";
        assert!(metrics.render().contains(expected), "{}", metrics.render());
    }

    #[test]
    fn an_update_that_has_ended_is_timed_with_and_without_its_pauses() {
        let times = serde_json::json!({
            "rolloutStartedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:10:00Z",
            "totalManualPauseDurationSeconds": 400, "completionStatus": "Promoted",
        });
        let metrics = Metrics::default();
        metrics.time_update(&serde_json::from_value(times).unwrap());
        let text = metrics.render();
        for (name, seconds) in [("", 600), ("progression_", 200), ("manual_pause_", 400)] {
            let line =
                format!("rollout_{name}duration_seconds_sum{{status=\"Promoted\"}} {seconds}\n");
            assert!(text.contains(&line), "{line} is not in {text}");
        }
    }

    #[test]
    fn an_update_that_goes_on_is_not_timed() {
        let metrics = Metrics::default();
        metrics.time_update(&RolloutDurationStatus::default());
        assert!(!metrics.render().contains("rollout_duration_seconds"));
    }
}
