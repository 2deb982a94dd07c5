//! What the controller has seen of the cluster.
//!
//! One ordered map a kind, filled by watches (see [`watch`]) and, where a write showed the picture to
//! be old, by single reads. [`Cache::apply`] says what changed; [`crate::interest`] says whom it
//! concerns.
//!
//! An object is kept as the text it came in, a tenth of what it takes in its own type, for most of a cluster
//! is at rest. [`Cache::object`] reads it when it is asked for, and the last that were asked for stay read.
//!
//! **Invariant.** Nothing here talks to the API server, and no Secret is ever cached.

mod entry;
mod groups;
mod kind;
mod readings;
pub(crate) mod watch;
mod wire;

pub(crate) use entry::{Entry, Owner};
pub(crate) use kind::{Broken, Kept, Kind, Need};
pub(crate) use wire::Wire;

use crate::{key::Name, writer::Expect};
use groups::Groups;
use kube::runtime::watcher::Event;
use readings::Readings;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};
use vocab::ObjectRef;

/// Everything seen, by kind and name.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    kinds: BTreeMap<Kind, Objects>,
    left_out: BTreeSet<Kind>,
}

#[derive(Debug, Default)]
struct Objects {
    items: BTreeMap<Name, Entry>,
    read: Mutex<Readings>,
    groups: Groups,
    listing: Option<BTreeSet<Name>>,
    is_synced: bool,
    is_absent: bool,
}

/// An object that is not what it was.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    /// Of which kind.
    pub(crate) kind: Kind,
    /// Which.
    pub(crate) name: Name,
    /// What was seen of it before.
    pub(crate) before: Option<Entry>,
}

/// What a watch tells.
#[derive(Debug)]
pub(crate) enum News {
    /// An event of the watch.
    Event(Box<Event<Wire>>),
    /// The server does not have the kind.
    Absent,
}

impl Cache {
    /// An empty cache that does without some kinds.
    pub(crate) fn without(left_out: BTreeSet<Kind>) -> Self {
        Self { kinds: BTreeMap::new(), left_out }
    }

    /// Takes in what a watch tells and says what changed by it.
    pub(crate) fn apply(&mut self, kind: Kind, news: News) -> Vec<Changed> {
        let objects = self.kinds.entry(kind).or_default();
        let News::Event(event) = news else {
            objects.is_synced = true;
            objects.is_absent = true;
            return objects.retain(kind, &BTreeSet::new());
        };
        match *event {
            Event::Apply(object) => objects.put(kind, object).into_iter().collect(),
            Event::Delete(object) => objects.remove(kind, &name_of(&object)).into_iter().collect(),
            Event::Init => {
                objects.is_absent = false;
                objects.listing = Some(BTreeSet::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                let name = name_of(&object);
                objects.listing.get_or_insert_default().insert(name);
                objects.put(kind, object).into_iter().collect()
            }
            Event::InitDone => {
                objects.is_synced = true;
                let listed = objects.listing.take().unwrap_or_default();
                objects.retain(kind, &listed)
            }
        }
    }

    /// Takes in what a single read showed. Where the object was deleted between that and now it stays until its
    /// kind is listed anew; writes to it fail, and a run that waits for a Job waits that long.
    pub(crate) fn heal(&mut self, target: &ObjectRef, live: Option<Value>) -> Option<Changed> {
        let kind = Kind::of(target)?;
        let objects = self.kinds.entry(kind).or_default();
        match live {
            None => objects.remove(kind, &target.into()),
            Some(value) => Wire::of(&value).ok().and_then(|live| objects.put(kind, live)),
        }
    }

    /// Kinds that are watched from the beginning.
    pub(crate) fn always(&self) -> impl Iterator<Item = Kind> {
        let watched = Kind::ALL.into_iter().filter(|kind| kind.need() != Need::OnDemand);
        watched.filter(|kind| !self.left_out.contains(kind))
    }

    /// Kinds that are watched from the beginning and have neither been listed nor found absent yet.
    pub(crate) fn missing(&self) -> Vec<Kind> {
        let synced = |kind: &Kind| self.kinds.get(kind).is_some_and(|objects| objects.is_synced);
        self.always().filter(|kind| !synced(kind)).collect()
    }

    /// Whether the watch of a kind is up, so that what is not here is not there.
    pub(crate) fn serves(&self, kind: Kind) -> bool {
        self.kinds.get(&kind).is_some_and(|objects| objects.is_synced && !objects.is_absent)
    }

    /// One object.
    pub(crate) fn get(&self, kind: Kind, name: &Name) -> Option<&Entry> {
        self.kinds.get(&kind)?.items.get(name)
    }

    /// One object in its own type.
    pub(crate) fn object(&self, kind: Kind, name: &Name) -> Option<Kept> {
        self.kinds.get(&kind)?.object(kind, name)
    }

    /// The object a reference speaks of; `None` also when its kind is not cached.
    pub(crate) fn find(&self, target: &ObjectRef) -> Option<&Entry> {
        self.get(Kind::of(target)?, &target.into())
    }

    /// All objects of a kind in a namespace, in order of name.
    pub(crate) fn in_namespace<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Name, &'a Entry)> {
        let items = self.kinds.get(&kind).map(|objects| &objects.items);
        items
            .into_iter()
            .flat_map(move |items| items.range(Name::new(namespace, "")..))
            .take_while(move |(name, _)| name.namespace == namespace)
    }

