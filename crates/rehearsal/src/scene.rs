//! What is the case: every object that an expectation can be about, as of one moment.
//!
//! **Invariant.** Nothing here asks the server; what is told in order is all there is.

use api::argo::{AnalysisRun, Rollout};
use k8s_openapi::{
    api::{
        apps::v1::ReplicaSet,
        core::v1::{Pod, Service},
        networking::v1::Ingress,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use store::Object;
use vocab::ManagedRoute;

/// The label that ties pods to a version.
const HASH: &str = "rollouts-pod-template-hash";
/// The key under which a rollout names its route.
const GATEWAY_API: &str = "argoproj-labs/gatewayAPI";

/// Kind, namespace and name.
pub(crate) type Id = (String, String, String);

/// Which rollout lines are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RolloutName {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl RolloutName {
    /// The name that an object has.
    pub(crate) fn of(metadata: &ObjectMeta) -> Option<Self> {
        Some(Self { namespace: metadata.namespace.clone()?, name: metadata.name.clone()? })
    }
}

/// Every object, as of one moment.
#[derive(Debug, Default)]
pub(crate) struct Scene(BTreeMap<Id, Arc<Object>>);

impl Scene {
    /// Learns that an object is so now, or is gone.
    pub(crate) fn learn(&mut self, id: Id, object: Option<Arc<Object>>) {
        match object {
            Some(object) => drop(self.0.insert(id, object)),
            None => drop(self.0.remove(&id)),
        }
    }

    /// One object as it is written.
    pub(crate) fn raw(&self, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        let id = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        self.0.get(&id).map(|object| object.value())
    }

    /// All objects of a kind in a namespace as they are written.
    pub(crate) fn raw_all<'a>(
        &'a self,
        kind: &'a str,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Value> {
        let is_meant = move |id: &Id| id.0 == kind && id.1 == namespace;
        self.0.iter().filter(move |(id, _)| is_meant(id)).map(|(_, object)| object.value())
    }

    /// The rollout.
    pub(crate) fn rollout(&self, of: &RolloutName) -> Option<Rollout> {
        read(self.raw("Rollout", &of.namespace, &of.name)?)
    }

    /// All objects of a kind in a namespace; what cannot be read is left out.
    fn all<K: DeserializeOwned>(&self, kind: &str, namespace: &str) -> Vec<K> {
        self.raw_all(kind, namespace).filter_map(read).collect()
    }

    /// ReplicaSets of the rollout.
    pub(crate) fn sets_of(&self, rollout: &Rollout) -> Vec<ReplicaSet> {
        let mut sets: Vec<ReplicaSet> = self.all("ReplicaSet", namespace_of(rollout));
        sets.retain(|set| is_owned(&set.metadata, rollout));
        sets
    }

    /// Analysis runs of the rollout, oldest first.
    pub(crate) fn runs_of(&self, rollout: &Rollout) -> Vec<AnalysisRun> {
        let mut runs: Vec<AnalysisRun> = self.all("AnalysisRun", namespace_of(rollout));
        runs.retain(|run| is_owned(&run.metadata, rollout));
        runs.sort_by_key(|run| {
            let created = run.metadata.creation_timestamp.as_ref().map(|time| time.0);
            (created, run.metadata.name.clone())
        });
        runs
    }

    /// The rollout's ReplicaSet of one version.
    pub(crate) fn set_of(&self, rollout: &Rollout, hash: Option<&str>) -> Option<ReplicaSet> {
        let hash = hash?;
        self.sets_of(rollout).into_iter().find(|set| hash_of(&set.metadata) == Some(hash))
    }

    /// Every rollout.
    pub(crate) fn rollouts(&self) -> impl Iterator<Item = Rollout> {
        let rollouts = self.0.iter().filter(|(id, _)| id.0 == "Rollout");
        rollouts.filter_map(|(_, object)| read(object.value()))
    }

    /// The canary's share of the route in hundredths, once the rollout steers it.
    pub(crate) fn routed_weight(&self, rollout: &Rollout) -> Option<u32> {
        rollout.status.as_ref()?.canary.weights.as_ref()?;
        let canary = rollout.spec.strategy.canary.as_ref()?.canary_service.clone()?;
        let shares = self.route_shares(rollout)?;
        let total: f64 = shares.iter().map(|(_, weight)| weight).sum();
        let of_canary: f64 =
            shares.iter().filter(|(name, _)| *name == canary).map(|(_, weight)| weight).sum();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share lies between 0 and 100"
        )]
        let hundredths = |share: f64| (share * 100.0).round() as u32;
        (total > 0.0).then(|| hundredths(of_canary / total))
    }

    /// Weights of the services that the rollout's route names; `None` unless all have one.
    fn route_shares(&self, rollout: &Rollout) -> Option<Vec<(String, f64)>> {
        let name = rollout.metadata.name.as_deref()?;
        let raw = self.raw("Rollout", namespace_of(rollout), name)?;
        if raw.pointer("/spec/strategy/canary/trafficRouting/nginx").is_some() {
            return self.ingress_shares(rollout);
        }
        let plugins = raw.pointer("/spec/strategy/canary/trafficRouting/plugins")?;
        let config = plugins.get(GATEWAY_API)?;
        let name = config.get("httpRoute").or_else(|| config.pointer("/httpRoutes/0/name"))?;
        let namespace = config.get("namespace").and_then(Value::as_str);
        let namespace = namespace.unwrap_or_else(|| namespace_of(rollout));
        let route = self.raw("HTTPRoute", namespace, name.as_str()?)?;
        let managed = raw.pointer("/spec/strategy/canary/trafficRouting/managedRoutes");
        let rules = route.pointer("/spec/rules")?.as_array()?;
        let rule = rules.iter().find(|rule| !is_managed(rule, managed))?;
        let backends = rule.get("backendRefs")?.as_array()?;
        let share = |backend: &Value| {
            Some((backend.get("name")?.as_str()?.to_owned(), backend.get("weight")?.as_f64()?))
        };
        backends.iter().map(share).collect()
    }

    /// Weights of the two services by the rollout's canary Ingresses, of which the greatest counts.
    fn ingress_shares(&self, rollout: &Rollout) -> Option<Vec<(String, f64)>> {
        let canary = rollout.spec.strategy.canary.as_ref()?;
        let ingresses: Vec<Ingress> = self.all("Ingress", namespace_of(rollout));
        let own = ingresses.iter().filter(|ingress| is_owned(&ingress.metadata, rollout));
        let share = own.filter_map(canary_share).reduce(f64::max)?;
        let services = [(&canary.stable_service, 1.0 - share), (&canary.canary_service, share)];
        services.into_iter().map(|(name, share)| Some((name.clone()?, share))).collect()
    }

    /// Requests that the busiest pod gets, in hundredths of what each would get if users were spread
    /// evenly over `spec.replicas` pods. Shares that meet no pod do not count here.
    pub(crate) fn load(&self, rollout: &Rollout) -> f64 {
        let pods = self.ready_pods(rollout);
        let mut loads = vec![0.0; pods.len()];
        for (service, share) in self.ways_in(rollout) {
            let selector = self.selector(rollout, &service);
            let reached: Vec<usize> = pods
                .iter()
                .enumerate()
                .filter(|(_, pod)| selector.as_ref().is_none_or(|wanted| selects(wanted, pod)))
                .map(|(index, _)| index)
                .collect();
            for index in &reached {
                loads[*index] += share / as_number(reached.len());
            }
        }
        let wanted = f64::from(rollout.spec.replicas.unwrap_or(1));
        loads.into_iter().fold(0.0, f64::max) * wanted * 100.0
    }

    fn ready_pods(&self, rollout: &Rollout) -> Vec<Pod> {
        let sets = self.sets_of(rollout);
        let hashes: Vec<&str> = sets.iter().filter_map(|set| hash_of(&set.metadata)).collect();
        let mut pods: Vec<Pod> = self.all("Pod", namespace_of(rollout));
        pods.retain(|pod| hash_of(&pod.metadata).is_some_and(|hash| hashes.contains(&hash)));
        pods.retain(is_ready);
        pods
    }

    /// The services by which users come in, each with its share; an empty name selects every pod.
    fn ways_in(&self, rollout: &Rollout) -> Vec<(String, f64)> {
        if let Some(blue_green) = &rollout.spec.strategy.blue_green {
            return vec![(blue_green.active_service.clone(), 1.0)];
        }
        let shares = self.route_shares(rollout).unwrap_or_default();
        let total: f64 = shares.iter().map(|(_, weight)| weight).sum();
        if total <= 0.0 {
            return vec![(String::new(), 1.0)];
        }
        shares.into_iter().map(|(name, weight)| (name, weight / total)).collect()
    }

    fn selector(&self, rollout: &Rollout, service: &str) -> Option<BTreeMap<String, String>> {
        let service: Service = read(self.raw("Service", namespace_of(rollout), service)?)?;
        service.spec?.selector
    }
}

