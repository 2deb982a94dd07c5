//! A cluster in one value: an API server and a ReplicaSet controller, enough to walk an experiment through
//! without a clock.

use api::argo::{Experiment, Rollout};
use jiff::{SignedDuration, Timestamp};
use plan::{experiment, experiment::Observed, laws};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vocab::{ObjectRef, Plan, Precondition, Write};

/// Passes after which an experiment counts as stuck in a loop.
const MOST_PASSES: usize = 60;

/// The cluster.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) objects: BTreeMap<(String, String), Value>,
    /// Reasons and sentences of the events about the experiment.
    pub(crate) events: Vec<(String, String)>,
    /// Reasons of the events about other objects.
    pub(crate) elsewhere: Vec<String>,
    /// ReplicaSets whose pods never become ready.
    pub(crate) stuck: Vec<String>,
    /// Codes of what is waited for.
    pub(crate) waits: Vec<String>,
    wake: Option<Timestamp>,
    version: u64,
}

impl World {
    /// A cluster with one experiment called `try`.
    pub(crate) fn new(spec: &Value) -> Self {
        let mut world = Self {
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            objects: BTreeMap::new(),
            events: Vec::new(),
            elsewhere: Vec::new(),
            stuck: Vec::new(),
            waits: Vec::new(),
            wake: None,
            version: 0,
        };
        world.put("Experiment", json!({"metadata": {"name": "try"}, "spec": spec}));
        world
    }

