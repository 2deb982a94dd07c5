//! `patch`, `edit`, `scale`, `set`, `label`, `annotate`, `rollout`, `wait`, `delete`.

use crate::cluster::start;

#[test]
fn three_kinds_of_patches_change_objects() {
    let Some(cluster) = start() else { return };
    cluster.apply_web("nginx:1");
    let env = r#"{"spec":{"template":{"spec":{"containers":[{"name":"app","env":[{"name":"B","value":"2"}]}]}}}}"#;
    cluster.check(&format!("patch deploy web -p {env}"), &["deployment.apps/web patched"]);
    let names = "get deploy web -o jsonpath={.spec.template.spec.containers[0].env[*].name}";
    let names = cluster.good(names);
    assert!(names.contains('A') && names.contains('B'), "{names}");
    cluster.good(r#"patch deploy web --type merge -p {"spec":{"replicas":5}}"#);
    cluster.check("get deploy web -o jsonpath={.spec.replicas}", &["5"]);
    cluster.good(
        r#"patch deploy web --type json -p [{"op":"replace","path":"/spec/replicas","value":3}]"#,
    );
    cluster.check("get deploy web -o jsonpath={.spec.replicas}", &["3"]);
    let status = r#"patch deploy web --subresource=status --type merge -p {"status":{"replicas":3,"readyReplicas":2}}"#;
    cluster.good(status);
    cluster.check("get deploy web -o jsonpath={.status.readyReplicas}", &["2"]);
}

#[test]
fn edit_saves_what_the_editor_leaves() {
    let Some(cluster) = start() else { return };
    cluster.apply_web("nginx:1");
    let script = cluster.directory().join("edit.sh");
    std::fs::write(&script, "sed -i s/nginx:1/nginx:7/ \"$1\"\n").unwrap();
    let editor = format!("sh {}", script.display());
    let kubectl = cluster.with_editor(&editor, "edit deploy web");
    assert_eq!(kubectl.out, "deployment.apps/web edited\n", "{}", kubectl.err);
    cluster.check(
        "get deploy web -o jsonpath={.spec.template.spec.containers[0].image}",
        &["nginx:7"],
    );
}

#[test]
fn scale_and_set_image_change_the_spec() {
    let Some(cluster) = start() else { return };
    cluster.apply_web("nginx:1");
    cluster.check("scale deploy web --replicas=4", &["deployment.apps/web scaled"]);
    cluster.check("get deploy web -o jsonpath={.spec.replicas}", &["4"]);
    let refused = cluster.run("scale deploy web --current-replicas=9 --replicas=1");
    assert!(refused.err.contains("Expected replicas to be 9, was 4"), "{}", refused.err);
    cluster.check("set image deploy/web app=nginx:3", &["deployment.apps/web image updated"]);
    cluster.check("get deploy web -o jsonpath={..image}", &["nginx:3"]);
}

#[test]
fn labels_and_annotations_come_and_go() {
    let Some(cluster) = start() else { return };
    cluster.apply_web("nginx:1");
    cluster.check("label deploy web tier=front", &["deployment.apps/web labeled"]);
    cluster.check("get deploy -l tier=front -o name", &["deployment.apps/web"]);
    cluster.check("label deploy web tier-", &["deployment.apps/web unlabeled"]);
    cluster.check("get deploy -l tier -o name", &[]);
    cluster.check("annotate deploy web note=hi", &["deployment.apps/web annotated"]);
    cluster.check("get deploy web -o jsonpath={.metadata.annotations.note}", &["hi"]);
}

#[test]
fn rollout_status_reads_the_status() {
    let Some(cluster) = start() else { return };
    cluster.apply_web("nginx:1");
    cluster.good(concat!(
        "patch deploy web --subresource=status --type merge -p ",
        r#"{"status":{"observedGeneration":1,"replicas":2,"updatedReplicas":2,"readyReplicas":2,"availableReplicas":2}}"#
    ));
    cluster.check(
        "rollout status deploy/web --timeout=5s",
        &["deployment \"web\" successfully rolled out"],
    );
    cluster.check("rollout restart deploy/web", &["deployment.apps/web restarted"]);
    cluster.check("rollout pause deploy/web", &["deployment.apps/web paused"]);
    cluster.check("rollout resume deploy/web", &["deployment.apps/web resumed"]);
}

#[test]
fn wait_sees_a_condition_and_a_deletion() {
    let Some(cluster) = start() else { return };
    cluster.good("run p --image=nginx");
    let wait = cluster.spawn("wait --for=condition=Ready pod/p --timeout=20s");
    cluster.good(concat!(
        "patch pod p --subresource=status --type merge -p ",
        r#"{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}"#
    ));
    let waited = wait.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&waited.stdout), "pod/p condition met\n");
    cluster.check("wait --for=jsonpath={.status.phase}=Running pod/p", &["pod/p condition met"]);
    cluster.good("delete pod p --grace-period=0 --force");
    cluster.good("wait --for=delete pod/p --timeout=5s");
}

#[test]
fn delete_by_name_by_file_and_by_label() {
    let Some(cluster) = start() else { return };
    for name in ["a", "b", "c"] {
        cluster.good(&format!("create configmap {name} --from-literal=k=v"));
    }
    cluster.good("label configmap b c group=x");
    cluster.check("delete configmap a", &["configmap \"a\" deleted"]);
    cluster.check(
        "delete configmap -l group=x",
        &["configmap \"b\" deleted", "configmap \"c\" deleted"],
    );
    assert!(cluster.run("delete configmap a").err.contains("configmaps \"a\" not found"));
    cluster.good("delete configmap a --ignore-not-found");
    cluster.check("get configmap -o name", &[]);
}
