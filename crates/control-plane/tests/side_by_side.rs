//! Real control planes as the tests of other crates use them, and as the command line does.

#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use control_plane::{Binary, ControlPlane, bring_down, for_test, running, start_detached};
use futures::StreamExt;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{Namespace, ServiceAccount},
};
use kube::{
    Api, Client, Resource,
    api::PostParams,
    runtime::{WatchStreamExt, wait::await_condition, watcher},
};
use serde_json::{Value, json};
use std::{
    fmt::Debug,
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    path::Path,
    pin::pin,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How long a process may take to end once its sockets are closed.
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// Starts one, or nothing where there is none.
async fn control_plane(what: &str) -> Option<(Binary, ControlPlane)> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let binary = for_test(what)?;
    let plane = ControlPlane::start(&binary).await.unwrap();
    Some((binary, plane))
}

fn object<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

async fn create<K>(api: &Api<K>, value: Value) -> K
where
    K: Resource + Clone + Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    api.create(&PostParams::default(), &object(value)).await.unwrap()
}

fn deployment(name: &str) -> Value {
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "app", "image": "example.com/app:1"}]},
        }},
    })
}

/// The first ReplicaSet that appears for the application.
async fn replica_set_of(client: Client, app: &str) -> ReplicaSet {
    let api: Api<ReplicaSet> = Api::default_namespaced(client);
    let wanted = watcher::Config::default().labels(&format!("app={app}"));
    let mut seen = pin!(watcher(api, wanted).applied_objects());
    seen.next().await.unwrap().unwrap()
}

#[tokio::test]
async fn two_side_by_side_each_run_their_own_controllers() {
    let what = "that two control planes run side by side";
    let Some((binary, one)) = control_plane(what).await else { return };
    let other = ControlPlane::start(&binary).await.unwrap();
    for (plane, name) in [(&one, "first"), (&other, "second")] {
        let deployments: Api<Deployment> = Api::default_namespaced(plane.client());
        create(&deployments, deployment(name)).await;
        let owner = replica_set_of(plane.client(), name).await.metadata.owner_references.unwrap();
        assert_eq!(owner[0].name, name);
    }
    let deployments: Api<Deployment> = Api::default_namespaced(other.client());
    assert_eq!(deployments.get_opt("first").await.unwrap(), None, "they do not share a store");
    assert_ne!(one.url(), other.url());
}

#[tokio::test]
async fn a_new_namespace_gets_its_service_account() {
    let what = "that namespaces get a service account";
    let Some((_, plane)) = control_plane(what).await else { return };
    let namespaces: Api<Namespace> = Api::all(plane.client());
    let team = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}});
    create(&namespaces, team).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(plane.client(), "team");
    let made = |account: Option<&ServiceAccount>| account.is_some();
    await_condition(accounts, "default", made).await.unwrap();
}

#[tokio::test]
async fn the_server_says_its_version_and_counts_its_callers() {
    let what = "the server's version and its audit log";
    let Some((_, plane)) = control_plane(what).await else { return };
    let version = plane.client().apiserver_version().await.unwrap();
    assert_eq!((&*version.major, &*version.minor, &*version.git_version), ("1", "36", "v1.36.3"));
    let said = kubectl_says(&plane.kubeconfig(), &["version"]);
    assert!(said.as_ref().is_none_or(|said| said.contains("v1.36.3")), "{said:?}");
    let counts = plane.requests_by_user_agent().unwrap();
    let by = |part: &str| counts.iter().filter(|(agent, _)| agent.contains(part)).count();
    assert!(by("kube-controller-manager") > 0, "{counts:?}");
    assert!(said.is_none() || by("kubectl/") == 1, "{counts:?}");
}

/// What kubectl prints, where there is one.
fn kubectl_says(kubeconfig: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("kubectl").arg("--kubeconfig").arg(kubeconfig).args(args).output();
    output.ok().map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn nothing_is_left_of_one_that_is_dropped() {
    let what = "that a control plane ends with its handle";
    let Some((_, plane)) = control_plane(what).await else { return };
    let (pid, kubeconfig) = (plane.pid(), plane.kubeconfig());
    assert!(is_there(pid) && kubeconfig.is_file());
    drop(plane);
    assert!(!is_there(pid), "the process is gone");
    assert!(!kubeconfig.parent().unwrap().exists(), "so are its files");
}

#[tokio::test]
async fn one_that_was_started_to_stay_goes_when_it_is_brought_down() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(binary) = for_test("that control planes can be brought down") else { return };
    let plane = start_detached(&binary, ([127, 0, 0, 1], 0).into()).await.unwrap();
    assert!(running().unwrap().contains(&plane));
    let nodes = kubectl_says(&plane.kubeconfig(), &["get", "namespaces", "-o", "name"]);
    assert!(nodes.is_none_or(|said| said.contains("namespace/default")));
    bring_down(&plane).await.unwrap();
    assert!(!running().unwrap().contains(&plane) && !plane.home.exists());
    assert!(!is_there(plane.pid.unsigned_abs()));
}

#[test]
fn one_whose_parent_is_killed_ends_by_itself() {
    let Some(binary) = for_test("that a control plane ends with its parent") else { return };
    assert!(binary.path().is_file());
    let mut command = Command::new(env!("CARGO_BIN_EXE_control-plane"));
    let mut parent =
        command.arg("run").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (url, pid) = line.trim().split_once(" pid ").unwrap();
    let address = url.strip_prefix("https://").unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();
    // A connection that is not used ends with the server, at the latest.
    let _ = connection.read(&mut [0]);
    while let Ok(mut another) = TcpStream::connect(address) {
        let _ = another.read(&mut [0]);
    }
    // It stops listening a moment before it is gone.
    let (pid, closed) = (pid.parse().unwrap(), Instant::now());
    while is_there(pid) && closed.elapsed() < GONE_WITHIN {
        std::thread::yield_now();
    }
    assert!(!is_there(pid));
}

/// Tells whether a process with this number runs, where the system shows that.
fn is_there(pid: u32) -> bool {
    let alive = fs::read_to_string(format!("/proc/{pid}/stat"));
    alive.map_or(!Path::new("/proc/self").exists(), |stat| !stat.contains(") Z "))
}