/// The label that ties an object to a version.
pub(crate) fn hash_of(metadata: &ObjectMeta) -> Option<&str> {
    metadata.labels.as_ref()?.get(HASH).map(String::as_str)
}

/// Whether a rule of a route has the name of a managed one.
fn is_managed(rule: &Value, managed: Option<&Value>) -> bool {
    let name = rule.get("name").and_then(Value::as_str).unwrap_or_default();
    let managed = managed.and_then(Value::as_array).into_iter().flatten();
    let mut names = managed.filter_map(|route| route["name"].as_str());
    names.any(|managed| ManagedRoute::is_rule_of(name, managed))
}

fn namespace_of(rollout: &Rollout) -> &str {
    rollout.metadata.namespace.as_deref().unwrap_or_default()
}

/// The share of all requests that a canary Ingress takes.
fn canary_share(ingress: &Ingress) -> Option<f64> {
    let annotations = ingress.metadata.annotations.as_ref()?;
    let (key, _) = annotations.iter().find(|(key, _)| key.ends_with("/canary-weight"))?;
    let number = |key: &str| annotations.get(key)?.parse::<f64>().ok();
    Some(number(key)? / number(&format!("{key}-total")).unwrap_or(100.0).max(1.0))
}

fn read<K: DeserializeOwned>(object: &Value) -> Option<K> {
    K::deserialize(object).ok()
}

