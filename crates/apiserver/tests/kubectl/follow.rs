//! What follows from a command: owned objects, emptied namespaces, evictions, revisions.

use crate::cluster::{Cluster, start};

/// A ReplicaSet that the Deployment `web` owns, as its controller would have made it.
fn own_replica_set(cluster: &Cluster, revision: u32, image: &str) {
    let uid = cluster.good("get deploy web -o jsonpath={.metadata.uid}");
    let set = serde_json::json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": format!("web-{revision}"),
            "labels": {"app": "web", "pod-template-hash": revision.to_string()},
            "annotations": {"deployment.kubernetes.io/revision": revision.to_string()},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid,
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web", "pod-template-hash": revision.to_string()}},
            "template": {
                "metadata": {"labels": {"app": "web", "pod-template-hash": revision.to_string()}},
                "spec": {"containers": [{"name": "app", "image": image}]},
            },
        },
    });
    cluster.good_fed("create -f -", &set.to_string());
}

#[test]
fn rollout_history_and_undo_read_the_revisions() {
    let Some(cluster) = start() else { return };
    cluster.apply_web("nginx:2");
    cluster.good("annotate deploy web deployment.kubernetes.io/revision=2");
    own_replica_set(&cluster, 1, "nginx:1");
    own_replica_set(&cluster, 2, "nginx:2");
    cluster.check(
        "rollout history deploy/web",
        &["deployment.apps/web", "REVISION CHANGE-CAUSE", "1 <none>", "2 <none>"],
    );
    cluster.check_has("rollout history deploy/web --revision=1", &["Image: nginx:1"]);
    cluster.check("rollout undo deploy/web", &["deployment.apps/web rolled back"]);
    cluster.check("get deploy web -o jsonpath={.spec.template..image}", &["nginx:1"]);
}

#[test]
fn owned_objects_go_with_their_owner_unless_orphaned() {
    let Some(cluster) = start() else { return };
    for (cascade, left) in
        [("background", ""), ("foreground", ""), ("orphan", "replicaset.apps/web-1\n")]
    {
        cluster.apply_web("nginx:1");
        own_replica_set(&cluster, 1, "nginx:1");
        cluster.good(&format!("delete deploy web --cascade={cascade} --timeout=20s"));
        let gone = cluster.run("wait --for=delete rs/web-1 --timeout=2s");
        assert_eq!(gone.code == 0, left.is_empty(), "{cascade}: {}", gone.err);
        assert_eq!(cluster.good("get rs -o name"), left, "{cascade}");
    }
    cluster.check("get rs web-1 -o jsonpath={.metadata.ownerReferences}", &[]);
}

#[test]
fn a_deleted_namespace_takes_its_objects_along() {
    let Some(cluster) = start() else { return };
    cluster.good("create ns team");
    cluster.good("-n team create configmap m");
    cluster.good("-n team create serviceaccount bot");
    cluster.check("delete ns team --timeout=20s", &["namespace \"team\" deleted"]);
    assert!(cluster.run("get ns team").err.contains("NotFound"));
    assert!(cluster.run("-n team create configmap n").err.contains("not found"));
}

#[test]
fn drain_evicts_and_cordon_marks_the_node() {
    let Some(cluster) = start() else { return };
    let node = r#"{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}"#;
    cluster.good_fed("create -f -", node);
    cluster.good_fed(
        "create -f -",
        r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}}"#,
    );
    let out = cluster.good("drain n1 --force --grace-period=0 --timeout=20s");
    assert!(out.contains("node/n1 cordoned") && out.contains("node/n1 drained"), "{out}");
    cluster.check_has(
        "get node",
        &["NAME STATUS ROLES AGE VERSION", "n1 Unknown,SchedulingDisabled <none>"],
    );
    cluster.check("get pod -o name", &[]);
    cluster.good("uncordon n1");
}

#[test]
fn long_lists_come_in_pages() {
    let Some(cluster) = start() else { return };
    let maps: Vec<_> = (0..25)
        .map(|number| {
            let name = format!("m{number:02}");
            serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
        })
        .collect();
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": maps});
    cluster.good_fed("create -f -", &list.to_string());
    let out = cluster.good("get configmap --chunk-size=10 -o name");
    assert_eq!(out.lines().count(), 25);
    assert!(out.starts_with("configmap/m00\n") && out.ends_with("configmap/m24\n"), "{out}");
}
