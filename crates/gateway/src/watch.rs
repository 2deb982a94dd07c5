//! Watches on the cluster, and the tables that follow from them.

use crate::config::{DirectServices, HOUSEKEEPING, WATCH_RETRY};
use crate::ingress::IngressObject;
use crate::live::{Live, Memory};
use crate::objects::{Key, Objects, Route, ServiceObject, Slice, Version};
use crate::table::Table;
use clock::Clock;
use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Resource, ResourceExt as _};
use metrics::access::AccessLog;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch::Sender;

const KINDS: usize = 5;

enum Change {
    Route(Event<(Key, Result<Route, String>)>),
    Service(Event<(Key, ServiceObject)>),
    Slice(Event<(Key, Slice)>),
    Pod(Event<(Key, Version)>),
    Ingress(Event<(Key, IngressObject)>),
    /// A watch of this place among the kinds could not be kept up; it is begun again.
    Failed(usize, watcher::Error),
}

/// A table in force, and whether everything has been listed at least once.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) live: Arc<Live>,
    pub(crate) listed: bool,
}

/// The task that keeps the table in force up to date.
pub(crate) struct Follower {
    pub(crate) direct: DirectServices,
    pub(crate) clock: Clock,
    pub(crate) access: Arc<AccessLog>,
    pub(crate) memory: Memory,
    pub(crate) tables: Sender<InForce>,
}

#[derive(Default)]
struct Mirror {
    objects: Objects,
    routes: Option<BTreeMap<Key, Result<Route, String>>>,
    services: Option<BTreeMap<Key, ServiceObject>>,
    slices: Option<BTreeMap<Key, Slice>>,
    pods: Option<BTreeMap<Key, Version>>,
    ingresses: Option<BTreeMap<Key, IngressObject>>,
    listed: [bool; KINDS],
}

impl Follower {
    /// Follows the cluster until it is dropped.
    pub(crate) async fn run(mut self, client: Client) {
        let mut changes = changes(&client);
        let mut mirror = Mirror::default();
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        loop {
            let change = tokio::select! {
                change = changes.next() => change,
                _ = housekeeping.tick() => {
                    self.memory.sweep();
                    self.access.remember(self.clock.now());
                    continue;
                }
            };
            let Some(change) = change else { return };
            let listed = mirror.is_listed();
            let mut differs = mirror.apply(change);
            // What is there already goes into the same table.
            while let Some(Some(change)) = changes.next().now_or_never() {
                differs |= mirror.apply(change);
            }
            if differs || listed != mirror.is_listed() {
                self.put_in_force(&mirror);
            }
        }
    }

    fn put_in_force(&mut self, mirror: &Mirror) {
        let table = Table::build(&mirror.objects, self.direct);
        for problem in &table.problems {
            tracing::warn!(problem, "a route cannot be followed as it is");
        }
        let live = Arc::new(self.memory.attach(table));
        self.tables.send_replace(InForce { live, listed: mirror.is_listed() });
    }
}

impl Mirror {
    fn is_listed(&self) -> bool {
        self.listed.iter().all(|listed| *listed)
    }

    /// Takes in a change and says whether anything is different.
    fn apply(&mut self, change: Change) -> bool {
        let place = change.place();
        if change.ends_list() {
            self.listed[place] = true;
        }
        match change {
            Change::Route(event) => take_in(&mut self.objects.routes, &mut self.routes, event),
            Change::Service(event) => {
                take_in(&mut self.objects.services, &mut self.services, event)
            }
            Change::Slice(event) => take_in(&mut self.objects.slices, &mut self.slices, event),
            Change::Pod(event) => take_in(&mut self.objects.pods, &mut self.pods, event),
            Change::Ingress(event) => {
                take_in(&mut self.objects.ingresses, &mut self.ingresses, event)
            }
            Change::Failed(_, error) => {
                tracing::debug!(%error, "a watch of the gateway was begun again");
                false
            }
        }
    }
}

impl Change {
    fn place(&self) -> usize {
        match self {
            Self::Route(_) => 0,
            Self::Service(_) => 1,
            Self::Slice(_) => 2,
            Self::Pod(_) => 3,
            Self::Ingress(_) => 4,
            Self::Failed(place, _) => *place,
        }
    }

    /// A kind that cannot be listed counts as empty, for its definition may not be installed.
    fn ends_list(&self) -> bool {
        match self {
            Self::Route(event) => matches!(event, Event::InitDone),
            Self::Service(event) => matches!(event, Event::InitDone),
            Self::Slice(event) => matches!(event, Event::InitDone),
            Self::Pod(event) => matches!(event, Event::InitDone),
            Self::Ingress(event) => matches!(event, Event::InitDone),
            Self::Failed(..) => true,
        }
    }
}

fn take_in<T: PartialEq>(
    items: &mut BTreeMap<Key, T>,
    listing: &mut Option<BTreeMap<Key, T>>,
    event: Event<(Key, T)>,
) -> bool {
    match event {
        Event::Init => {
            *listing = Some(BTreeMap::new());
            false
        }
        Event::InitApply((key, item)) => {
            listing.get_or_insert_default().insert(key, item);
            false
        }
        Event::InitDone => {
            let listed = listing.take().unwrap_or_default();
            let changed = *items != listed;
            *items = listed;
            changed
        }
        Event::Apply((key, item)) => {
            let changed = items.get(&key) != Some(&item);
            items.insert(key, item);
            changed
        }
        Event::Delete((key, _)) => items.remove(&key).is_some(),
    }
}

fn changes(client: &Client) -> SelectAll<BoxStream<'static, Change>> {
    let kind = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute");
    let kind = ApiResource::from_gvk_with_plural(&kind, "httproutes");
    let routes: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    let route = |route: &DynamicObject| {
        let created = route.creation_timestamp().map(|time| time.0);
        Route::parse(created, route.data.get("spec").unwrap_or(&serde_json::Value::Null))
    };
    futures::stream::select_all([
        followed(routes, 0, route, Change::Route),
        followed(Api::<Service>::all(client.clone()), 1, ServiceObject::of, Change::Service),
        followed(Api::<EndpointSlice>::all(client.clone()), 2, Slice::of, Change::Slice),
        followed(Api::<Pod>::all(client.clone()), 3, Version::of, Change::Pod),
        followed(Api::<Ingress>::all(client.clone()), 4, IngressObject::of, Change::Ingress),
    ])
}

fn followed<K, T>(
    api: Api<K>,
    place: usize,
    reduce: impl Fn(&K) -> T + Copy + Send + 'static,
    change: impl Fn(Event<(Key, T)>) -> Change + Copy + Send + 'static,
) -> BoxStream<'static, Change>
where
    K: Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
    T: Send + 'static,
{
    let events = watcher(api, watcher::Config::default()).then(move |event| async move {
        match event {
            Ok(event) => change(reduced(event, reduce)),
            Err(error) => {
                tokio::time::sleep(WATCH_RETRY).await;
                Change::Failed(place, error)
            }
        }
    });
    events.boxed()
}

fn reduced<K: Resource, T>(event: Event<K>, reduce: impl Fn(&K) -> T) -> Event<(Key, T)> {
    let named = |object: K| {
        let namespace = object.meta().namespace.as_deref().unwrap_or_default();
        let name = object.meta().name.as_deref().unwrap_or_default();
        (Key::new(namespace, name), reduce(&object))
    };
    match event {
        Event::Apply(object) => Event::Apply(named(object)),
        Event::Delete(object) => Event::Delete(named(object)),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(named(object)),
        Event::InitDone => Event::InitDone,
    }
}
