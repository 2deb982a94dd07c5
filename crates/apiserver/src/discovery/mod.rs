//! What the server serves, in the two forms that clients ask for.
//!
//! Start at [`answer`]. `catalogue` arranges the store's resources; this file renders them.
//!
//! **Invariant.** Discovery is computed from the resources of one moment, so a group is never listed
//! without its resources.

mod catalogue;

pub(crate) use catalogue::REVIEWS;

use catalogue::{Entry, Group, Sub, Version};
use serde_json::{Map, Value, json};
use store::{Reach, Resource};

/// The media type of aggregated discovery.
pub(crate) const AGGREGATED: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The form of a discovery answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One document per group and version.
    Legacy,
    /// One document for all of them.
    Aggregated,
}

/// The document at a discovery path; `None` when there is no such path, group or version.
pub(crate) fn answer<'a>(
    path: &str,
    form: Form,
    resources: impl Iterator<Item = &'a Resource>,
) -> Option<Value> {
    let groups = catalogue::arrange(resources);
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (parts.as_slice(), form) {
        (["api"], Form::Aggregated) => {
            Some(aggregated(groups.iter().filter(|group| group.is_core())))
        }
        (["apis"], Form::Aggregated) => {
            Some(aggregated(groups.iter().filter(|group| !group.is_core())))
        }
        (["api"], Form::Legacy) => Some(versions()),
        (["apis"], Form::Legacy) => Some(group_list(&groups)),
        (["api", version], _) => resource_list(&groups, "", version),
        (["apis", group], _) => {
            let group = groups.iter().find(|known| known.name == *group && !known.is_core())?;
            Some(with_type("APIGroup", legacy_group(group)))
        }
        (["apis", group, version], _) if !group.is_empty() => {
            resource_list(&groups, group, version)
        }
        _ => None,
    }
}

impl Group {
    fn is_core(&self) -> bool {
        self.name.is_empty()
    }

    fn api_version(&self, version: &Version) -> String {
        if self.is_core() {
            return version.name.clone();
        }
        format!("{}/{}", self.name, version.name)
    }
}

fn versions() -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
    })
}

fn with_type(kind: &str, mut value: Value) -> Value {
    value["kind"] = json!(kind);
    value["apiVersion"] = json!("v1");
    value
}

fn group_list(groups: &[Group]) -> Value {
    let groups: Vec<Value> =
        groups.iter().filter(|group| !group.is_core()).map(legacy_group).collect();
    with_type("APIGroupList", json!({"groups": groups}))
}

fn legacy_group(group: &Group) -> Value {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|version| json!({"groupVersion": group.api_version(version), "version": version.name}))
        .collect();
    json!({"name": group.name, "versions": versions, "preferredVersion": versions.first()})
}

fn resource_list(groups: &[Group], group: &str, version: &str) -> Option<Value> {
    let group = groups.iter().find(|known| known.name == group)?;
    let version = group.versions.iter().find(|known| known.name == version)?;
    let resources: Vec<Value> = version.entries.iter().flat_map(legacy_entry).collect();
    let list = json!({"groupVersion": group.api_version(version), "resources": resources});
    let mut list = with_type("APIResourceList", list);
    // The list of the core group says no version of itself.
    if let Some(map) = list.as_object_mut().filter(|_| group.is_core()) {
        map.remove("apiVersion");
    }
    Some(list)
}

fn legacy_entry(entry: &Entry) -> Vec<Value> {
    let namespaced = entry.reach == Reach::Namespaced;
    let mut main = json!({
        "name": entry.plural,
        "singularName": entry.singular,
        "namespaced": namespaced,
        "kind": entry.kind,
        "verbs": entry.verbs,
    });
    add_names(&mut main, entry);
    let subs = entry.subresources.iter().map(|sub| {
        let mut value = json!({
            "name": format!("{}/{}", entry.plural, sub.name),
            "singularName": "",
            "namespaced": namespaced,
            "kind": sub.kind,
            "verbs": sub.verbs,
        });
        if sub.kind != entry.kind && !sub.group.is_empty() {
            value["group"] = json!(sub.group);
            value["version"] = json!(sub.version);
        }
        value
    });
    std::iter::once(main).chain(subs).collect()
}

fn add_names(value: &mut Value, entry: &Entry) {
    if !entry.short_names.is_empty() {
        value["shortNames"] = json!(entry.short_names);
    }
    if !entry.categories.is_empty() {
        value["categories"] = json!(entry.categories);
    }
}

fn aggregated<'a>(groups: impl Iterator<Item = &'a Group>) -> Value {
    let items: Vec<Value> = groups.map(aggregated_group).collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

fn aggregated_group(group: &Group) -> Value {
    let version = |version: &Version| {
        let resources: Vec<Value> =
            version.entries.iter().map(|one| aggregated_entry(one, (group, version))).collect();
        json!({"version": version.name, "freshness": "Current", "resources": resources})
    };
    let versions: Vec<Value> = group.versions.iter().map(version).collect();
    let mut metadata = Map::new();
    if !group.is_core() {
        metadata.insert("name".to_owned(), json!(group.name));
    }
    json!({"metadata": metadata, "versions": versions})
}

fn aggregated_entry(entry: &Entry, (group, version): (&Group, &Version)) -> Value {
    let mut value = json!({
        "resource": entry.plural,
        "responseKind": {"group": "", "version": "", "kind": entry.kind},
        "scope": if entry.reach == Reach::Namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": entry.singular,
        "verbs": entry.verbs,
    });
    add_names(&mut value, entry);
    if !entry.subresources.is_empty() {
        let sub = |sub| aggregated_sub(sub, (group, version));
        value["subresources"] = entry.subresources.iter().map(sub).collect();
    }
    value
}

/// The kind of an answer is of the resource's own group and version where it says none.
fn aggregated_sub(sub: &Sub, (group, version): (&Group, &Version)) -> Value {
    let own = sub.group == group.name && sub.version == version.name;
    let (group, version) = if own { ("", "") } else { (sub.group.as_str(), sub.version.as_str()) };
    json!({
        "subresource": sub.name,
        "responseKind": {"group": group, "version": version, "kind": sub.kind},
        "verbs": sub.verbs,
    })
}
