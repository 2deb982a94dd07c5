//! A cluster in one value: enough of an API server, a ReplicaSet controller, endpoints and a route to walk
//! a whole update through without a clock.

use api::argo::{AnalysisTemplate, GenerationForm, Rollout, keys};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{api::core::v1::Service, serde::de::DeserializeOwned};
use plan::{laws, rollout::Observed};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vocab::{ObjectRef, PatchType, Plan, Precondition, Subresource, Write};

/// Passes after which a story counts as stuck in a loop.
const MOST_PASSES: usize = 600;

/// The cluster.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) objects: BTreeMap<(String, String), Value>,
    /// How many pods of an image become ready at most; of others all do.
    pub(crate) able: BTreeMap<String, i64>,
    /// Endpoints per service and hash; they follow the pods one look later.
    pub(crate) endpoints: BTreeMap<String, BTreeMap<String, i32>>,
    /// Reasons of the events seen.
    pub(crate) events: Vec<(String, String)>,
    /// Canary weights in the order the route had them.
    pub(crate) weights: Vec<i64>,
    /// Verdict of analysis runs, by name.
    pub(crate) verdicts: BTreeMap<String, &'static str>,
    pub(crate) generation_form: GenerationForm,
    version: u64,
    serving: bool,
}

/// What became of the cluster when nothing moves any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) phase: String,
    pub(crate) message: String,
    pub(crate) stable: String,
    pub(crate) pods: BTreeMap<String, i64>,
    pub(crate) weight: Option<i64>,
    pub(crate) index: Option<i64>,
}

impl World {
    pub(crate) fn new(rollout: Value) -> Self {
        let mut world = Self {
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            objects: BTreeMap::new(),
            able: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            events: Vec::new(),
            weights: Vec::new(),
            verdicts: BTreeMap::new(),
            generation_form: GenerationForm::Text,
            version: 0,
            serving: false,
        };
        world.put("Rollout", rollout);
        world
    }