    /// The objects of a kind in a namespace that belong to a group (children to their owner, slices to
    /// their service, services to the rollout that manages them), in order of name.
    pub(crate) fn in_group<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
        group: &str,
    ) -> impl Iterator<Item = (&'a Name, &'a Entry)> + use<'a> {
        let objects = self.kinds.get(&kind);
        let names =
            objects.into_iter().flat_map(|objects| objects.groups.members(namespace, group));
        let names = names.map(|name| Name::new(namespace, name)).collect::<Vec<_>>();
        names.into_iter().filter_map(move |name| objects?.items.get_key_value(&name))
    }

    /// All objects of a kind, in order of name.
    pub(crate) fn all(&self, kind: Kind) -> impl Iterator<Item = (&Name, &Entry)> {
        self.kinds.get(&kind).into_iter().flat_map(|objects| &objects.items)
    }

    /// Whether what was written has been seen.
    pub(crate) fn has_seen(&self, target: &ObjectRef, expect: &Expect) -> bool {
        if Kind::of(target).is_none() {
            return true;
        }
        let entry = self.find(target);
        match expect {
            Expect::Nothing => true,
            Expect::Version(wanted) => entry.is_some_and(|entry| !entry.is_older(wanted)),
            Expect::Going(uid) => entry.is_none_or(|entry| entry.is_going || entry.uid != *uid),
        }
    }
}

impl Objects {
    fn put(&mut self, kind: Kind, object: Wire) -> Option<Changed> {
        let name = name_of(&object);
        let entry = Entry::new(kind, object);
        let before = self.items.get(&name);
        if before.is_some_and(|before| before.is_same_or_newer(&entry)) {
            return None;
        }
        self.groups.note(kind, &name, (before, Some(&entry)));
        let before = self.items.insert(name.clone(), entry);
        self.readings().outdate(&name);
        Some(Changed { kind, name, before })
    }

    fn remove(&mut self, kind: Kind, name: &Name) -> Option<Changed> {
        let before = self.items.remove(name)?;
        self.readings().forget(name);
        self.groups.note(kind, name, (Some(&before), None));
        Some(Changed { kind, name: name.clone(), before: Some(before) })
    }

    fn object(&self, kind: Kind, name: &Name) -> Option<Kept> {
        let entry = self.items.get(name)?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        Some(read.of(kind, name, entry))
    }

