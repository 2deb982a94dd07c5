//! Scenarios, word for word, in real time on a real API server with its real controllers.
//!
//! Each plays in a namespace of its own, all at the same time. What the embedded cluster has and a bare
//! control plane lacks is added: nodes that run pods, and the kinds of the Gateway API.

#![expect(clippy::unwrap_used, reason = "a cluster that cannot be set up fails the test")]

use control_plane::ControlPlane;
use k8s_openapi::{
    api::core::v1::{Namespace, ServiceAccount},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition as Definition,
};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{ListParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use libtest_mimic::{Arguments, Failed, Trial};
use rehearsal::{Conditions, Elsewhere, load, rehearse_elsewhere, text};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};
use world::{Recording, World, WorldConfig, WorldHandle};

/// Any will do.
const SEED: u64 = 1;
/// How long containers take to start, as in every rehearsal.
const START_DELAY: Duration = Duration::from_secs(3);
/// How long everything that follows from a line at once may take, which is nothing in virtual time.
const SETTLE: Duration = Duration::from_secs(2);
/// How much longer than in virtual time things may take where computing takes time.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is played, and for how many seconds of virtual time: whatever is over in little more than two minutes,
/// but for two: one names a namespace of its own, and one needs a server of resource metrics.
const SCENARIOS: &[(&str, u32)] = &[
    ("a-pod-is-lost", 16),
    ("abort-by-pods", 12),
    ("abort-returns-traffic-first", 39),
    ("blue-green-pre-promotion-fails", 66),
    ("blue-green-small-preview", 9),
    ("blue-green-switches-by-itself", 6),
    ("controller-dies-during-analysis", 93),
    ("controller-dies-in-the-middle-of-everything", 132),
    ("errors-caught-in-the-background", 93),
    ("errors-caught-inline", 126),
    ("good-canary-by-pods", 132),
    ("invalid-spec-names-the-field", 69),
    ("metric-outage-is-bounded", 103),
    ("progress-deadline-abort", 124),
    ("promote-full-skips-the-rest", 9),
    ("revision-history-limit", 19),
    ("rollback-to-stable-skips-the-steps", 7),
    ("rollback-window", 12),
    ("route-is-deleted", 12),
    ("scale-up-in-the-middle", 75),
    ("service-that-does-not-exist", 3),
    ("slow-caught-by-quantile", 93),
    ("somebody-edits-the-route", 6),
    ("two-rollouts-do-not-mind-each-other", 93),
    ("web-provider-without-a-network", 106),
    ("workload-ref", 12),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SCENARIOS.len());
    let cluster = if arguments.list { None } else { Cluster::set_up() };
    let trial = |(name, _): &(&'static str, u32)| {
        let (name, cluster) = (*name, cluster.clone());
        Trial::test(name, move || cluster.map_or(Ok(()), |cluster| cluster.play(name)))
    };
    libtest_mimic::run(&arguments, SCENARIOS.iter().map(trial).collect()).exit_code()
}

/// A control plane with nodes.
#[derive(Clone)]
struct Cluster(Arc<Parts>);

struct Parts {
    kubeconfig: PathBuf,
    // Ended in this order.
    _world: WorldHandle,
    _plane: ControlPlane,
    _runtime: Runtime,
}

impl Cluster {
    /// Nothing where there is no control plane.
    fn set_up() -> Option<Self> {
        let what = format!("{} scenarios", SCENARIOS.len());
        let binary = control_plane::for_test(&what)?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (plane, world) = runtime.block_on(async {
            let plane = ControlPlane::start(&binary).await.unwrap();
            install(&plane.client()).await;
            let config = WorldConfig {
                start_delay: START_DELAY,
                recording: Recording::Nothing,
                ..WorldConfig::nodes_only()
            };
            let world = World::start(plane.client(), clock::Clock::system(), config).await.unwrap();
            (plane, world)
        });
        let kubeconfig = plane.kubeconfig();
        Some(Self(Arc::new(Parts { kubeconfig, _world: world, _plane: plane, _runtime: runtime })))
    }

    fn play(&self, name: &str) -> Result<(), Failed> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.play_in_a_namespace(name))
    }

    async fn play_in_a_namespace(&self, name: &str) -> Result<(), Failed> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
        let mut play = load(&[], Some(&folder.join(format!("{name}.scenario"))), SEED)?;
        for text in play.files.values_mut() {
            *text = text.replace("namespace: default", &format!("namespace: {name}"));
        }
        let client = connect(&self.0.kubeconfig).await;
        make_namespace(&client, name).await;
        let conditions = Conditions { settle: SETTLE, patience: PATIENCE, ..Conditions::default() };
        let place = Elsewhere { client, namespace: name.to_owned() };
        let (report, _) = rehearse_elsewhere(&play, &conditions, &place).await?;
        if report.ok { Ok(()) } else { Err(text(&report).into()) }
    }
}

async fn connect(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap()).unwrap()
}

/// Installs the kinds that rollouts and routes are of, and waits until they are served.
async fn install(client: &Client) {
    embedded::install(client).await.unwrap();
    let definitions: Api<Definition> = Api::all(client.clone());
    for definition in world::crds::all() {
        let definition = serde_json::from_value(definition).unwrap();
        definitions.create(&PostParams::default(), &definition).await.unwrap();
    }
    for definition in definitions.list(&ListParams::default()).await.unwrap() {
        let name = definition.name_any();
        await_condition(definitions.clone(), &name, is_crd_established()).await.unwrap();
    }
}

/// Makes a namespace in which pods can be made.
async fn make_namespace(client: &Client, name: &str) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = serde_json::from_value(namespace).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), name);
    let made = |account: Option<&ServiceAccount>| account.is_some();
    await_condition(accounts, "default", made).await.unwrap();
}
