//! Letting go of the services of a rollout that is gone.
//!
//! A service whose selector still names a pod template hash would lead nowhere once the pods of the
//! rollout are collected.
//!
//! **Invariant.** Only services marked as managed by that rollout are touched, and only in the two
//! fields the controller put there.

use crate::{
    cache::{Cache, Entry, Kept, Kind},
    key::Name,
};
use api::argo::keys::{MANAGED_BY_ROLLOUTS, POD_TEMPLATE_HASH};
use serde_json::json;
use std::collections::BTreeSet;
use vocab::{PatchType, Precondition, Subresource, Write};

/// The writes that let go of the services of the rollout `gone`.
pub(crate) fn writes(cache: &Cache, gone: &Name) -> Vec<Write> {
    let held = cache.in_group(Kind::Service, &gone.namespace, &gone.name);
    held.map(|(name, entry)| let_go(name, entry)).collect()
}

/// Rollouts that services name as their holder although they are gone.
pub(crate) fn forgotten(cache: &Cache) -> BTreeSet<Name> {
    let services = cache.all(Kind::Service);
    let holders =
        services.filter_map(|(name, entry)| Some(Name::new(&name.namespace, &holder(entry)?)));
    holders.filter(|holder| cache.get(Kind::Rollout, holder).is_none()).collect()
}

/// The rollout that a service is marked as managed by.
pub(crate) fn holder(entry: &Entry) -> Option<String> {
    if !entry.text.contains(MANAGED_BY_ROLLOUTS) {
        return None;
    }
    let Kept::Service(service) = entry.read(Kind::Service) else { return None };
    service.metadata.annotations.as_ref()?.get(MANAGED_BY_ROLLOUTS).cloned()
}

fn let_go(name: &Name, entry: &Entry) -> Write {
    Write::Patch {
        target: Kind::Service.reference(&name.namespace, &name.name),
        subresource: Subresource::Main,
        patch_type: PatchType::Merge,
        body: json!({
            "metadata": {"annotations": {MANAGED_BY_ROLLOUTS: null}},
            "spec": {"selector": {POD_TEMPLATE_HASH: null}},
        }),
        precondition: Precondition {
            uid: entry.uid.clone(),
            resource_version: entry.version.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn put(cache: &mut Cache, name: &str, holder: &Value) {
        let service = json!({
            "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1",
                "annotations": {MANAGED_BY_ROLLOUTS: holder}},
            "spec": {"selector": {"app": "web", POD_TEMPLATE_HASH: "abc"}},
        });
        cache.heal(&Kind::Service.reference("shop", name), Some(service));
    }

    #[test]
    fn only_services_of_the_rollout_that_is_gone_are_let_go() {
        let mut cache = Cache::default();
        put(&mut cache, "ours", &json!("web"));
        put(&mut cache, "theirs", &json!("other"));
        let writes = writes(&cache, &Name::new("shop", "web"));
        let targets = writes.iter().map(|write| match write {
            Write::Patch { target, .. } => target.name.as_str(),
            _ => "",
        });
        assert_eq!(targets.collect::<Vec<_>>(), ["ours"]);
        assert_eq!(forgotten(&cache).len(), 2);
    }
}
