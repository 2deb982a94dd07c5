//! Tables of services and what stands around them.

use super::column::{
    AGE, Column, NAME, integer, items, joined, labels, or_none, plain, selector, shown, shown_or,
    string, text, wide,
};
use serde_json::{Value, json};

pub(super) const SERVICE: &[Column] = &[
    NAME,
    text("Type", |object, _| shown(object, "/spec/type")),
    text("Cluster-IP", |object, _| shown_or(object, "/spec/clusterIP", "<none>")),
    text("External-IP", |object, _| json!(external_address(object))),
    text("Port(s)", |object, _| json!(service_ports(object))),
    AGE,
    wide("Selector", |object, _| json!(labels(object, "/spec/selector"))),
];

pub(super) const ENDPOINTS: &[Column] =
    &[NAME, text("Endpoints", |object, _| json!(endpoints(object))), AGE];

pub(super) const ENDPOINT_SLICE: &[Column] = &[
    NAME,
    text("AddressType", |object, _| shown(object, "/addressType")),
    text("Ports", |object, _| json!(slice_ports(object))),
    text("Endpoints", |object, _| json!(slice_addresses(object))),
    AGE,
];

pub(super) const INGRESS: &[Column] = &[
    NAME,
    text("Class", |object, _| shown_or(object, "/spec/ingressClassName", "<none>")),
    text("Hosts", |object, _| json!(ingress_hosts(object))),
    text("Address", |object, _| json!(ingress_addresses(object))),
    text("Ports", |object, _| {
        json!(if items(object, "/spec/tls").is_empty() { "80" } else { "80, 443" })
    }),
    AGE,
];

pub(super) const INGRESS_CLASS: &[Column] = &[
    NAME,
    text("Controller", |object, _| shown(object, "/spec/controller")),
    text("Parameters", |object, _| shown_or(object, "/spec/parameters/name", "<none>")),
    AGE,
];

pub(super) const NETWORK_POLICY: &[Column] =
    &[NAME, text("Pod-Selector", |object, _| json!(selector(object, "/spec/podSelector"))), AGE];

fn external_address(service: &Value) -> String {
    let external = items(service, "/spec/externalIPs").iter().map(plain).collect::<Vec<_>>();
    match string(service, "/spec/type").unwrap_or("ClusterIP") {
        "ExternalName" => string(service, "/spec/externalName").unwrap_or_default().to_owned(),
        "LoadBalancer" => {
            let given = [ingress_addresses(service), external.join(",")];
            let given = joined(given.into_iter().filter(|part| !part.is_empty()));
            if given.is_empty() { "<pending>".to_owned() } else { given }
        }
        _ => or_none(external.join(",")),
    }
}

fn service_ports(service: &Value) -> String {
    let port = |port: &Value| {
        let protocol = string(port, "/protocol").unwrap_or("TCP");
        let number = integer(port, "/port");
        match integer(port, "/nodePort") {
            0 => format!("{number}/{protocol}"),
            node => format!("{number}:{node}/{protocol}"),
        }
    };
    or_none(joined(items(service, "/spec/ports").iter().map(port)))
}

fn ingress_addresses(object: &Value) -> String {
    let points = items(object, "/status/loadBalancer/ingress").iter();
    let address = |point| string(point, "/ip").or_else(|| string(point, "/hostname"));
    joined(points.filter_map(address).map(str::to_owned))
}

/// How many hosts, ports or addresses a cell names before the rest become a count.
const SHOWN_MAX: usize = 3;

fn ingress_hosts(ingress: &Value) -> String {
    let hosts = items(ingress, "/spec/rules").iter().filter_map(|rule| string(rule, "/host"));
    match first_few(&hosts.map(str::to_owned).collect::<Vec<_>>(), SHOWN_MAX) {
        none if none.is_empty() => "*".to_owned(),
        hosts => hosts,
    }
}

fn endpoints(endpoints: &Value) -> String {
    let mut found = Vec::new();
    for subset in items(endpoints, "/subsets") {
        let addresses = items(subset, "/addresses").iter().filter_map(|item| string(item, "/ip"));
        let ports = items(subset, "/ports");
        for address in addresses {
            if ports.is_empty() {
                found.push(address.to_owned());
            }
            found.extend(ports.iter().map(|port| format!("{address}:{}", integer(port, "/port"))));
        }
    }
    or_none(first_few(&found, SHOWN_MAX))
}

fn slice_ports(slice: &Value) -> String {
    let port = |port: &Value| port.get("port").map_or_else(|| "*".to_owned(), plain);
    let ports: Vec<_> = items(slice, "/ports").iter().map(port).collect();
    if ports.is_empty() { "<unset>".to_owned() } else { first_few(&ports, SHOWN_MAX) }
}

fn slice_addresses(slice: &Value) -> String {
    let endpoints = items(slice, "/endpoints").iter();
    let addresses: Vec<_> =
        endpoints.flat_map(|endpoint| items(endpoint, "/addresses").iter().map(plain)).collect();
    if addresses.is_empty() { "<unset>".to_owned() } else { first_few(&addresses, SHOWN_MAX) }
}

fn first_few(parts: &[String], most: usize) -> String {
    match parts.len().saturating_sub(most) {
        0 => parts.join(","),
        more => format!("{} + {more} more...", parts[..most].join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_shows_its_node_ports() {
        let ports = json!([{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]);
        assert_eq!(service_ports(&json!({"spec": {"ports": ports}})), "80:30080/TCP,53/UDP");
    }

    #[test]
    fn a_load_balancer_without_address_is_pending() {
        assert_eq!(external_address(&json!({"spec": {"type": "LoadBalancer"}})), "<pending>");
    }

    #[test]
    fn more_than_three_endpoints_become_a_count() {
        let addresses: Vec<_> = (1..=5).map(|n| json!({"ip": format!("10.0.0.{n}")})).collect();
        let object = json!({"subsets": [{"addresses": addresses, "ports": [{"port": 80}]}]});
        assert_eq!(endpoints(&object), "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...");
    }
}