    pub(crate) fn with_service(mut self, name: &str) -> Self {
        self.put("Service", json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": "shop"}}}));
        self
    }

    pub(crate) fn with_route(mut self) -> Self {
        self.put(
            "HTTPRoute",
            json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "shop"},
                "spec": {"rules": [{"backendRefs": [
                    {"name": "stable", "port": 80, "weight": 100}, {"name": "canary", "port": 80, "weight": 0}]}]},
            }),
        );
        self
    }

    pub(crate) fn with_ingress(mut self, name: &str, service: &str) -> Self {
        let backend = json!({"service": {"name": service, "port": {"number": 80}}});
        self.put(
            "Ingress",
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
                "spec": {"ingressClassName": "nginx", "rules": [{"host": "shop.example", "http": {"paths": [
                    {"path": "/", "pathType": "Prefix", "backend": backend}]}}]},
            }),
        );
        self
    }

    pub(crate) fn with_template(mut self, template: Value) -> Self {
        self.put("AnalysisTemplate", template);
        self
    }

    fn next_version(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    pub(crate) fn put(&mut self, kind: &str, mut object: Value) {
        let version = self.next_version();
        let metadata = &mut object["metadata"];
        metadata["namespace"] = json!("default");
        metadata["uid"] = json!(format!("uid-{version}"));
        metadata["resourceVersion"] = json!(version);
        metadata["generation"] = json!(1);
        // Whole seconds would make several of the same age; the model keeps them apart.
        self.now += SignedDuration::from_secs(1);
        metadata["creationTimestamp"] = json!(self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let name = metadata["name"].as_str().unwrap().to_owned();
        self.objects.insert((kind.to_owned(), name), object);
    }

    /// Puts an object that the rollout owns already.
    pub(crate) fn adopt(&mut self, kind: &str, mut object: Value) {
        object["metadata"]["ownerReferences"][0]["uid"] = self.rollout()["metadata"]["uid"].clone();
        self.put(kind, object);
    }

    pub(crate) fn get(&self, kind: &str, name: &str) -> &Value {
        &self.objects[&(kind.to_owned(), name.to_owned())]
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects.iter().filter(move |((found, _), _)| found == kind).map(|(_, object)| object)
    }

    pub(crate) fn rollout(&self) -> &Value {
        self.get("Rollout", "shop")
    }

    pub(crate) fn status(&self) -> &Value {
        &self.rollout()["status"]
    }

    fn read<T: DeserializeOwned>(&self, kind: &str) -> Vec<T> {
        self.of_kind(kind).map(|found| serde_json::from_value(found.clone()).unwrap()).collect()
    }

    pub(crate) fn observed(&self) -> Observed {
        let names = |kind: &str| {
            self.of_kind(kind)
                .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let rollout: Rollout = serde_json::from_value(self.rollout().clone()).unwrap();
        let reads = plan::rollout::reads(&rollout);
        let find =
            |kind: &str, name: &str| self.objects.get(&(kind.to_owned(), name.to_owned())).cloned();
        Observed {
            replica_sets: self.read("ReplicaSet"),
            services: names("Service")
                .into_iter()
                .chain(reads.services.iter().cloned())
                .chain(self.services_of_experiments())
                .map(|name| {
                    (
                        name.clone(),
                        find("Service", &name)
                            .map(|service| serde_json::from_value::<Service>(service).unwrap()),
                    )
                })
                .collect(),
            endpoints: self.endpoints.clone(),
            objects: reads
                .objects
                .iter()
                .map(|target| (target.clone(), find(&target.kind, &target.name)))
                .collect(),
            experiments: self.read("Experiment"),
            analysis_runs: self.read("AnalysisRun"),
            templates: names("AnalysisTemplate")
                .into_iter()
                .map(|name| {
                    let template = find("AnalysisTemplate", &name)
                        .map(|object| serde_json::from_value::<AnalysisTemplate>(object).unwrap());
                    (name, template)
                })
                .collect(),
            workload: find("Deployment", "shop")
                .map(|object| serde_json::from_value(object).unwrap()),
            rollout: rollout.into(),
            generation_form: self.generation_form,
            ..Observed::default()
        }
    }

    fn services_of_experiments(&self) -> Vec<String> {
        let templates = |found: &Value| found["status"]["templateStatuses"].as_array().cloned();
        let templates = self.of_kind("Experiment").filter_map(templates).flatten();
        templates.filter_map(|found| found["serviceName"].as_str().map(str::to_owned)).collect()
    }

    /// Performs a write; `false` when its precondition no longer holds or the object is there already.
    pub(crate) fn write(&mut self, write: &Write) -> bool {
        match write {
            Write::Create { object } => {
                let kind = object["kind"].as_str().unwrap().to_owned();
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                if self.objects.contains_key(&(kind.clone(), name)) {
                    return false;
                }
                self.put(&kind, object.clone());
                true
            }
            Write::Patch { target, subresource, patch_type, body, precondition } => {
                self.patch((target, *subresource, *patch_type), body, precondition)
            }
            Write::Delete { target, precondition, .. } => {
                let key = (target.kind.clone(), target.name.clone());
                let holds =
                    self.objects.get(&key).is_some_and(|object| holds(object, precondition));
                holds && self.objects.remove(&key).is_some()
            }
            Write::Evict { .. } => panic!("nothing is evicted in these stories"),
        }
    }

    fn patch(
        &mut self,
        (target, subresource, patch_type): (&ObjectRef, Subresource, PatchType),
        body: &Value,
        precondition: &Precondition,
    ) -> bool {
        let version = self.next_version();
        let key = (target.kind.clone(), target.name.clone());
        let Some(object) = self.objects.get_mut(&key).filter(|object| holds(object, precondition))
        else {
            return false;
        };
        let before = object.clone();
        match patch_type {
            PatchType::Merge => json_patch::merge(object, body),
            PatchType::Json => json_patch::patch(
                object,
                &serde_json::from_value::<json_patch::Patch>(body.clone()).unwrap(),
            )
            .unwrap(),
            other => panic!("{other:?} is not used"),
        }
        if subresource == Subresource::Main && before["spec"] != object["spec"] {
            object["metadata"]["generation"] =
                json!(before["metadata"]["generation"].as_i64().unwrap() + 1);
        }
        object["metadata"]["resourceVersion"] = json!(version);
        true
    }

    /// What another controller does to the only experiment.
    pub(crate) fn edit_experiment(&mut self, body: &Value) {
        let name = self.experiments().pop().unwrap();
        let target = ObjectRef::new("argoproj.io/v1alpha1", "Experiment", "default", &name);
        let how = (&target, Subresource::Main, PatchType::Merge);
        assert!(self.patch(how, body, &Precondition::default()));
    }

    /// Names of the experiments, in order.
    pub(crate) fn experiments(&self) -> Vec<String> {
        let kind = "Experiment".to_owned();
        let all = self.objects.keys().filter(|(found, _)| *found == kind);
        all.map(|(_, name)| name.clone()).collect()
    }

    /// What a person or a client does to the rollout.
    pub(crate) fn edit(&mut self, body: &Value) {
        let rollout = ObjectRef::new("argoproj.io/v1alpha1", "Rollout", "default", "shop");
        let spec = body.get("spec").is_some();
        let subresource = if spec { Subresource::Main } else { Subresource::Status };
        assert!(self.patch(
            (&rollout, subresource, PatchType::Merge),
            body,
            &Precondition::default()
        ));
    }

    pub(crate) fn set_image(&mut self, image: &str) {
        self.edit(&json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}}));
    }

    pub(crate) fn weight(&self) -> Option<i64> {
        if self.of_kind("Ingress").next().is_some() {
            return Some(self.weights_of_ingresses().into_iter().max().unwrap_or(0));
        }
        let route = self.objects.get(&("HTTPRoute".to_owned(), "shop".to_owned()))?;
        let rule = route["spec"]["rules"].as_array()?.last()?;
        rule["backendRefs"][1]["weight"].as_i64()
    }

    /// What the canary Ingresses say, in order of name.
    pub(crate) fn weights_of_ingresses(&self) -> Vec<i64> {
        let key = "nginx.ingress.kubernetes.io/canary-weight";
        let weight =
            |ingress: &Value| ingress["metadata"]["annotations"][key].as_str()?.parse().ok();
        self.of_kind("Ingress").filter_map(weight).collect()
    }

    /// Pods and endpoints move by one step; tells whether anything did.
    pub(crate) fn tick(&mut self) -> bool {
        self.tick_endpoints() | self.tick_sets() | self.tick_runs()
    }

    fn tick_sets(&mut self) -> bool {
        let mut moved = false;
        let able = self.able.clone();
        for ((_, _), set) in self.objects.iter_mut().filter(|((kind, _), _)| kind == "ReplicaSet") {
            let wanted = set["spec"]["replicas"].as_i64().unwrap();
            let image = set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap();
            let actual = set["status"]["replicas"].as_i64().unwrap_or(0);
            // Pods exist at once and are ready one look later.
            let most = able.get(image).copied().unwrap_or(wanted);
            let ready = wanted.min(actual).min(most);
            let status = json!({
                "replicas": wanted, "readyReplicas": ready, "availableReplicas": ready,
                "observedGeneration": set["metadata"]["generation"],
            });
            if set["status"] != status {
                set["status"] = status;
                let next = set["metadata"]["resourceVersion"].as_str().unwrap().to_owned() + "s";
                set["metadata"]["resourceVersion"] = json!(next);
                moved = true;
            }
        }
        moved
    }

    fn tick_endpoints(&mut self) -> bool {
        let mut endpoints: BTreeMap<String, BTreeMap<String, i32>> = BTreeMap::new();
        for service in self.of_kind("Service") {
            let selector = service["spec"]["selector"].as_object().unwrap();
            let hashes = endpoints
                .entry(service["metadata"]["name"].as_str().unwrap().to_owned())
                .or_default();
            for set in self.of_kind("ReplicaSet") {
                let labels = &set["metadata"]["labels"];
                let ready = set["status"]["readyReplicas"].as_i64().unwrap_or(0);
                if ready > 0 && selector.iter().all(|(key, value)| labels[key] == *value) {
                    hashes.insert(
                        labels[keys::POD_TEMPLATE_HASH].as_str().unwrap().to_owned(),
                        i32::try_from(ready).unwrap(),
                    );
                }
            }
        }
        let moved = endpoints != self.endpoints;
        self.endpoints = endpoints;
        moved
    }

    fn tick_runs(&mut self) -> bool {
        let mut moved = false;
        for ((kind, name), run) in &mut self.objects {
            let Some(verdict) = self.verdicts.get(name).filter(|_| kind == "AnalysisRun") else {
                continue;
            };
            let terminated = run["spec"]["terminate"] == true;
            let phase = if terminated { "Successful" } else { verdict };
            if run["status"]["phase"]
                .as_str()
                .is_none_or(|found| found == "Running" && found != phase)
            {
                run["status"] = json!({"phase": phase});
                moved = true;
            }
        }
        moved
    }

    pub(crate) fn plan(&self) -> Plan {
        let observed = self.observed();
        let plan = plan::rollout::plan(&observed, self.now);
        let again = plan::rollout::plan(&observed, self.now);
        assert_eq!(plan, again, "the same observation gives the same plan");
        let violations = laws::check(&observed, &plan, self.now);
        assert!(violations.is_empty(), "{violations:#?}\n{plan:#?}");
        plan
    }

    /// Carries out the first `cut` writes of a plan, the status counting as the last.
    pub(crate) fn carry_out(&mut self, plan: &Plan, cut: usize) {
        for write in plan.writes.iter().chain(&plan.status).take(cut) {
            let is_first = plan.writes.iter().all(|w| w == write || w.target() != write.target());
            let version = self.rollout()["metadata"]["resourceVersion"].as_str().unwrap();
            let write = if is_first { write.clone() } else { write.clone().resting_on(version) };
            assert!(self.write(&write), "a write failed: {write:#?}");
            self.check_service();
        }
        if cut >= plan.writes.len() + plan.status.iter().count() {
            self.events.extend(
                plan.events.iter().map(|event| (event.reason.clone(), event.message.clone())),
            );
        }
    }

    /// Users never meet a backend without pods once there was one with pods.
    fn check_service(&mut self) {
        if self.rollout()["spec"]["replicas"] == 0 {
            // A rollout of no pods serves nobody, and begins anew when it gets some.
            self.serving = false;
            return;
        }
        if let Some(weight) = self.weight() {
            if self.weights.last() != Some(&weight) {
                self.weights.push(weight);
            }
            self.check_route(weight);
        } else if self.objects.contains_key(&("Service".to_owned(), "active".to_owned())) {
            self.check_backend("active");
        }
    }

    fn check_route(&mut self, weight: i64) {
        let route = self.objects.get(&("HTTPRoute".to_owned(), "shop".to_owned()));
        if weight > 0 || route.is_some_and(|route| !route["spec"]["rules"][1].is_null()) {
            self.check_backend("canary");
        }
        if weight < 100 {
            self.check_backend("stable");
        }
    }

    /// The pods that a service selects right now, whatever its endpoints still show.
    fn check_backend(&mut self, service: &str) {
        let selector =
            self.get("Service", service)["spec"]["selector"].as_object().unwrap().clone();
        let pods: i64 = self
            .of_kind("ReplicaSet")
            .filter(|set| {
                selector.iter().all(|(key, value)| set["metadata"]["labels"][key] == *value)
            })
            .map(|set| {
                set["status"]["readyReplicas"]
                    .as_i64()
                    .unwrap_or(0)
                    .min(set["spec"]["replicas"].as_i64().unwrap())
            })
            .sum();
        self.serving |= pods > 0;
        assert!(
            pods > 0 || !self.serving,
            "service {service} has traffic and no pods: {:#?}",
            self.outcome()
        );
    }

    /// Plans and carries out until nothing moves; `each` sees every plan first.
    pub(crate) fn settle_with(
        &mut self,
        mut each: impl FnMut(&Self, &Plan),
        until: Option<Timestamp>,
    ) {
        for _ in 0..MOST_PASSES {
            let plan = self.plan();
            each(self, &plan);
            let writes = plan.writes.len() + plan.status.iter().count();
            self.carry_out(&plan, writes);
            if self.tick() || writes > 0 {
                continue;
            }
            match plan.wake {
                Some(wake) if until.is_none_or(|until| wake <= until) && wake > self.now => {
                    self.now = wake;
                }
                Some(wake) if wake <= self.now => panic!("asked to wake in the past: {plan:#?}"),
                _ => return,
            }
        }
        panic!("no rest after {MOST_PASSES} passes: {:#?}", self.outcome());
    }

    /// Plans and carries out until nothing moves any more.
    pub(crate) fn settle(&mut self) {
        self.settle_with(|_, _| {}, None);
    }

    /// Plans and carries out for a while.
    pub(crate) fn run_for(&mut self, seconds: i64) {
        let until = self.now + SignedDuration::from_secs(seconds);
        self.settle_with(|_, _| {}, Some(until));
        self.now = self.now.max(until);
        self.settle_with(|_, _| {}, Some(until));
    }

    pub(crate) fn hash_of(&self, image: &str) -> String {
        let set = self
            .of_kind("ReplicaSet")
            .find(|set| set["spec"]["template"]["spec"]["containers"][0]["image"] == image);
        set.unwrap_or_else(|| panic!("no ReplicaSet of {image}"))["metadata"]["labels"]
            [keys::POD_TEMPLATE_HASH]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn pods(&self, image: &str) -> i64 {
        let set = self
            .of_kind("ReplicaSet")
            .find(|set| set["spec"]["template"]["spec"]["containers"][0]["image"] == image);
        set.map_or(0, |set| set["spec"]["replicas"].as_i64().unwrap())
    }

    pub(crate) fn outcome(&self) -> Outcome {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let image_of = |hash: &str| {
            let set = self
                .of_kind("ReplicaSet")
                .find(|set| set["metadata"]["labels"][keys::POD_TEMPLATE_HASH] == hash);
            set.map_or_else(String::new, |set| {
                text(&set["spec"]["template"]["spec"]["containers"][0]["image"])
            })
        };
        let pods = self
            .of_kind("ReplicaSet")
            .map(|set| {
                (
                    text(&set["spec"]["template"]["spec"]["containers"][0]["image"]),
                    set["spec"]["replicas"].as_i64().unwrap(),
                )
            })
            .collect();
        Outcome {
            phase: text(&self.status()["phase"]),
            message: text(&self.status()["message"]),
            stable: image_of(self.status()["stableRS"].as_str().unwrap_or_default()),
            pods,
            weight: self.weight(),
            index: self.status()["currentStepIndex"].as_i64(),
        }
    }

    pub(crate) fn has_event(&self, reason: &str, message: &str) -> bool {
        self.events.iter().any(|(found, text)| found == reason && text == message)
    }
}

