//! A cluster on disk outlives its server, however the server dies.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use apiserver::{Server, ServerConfig, ServerError};
use clock::Clock;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

static NUMBER: AtomicU32 = AtomicU32::new(0);

struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("apiserver-journal-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// The one journal file.
    fn file(&self) -> PathBuf {
        let files = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mut journals =
            files.filter(|path| path.extension().is_some_and(|end| end == "journal"));
        let file = journals.next().unwrap();
        assert_eq!(journals.next(), None);
        file
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn clock() -> Clock {
    Clock::starting_at("2026-01-01T00:00:00Z".parse().unwrap())
}

fn open(directory: &Path) -> Result<Arc<Server>, ServerError> {
    let mut config = ServerConfig::new(clock(), 7);
    config.data = Some(directory.to_owned());
    Server::new(config)
}

fn maps(server: &Server) -> Api<ConfigMap> {
    Api::default_namespaced(server.client())
}

async fn make(server: &Server, name: &str) -> u64 {
    let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    let made = maps(server).create(&PostParams::default(), &map).await.unwrap();
    made.metadata.resource_version.unwrap().parse().unwrap()
}

async fn names(server: &Server) -> Vec<String> {
    let list = maps(server).list(&ListParams::default()).await.unwrap();
    list.items.into_iter().filter_map(|map| map.metadata.name).collect()
}

/// Ends a server and waits until nothing holds its files.
async fn end(server: Arc<Server>) {
    server.shutdown();
    drop(server);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn objects_and_versions_outlive_the_server() {
    let directory = Directory::new();
    let server = open(&directory.0).unwrap();
    make(&server, "a").await;
    make(&server, "b").await;
    let patch = Patch::Merge(json!({"data": {"k": "v"}}));
    maps(&server).patch("a", &PatchParams::default(), &patch).await.unwrap();
    let uid = maps(&server).get("a").await.unwrap().metadata.uid;
    let version = make(&server, "c").await;
    maps(&server).delete("c", &DeleteParams::default()).await.unwrap();
    end(server).await;

    let server = open(&directory.0).unwrap();
    assert_eq!(names(&server).await, ["a", "b"]);
    let map = maps(&server).get("a").await.unwrap();
    assert_eq!((map.metadata.uid, map.data.unwrap()["k"].as_str()), (uid, "v"));
    let later = make(&server, "d").await;
    assert!(later > version + 1, "the deletion's version {} is not given out again", version + 1);
}

#[tokio::test(start_paused = true)]
async fn a_record_torn_at_any_byte_costs_only_itself() {
    let directory = Directory::new();
    let server = open(&directory.0).unwrap();
    make(&server, "a").await;
    let whole = std::fs::metadata(directory.file()).unwrap().len();
    make(&server, "b").await;
    end(server).await;
    let bytes = std::fs::read(directory.file()).unwrap();
    for end_at in usize::try_from(whole).unwrap()..bytes.len() {
        std::fs::write(directory.file(), &bytes[..end_at]).unwrap();
        let server = open(&directory.0).unwrap();
        assert_eq!(names(&server).await, ["a"], "cut at {end_at}");
        end(server).await;
    }
    let server = open(&directory.0).unwrap();
    make(&server, "z").await;
    end(server).await;
    let server = open(&directory.0).unwrap();
    assert_eq!(names(&server).await, ["a", "z"], "what follows a cut is whole again");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_not_whole_is_refused() {
    let directory = Directory::new();
    end(open(&directory.0).unwrap()).await;
    let bytes = std::fs::read(directory.file()).unwrap();
    std::fs::write(directory.file(), &bytes[..bytes.len() / 2]).unwrap();
    assert!(open(&directory.0).is_err());
}

#[tokio::test(start_paused = true)]
async fn two_servers_do_not_share_a_directory() {
    let directory = Directory::new();
    let first = open(&directory.0).unwrap();
    assert!(open(&directory.0).is_err());
    end(first).await;
    assert!(open(&directory.0).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_long_journal_becomes_a_snapshot() {
    let directory = Directory::new();
    let server = open(&directory.0).unwrap();
    make(&server, "a").await;
    let first = directory.file();
    let large = "x".repeat(900_000);
    for number in 0..25 {
        let patch = Patch::Merge(json!({"data": {"k": format!("{number}{large}")}}));
        maps(&server).patch("a", &PatchParams::default(), &patch).await.unwrap();
    }
    assert_ne!(directory.file(), first);
    end(server).await;
    let server = open(&directory.0).unwrap();
    assert!(maps(&server).get("a").await.unwrap().data.unwrap()["k"].starts_with("24x"));
}

#[tokio::test(start_paused = true)]
async fn definitions_bring_their_kinds_back() {
    let directory = Directory::new();
    let server = open(&directory.0).unwrap();
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "toys.example.io"},
        "spec": {
            "group": "example.io",
            "scope": "Namespaced",
            "names": {"plural": "toys", "singular": "toy", "kind": "Toy", "listKind": "ToyList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }},
            }],
        },
    });
    let post = |path: &str, body: &serde_json::Value| {
        http::Request::post(path).body(serde_json::to_vec(body).unwrap()).unwrap()
    };
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    server.client().request::<serde_json::Value>(post(path, &definition)).await.unwrap();
    let toys = "/apis/example.io/v1/namespaces/default/toys";
    let toy = json!({"apiVersion": "example.io/v1", "kind": "Toy", "metadata": {"name": "t"}});
    server.client().request::<serde_json::Value>(post(toys, &toy)).await.unwrap();
    end(server).await;
    let server = open(&directory.0).unwrap();
    let list = http::Request::get(toys).body(Vec::new()).unwrap();
    let list: serde_json::Value = server.client().request(list).await.unwrap();
    assert_eq!(list["items"][0]["metadata"]["name"], "t");
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn only_its_owner_may_read_a_journal() {
    use std::os::unix::fs::PermissionsExt;
    let directory = Directory::new();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let server = open(&directory.0).unwrap();
    make(&server, "a").await;
    assert_eq!(mode(&directory.file()), 0o600);
    end(server).await;
    // One of a server of before.
    std::fs::set_permissions(directory.file(), PermissionsExt::from_mode(0o644)).unwrap();
    end(open(&directory.0).unwrap()).await;
    assert_eq!(mode(&directory.file()), 0o600);
}
