//! `apply` in both forms, `diff`, `replace`, validation.

use crate::cluster::{WEB, start};

#[test]
fn client_side_apply_creates_leaves_and_configures() {
    let Some(cluster) = start() else { return };
    assert_eq!(cluster.apply_web("nginx:1"), "deployment.apps/web created\nservice/web created\n");
    assert_eq!(
        cluster.apply_web("nginx:1"),
        "deployment.apps/web unchanged\nservice/web unchanged\n"
    );
    assert_eq!(
        cluster.apply_web("nginx:2"),
        "deployment.apps/web configured\nservice/web unchanged\n"
    );
    cluster.check("get deploy web -o jsonpath={..image}", &["nginx:2"]);
}

#[test]
fn client_side_apply_merges_lists_by_their_keys() {
    let Some(cluster) = start() else { return };
    cluster.apply_web("nginx:1");
    let sidecar = r#"{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"s"}]}}}}"#;
    cluster.good(&format!("patch deploy web -p {sidecar}"));
    cluster.apply_web("nginx:2");
    let names = "get deploy web -o jsonpath={.spec.template.spec.containers[*].name}";
    let out = cluster.good(names);
    assert!(out.contains("side") && out.contains("app"), "{out}");
}

#[test]
fn server_side_apply_owns_fields_and_conflicts_until_forced() {
    let Some(cluster) = start() else { return };
    let web = WEB.replace("IMAGE", "nginx:1");
    let out = cluster.good_fed("apply --server-side -f -", &web);
    assert_eq!(out, "deployment.apps/web serverside-applied\nservice/web serverside-applied\n");
    let other = WEB.replace("IMAGE", "nginx:9");
    let refused = cluster.fed("apply --server-side --field-manager=other -f -", &other);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("conflict with \"kubectl\""), "{}", refused.err);
    assert!(
        refused.err.contains(".spec.template.spec.containers[name=\"app\"].image"),
        "{}",
        refused.err
    );
    cluster.good_fed("apply --server-side --field-manager=other --force-conflicts -f -", &other);
    cluster.check("get deploy web -o jsonpath={..image}", &["nginx:9"]);
    let managers = "get deploy web -o jsonpath={.metadata.managedFields[*].manager}";
    let managers = cluster.good(managers);
    assert!(managers.contains("kubectl") && managers.contains("other"), "{managers}");
}

#[test]
fn diff_shows_what_apply_would_change() {
    let Some(cluster) = start() else { return };
    cluster.apply_web("nginx:1");
    let same = cluster.fed("diff -f -", &WEB.replace("IMAGE", "nginx:1"));
    assert_eq!((same.code, same.out.as_str()), (0, ""));
    let differs = cluster.fed("diff -f -", &WEB.replace("IMAGE", "nginx:2"));
    assert_eq!(differs.code, 1, "{}", differs.err);
    assert!(
        differs.out.contains("-      - image: nginx:1")
            || differs.out.contains("-        image: nginx:1")
    );
    cluster.check("get deploy web -o jsonpath={..image}", &["nginx:1"]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let Some(cluster) = start() else { return };
    let web = WEB.replace("IMAGE", "nginx:1");
    let out = cluster.good_fed("apply --dry-run=server -f -", &web);
    assert_eq!(
        out,
        "deployment.apps/web created (server dry run)\nservice/web created (server dry run)\n"
    );
    assert!(cluster.run("get deploy web").err.contains("NotFound"));
}

#[test]
fn unknown_fields_are_refused_or_warned_about() {
    let Some(cluster) = start() else { return };
    let web = WEB.replace("IMAGE", "nginx:1").replace("replicas: 2", "replicaz: 2");
    let strict = cluster.fed("apply -f -", &web);
    assert!(strict.err.contains("unknown field \"spec.replicaz\""), "{}", strict.err);
    let warned = cluster.fed("apply --validate=warn -f -", &web);
    assert_eq!(warned.code, 0, "{}", warned.err);
    assert!(warned.err.contains("Warning: unknown field \"spec.replicaz\""), "{}", warned.err);
}

#[test]
fn replace_needs_the_object_and_keeps_it() {
    let Some(cluster) = start() else { return };
    let map = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "VALUE"}}"#;
    assert!(cluster.fed("replace -f -", map).err.contains("not found"));
    cluster.good_fed("create -f -", map);
    assert!(cluster.fed("create -f -", map).err.contains("AlreadyExists"));
    let out = cluster.good_fed("replace -f -", &map.replace("VALUE", "2"));
    assert_eq!(out, "configmap/m replaced\n");
    cluster.check("get configmap m -o jsonpath={.data.a}", &["2"]);
}

#[test]
fn what_validation_says_reaches_the_user() {
    let Some(cluster) = start() else { return };
    let bad =
        WEB.replace("IMAGE", "nginx:1").replace("matchLabels: {app: web}", "matchLabels: {app: x}");
    let refused = cluster.fed("apply -f -", &bad);
    assert!(refused.err.contains("`selector` does not match template `labels`"), "{}", refused.err);
}
