//! What a cluster hands out: service addresses and node ports.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::error::{ApiError, FieldProblem};
use crate::object::{field_mut, items, map_mut, meta_str};
use crate::resource::{GroupResource, Resource};
use crate::store::Store;

/// First address of 10.96.0.0/16, as a number; `.1` is the API's own.
const FIRST_ADDRESS: u32 = 0x0A60_0000;
/// Addresses handed out: the whole /16 but its first ten and its last.
const ADDRESSES: std::ops::Range<u32> = 10..65_535;
/// Node ports handed out.
const NODE_PORTS: std::ops::Range<u16> = 30_000..32_768;

/// Gives a service its addresses; one that is taken is a 422.
pub(crate) fn apply(
    store: &mut Store,
    resource: &Resource,
    old: Option<&Value>,
    new: &mut Value,
) -> Result<(), ApiError> {
    if resource.plural != "services" || !resource.group.is_empty() {
        return Ok(());
    }
    let kind = new["spec"]["type"].as_str().unwrap_or_default().to_owned();
    let name = meta_str(new, "name").to_owned();
    let uid = meta_str(new, "uid").to_owned();
    let spec = map_mut(field_mut(new, "spec"));
    if kind == "ExternalName" {
        for key in
            ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"]
        {
            spec.remove(key);
        }
        return Ok(());
    }
    keep_addresses(old, spec);
    if !matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        give_back(old, spec);
    }
    let taken = |store: &Store| taken_addresses(store, &uid);
    match spec.get("clusterIP").and_then(Value::as_str) {
        Some(address) if !address.is_empty() => {
            // A change of an address is for validation to refuse.
            let mine = old.is_some_and(|old| old["spec"]["clusterIP"].is_string());
            if address != "None" && !mine && taken(store).contains(address) {
                return Err(refused(&name, address, "provided IP is already allocated"));
            }
            let inside = address.parse::<std::net::Ipv4Addr>().is_ok_and(|one| {
                one.octets()[..2] == std::net::Ipv4Addr::from(FIRST_ADDRESS).octets()[..2]
            });
            if address != "None" && !mine && !inside && address.parse::<std::net::IpAddr>().is_ok()
            {
                let why = "the provided network does not match the current range";
                return Err(refused(&name, address, why));
            }
        }
        _ => {
            let used = taken(store);
            let address = free_address(store, &used).ok_or_else(out_of_addresses)?;
            spec.insert("clusterIP".into(), json!(address));
        }
    }
    let address = spec["clusterIP"].clone();
    spec.insert("clusterIPs".into(), json!([address]));
    for (key, value) in [("ipFamilies", json!(["IPv4"])), ("ipFamilyPolicy", json!("SingleStack"))]
    {
        spec.entry(key).or_insert(value);
    }
    if kind == "NodePort" || kind == "LoadBalancer" {
        check_node_ports(spec, &name)?;
        give_node_ports(store, old, spec);
    }
    Ok(())
}

fn refused(name: &str, address: &str, why: &str) -> ApiError {
    let why = format!("failed to allocate IP {address}: {why}");
    let problem = FieldProblem::invalid("spec.clusterIPs", json!([address]), why);
    ApiError::invalid("", "Service", name, &[problem])
}

/// A replace that does not mention the address keeps it, and the node ports with it.
fn keep_addresses(old: Option<&Value>, spec: &mut Map<String, Value>) {
    let Some(old) = old else { return };
    let missing = spec.get("clusterIP").and_then(Value::as_str).is_none_or(str::is_empty);
    if missing && old["spec"]["clusterIP"].is_string() {
        spec.insert("clusterIP".into(), old["spec"]["clusterIP"].clone());
    }
}

/// A service that is no longer reached from outside gives back what it had for that.
fn give_back(old: Option<&Value>, spec: &mut Map<String, Value>) {
    let Some(old) = old.filter(|old| old["spec"]["type"] != spec["type"]) else { return };
    if old["spec"]["externalTrafficPolicy"] == spec["externalTrafficPolicy"] {
        spec.remove("externalTrafficPolicy");
    }
    for port in super::defaults::each(spec, "ports") {
        port.remove("nodePort");
    }
}

fn taken_addresses(store: &Store, uid: &str) -> BTreeSet<String> {
    let others = services(store).filter(|service| meta_str(service, "uid") != uid);
    others.filter_map(|service| service["spec"]["clusterIP"].as_str()).map(str::to_owned).collect()
}

fn services(store: &Store) -> impl Iterator<Item = &Value> {
    let rack = store.racks.get(&GroupResource::new("", "services"));
    rack.into_iter().flat_map(|rack| rack.within(None)).map(|object| object.value())
}

fn free_address(store: &mut Store, taken: &BTreeSet<String>) -> Option<String> {
    let count = ADDRESSES.end - ADDRESSES.start;
    let start = u32::try_from(store.generator.below(u64::from(count))).unwrap_or(0);
    let text = |step: u32| {
        let number = FIRST_ADDRESS + ADDRESSES.start + (start + step) % count;
        std::net::Ipv4Addr::from(number).to_string()
    };
    (0..count).map(text).find(|address| !taken.contains(address))
}

fn out_of_addresses() -> ApiError {
    ApiError::new(
        500,
        "InternalError",
        "Internal error occurred: failed to allocate a serviceIP: range is full",
    )
}

fn check_node_ports(spec: &Map<String, Value>, name: &str) -> Result<(), ApiError> {
    let ports = spec.get("ports").map(items).unwrap_or_default();
    for (index, port) in ports.iter().enumerate() {
        let given = port["nodePort"].as_u64().filter(|number| *number > 0);
        let inside = |number: u64| u16::try_from(number).is_ok_and(|one| NODE_PORTS.contains(&one));
        if given.is_some_and(|number| !inside(number)) {
            let path = format!("spec.ports[{index}].nodePort");
            let why =
                "provided port is not in the valid range. The range of valid ports is 30000-32767";
            let problem = FieldProblem::invalid(path, port["nodePort"].clone(), why);
            return Err(ApiError::invalid("", "Service", name, &[problem]));
        }
    }
    Ok(())
}

fn give_node_ports(store: &mut Store, old: Option<&Value>, spec: &mut Map<String, Value>) {
    let mut taken: BTreeSet<u64> = services(store)
        .flat_map(|service| items(&service["spec"]["ports"]))
        .filter_map(|port| port["nodePort"].as_u64())
        .collect();
    let before = old.map(|old| items(&old["spec"]["ports"])).unwrap_or_default();
    for port in super::defaults::each(spec, "ports") {
        if port.get("nodePort").and_then(Value::as_u64).is_some_and(|number| number > 0) {
            continue;
        }
        let same = before.iter().find(|one| {
            one.get("port") == port.get("port") && one.get("protocol") == port.get("protocol")
        });
        let kept = same.and_then(|one| one["nodePort"].as_u64());
        let Some(number) = kept.or_else(|| free_port(store, &taken)) else { continue };
        taken.insert(number);
        port.insert("nodePort".into(), json!(number));
    }
}

fn free_port(store: &mut Store, taken: &BTreeSet<u64>) -> Option<u64> {
    let (first, count) =
        (u64::from(NODE_PORTS.start), u64::from(NODE_PORTS.end - NODE_PORTS.start));
    let start = store.generator.below(count);
    (0..count).map(|step| first + (start + step) % count).find(|port| !taken.contains(port))
}
