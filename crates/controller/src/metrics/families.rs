//! The metrics there are: name, type, help and buckets, as upstream has them.

/// How one metric is presented.
pub(super) struct Family {
    /// Its name.
    pub(super) name: &'static str,
    /// Its type in the text format.
    pub(super) kind: &'static str,
    /// What it says.
    pub(super) help: &'static str,
    /// Upper bounds of its buckets, if it is a histogram.
    pub(super) buckets: &'static [f64],
}

const RECONCILE: &[f64] = &[0.01, 0.15, 0.25, 0.5, 1.0];
const WHOLE_UPDATE: &[f64] =
    &[30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0];
const PROGRESSION: &[f64] = &[30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];
const MANUAL_PAUSE: &[f64] = &[0.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0];

/// Every metric, in the order it is printed.
pub(super) const FAMILIES: &[Family] = &[
    gauge("analysis_run_info", "Information about analysis run."),
    gauge("analysis_run_metric_phase", "Phase of a metric of an analysis run."),
    gauge("analysis_run_metric_type", "Type of a metric of an analysis run."),
    gauge("analysis_run_phase", "State of the analysis run (deprecated: analysis_run_info)."),
    histogram("analysis_run_reconcile", RECONCILE, "Analysis Run reconciliation performance."),
    counter("analysis_run_reconcile_error", "Error occurring during the analysis run"),
    gauge("analysis_template_info", "Information about analysis templates."),
    gauge("analysis_template_metric_info", "Information on metrics in analysis templates."),
    gauge("argo_rollouts_controller_info", "Running controller version"),
    gauge("build_info", "From what the controller was built; always 1."),
    counter("controller_clientset_k8s_request_total", "Number of requests to the API server."),
    gauge("experiment_info", "Information about Experiment."),
    gauge("experiment_phase", "State of the experiment (deprecated: experiment_info)."),
    histogram("experiment_reconcile", RECONCILE, "Experiments reconciliation performance."),
    counter("experiment_reconcile_error", "Error occurring during the experiment"),
    counter(
        "ringfence_events_untold_total",
        "Events that were not written, because too many waited.",
    ),
    counter("ringfence_laws_broken_total", "Plans that were not carried out."),
    counter("ringfence_measurement_calls_total", "Calls to metric providers by outcome."),
    counter("ringfence_reconcile_failures_total", "Failed reconciles by fault and code."),
    counter("ringfence_watch_errors_total", "Failures of watches by kind."),
    histogram("rollout_duration_seconds", WHOLE_UPDATE, "How long updates took, by their end."),
    counter("rollout_events_total", "Count of rollout events"),
    gauge("rollout_info", "Information about rollout."),
    gauge("rollout_info_replicas_available", "The number of available replicas per rollout."),
    gauge("rollout_info_replicas_desired", "The number of desired replicas per rollout."),
    gauge("rollout_info_replicas_unavailable", "The number of unavailable replicas per rollout."),
    gauge("rollout_info_replicas_updated", "The number of updated replicas per rollout."),
    histogram(
        "rollout_manual_pause_duration_seconds",
        MANUAL_PAUSE,
        "How long updates waited for a person, by their end.",
    ),
    gauge("rollout_phase", "State of the rollout (deprecated: rollout_info)."),
    histogram(
        "rollout_progression_duration_seconds",
        PROGRESSION,
        "How long updates took without waiting for a person, by their end.",
    ),
    histogram("rollout_reconcile", RECONCILE, "Rollout reconciliation performance."),
    counter("rollout_reconcile_error", "Error occurring during the rollout"),
    gauge("workqueue_depth", "Keys waiting to be looked at."),
];

/// The buckets of a histogram.
pub(super) fn buckets(name: &str) -> &'static [f64] {
    FAMILIES.iter().find(|family| family.name == name).map_or(&[], |family| family.buckets)
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: "gauge", help, buckets: &[] }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: "counter", help, buckets: &[] }
}

const fn histogram(name: &'static str, buckets: &'static [f64], help: &'static str) -> Family {
    Family { name, kind: "histogram", help, buckets }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_names_every_metric() {
        let documented = include_str!("../../../../docs/operations.md");
        let is_named = |family: &&Family| {
            let name = family.name;
            documented.contains(&format!("`{name}`")) || documented.contains(&format!("`{name}{{"))
        };
        let missing: Vec<&str> =
            FAMILIES.iter().filter(|family| !is_named(family)).map(|family| family.name).collect();
        assert_eq!(missing, Vec::<&str>::new());
    }
}
