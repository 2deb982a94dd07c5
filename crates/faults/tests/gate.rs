//! What a client meets behind a gate, on the embedded API server.

#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use clock::Clock;
use faults::{
    Cut, Fate, Gate, Moment, Outage, OutageSort, Past, Refusal, Requests, Rule, Trouble, Which,
    served,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};
use std::{sync::Arc, time::Duration};

fn stage() -> (Arc<apiserver::Server>, Gate) {
    let clock = Clock::starting_at("2026-03-01T12:00:00Z".parse().unwrap());
    let server = apiserver::Server::new(apiserver::ServerConfig::new(clock, 7)).unwrap();
    (server, Gate::open(clock, 7))
}

fn config_map(name: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.name = Some(name.to_owned());
    object
}

async fn create(client: &Client, name: &str) -> kube::Result<ConfigMap> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    api.create(&PostParams::default(), &config_map(name)).await
}

async fn names(client: &Client) -> Vec<String> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let list = api.list(&ListParams::default()).await.unwrap();
    list.items.into_iter().filter_map(|object| object.metadata.name).collect()
}

async fn never_answered<T>(request: impl Future<Output = T>) -> bool {
    tokio::time::timeout(Duration::from_hours(1), request).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn a_cut_ends_one_life_and_not_the_next() {
    for (moment, expected) in [(Moment::Before, vec!["a"]), (Moment::After, vec!["a", "b"])] {
        let (server, gate) = stage();
        gate.cut(Cut { write: 2, moment });
        let first = gate.client(server.router(), "first");
        create(&first, "a").await.unwrap();
        assert!(never_answered(create(&first, "b")).await);
        assert!(never_answered(create(&first, "c")).await);
        assert_eq!(*gate.deaths().borrow(), 1);
        let second = gate.client(server.router(), "second");
        assert_eq!(names(&second).await, expected);
        create(&second, "d").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_life_ends_at_its_write_even_if_that_is_refused() {
    let (server, gate) = stage();
    gate.cut(Cut { write: 1, moment: Moment::After });
    let trouble = Trouble::Refused(Refusal::Conflict);
    gate.rule(Rule { requests: Requests::nth(Which::Writes, 1), trouble });
    let client = gate.client(server.router(), "client");
    assert!(never_answered(create(&client, "a")).await);
    assert_eq!(*gate.deaths().borrow(), 1);
    assert_eq!(gate.writes()[0].fate, Fate::Refused(409));
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_has_happened() {
    for trouble in [Trouble::TimedOut, Trouble::ResetAfter] {
        let (server, gate) = stage();
        gate.rule(Rule { requests: Requests::nth(Which::Writes, 1), trouble });
        let client = gate.client(server.router(), "client");
        create(&client, "a").await.unwrap_err();
        assert_eq!(names(&client).await, ["a"]);
        assert_eq!(gate.writes()[0].fate, Fate::Unheard(201));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_has_not_happened() {
    let (server, gate) = stage();
    let requests = Requests::nth(Which::Writes, 2).about("configmaps");
    gate.rule(Rule { requests, trouble: Trouble::Refused(Refusal::Conflict) });
    let client = gate.client(server.router(), "client");
    create(&client, "a").await.unwrap();
    let refused = create(&client, "b").await.unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.is_conflict()));
    create(&client, "c").await.unwrap();
    assert_eq!(names(&client).await, ["a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn frozen_watches_tell_after_the_thaw() {
    use futures::StreamExt;
    let (server, gate) = stage();
    let client = gate.client(server.router(), "client");
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    gate.freeze("configmaps");
    let mut events = api.watch(&kube::api::WatchParams::default(), "0").await.unwrap().boxed();
    create(&client, "a").await.unwrap();
    assert!(never_answered(events.next()).await);
    gate.thaw();
    assert!(events.next().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn nobody_sends_beyond_a_gate() {
    assert_eq!(served(), None);
}

#[tokio::test(start_paused = true)]
async fn an_outage_holds_up_or_loses_what_is_sent_meanwhile() {
    for (sort, arrives) in [(OutageSort::Frozen, true), (OutageSort::Partitioned, false)] {
        let (server, gate) = stage();
        gate.interrupt(Outage { write: 1, span: Duration::from_secs(20), sort });
        let client = gate.client(server.router(), "client");
        let minute = tokio::time::timeout(Duration::from_mins(1), create(&client, "a")).await;
        assert_eq!(minute.is_ok(), arrives, "{sort:?}");
        create(&client, "b").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_life_is_shown_the_past_once() {
    let (server, gate) = stage();
    gate.lag(Past { write: 2, resource: None, lag: Duration::ZERO });
    let first = gate.client(server.router(), "first");
    assert!(names(&first).await.is_empty());
    let api: Api<ConfigMap> = Api::namespaced(first.clone(), "default");
    let _watched = api.watch(&kube::api::WatchParams::default(), "0").await.unwrap();
    let began = tokio::time::Instant::now();
    create(&first, "a").await.unwrap();
    create(&first, "b").await.unwrap();
    assert!(began.elapsed().is_zero(), "a watch that is open holds nobody up");
    let second = gate.client(server.router(), "second");
    assert_eq!(names(&second).await, ["a"]);
    assert_eq!(names(&second).await, ["a", "b"]);
}
