//! Random manifests: a Rollout of one of three kinds and everything it refers to.
//!
//! Durations are either so short that they are over before anything is compared, or so long that they
//! never are.

use crate::steps;
use chance::Chance;
use serde_json::{Map, Value, json};

/// Stands in manifests for the address of the metric server.
pub(crate) const METRICS: &str = "http://metrics.invalid";

/// The ways of rolling out that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Shares by the number of pods.
    Canary,
    /// Shares by canary Ingresses.
    Nginx,
    /// Two stacks and one switch.
    BlueGreen,
}

/// How a template's metric ends: the path it asks.
pub(crate) const VERDICTS: [&str; 5] = ["good", "good-often", "bad", "unclear", "endless"];

/// Every object of a case, the Rollout last.
pub(crate) fn objects(chance: &mut Chance, name: &str, kind: Kind) -> Vec<Value> {
    let mut objects: Vec<Value> = VERDICTS.iter().map(|verdict| template(name, verdict)).collect();
    objects.extend(["one", "two"].map(|which| service(name, which)));
    let mut spec = common(chance, name);
    let (strategy, ingresses) = match kind {
        Kind::Canary => (json!({ "canary": canary(chance, name, kind) }), 0),
        Kind::Nginx => {
            let mut canary = canary(chance, name, kind);
            let ingresses = routed(chance, name, &mut canary);
            (json!({ "canary": canary }), ingresses)
        }
        Kind::BlueGreen => (json!({ "blueGreen": blue_green(chance, name) }), 0),
    };
    spec.insert("strategy".to_owned(), strategy);
    objects.extend((0..ingresses).map(|number| ingress(name, number)));
    objects.push(json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": { "name": name },
        "spec": spec,
    }));
    objects
}

/// A Rollout of one pod and no steps.
pub(crate) fn plain(name: &str) -> Vec<Value> {
    let spec = common(&mut Chance::of(0), name);
    let kept = ["selector", "template"].map(|field| (field.to_owned(), spec[field].clone()));
    let mut spec: Map<String, Value> = kept.into_iter().collect();
    spec.insert("strategy".to_owned(), json!({ "canary": {} }));
    let metadata = json!({ "name": name });
    vec![
        json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": metadata, "spec": spec }),
    ]
}

/// The fields of one object, of which a case has some and not others.
struct Fields<'a> {
    chance: &'a mut Chance,
    of: &'a mut Map<String, Value>,
}

impl Fields<'_> {
    /// Gives a field one of some values so many times out of a hundred.
    fn sometimes(&mut self, often: usize, field: &str, values: [Value; 3]) {
        if self.chance.percent(often) {
            self.of.insert(field.to_owned(), self.chance.one(values));
        }
    }
}

/// The fields that do not depend on the strategy.
fn common(chance: &mut Chance, name: &str) -> Map<String, Value> {
    let mut spec = Map::new();
    let labels = json!({ "app": name });
    let containers = json!([{ "name": "main", "image": "demo:1" }]);
    let mut metadata = json!({ "labels": labels });
    if chance.percent(20) {
        metadata["annotations"] = json!({ "note": "of the template" });
    }
    spec.insert("replicas".to_owned(), json!(chance.one([1, 1, 2, 3, 4, 5, 7])));
    spec.insert("selector".to_owned(), json!({ "matchLabels": labels }));
    spec.insert("template".to_owned(), json!({ "metadata": metadata, "spec": { "containers": containers, "terminationGracePeriodSeconds": 0 } }));
    let mut fields = Fields { chance, of: &mut spec };
    fields.sometimes(15, "minReadySeconds", [json!(0), json!(1), json!(1)]);
    fields.sometimes(30, "revisionHistoryLimit", [json!(0), json!(1), json!(2)]);
    fields.sometimes(
        25,
        "rollbackWindow",
        [1, 2, 3].map(|revisions| json!({ "revisions": revisions })),
    );
    fields.sometimes(20, "progressDeadlineSeconds", [json!(3), json!(3), json!(900)]);
    fields.sometimes(15, "progressDeadlineAbort", [json!(true), json!(true), json!(false)]);
    fields.sometimes(
        10,
        "analysis",
        [0, 1, 2].map(
            |limit| json!({ "successfulRunHistoryLimit": limit, "unsuccessfulRunHistoryLimit": 1 }),
        ),
    );
    spec
}