fn holds(object: &Value, precondition: &Precondition) -> bool {
    let same = |wanted: &Option<String>, field: &str| {
        wanted.as_ref().is_none_or(|wanted| object["metadata"][field] == *wanted)
    };
    same(&precondition.uid, "uid") && same(&precondition.resource_version, "resourceVersion")
}

/// A rollout named shop with this strategy.
pub(crate) fn rollout(replicas: i32, strategy: &Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "shop"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "app", "image": "v1"}]}},
            "strategy": strategy,
        },
    })
}

/// A canary whose split the route makes.
pub(crate) fn routed(steps: &Value) -> Value {
    json!({"canary": {
        "stableService": "stable", "canaryService": "canary", "steps": steps,
        "trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "shop", "namespace": "default"}}},
    }})
}

/// A cluster with a routed canary of `replicas` pods, with v1 running.
pub(crate) fn routed_world(replicas: i32, strategy: &Value) -> World {
    let mut world = World::new(rollout(replicas, strategy))
        .with_service("stable")
        .with_service("canary")
        .with_route();
    world.settle();
    assert_eq!(world.outcome().phase, "Healthy", "{:#?}", world.status());
    world
}

/// The same story cut after every prefix of every plan, each time resumed and compared at the end.
pub(crate) fn crash_everywhere(world: &World) -> usize {
    let mut whole = world.clone();
    let mut cuts: Vec<World> = Vec::new();
    whole.settle_with(
        |state, plan| {
            let writes = plan.writes.len() + plan.status.iter().count();
            for cut in 0..writes {
                let mut fork = state.clone();
                fork.carry_out(plan, cut);
                cuts.push(fork);
            }
        },
        None,
    );
    let expected = whole.outcome();
    let count = cuts.len();
    for mut fork in cuts {
        fork.settle();
        assert_eq!(fork.outcome(), expected);
    }
    count
}
