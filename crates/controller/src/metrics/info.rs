//! Gauges that describe single objects, as upstream computes them.

use super::{Sample, text::as_f64};
use crate::cache::{Kept, Kind};
use analysis::rules::dry_run_metrics;
use api::argo::{
    AnalysisPhase, AnalysisRun, AnalysisTemplateSpec, Experiment, Metric, Rollout, keys,
};

/// The states that `rollout_phase` enumerates.
const ROLLOUT_PHASES: [&str; 6] =
    ["Completed", "Progressing", "Paused", "Timeout", "Error", "Abort"];
/// The states that `analysis_run_phase` enumerates.
const RUN_PHASES: [&str; 6] =
    ["Pending", "Error", "Failed", "Successful", "Running", "Inconclusive"];
/// The states that `experiment_phase` enumerates: upstream has no series for one that failed.
const EXPERIMENT_PHASES: [&str; 5] = ["Pending", "Error", "Successful", "Running", "Inconclusive"];
/// Upstream's names of the routers it knows, by their key in `trafficRouting`.
const ROUTERS: [(&str, &str); 6] = [
    ("alb", "ALB"),
    ("ambassador", "Ambassador"),
    ("istio", "Istio"),
    ("nginx", "Nginx"),
    ("smi", "SMI"),
    ("appMesh", "AppMesh"),
];

type Labels = Vec<(&'static str, String)>;

/// Whether objects of this kind have gauges.
pub(super) fn has_gauges(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Rollout
            | Kind::AnalysisRun
            | Kind::Experiment
            | Kind::AnalysisTemplate
            | Kind::ClusterAnalysisTemplate
    )
}

/// The gauges of one object.
pub(super) fn samples(kept: &Kept) -> Vec<Sample> {
    match kept {
        Kept::Rollout(rollout) => rollout_samples(rollout),
        Kept::AnalysisRun(run) => run_samples(run),
        Kept::Experiment(experiment) => experiment_samples(experiment),
        Kept::AnalysisTemplate(template) => template_samples(&template.metadata, &template.spec),
        Kept::ClusterAnalysisTemplate(template) => {
            template_samples(&template.metadata, &template.spec)
        }
        _ => Vec::new(),
    }
}

/// The gauges of one rollout.
fn rollout_samples(rollout: &Rollout) -> Vec<Sample> {
    let spec = &rollout.spec;
    let status = rollout.status.clone().unwrap_or_default();
    let own = labels(&rollout.metadata);
    let strategy = strategy(rollout);
    let phase = phase(rollout);
    let mut info = own.clone();
    info.push(("strategy", strategy.to_owned()));
    info.push(("traffic_router", traffic_router(rollout).to_owned()));
    info.push(("phase", phase.to_owned()));
    let number = |name, value: i32| gauge(name, own.clone(), f64::from(value));
    let mut samples = vec![
        gauge("rollout_info", info, 1.0),
        number("rollout_info_replicas_available", status.available_replicas),
        number("rollout_info_replicas_unavailable", status.replicas - status.available_replicas),
        number("rollout_info_replicas_desired", spec.replicas.unwrap_or(1)),
        number("rollout_info_replicas_updated", status.updated_replicas),
    ];
    samples.extend(ROLLOUT_PHASES.map(|candidate| {
        let mut labels = own.clone();
        labels.push(("strategy", strategy.to_owned()));
        labels.push(("phase", candidate.to_owned()));
        gauge("rollout_phase", labels, truth(candidate == phase))
    }));
    samples
}

/// The gauges of one analysis run.
fn run_samples(run: &AnalysisRun) -> Vec<Sample> {
    let own = labels(&run.metadata);
    let status = run.status.clone().unwrap_or_default();
    let phase = status.phase.as_str();
    let mut info = own.clone();
    info.push(("phase", phase.to_owned()));
    let mut samples = vec![gauge("analysis_run_info", info, 1.0)];
    samples.extend(phases(("analysis_run_phase", &RUN_PHASES), &own, phase));
    // As upstream, a rule that matches nothing makes no metric dry.
    let dry = dry_run_metrics(&run.spec.dry_run, &run.spec.metrics).unwrap_or_default();
    for metric in &run.spec.metrics {
        let mut labels = own.clone();
        labels.push(("metric", metric.name.clone()));
        labels.push(("type", metric_type(metric)));
        samples.push(gauge("analysis_run_metric_type", labels.clone(), 1.0));
        let result = status.metric_results.iter().find(|result| result.name == metric.name);
        labels.push(("dry_run", dry.contains(&metric.name).to_string()));
        let phase = result.map_or("", |result| result.phase.as_str());
        samples.extend(phases(("analysis_run_metric_phase", &RUN_PHASES), &labels, phase));
    }
    samples
}