/// The fields of a canary, routed or not.
fn canary(chance: &mut Chance, name: &str, kind: Kind) -> Map<String, Value> {
    let mut canary = Map::new();
    if kind == Kind::Nginx || chance.percent(30) {
        canary.insert("stableService".to_owned(), json!(format!("{name}-one")));
        canary.insert("canaryService".to_owned(), json!(format!("{name}-two")));
    }
    if chance.percent(85) {
        canary.insert("steps".to_owned(), steps::steps(chance, name, kind));
    }
    room(chance, &mut canary);
    if chance.percent(15) {
        canary.insert("canaryMetadata".to_owned(), metadata("canary"));
    }
    if chance.percent(15) {
        canary.insert("stableMetadata".to_owned(), metadata("stable"));
    }
    if chance.percent(15) {
        let verdict = chance.one(["good", "endless", "endless", "bad", "unclear"]);
        let mut analysis = steps::analysis(name, verdict);
        if chance.percent(50) {
            analysis["startingStep"] = json!(chance.below(3));
        }
        canary.insert("analysis".to_owned(), analysis);
    }
    if chance.percent(5) {
        canary.insert("antiAffinity".to_owned(), anti_affinity());
    }
    canary
}

/// How many pods there may be too many and too few; at times neither, which is invalid.
fn room(chance: &mut Chance, canary: &mut Map<String, Value>) {
    let sizes = [json!(0), json!(1), json!(2), json!(3), json!("25%"), json!("34%"), json!("100%")];
    if chance.percent(50) {
        canary.insert("maxSurge".to_owned(), chance.one(sizes.clone()));
    }
    if chance.percent(50) {
        let given = canary.get("maxSurge") == Some(&json!(0)) && chance.percent(80);
        let size = if given { json!(1) } else { chance.one(sizes) };
        canary.insert("maxUnavailable".to_owned(), size);
    }
}

/// What routed canaries have besides; tells how many stable Ingresses there are.
fn routed(chance: &mut Chance, name: &str, canary: &mut Map<String, Value>) -> usize {
    let count = chance.one([1, 1, 1, 2, 3]);
    let mut nginx = if count == 1 && chance.percent(80) {
        json!({ "stableIngress": format!("{name}-route0") })
    } else {
        let names: Vec<String> = (0..count).map(|number| format!("{name}-route{number}")).collect();
        json!({ "stableIngresses": names })
    };
    if chance.percent(15) {
        nginx["annotationPrefix"] = json!("custom.ingress.kubernetes.io");
    }
    if chance.percent(20) {
        nginx["additionalIngressAnnotations"] = json!({ "canary-by-header": "X-Canary" });
    }
    if chance.percent(15) {
        nginx["canaryIngressAnnotations"] = json!({ "example.com/canary": "yes" });
    }
    let mut routing = json!({ "nginx": nginx });
    if chance.percent(20) {
        routing["maxTrafficWeight"] = json!(chance.one([200, 1000]));
    }
    canary.insert("trafficRouting".to_owned(), routing);
    let mut fields = Fields { chance, of: canary };
    fields.sometimes(25, "dynamicStableScale", [json!(true), json!(true), json!(false)]);
    let delays = delays(fields.chance);
    fields.sometimes(60, "scaleDownDelaySeconds", delays);
    fields.sometimes(15, "scaleDownDelayRevisionLimit", [json!(0), json!(1), json!(2)]);
    fields.sometimes(40, "abortScaleDownDelaySeconds", [json!(0), json!(1), json!(600)]);
    fields.sometimes(20, "minPodsPerReplicaSet", [json!(1), json!(2), json!(3)]);
    if canary.get("dynamicStableScale") == Some(&json!(true)) && chance.percent(80) {
        canary.shift_remove("scaleDownDelaySeconds");
    }
    count
}