    /// The same, as a step of the rollout `shop`, whose route is there.
    pub(crate) fn of_rollout(spec: &Value) -> Self {
        let mut world = Self::new(spec);
        let routing = json!({"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "shop"}}});
        let canary = json!({"stableService": "stable", "canaryService": "canary", "trafficRouting": routing});
        world.put(
            "Rollout",
            json!({"metadata": {"name": "shop"}, "spec": {"strategy": {"canary": canary}}}),
        );
        let owner = json!([{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "shop", "uid": "r", "controller": true}]);
        world.get_mut("Experiment", "try")["metadata"]["ownerReferences"] = owner;
        world.put("HTTPRoute", json!({"metadata": {"name": "shop"}, "spec": {"rules": [{"backendRefs": [
            {"name": "stable", "port": 80, "weight": 100}, {"name": "canary", "port": 80, "weight": 0}]}]}}));
        world
    }

    pub(crate) fn put(&mut self, kind: &str, mut object: Value) {
        self.version += 1;
        let metadata = &mut object["metadata"];
        metadata["namespace"] = json!("default");
        metadata["uid"] = json!(format!("uid-{}", self.version));
        metadata["resourceVersion"] = json!(self.version.to_string());
        let name = metadata["name"].as_str().unwrap().to_owned();
        self.objects.insert((kind.to_owned(), name), object);
    }

    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        self.objects.get(&(kind.to_owned(), name.to_owned()))
    }

    pub(crate) fn get(&self, kind: &str, name: &str) -> &Value {
        &self.objects[&(kind.to_owned(), name.to_owned())]
    }

    pub(crate) fn get_mut(&mut self, kind: &str, name: &str) -> &mut Value {
        self.objects.get_mut(&(kind.to_owned(), name.to_owned())).unwrap()
    }

    /// A tenth of the users of the route.
    pub(crate) fn lead_users_to(&mut self, service: &str) {
        let backends = json!([
            {"name": "stable", "weight": 90}, {"name": "canary", "weight": 0}, {"name": service, "weight": 10}]);
        let annotation = json!({"annotations": {"ringfence.dev/additional-backends": service}});
        let body = json!({"metadata": annotation, "spec": {"rules": [{"backendRefs": backends}]}});
        self.edit("HTTPRoute", "shop", &body);
    }

    /// What somebody else does to an object.
    pub(crate) fn edit(&mut self, kind: &str, name: &str, body: &Value) {
        self.version += 1;
        let version = self.version.to_string();
        let object = self.get_mut(kind, name);
        json_patch::merge(object, body);
        object["metadata"]["resourceVersion"] = json!(version);
    }

    pub(crate) fn status(&self) -> &Value {
        &self.get("Experiment", "try")["status"]
    }

    pub(crate) fn size(&self, name: &str) -> Option<i64> {
        self.get("ReplicaSet", name)["spec"]["replicas"].as_i64()
    }

    fn all(&self, kind: &str) -> impl Iterator<Item = Value> {
        let of_kind = self.objects.iter().filter(move |((found, _), _)| found == kind);
        of_kind.map(|(_, object)| object.clone()).collect::<Vec<_>>().into_iter()
    }

    pub(crate) fn observed(&self) -> Observed {
        let experiment: Experiment =
            serde_json::from_value(self.get("Experiment", "try").clone()).unwrap();
        let reads = experiment::reads(&experiment);
        let rollout = self.all("Rollout").next();
        let rollout: Option<Rollout> = rollout.map(|found| serde_json::from_value(found).unwrap());
        let objects = rollout.iter().flat_map(|rollout| plan::rollout::reads(rollout).objects);
        let template = |name: String| {
            let found = self.find("AnalysisTemplate", &name);
            (name, found.map(|found| serde_json::from_value(found.clone()).unwrap()))
        };
        Observed {
            replica_sets: self
                .all("ReplicaSet")
                .map(|found| serde_json::from_value(found).unwrap())
                .collect(),
            services: self
                .all("Service")
                .map(|found| serde_json::from_value(found).unwrap())
                .collect(),
            analysis_runs: self
                .all("AnalysisRun")
                .map(|found| serde_json::from_value(found).unwrap())
                .collect(),
            templates: reads.templates.into_iter().map(template).collect(),
            objects: objects
                .map(|target| {
                    let found = self.find(&target.kind, &target.name).cloned();
                    (target, found)
                })
                .collect(),
            rollout,
            experiment,
            ..Observed::default()
        }
    }

    /// Plans, and holds the plan against the laws.
    pub(crate) fn plan(&self) -> Plan {
        let observed = self.observed();
        let plan = experiment::plan(&observed, self.now);
        assert_eq!(plan, experiment::plan(&observed, self.now), "the same gives the same");
        let violations = laws::check_experiment(&observed, &plan, self.now);
        assert!(violations.is_empty(), "{violations:#?}\n{plan:#?}");
        plan
    }

    /// Plans and carries out until nothing moves; pods become ready at once.
    pub(crate) fn settle(&mut self) {
        for _ in 0..MOST_PASSES {
            let plan = self.plan();
            self.wake = plan.wake;
            self.waits = plan.reasons.iter().map(|reason| reason.code.clone()).collect();
            let idle = plan.writes.is_empty() && plan.status.is_none();
            self.carry_out(&plan);
            if !self.tick_sets() && idle {
                return;
            }
        }
        panic!("it never settles: {:#?}", self.status());
    }

    /// Lets time pass, planning whenever a plan has asked for it.
    pub(crate) fn pass(&mut self, seconds: i64) {
        let end = self.now + SignedDuration::from_secs(seconds);
        self.settle();
        while let Some(wake) = self.wake.filter(|wake| *wake <= end) {
            self.now = wake;
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    pub(crate) fn carry_out(&mut self, plan: &Plan) {
        for write in plan.writes.iter().chain(&plan.status) {
            self.write(write);
        }
        let own = ObjectRef::new("argoproj.io/v1alpha1", "Experiment", "default", "try");
        for event in &plan.events {
            if event.regarding == own {
                self.events.push((event.reason.clone(), event.message.clone()));
            } else {
                self.elsewhere.push(event.reason.clone());
            }
        }
    }

    fn write(&mut self, write: &Write) {
        match write {
            Write::Create { object } => {
                let target = ObjectRef::of(object);
                assert!(self.find(&target.kind, &target.name).is_none(), "{target} is there");
                self.put(&target.kind, object.clone());
            }
            Write::Patch { target, body, precondition, .. } => {
                self.check(target, precondition);
                self.edit(&target.kind, &target.name, body);
            }
            Write::Delete { target, precondition, .. } => {
                self.check(target, precondition);
                self.objects.remove(&(target.kind.clone(), target.name.clone()));
            }
            Write::Evict { .. } => panic!("an experiment evicts nothing"),
        }
    }

    fn check(&self, target: &ObjectRef, precondition: &Precondition) {
        let live = &self.get(&target.kind, &target.name)["metadata"]["resourceVersion"];
        assert_eq!(live.as_str(), precondition.resource_version.as_deref(), "{target}");
    }

    fn tick_sets(&mut self) -> bool {
        let stuck = self.stuck.clone();
        let mut moved = false;
        let sets = self.objects.iter_mut().filter(|((kind, _), _)| kind == "ReplicaSet");
        for ((_, name), set) in sets {
            let wanted = set["spec"]["replicas"].as_i64().unwrap();
            let ready = if stuck.contains(name) { 0 } else { wanted };
            let status =
                json!({"replicas": wanted, "readyReplicas": ready, "availableReplicas": ready});
            moved |= set["status"] != status;
            set["status"] = status;
        }
        moved
    }

    /// Lets a run come to this phase.
    pub(crate) fn judge(&mut self, run: &str, phase: &str) {
        self.edit("AnalysisRun", run, &json!({"status": {"phase": phase}}));
    }
}

/// One template with a service.
pub(crate) fn template(name: &str) -> Value {
    json!({
        "name": name,
        "service": {},
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name, "rollouts-pod-template-hash": "of-another"}},
            "spec": {"containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 8080}]}]},
        },
    })
}

/// A template that an analysis may name.
pub(crate) fn rate() -> Value {
    json!({"metadata": {"name": "rate"}, "spec": {
        "args": [{"name": "hash"}],
        "metrics": [{"name": "rate", "provider": {"prometheus": {"query": "x{hash=\"{{args.hash}}\"}"}}}],
    }})
}

/// An analysis by the template `rate`.
pub(crate) fn analysis(name: &str) -> Value {
    let args = json!([{"name": "hash", "value": "{{templates.a.podTemplateHash}}"}]);
    json!({"name": name, "templateName": "rate", "args": args})
}
