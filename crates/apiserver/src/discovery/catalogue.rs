//! Every resource the server answers for, in the order discovery lists them.

use store::{Origin, Reach, Resource};

/// One resource as discovery shows it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) plural: String,
    pub(super) singular: String,
    pub(super) kind: String,
    pub(super) reach: Reach,
    pub(super) verbs: Vec<&'static str>,
    pub(super) short_names: Vec<String>,
    pub(super) categories: Vec<String>,
    pub(super) subresources: Vec<Sub>,
}

/// One subresource; its kind may belong to another group than its parent.
#[derive(Clone, Debug)]
pub(super) struct Sub {
    pub(super) name: &'static str,
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) verbs: &'static [&'static str],
}

/// One version of a group.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) name: String,
    pub(super) entries: Vec<Entry>,
}

/// One group with its versions, the preferred one first.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) versions: Vec<Version>,
}

/// Groups of Kubernetes itself in the order a real server lists them; custom groups follow by name.
const ORDER: &[&str] = &[
    "",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "flowcontrol.apiserver.k8s.io",
];

/// The questions that are answered without being stored: group, plural, kind, reach.
pub(crate) const REVIEWS: &[(&str, &str, &str, Reach)] = &[
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview", Reach::Cluster),
    ("authentication.k8s.io", "tokenreviews", "TokenReview", Reach::Cluster),
    (
        "authorization.k8s.io",
        "localsubjectaccessreviews",
        "LocalSubjectAccessReview",
        Reach::Namespaced,
    ),
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", Reach::Cluster),
    ("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview", Reach::Cluster),
    ("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview", Reach::Cluster),
];

/// Arranges resources by group and version, with the reviews among them.
pub(super) fn arrange<'a>(resources: impl Iterator<Item = &'a Resource>) -> Vec<Group> {
    let mut groups = Vec::new();
    for resource in resources {
        place(&mut groups, &resource.group, &resource.version, entry(resource));
    }
    for (group, plural, kind, reach) in REVIEWS {
        place(&mut groups, group, "v1", review(plural, kind, *reach));
    }
    for group in &mut groups {
        group.versions.sort_by_key(|version| std::cmp::Reverse(stability(&version.name)));
        for version in &mut group.versions {
            version.entries.sort_by(|a, b| a.plural.cmp(&b.plural));
        }
    }
    groups.sort_by_cached_key(|group| (rank(&group.name), group.name.clone()));
    groups
}

fn rank(group: &str) -> usize {
    ORDER.iter().position(|known| *known == group).unwrap_or(ORDER.len())
}

/// Stable before beta before alpha, then the higher number.
fn stability(version: &str) -> (u8, u32, u32) {
    let number = |text: &str| text.parse().unwrap_or_default();
    let rest = version.strip_prefix('v').unwrap_or(version);
    if let Some((major, minor)) = rest.split_once("beta") {
        return (1, number(major), number(minor));
    }
    if let Some((major, minor)) = rest.split_once("alpha") {
        return (0, number(major), number(minor));
    }
    (2, number(rest), 0)
}

fn place(groups: &mut Vec<Group>, group: &str, version: &str, entry: Entry) {
    let at = groups.iter().position(|known| known.name == group).unwrap_or_else(|| {
        groups.push(Group { name: group.to_owned(), versions: Vec::new() });
        groups.len() - 1
    });
    let versions = &mut groups[at].versions;
    let at = versions.iter().position(|known| known.name == version).unwrap_or_else(|| {
        versions.push(Version { name: version.to_owned(), entries: Vec::new() });
        versions.len() - 1
    });
    versions[at].entries.push(entry);
}

fn entry(resource: &Resource) -> Entry {
    Entry {
        plural: resource.plural.clone(),
        singular: resource.singular.clone(),
        kind: resource.kind.clone(),
        reach: resource.reach,
        verbs: verbs(resource),
        short_names: resource.short_names.clone(),
        categories: resource.categories.clone(),
        subresources: subresources(resource),
    }
}

/// Verbs by their names; those of custom kinds stand in the order of their handlers.
fn verbs(resource: &Resource) -> Vec<&'static str> {
    let mut verbs = resource.verbs.clone();
    if resource.origin == Origin::Custom {
        verbs.retain(|verb| *verb != "create");
        let place = verbs.iter().position(|verb| *verb == "update").unwrap_or(verbs.len());
        verbs.insert(place, "create");
    }
    verbs
}

const READ_WRITE: &[&str] = &["get", "patch", "update"];

fn subresources(resource: &Resource) -> Vec<Sub> {
    let own = |name, verbs| Sub {
        name,
        group: resource.group.clone(),
        version: resource.version.clone(),
        kind: resource.kind.clone(),
        verbs,
    };
    let other = |name, group: &str, kind: &str, verbs| Sub {
        name,
        group: group.to_owned(),
        version: "v1".to_owned(),
        kind: kind.to_owned(),
        verbs,
    };
    let mut found = Vec::new();
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => found.extend([
            other("binding", "", "Binding", &["create"]),
            other("eviction", "policy", "Eviction", &["create"]),
            own("log", &["get"]),
        ]),
        ("", "namespaces") => found.push(own("finalize", &["update"])),
        ("", "serviceaccounts") => {
            found.push(other("token", "authentication.k8s.io", "TokenRequest", &["create"]));
        }
        _ => {}
    }
    if resource.subresources.scale.is_some() {
        found.push(other("scale", "autoscaling", "Scale", READ_WRITE));
    }
    if resource.subresources.status {
        found.push(own("status", READ_WRITE));
    }
    found
}

fn review(plural: &str, kind: &str, reach: Reach) -> Entry {
    Entry {
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        kind: kind.to_owned(),
        reach,
        verbs: vec!["create"],
        short_names: Vec::new(),
        categories: Vec::new(),
        subresources: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_versions_are_preferred() {
        let mut versions = ["v1alpha1", "v2", "v1beta2", "v1", "v1beta1"];
        versions.sort_by_key(|version| std::cmp::Reverse(stability(version)));
        assert_eq!(versions, ["v2", "v1", "v1beta2", "v1beta1", "v1alpha1"]);
    }
}
