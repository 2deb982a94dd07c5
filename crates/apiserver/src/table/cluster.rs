//! Tables of namespaces, nodes, events, leases, configuration and access rules.

use super::age;
use super::column::{
    AGE, CREATED_AT, Column, NAME, count, entries, integer, items, joined, or_none, shown,
    shown_or, string, text, wide,
};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) const PLAIN: &[Column] = &[NAME, AGE];
pub(super) const DATED: &[Column] = &[NAME, CREATED_AT];

pub(super) const NAMESPACE: &[Column] =
    &[NAME, text("Status", |object, _| shown(object, "/status/phase")), AGE];

pub(super) const CONFIG_MAP: &[Column] = &[
    NAME,
    count("Data", |object, _| json!(entries(object, "/data") + entries(object, "/binaryData"))),
    AGE,
];

pub(super) const SECRET: &[Column] = &[
    NAME,
    text("Type", |object, _| shown(object, "/type")),
    count("Data", |object, _| json!(entries(object, "/data"))),
    AGE,
];

pub(super) const SERVICE_ACCOUNT: &[Column] = &[NAME, AGE];

pub(super) const LEASE: &[Column] =
    &[NAME, text("Holder", |object, _| shown(object, "/spec/holderIdentity")), AGE];

pub(super) const NODE: &[Column] = &[
    NAME,
    text("Status", |object, _| json!(node_status(object))),
    text("Roles", |object, _| json!(node_roles(object))),
    AGE,
    text("Version", |object, _| shown(object, "/status/nodeInfo/kubeletVersion")),
    wide("Internal-IP", |object, _| json!(node_address(object, "InternalIP"))),
    wide("External-IP", |object, _| json!(node_address(object, "ExternalIP"))),
    wide("OS-Image", |object, _| shown_or(object, "/status/nodeInfo/osImage", "<unknown>")),
    wide("Kernel-Version", |object, _| {
        shown_or(object, "/status/nodeInfo/kernelVersion", "<unknown>")
    }),
    wide("Container-Runtime", |object, _| {
        shown_or(object, "/status/nodeInfo/containerRuntimeVersion", "<unknown>")
    }),
];

pub(super) const EVENT: &[Column] = &[
    text("Last Seen", |object, now| json!(event_last_seen(object, now))),
    text("Type", |object, _| shown(object, "/type")),
    text("Reason", |object, _| shown(object, "/reason")),
    text("Object", |object, _| json!(event_object(object))),
    wide("Subobject", |object, _| shown(object, "/involvedObject/fieldPath")),
    wide("Source", |object, _| json!(event_source(object))),
    text("Message", |object, _| {
        json!(string(object, "/message").or(string(object, "/note")).unwrap_or_default().trim())
    }),
    wide("First Seen", |object, now| json!(event_first_seen(object, now))),
    Column {
        name: "Count",
        kind: "string",
        priority: 1,
        cell: |object, _| json!(event_count(object)),
    },
    wide("Name", |object, _| shown(object, "/metadata/name")),
];

pub(super) const BINDING: &[Column] = &[
    NAME,
    text("Role", |object, _| {
        let part = |field: &str| string(object, field).unwrap_or_default();
        json!(format!("{}/{}", part("/roleRef/kind"), part("/roleRef/name")))
    }),
    AGE,
    wide("Users", |object, _| json!(subjects(object, "User"))),
    wide("Groups", |object, _| json!(subjects(object, "Group"))),
    wide("ServiceAccounts", |object, _| json!(subjects(object, "ServiceAccount"))),
];

fn node_status(node: &Value) -> String {
    let mut conditions = items(node, "/status/conditions").iter();
    let ready = conditions.find(|condition| string(condition, "/type") == Some("Ready"));
    let ready = match ready.and_then(|ready| string(ready, "/status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    match node.pointer("/spec/unschedulable") {
        Some(Value::Bool(true)) => format!("{ready},SchedulingDisabled"),
        _ => ready.to_owned(),
    }
}

fn node_roles(node: &Value) -> String {
    let labels = node.pointer("/metadata/labels").and_then(Value::as_object);
    let roles = labels.into_iter().flatten().filter_map(|(key, value)| {
        match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) if !role.is_empty() => Some(role.to_owned()),
            _ if key == "kubernetes.io/role" => value.as_str().map(str::to_owned),
            _ => None,
        }
    });
    or_none(joined(roles))
}

fn node_address(node: &Value, kind: &str) -> String {
    let mut addresses = items(node, "/status/addresses").iter();
    let address = addresses.find(|address| string(address, "/type") == Some(kind));
    or_none(address.and_then(|address| string(address, "/address")).unwrap_or_default().to_owned())
}

/// The first of several places where the two Event APIs keep the same thing.
fn first<'a>(object: &'a Value, pointers: &[&str]) -> Option<&'a str> {
    pointers.iter().find_map(|pointer| string(object, pointer))
}

fn event_first(event: &Value) -> Option<&str> {
    first(event, &["/firstTimestamp", "/deprecatedFirstTimestamp", "/eventTime"])
}

fn event_first_seen(event: &Value, now: Timestamp) -> String {
    age::since(event_first(event), now)
}

fn event_count(event: &Value) -> i64 {
    let counts = ["/series/count", "/count", "/deprecatedCount"].map(|field| integer(event, field));
    counts.into_iter().find(|count| *count > 0).unwrap_or(1)
}

fn event_last_seen(event: &Value, now: Timestamp) -> String {
    let last = ["/series/lastObservedTime", "/lastTimestamp", "/deprecatedLastTimestamp"];
    let last = first(event, &last).or_else(|| event_first(event));
    match event_count(event) {
        1 => age::since(last, now),
        count => {
            format!("{} (x{count} over {})", age::since(last, now), event_first_seen(event, now))
        }
    }
}

fn event_object(event: &Value) -> String {
    let part = |fields: [&str; 2]| first(event, &fields).unwrap_or_default();
    let kind = part(["/involvedObject/kind", "/regarding/kind"]).to_lowercase();
    match part(["/involvedObject/name", "/regarding/name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

fn event_source(event: &Value) -> String {
    let component = ["/source/component", "/reportingComponent", "/reportingController"];
    let component = first(event, &component).unwrap_or_default();
    match first(event, &["/source/host", "/deprecatedSource/host"]) {
        Some(host) => format!("{component}, {host}"),
        None => component.to_owned(),
    }
}

fn subjects(binding: &Value, kind: &str) -> String {
    let all = items(binding, "/subjects").iter();
    let named = all.filter(|subject| string(subject, "/kind") == Some(kind)).map(|subject| {
        let name = string(subject, "/name").unwrap_or_default();
        match kind {
            "ServiceAccount" => {
                format!("{}/{name}", string(subject, "/namespace").unwrap_or_default())
            }
            _ => name.to_owned(),
        }
    });
    named.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_event_says_how_often_and_since_when() {
        let event = json!({
            "count": 4,
            "firstTimestamp": "2026-01-01T00:00:00Z",
            "lastTimestamp": "2026-01-01T00:09:50Z",
        });
        let now = "2026-01-01T00:10:00Z".parse().unwrap();
        assert_eq!(event_last_seen(&event, now), "10s (x4 over 10m)");
    }

    #[test]
    fn an_event_names_its_object() {
        let event = json!({"involvedObject": {"kind": "Rollout", "name": "web"}});
        assert_eq!(event_object(&event), "rollout/web");
    }
}
