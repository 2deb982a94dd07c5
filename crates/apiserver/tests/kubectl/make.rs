//! `create` and its generators, `run`, `expose`, `auth`; these send protobuf.

use crate::cluster::start;

#[test]
fn generators_make_objects() {
    let Some(cluster) = start() else { return };
    let check = |arguments: &str, expected: &str| {
        assert_eq!(cluster.good(arguments).trim(), expected, "{arguments}");
    };
    check("create namespace team", "namespace/team created");
    check("create configmap m --from-literal=a=1", "configmap/m created");
    check("create secret generic s --from-literal=a=hush", "secret/s created");
    check("create deployment d --image=nginx --replicas=2 --port=80", "deployment.apps/d created");
    check("create service clusterip c --tcp=80:8080", "service/c created");
    check("create serviceaccount bot", "serviceaccount/bot created");
    check("create job j --image=busybox -- true", "job.batch/j created");
    check("create cronjob cj --image=busybox '--schedule=*/5 * * * *'", "cronjob.batch/cj created");
    check("create ingress i --rule=a.example/=c:80", "ingress.networking.k8s.io/i created");
    check("create role r --verb=get --resource=pods", "role.rbac.authorization.k8s.io/r created");
    check(
        "create rolebinding rb --role=r --serviceaccount=default:bot",
        "rolebinding.rbac.authorization.k8s.io/rb created",
    );
    check(
        "create clusterrolebinding crb --clusterrole=view --user=jane",
        "clusterrolebinding.rbac.authorization.k8s.io/crb created",
    );
    check(
        "create pdb b --selector=app=d --min-available=1",
        "poddisruptionbudget.policy/b created",
    );
    check("create priorityclass high --value=10", "priorityclass.scheduling.k8s.io/high created");
    check("create quota q --hard=pods=3", "resourcequota/q created");
    check("run p --image=nginx --env=A=1 --labels=app=p", "pod/p created");
    check("expose pod p --port=80", "service/p exposed");
    check(
        "autoscale deploy d --min=1 --max=3 --cpu-percent=50",
        "horizontalpodautoscaler.autoscaling/d autoscaled",
    );
    assert_eq!(cluster.good("create token bot --duration=10m").matches('.').count(), 2);
}

#[test]
fn generated_objects_hold_what_was_asked_for() {
    let Some(cluster) = start() else { return };
    cluster.good("create secret generic s --from-literal=a=hush");
    cluster.check("get secret s -o jsonpath={.data.a}", &["aHVzaA=="]);
    cluster.good("create deployment d --image=nginx --replicas=2 --port=80");
    cluster.check("get deploy d -o jsonpath={.spec.replicas}", &["2"]);
    cluster.check("get deploy d -o jsonpath={..containerPort}", &["80"]);
    cluster.good("create service clusterip c --tcp=80:8080");
    cluster.check("get svc c -o jsonpath={.spec.ports[0].targetPort}", &["8080"]);
    cluster.good("create quota q --hard=pods=3,requests.cpu=500m");
    cluster
        .check("get quota q -o jsonpath={.spec.hard}", &[r#"{"pods":"3","requests.cpu":"500m"}"#]);
    cluster.good("autoscale deploy d --min=1 --max=3 --cpu-percent=50");
    cluster.check_has(
        "get hpa",
        &[
            "NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE",
            "d Deployment/d cpu: <unknown>/50% 1 3 0",
        ],
    );
}

#[test]
fn the_user_may_do_everything_and_is_told_so() {
    let Some(cluster) = start() else { return };
    cluster.check("auth can-i create deployments", &["yes"]);
    cluster.check("auth can-i '*' '*' --all-namespaces", &["yes"]);
    cluster.check_has("auth whoami", &["Username kubernetes-admin", "system:masters"]);
    cluster.check_has("auth can-i --list", &["*.* [] [] [*]"]);
}

#[test]
fn an_object_whose_name_is_taken_is_refused() {
    let Some(cluster) = start() else { return };
    cluster.good("create configmap m");
    let refused = cluster.run("create configmap m");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("configmaps \"m\" already exists"), "{}", refused.err);
}
