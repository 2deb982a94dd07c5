//! How fast the store is without a server: `cargo run --release -p store --example store_speed`.

use std::time::Instant;

use serde_json::{Value, json};
use store::{Address, Gvr, ListOptions, Patch, Scope, Selectors, Since, Store, WriteOptions};

const OBJECTS: usize = 5_000;
const WATCHES: usize = 10_000;

#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
#[expect(clippy::print_stdout, reason = "the numbers are what it is for")]
fn measure(what: &str, count: usize, mut work: impl FnMut(usize)) {
    let start = Instant::now();
    (0..count).for_each(&mut work);
    let seconds = start.elapsed().as_secs_f64();
    let rate = f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds;
    println!("{what:<28} {rate:>12.0} /s");
}

fn deployment(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": "web"}}, "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
            {"name": "main", "image": "nginx:1", "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "b"}]}]}},
    }})
}

fn main() {
    let now = "2026-01-02T03:04:05Z".parse().expect("a good time");
    let mut store = Store::new(1, now);
    let options = WriteOptions { field_manager: "speed".into(), ..WriteOptions::default() };
    let maps = Scope::namespaced(Gvr::new("", "v1", "configmaps"), "default");
    let deployments = Scope::namespaced(Gvr::new("apps", "v1", "deployments"), "default");
    let at = |name: String| Address::new(deployments.resource.clone(), Some("default"), name);
    measure("create config maps", OBJECTS, |index| {
        let body = json!({"metadata": {"name": format!("c{index}")}, "data": {"a": "b"}});
        store.create(&maps, body, &options, now).expect("created");
    });
    store.create(&deployments, deployment("warm"), &options, now).expect("created");
    measure("create deployments", OBJECTS, |index| {
        let body = deployment(&format!("d{index}"));
        store.create(&deployments, body, &options, now).expect("created");
    });
    measure("get with bytes", OBJECTS * 10, |index| {
        let object = store.get(&at(format!("d{}", index % OBJECTS))).expect("there");
        assert!(!object.bytes().is_empty());
    });
    measure("list 500 of deployments", 100, |_| {
        let options = ListOptions { limit: Some(500), ..ListOptions::default() };
        assert_eq!(store.list(&deployments, &options).expect("a list").items.len(), 500);
    });
    measure("merge patch deployments", OBJECTS, |index| {
        let patch = Patch::Merge(json!({"spec": {"replicas": 7}}));
        store.patch(&at(format!("d{index}")), patch, &options, now).expect("patched");
    });
    measure("apply deployments", OBJECTS, |index| {
        let mut body = deployment(&format!("d{index}"));
        body["metadata"]["labels"]["new"] = json!("label");
        let options = WriteOptions { force: store::Force::Yes, ..options.clone() };
        store.patch(&at(format!("d{index}")), Patch::Apply(body), &options, now).expect("applied");
    });
    let start = |_| store.watch(&deployments, Selectors::default(), Since::Now).expect("a watch");
    let mut watches: Vec<_> = (0..WATCHES).map(start).collect();
    let patch = Patch::Merge(json!({"spec": {"replicas": 9}}));
    store.patch(&at("d0".into()), patch, &options, now).expect("patched");
    measure("event lines to watchers", WATCHES, |index| {
        let events = store.poll(&mut watches[index]).expect("events");
        assert!(!events[0].line().is_empty());
    });
}