/// The fields of a blue-green strategy.
fn blue_green(chance: &mut Chance, name: &str) -> Map<String, Value> {
    let mut strategy = Map::new();
    strategy.insert("activeService".to_owned(), json!(format!("{name}-one")));
    if chance.percent(70) {
        strategy.insert("previewService".to_owned(), json!(format!("{name}-two")));
    }
    let mut fields = Fields { chance, of: &mut strategy };
    fields.sometimes(50, "autoPromotionEnabled", [json!(false), json!(false), json!(true)]);
    fields.sometimes(25, "autoPromotionSeconds", [json!(1), json!(1), json!(900)]);
    fields.sometimes(25, "previewReplicaCount", [json!(1), json!(1), json!(2)]);
    let delays = delays(fields.chance);
    fields.sometimes(60, "scaleDownDelaySeconds", delays);
    fields.sometimes(15, "scaleDownDelayRevisionLimit", [json!(0), json!(1), json!(2)]);
    fields.sometimes(40, "abortScaleDownDelaySeconds", [json!(0), json!(1), json!(600)]);
    fields.sometimes(15, "maxUnavailable", [json!(0), json!(1), json!("50%")]);
    fields.sometimes(
        15,
        "activeMetadata",
        [metadata("active"), metadata("active"), metadata("stable")],
    );
    fields.sometimes(15, "previewMetadata", ["preview", "preview", "canary"].map(metadata));
    for (often, field) in [(20, "prePromotionAnalysis"), (15, "postPromotionAnalysis")] {
        if chance.percent(often) {
            let verdict = chance.one(["good", "good-often", "bad", "unclear", "endless"]);
            strategy.insert(field.to_owned(), steps::analysis(name, verdict));
        }
    }
    if chance.percent(5) {
        strategy.insert("antiAffinity".to_owned(), anti_affinity());
    }
    strategy
}

/// How long pods that are no longer needed stay.
fn delays(chance: &mut Chance) -> [Value; 3] {
    if chance.percent(4) { [0, 0, 0] } else { [1, 1, 600] }.map(|delay| json!(delay))
}

fn anti_affinity() -> Value {
    json!({ "preferredDuringSchedulingIgnoredDuringExecution": { "weight": 50 } })
}

fn metadata(role: &str) -> Value {
    json!({ "labels": { "role": role }, "annotations": { "example.com/role": role } })
}

fn service(name: &str, which: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": format!("{name}-{which}") },
        "spec": { "selector": { "app": name }, "ports": [{ "port": 80, "targetPort": 8080 }] },
    })
}

fn ingress(name: &str, number: usize) -> Value {
    let service = json!({ "name": format!("{name}-one"), "port": { "number": 80 } });
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": { "service": service } });
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": format!("{name}-route{number}"),
            "annotations": { "kubernetes.io/ingress.class": "nginx" },
        },
        "spec": { "rules": [{ "host": format!("{name}-{number}.example.com"), "http": { "paths": [path] } }] },
    })
}

fn template(name: &str, verdict: &str) -> Value {
    let provider =
        json!({ "web": { "url": format!("{METRICS}/{verdict}"), "jsonPath": "{$.value}" } });
    let mut metric = json!({
        "name": "answer",
        "successCondition": "result == 1",
        "failureCondition": "result == 0",
        "provider": provider,
    });
    if verdict == "good-often" {
        metric["count"] = json!(2);
        metric["interval"] = json!("1s");
    }
    if verdict == "endless" {
        metric["count"] = json!(3);
        metric["interval"] = json!("1h");
    }
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": { "name": format!("{name}-{verdict}") },
        "spec": { "metrics": [metric] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::argo::Rollout;

    #[test]
    fn every_rollout_can_be_read() {
        for seed in 0..300 {
            for kind in [Kind::Canary, Kind::Nginx, Kind::BlueGreen] {
                let objects = objects(&mut Chance::of(seed), "x", kind);
                let rollout = objects.last().cloned().unwrap_or_default();
                serde_json::from_value::<Rollout>(rollout).unwrap();
            }
        }
    }

    #[test]
    fn a_routed_canary_has_the_ingresses_it_names() {
        for seed in 0..100 {
            let objects = objects(&mut Chance::of(seed), "x", Kind::Nginx);
            let text = objects.last().map(Value::to_string).unwrap_or_default();
            let ingresses = objects.iter().filter(|object| object["kind"] == "Ingress");
            for ingress in ingresses {
                let name = ingress["metadata"]["name"].to_string();
                assert!(text.contains(&name), "seed {seed}: {name}");
            }
        }
    }
}