fn is_owned(metadata: &ObjectMeta, rollout: &Rollout) -> bool {
    let owners = metadata.owner_references.iter().flatten();
    owners.into_iter().any(|owner| Some(&owner.uid) == rollout.metadata.uid.as_ref())
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = |pair: (&str, &str)| pair == ("Ready", "True");
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .into_iter()
            .flatten()
            .any(|condition| ready((condition.type_.as_str(), condition.status.as_str())))
}

fn selects(selector: &BTreeMap<String, String>, pod: &Pod) -> bool {
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[expect(clippy::cast_precision_loss, reason = "counts of pods stay far below 2^53")]
fn as_number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, hash: &str, ready: &str) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "default", "labels": {HASH: hash}},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        })
    }

    fn set(hash: &str) -> Value {
        json!({"metadata": {
            "name": format!("web-{hash}"), "namespace": "default", "labels": {HASH: hash},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Rollout", "name": "web", "uid": "u"}],
        }, "spec": {"selector": {}}})
    }

    fn scene(weights: (u32, u32), pods: &[Value]) -> (Scene, Rollout) {
        let rollout = json!({
            "metadata": {"name": "web", "namespace": "default", "uid": "u"},
            "spec": {"replicas": 4, "strategy": {"canary": {
                "stableService": "stable", "canaryService": "canary",
                "trafficRouting": {"plugins": {GATEWAY_API: {"httpRoute": "web"}}},
            }}},
            "status": {"canary": {"weights": {
                "canary": {"weight": 0}, "stable": {"weight": 100},
            }}},
        });
        let service = |hash: &str| json!({"spec": {"selector": {HASH: hash}}});
        let route = json!({"spec": {"rules": [{"backendRefs": [
            {"name": "stable", "weight": weights.0}, {"name": "canary", "weight": weights.1},
        ]}]}});
        let mut scene = Scene::default();
        let mut tell = |kind: &str, name: &str, object: Value| {
            let id = (kind.to_owned(), "default".to_owned(), name.to_owned());
            scene.learn(id, Some(Arc::new(Object::new(object, 1))));
        };
        tell("Rollout", "web", rollout.clone());
        tell("Service", "stable", service("a"));
        tell("Service", "canary", service("b"));
        tell("HTTPRoute", "web", route);
        tell("ReplicaSet", "web-a", set("a"));
        tell("ReplicaSet", "web-b", set("b"));
        for (index, pod) in pods.iter().enumerate() {
            tell("Pod", &format!("p{index}"), pod.clone());
        }
        (scene, serde_json::from_value(rollout).unwrap())
    }

    #[test]
    fn the_busiest_pod_is_the_one_that_alone_has_the_canarys_share() {
        let pods = [pod("1", "a", "True"), pod("2", "a", "True"), pod("3", "b", "True")];
        for (weights, load) in [((50, 50), 200.0), ((80, 20), 160.0), ((100, 0), 200.0)] {
            let (scene, rollout) = scene(weights, &pods);
            assert!((scene.load(&rollout) - load).abs() < 1e-6, "{weights:?}");
        }
    }

    #[test]
    fn pods_that_are_not_ready_carry_nothing() {
        let pods = [pod("1", "a", "True"), pod("2", "a", "False")];
        let (scene, rollout) = scene((100, 0), &pods);
        assert!((scene.load(&rollout) - 400.0).abs() < 1e-6);
    }

    #[test]
    fn the_route_says_the_canarys_weight_in_hundredths() {
        let (scene, rollout) = scene((3, 1), &[]);
        assert_eq!(scene.routed_weight(&rollout), Some(25));
    }
}
