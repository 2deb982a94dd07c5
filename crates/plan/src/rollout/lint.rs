//! What is wrong with a rollout in a file, before any cluster has seen it.
//!
//! Start with [`lint`]. Upstream's `lint` judges the specification and what stands beside it in the same
//! file; what is not there may be elsewhere, and nothing is said of it.

mod ahead;

use super::{
    Observed,
    resolve::Resolved,
    subject::Subject,
    validate::{self, Problem},
};
use api::argo::Rollout;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Service;
use serde_json::Value;
use std::sync::Arc;
use vocab::ObjectRef;

/// Something that a linter found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The field, such as `spec.strategy.steps[0].setWeight`.
    pub path: String,
    /// What is wrong, after the path: `Invalid value: 120: SetWeight needs to be …`.
    pub text: String,
    /// How bad it is.
    pub severity: Severity,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// No controller carries it out.
    Error,
    /// Nothing is wrong with it, but this program does not carry it out yet.
    Unsupported,
}

/// The objects that stand in the same file.
#[derive(Clone, Debug, Default)]
pub struct Neighbours {
    /// Services.
    pub services: Vec<Service>,
    /// Everything else, as on the wire.
    pub objects: Vec<Value>,
}

/// Everything that is wrong with a rollout by itself and beside its neighbours.
pub fn lint(rollout: &Rollout, neighbours: &Neighbours) -> Vec<Finding> {
    let observed = observed(rollout, neighbours);
    let spec = rollout.spec.clone();
    let (template, selector) =
        (spec.template.unwrap_or_default(), spec.selector.unwrap_or_default());
    let resolved = Resolved::of(template, selector);
    let subject = Subject::of(&observed, &resolved, Timestamp::UNIX_EPOCH);
    let mut problems = validate::problems_by_itself(&subject);
    for problem in ahead::problems(rollout) {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems.into_iter().map(finding).collect()
}

fn observed(rollout: &Rollout, neighbours: &Neighbours) -> Observed {
    let name = |service: &Service| service.metadata.name.clone().unwrap_or_default();
    let services = neighbours.services.iter().cloned();
    let objects = neighbours.objects.iter().cloned();
    Observed {
        rollout: Arc::new(rollout.clone()),
        services: services.map(|service| (name(&service), Some(service))).collect(),
        objects: objects.map(|object| (ObjectRef::of(&object), Some(object))).collect(),
        ..Observed::default()
    }
}

fn finding(problem: Problem) -> Finding {
    let severity = if problem.is_unsupported() { Severity::Unsupported } else { Severity::Error };
    Finding { path: problem.path, text: problem.text, severity }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rollout(spec: &Value) -> Rollout {
        let labels = json!({ "app": "web" });
        let mut all = json!({
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "app", "image": "a" }] },
            },
        });
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let object = json!({ "metadata": { "name": "web" }, "spec": all });
        serde_json::from_value(object).unwrap()
    }

    fn check(spec: &Value, neighbours: &Neighbours, wanted: &[&str]) {
        let found = lint(&rollout(spec), neighbours);
        let texts: Vec<String> =
            found.iter().map(|found| format!("{}: {}", found.path, found.text)).collect();
        assert_eq!(texts, wanted);
    }

    fn nginx() -> Value {
        json!({ "strategy": { "canary": {
            "stableService": "stable", "canaryService": "canary",
            "trafficRouting": { "nginx": { "stableIngress": "web" } },
        } } })
    }

    #[test]
    fn what_is_not_in_the_file_is_no_finding() {
        check(&nginx(), &Neighbours::default(), &[]);
        let workload = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" });
        let spec =
            json!({ "workloadRef": workload, "template": null, "strategy": { "canary": {} } });
        check(&spec, &Neighbours::default(), &[]);
    }

    #[test]
    fn what_is_in_the_file_is_judged() {
        let service =
            json!({ "metadata": { "name": "canary" }, "spec": { "selector": { "app": "other" } } });
        let backend = json!({ "service": { "name": "other", "port": { "number": 80 } } });
        let path = json!({ "path": "/", "pathType": "Prefix", "backend": backend });
        let ingress = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "name": "web" },
            "spec": { "rules": [{ "http": { "paths": [path] } }] },
        });
        let neighbours = Neighbours {
            services: vec![serde_json::from_value(service).unwrap()],
            objects: vec![ingress],
        };
        let wanted = [
            "spec.strategy.canary.canaryService: Invalid value: \"canary\": Service \"canary\" has unmatch label \"app\" in rollout",
            "spec.strategy.canary.trafficRouting.nginx.stableIngress: Invalid value: \"web\": ingress `web` has no rules using service stable backend",
        ];
        check(&nginx(), &neighbours, &wanted);
    }

    #[test]
    fn a_step_asks_for_one_thing() {
        let steps = json!([{}, { "setWeight": 5, "pause": {} }]);
        let words = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause";
        let none = "step.Experiment: true step.Pause: true step.SetWeight: true step.Analysis: true step.SetCanaryScale: true step.SetHeaderRoute: true step.SetMirrorRoute: true step.Plugin: true";
        let both =
            "step.Experiment: false step.Pause: true step.SetWeight: true step.Analysis: false";
        let wanted = [(0, none), (1, both)].map(|(index, value)| {
            format!("spec.strategy.steps[{index}]: Invalid value: {value:?}: {words}")
        });
        check(
            &json!({ "strategy": { "canary": { "steps": steps } } }),
            &Neighbours::default(),
            &wanted.each_ref().map(String::as_str),
        );
    }

    #[test]
    fn what_we_cannot_do_yet_is_judged_as_upstream_judges_it() {
        let matched = |value: &Value| json!([{ "headerName": "x", "headerValue": value }]);
        let steps = json!([
            { "setHeaderRoute": { "name": "known", "match": matched(&json!({ "exact": "a", "regex": "b" })) } },
            { "setHeaderRoute": { "name": "other", "match": matched(&json!({})) } },
            { "setMirrorRoute": { "name": "known", "match": [{ "path": { "prefix": "/" } }] } },
        ]);
        let spec = json!({ "strategy": { "canary": {
            "steps": steps,
            "pingPong": { "pingService": "a", "pongService": "a" },
            "trafficRouting": {
                "istio": { "virtualService": { "name": "web" } },
                "managedRoutes": [{ "name": "known" }],
            },
        } } });
        let found = lint(&rollout(&spec), &Neighbours::default());
        let errors = found.iter().filter(|found| found.severity == Severity::Error);
        let texts: Vec<String> =
            errors.map(|found| format!("{}: {}", found.path, found.text)).collect();
        let wanted = [
            "spec.strategy.steps[0].setHeaderRoute.match[0]: Invalid value: {\"exact\":\"a\",\"regex\":\"b\"}: StringMatch match value must have exactly one of the following: exact, regex, prefix",
            "spec.strategy.steps[1].setHeaderRoute.match[0]: Invalid value: {}: StringMatch value missed, match value must have one of the following: exact, regex, prefix",
            "spec.strategy.steps[1].setHeaderRoute: Invalid value: \"other\": Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes",
            "spec.strategy.pingPong.pingService: Invalid value: \"a\": This rollout uses the same service for the ping and pong services, but two different services are required.",
        ];
        assert_eq!(texts, wanted);
    }

    #[test]
    fn all_problems_are_told_and_what_we_cannot_do_yet_is_no_error() {
        let steps = json!([{ "setWeight": 120 }, { "setCanaryScale": { "weight": 1 } }, { "plugin": { "name": "a" } }]);
        let spec = json!({ "strategy": { "canary": { "maxSurge": 0, "maxUnavailable": 0, "steps": steps } } });
        let wanted = [
            "spec.strategy.maxSurge: Invalid value: 0: MaxSurge and MaxUnavailable both can not be zero",
            "spec.strategy.steps[0].setWeight: Invalid value: 120: SetWeight needs to be between 0 and 100",
            "spec.strategy.trafficRouting: Required value: SetCanaryScale requires TrafficRouting to be set",
            "spec.strategy.canary.steps[2].plugin: Forbidden: not supported yet",
        ];
        check(&spec, &Neighbours::default(), &wanted);
        let severities: Vec<_> = lint(&rollout(&spec), &Neighbours::default())
            .iter()
            .map(|found| found.severity)
            .collect();
        assert_eq!(severities.last(), Some(&Severity::Unsupported));
    }
}
