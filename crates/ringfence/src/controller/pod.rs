//! What a controller learns from the pod it runs in.

use controller::Allowed;
use http::Uri;
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Where a pod finds the namespace of its service account.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
/// Upstream's namespace, when nothing says which it is.
const USUAL_NAMESPACE: &str = "argo-rollouts";
/// Set in pods with an identity of AWS: where their keys are handed out.
const KEYS_ADDRESS: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// Set in every pod: an address of the API server.
const IN_A_POD: &str = "KUBERNETES_SERVICE_HOST";

/// The controller's own namespace, where its lease is.
pub(super) fn own_namespace() -> String {
    let told = std::env::var("POD_NAMESPACE").ok();
    first_named([told, fs::read_to_string(NAMESPACE_FILE).ok()])
}

/// Where metrics and health are served unless told otherwise: the kubelet and Prometheus come to a pod
/// from elsewhere, and nobody has to come to a laptop.
pub(super) fn usual_address() -> IpAddr {
    address_beside(std::env::var(IN_A_POD).ok().as_deref())
}

/// The address of the cluster's API server, as every pod is told it.
pub(super) fn api_address() -> Option<IpAddr> {
    std::env::var(IN_A_POD).ok()?.parse().ok()
}

/// Whoever hands out AWS's keys to the pod, as the pod is told it.
pub(super) fn keys_host() -> Option<Allowed> {
    let address: Uri = std::env::var(KEYS_ADDRESS).ok()?.parse().ok()?;
    address.host()?.parse().ok()
}

fn first_named(sources: [Option<String>; 2]) -> String {
    let named = sources.into_iter().flatten().map(|name| name.trim().to_owned());
    named.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| USUAL_NAMESPACE.to_owned())
}

/// The API server's address tells which addresses the pod has.
fn address_beside(api_server: Option<&str>) -> IpAddr {
    match api_server.map(str::parse) {
        None => Ipv4Addr::LOCALHOST.into(),
        Some(Ok(IpAddr::V6(_))) => Ipv6Addr::UNSPECIFIED.into(),
        Some(_) => Ipv4Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_the_namespace_before_the_service_account_does() {
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(first_named([some("a"), some("b")]), "a");
        assert_eq!(first_named([some(""), some("b\n")]), "b");
        assert_eq!(first_named([None, None]), "argo-rollouts");
    }

    #[test]
    fn only_a_pod_is_reached_from_elsewhere() {
        assert!(address_beside(None).is_loopback());
        assert_eq!(address_beside(Some("10.96.0.1")).to_string(), "0.0.0.0");
        assert_eq!(address_beside(Some("fd00::1")).to_string(), "::");
    }
}