    fn readings(&mut self) -> &mut Readings {
        self.read.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn retain(&mut self, kind: Kind, listed: &BTreeSet<Name>) -> Vec<Changed> {
        let gone = self.items.keys().filter(|name| !listed.contains(*name)).cloned();
        let gone = gone.collect::<Vec<_>>();
        gone.iter().filter_map(|name| self.remove(kind, name)).collect()
    }
}

fn name_of(object: &Wire) -> Name {
    let metadata = &object.metadata;
    Name::new(
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    fn service(name: &str, version: &str) -> Value {
        json!({
            "metadata": {
                "name": name, "namespace": "shop", "uid": format!("uid-{name}"), "resourceVersion": version,
                "managedFields": [{"manager": "kubectl"}],
            },
            "spec": {"selector": {"app": name}},
        })
    }

    fn wire(object: &Value) -> Wire {
        Wire::of(object).unwrap()
    }

    fn told(cache: &mut Cache, event: Event<Wire>) -> Vec<String> {
        let changed = cache.apply(Kind::Service, News::Event(Box::new(event)));
        changed.into_iter().map(|changed| changed.name.name).collect()
    }

    fn listed(names: &[&str]) -> Cache {
        let mut cache = Cache::default();
        told(&mut cache, Event::Init);
        for name in names {
            told(&mut cache, Event::InitApply(wire(&service(name, "5"))));
        }
        told(&mut cache, Event::InitDone);
        cache
    }

    #[test]
    fn a_new_list_drops_what_it_no_longer_names() {
        let mut cache = listed(&["a", "b"]);
        told(&mut cache, Event::Init);
        assert_eq!(
            told(&mut cache, Event::InitApply(wire(&service("b", "5")))),
            Vec::<String>::new()
        );
        assert_eq!(told(&mut cache, Event::InitDone), ["a"]);
    }

    #[test]
    fn an_old_event_does_not_undo_a_newer_read() {
        let mut cache = listed(&["a"]);
        let target = Kind::Service.reference("shop", "a");
        assert!(cache.heal(&target, Some(service("a", "12"))).is_some());
        assert_eq!(told(&mut cache, Event::Apply(wire(&service("a", "9")))), Vec::<String>::new());
        assert!(cache.has_seen(&target, &Expect::Version("12".to_owned())));
        assert!(!cache.has_seen(&target, &Expect::Version("100".to_owned())));
    }

    #[test]
    fn a_deletion_is_seen_when_the_object_goes_or_is_another() {
        let mut cache = listed(&["a"]);
        let target = Kind::Service.reference("shop", "a");
        assert!(!cache.has_seen(&target, &Expect::Going(Some("uid-a".to_owned()))));
        assert!(cache.has_seen(&target, &Expect::Going(Some("uid-of-old".to_owned()))));
        told(&mut cache, Event::Delete(wire(&service("a", "6"))));
        assert!(cache.has_seen(&target, &Expect::Going(Some("uid-a".to_owned()))));
    }

    #[test]
    fn what_nobody_reads_is_not_kept() {
        let mut pod = service("a", "5");
        pod["spec"] = json!({"containers": []});
        pod["status"] = json!({"phase": "Running"});
        let entry = Entry::new(Kind::Pod, wire(&pod));
        assert!(!entry.text.contains("containers"), "{}", entry.text);
        let Kept::Pod(pod) = entry.read(Kind::Pod) else { panic!("{entry:?}") };
        assert!(pod.spec.is_none() && pod.metadata.managed_fields.is_none());
        assert_eq!(pod.status.as_ref().unwrap().phase.as_deref(), Some("Running"));
    }

    #[test]
    fn one_broken_object_leaves_the_others_readable() {
        let mut cache = listed(&["a"]);
        let mut broken = service("b", "6");
        broken["spec"]["ports"] = json!("none");
        assert_eq!(told(&mut cache, Event::Apply(wire(&broken))), ["b"]);
        let kept = |name| cache.object(Kind::Service, &Name::new("shop", name)).unwrap();
        assert!(matches!(kept("a"), Kept::Service(_)));
        assert!(matches!(kept("b"), Kept::Broken(_)));
    }

    #[test]
    fn an_object_is_read_once_until_it_is_another() {
        let mut cache = listed(&["a"]);
        let name = Name::new("shop", "a");
        let read = |cache: &Cache| match cache.object(Kind::Service, &name) {
            Some(Kept::Service(service)) => service,
            other => panic!("{other:?}"),
        };
        let first = read(&cache);
        assert!(Arc::ptr_eq(&first, &read(&cache)));
        told(&mut cache, Event::Apply(wire(&service("a", "6"))));
        assert_eq!(read(&cache).metadata.resource_version.as_deref(), Some("6"));
        told(&mut cache, Event::Delete(wire(&service("a", "7"))));
        assert!(cache.object(Kind::Service, &name).is_none());
    }
}