/// The gauges of one experiment.
fn experiment_samples(experiment: &Experiment) -> Vec<Sample> {
    let own = labels(&experiment.metadata);
    let phase = experiment.status.as_ref().and_then(|status| status.phase);
    let phase = phase.map_or("", AnalysisPhase::as_str);
    let mut info = own.clone();
    info.push(("phase", phase.to_owned()));
    let info = gauge("experiment_info", info, 1.0);
    let phases = phases(("experiment_phase", &EXPERIMENT_PHASES), &own, phase);
    std::iter::once(info).chain(phases).collect()
}

/// The gauges of one analysis template of either scope.
fn template_samples(
    metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    spec: &AnalysisTemplateSpec,
) -> Vec<Sample> {
    let own = labels(metadata);
    let metrics = spec.metrics.iter().map(|metric| {
        let mut labels = own.clone();
        labels.push(("type", metric_type(metric)));
        labels.push(("metric", metric.name.clone()));
        gauge("analysis_template_metric_info", labels, 1.0)
    });
    std::iter::once(gauge("analysis_template_info", own.clone(), 1.0)).chain(metrics).collect()
}

fn phases<'a>(
    (name, candidates): (&'static str, &'static [&'static str]),
    own: &'a Labels,
    phase: &'a str,
) -> impl Iterator<Item = Sample> + 'a {
    candidates.iter().map(move |candidate| {
        let mut labels = own.clone();
        labels.push(("phase", (*candidate).to_owned()));
        let holds = *candidate == phase || (*candidate == "Pending" && phase.is_empty());
        gauge(name, labels, truth(holds))
    })
}

/// Upstream's summary of the Progressing condition, which differs from `status.phase`.
fn phase(rollout: &Rollout) -> &'static str {
    let conditions = rollout.status.iter().flat_map(|status| &status.conditions);
    let mut phase = "Progressing";
    for condition in conditions {
        match (condition.type_.as_str(), condition.reason.as_str()) {
            ("InvalidSpec", _) => return "InvalidSpec",
            ("Progressing", "NewReplicaSetAvailable") => phase = "Completed",
            ("Progressing", "RolloutPaused") => phase = "Paused",
            (keys::CONDITION_PROGRESSING, keys::SET_CREATE_ERROR) => phase = "Error",
            ("Progressing", "ProgressDeadlineExceeded") => phase = "Timeout",
            ("Progressing", "RolloutAborted") => phase = "Abort",
            _ => {}
        }
    }
    phase
}

fn strategy(rollout: &Rollout) -> &'static str {
    match (&rollout.spec.strategy.blue_green, &rollout.spec.strategy.canary) {
        (Some(_), _) => "blueGreen",
        (None, Some(_)) => "canary",
        (None, None) => "none",
    }
}

fn traffic_router(rollout: &Rollout) -> &'static str {
    let routing = rollout.spec.strategy.canary.as_ref();
    let routing = routing.and_then(|canary| canary.traffic_routing.as_ref());
    let Some(Ok(routing)) = routing.map(serde_json::to_value) else { return "" };
    let found = ROUTERS.iter().find(|(key, _)| routing.get(key).is_some());
    found.map_or("", |(_, name)| name)
}

/// Upstream's name of the provider a metric asks.
fn metric_type(metric: &Metric) -> String {
    let provider = serde_json::to_value(&metric.provider).unwrap_or_default();
    let key = provider.as_object().and_then(|provider| provider.keys().next());
    match key.map_or("", String::as_str) {
        "prometheus" => "Prometheus",
        "job" => "Job",
        "kayenta" => "Kayenta",
        "web" => "Web",
        "datadog" => "Datadog",
        "wavefront" => "Wavefront",
        "newRelic" => "NewRelic",
        "cloudWatch" => "CloudWatch",
        "graphite" => "Graphite",
        "influxdb" => "Influxdb",
        "skywalking" => "skywalking",
        "plugin" => "RPCPlugin",
        _ => "Unknown Provider",
    }
    .to_owned()
}

fn labels(metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> Labels {
    vec![
        ("namespace", metadata.namespace.clone().unwrap_or_default()),
        ("name", metadata.name.clone().unwrap_or_default()),
    ]
}

fn gauge(name: &'static str, labels: Labels, value: f64) -> Sample {
    Sample { name, labels, value }
}

fn truth(holds: bool) -> f64 {
    as_f64(u64::from(holds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rollout_shows_strategy_router_phase_and_replicas() {
        let rollout: Rollout = serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"replicas": 5, "strategy": {"canary": {"trafficRouting": {"nginx": {"stableIngress": "web"}}}}},
            "status": {
                "replicas": 6, "availableReplicas": 5,
                "conditions": [{"type": "Progressing", "status": "Unknown", "reason": "RolloutPaused", "message": "",
                    "lastUpdateTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            },
        }))
        .unwrap();
        let samples = rollout_samples(&rollout);
        let info = samples.iter().find(|sample| sample.name == "rollout_info").unwrap();
        let values = info.labels.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>();
        assert_eq!(values, ["shop", "web", "canary", "Nginx", "Paused"]);
        let unavailable = samples.iter().find(|s| s.name == "rollout_info_replicas_unavailable");
        assert!((unavailable.unwrap().value - 1.0).abs() < f64::EPSILON);
    }
}
