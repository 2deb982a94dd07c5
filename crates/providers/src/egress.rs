//! Where metric providers and webhooks may not go, because whoever writes a template chooses the address.
//!
//! The shell asks twice: about the host in an address before it is asked or redirected to, and about
//! every address that a name turns out to have, so that no name leads where its address may not.
//!
//! Source: OWASP's *Server-Side Request Forgery Prevention*; the addresses are IANA's special-purpose ones.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Where clouds answer with the machine's own credentials, beside the link-local addresses.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];
/// Names under which every cluster knows its API server.
const API_SERVER_NAMES: [&str; 3] = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
/// What the last of those names goes on with.
const API_SERVER_PREFIX: &str = "kubernetes.default.svc.";

/// What may be asked. Everything may but what is special, unless that is allowed by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    allowed: Vec<Allowed>,
    api_servers: BTreeSet<(String, u16)>,
    api_addresses: BTreeSet<IpAddr>,
}

/// What an operator allows: a host by its name, or addresses that begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// A host, whatever its addresses are.
    Host(String),
    /// A network.
    Network {
        /// Its first address.
        base: IpAddr,
        /// How many bits its addresses have in common.
        bits: u8,
    },
}

/// Text that names neither a host nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither a host, nor an address, nor a network such as 127.0.0.0/8")]
pub struct NotAllowable {
    text: String,
}

/// Why an address is not asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the egress policy denies {what}: {target}")]
pub struct Denied {
    what: &'static str,
    target: String,
}

impl Egress {
    /// Allows what is denied otherwise.
    #[must_use]
    pub fn allowing(mut self, allowed: Allowed) -> Self {
        self.allowed.push(allowed);
        self
    }

    /// Denies the API server of this host and port.
    #[must_use]
    pub fn without_api_server(mut self, host: &str, port: u16) -> Self {
        self.api_servers.insert((plain(host), port));
        self
    }

    /// Denies the API server at this address, whatever the port.
    #[must_use]
    pub fn without_api_address(mut self, address: IpAddr) -> Self {
        self.api_addresses.insert(canonical(address));
        self
    }

    /// Whether a host's name is trusted whatever its addresses are.
    pub fn trusts(&self, host: &str) -> bool {
        let host = plain(host);
        self.allowed.iter().any(|allowed| matches!(allowed, Allowed::Host(name) if *name == host))
    }

    /// Judges the host and the port of an address.
    ///
    /// # Errors
    /// [`Denied`], when it may not be asked.
    pub fn check_host(&self, host: &str, port: u16) -> Result<(), Denied> {
        if self.trusts(host) {
            return Ok(());
        }
        let host = plain(host);
        let is_known = API_SERVER_NAMES.contains(&host.as_str());
        let is_api_server = is_known || host.starts_with(API_SERVER_PREFIX);
        if is_api_server || self.api_servers.contains(&(host.clone(), port)) {
            return Err(Denied { what: "the API server", target: host });
        }
        host.parse().map_or(Ok(()), |address| self.check(address))
    }

    /// Judges an address.
    ///
    /// # Errors
    /// [`Denied`], when it may not be asked.
    pub fn check(&self, address: IpAddr) -> Result<(), Denied> {
        let plain = canonical(address);
        if self.allowed.iter().any(|allowed| allowed.holds(plain)) {
            return Ok(());
        }
        let api_server = self.api_addresses.contains(&plain).then_some("the API server");
        match api_server.or_else(|| special(plain)) {
            Some(what) => Err(Denied { what, target: address.to_string() }),
            None => Ok(()),
        }
    }
}

impl Allowed {
    fn holds(&self, address: IpAddr) -> bool {
        let Self::Network { base, bits } = self else { return false };
        match (base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*bits)).unwrap_or(0);
                base.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(*bits)).unwrap_or(0);
                base.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Allowed {
    type Err = NotAllowable;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || NotAllowable { text: text.to_owned() };
        let host = plain(text);
        if let Ok(base) = host.parse::<IpAddr>() {
            return Ok(Self::Network { base: canonical(base), bits: width(canonical(base)) });
        }
        if let Some((base, bits)) = text.split_once('/') {
            let base: IpAddr = base.parse().map_err(|_| refused())?;
            let bits: u8 = bits.parse().map_err(|_| refused())?;
            return (bits <= width(base))
                .then_some(Self::Network { base, bits })
                .ok_or_else(refused);
        }
        let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_');
        let is_name = !host.is_empty() && host.chars().all(fits);
        is_name.then_some(Self::Host(host)).ok_or_else(refused)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// A host without what may be written differently.
fn plain(host: &str) -> String {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// An address of version 4 may be wrapped into one of version 6, in four ways.
fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(wrapped) = address else { return address };
    let last =
        |bits: u128| IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX)));
    let bits = wrapped.to_bits();
    match wrapped.segments() {
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => {
            last(bits & u128::from(u32::MAX))
        }
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => last(bits & u128::from(u32::MAX)),
        [0x2002, high, low, ..] => last(u128::from(high) << 16 | u128::from(low)),
        _ => address,
    }
}

/// What kind of special address it is.
fn special(address: IpAddr) -> Option<&'static str> {
    if METADATA.contains(&address) {
        return Some("a metadata service");
    }
    if address.is_loopback() {
        return Some("loopback addresses");
    }
    if address.is_multicast() {
        return Some("multicast addresses");
    }
    let (is_link_local, is_nowhere) = match address {
        IpAddr::V4(address) => {
            (address.is_link_local(), address.octets()[0] == 0 || address.is_broadcast())
        }
        IpAddr::V6(address) => (address.is_unicast_link_local(), address.is_unspecified()),
    };
    match (is_link_local, is_nowhere) {
        (true, _) => Some("link-local addresses"),
        (_, true) => Some("addresses of nobody"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(egress: &Egress, address: &str, expected: Option<&str>) {
        let got = egress.check(address.parse().unwrap()).err().map(|denied| denied.what);
        assert_eq!(got, expected, "{address}");
    }

    #[test]
    fn special_addresses_are_denied_however_they_are_wrapped() {
        let egress = Egress::default();
        let loopback = Some("loopback addresses");
        for address in ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1", "::127.0.0.1"] {
            check(&egress, address, loopback);
        }
        check(&egress, "64:ff9b::7f00:1", loopback);
        check(&egress, "2002:7f00:1::", loopback);
        let link_local = Some("link-local addresses");
        for address in ["169.254.169.254", "::ffff:a9fe:a9fe", "fe80::1", "169.254.170.2"] {
            check(&egress, address, link_local);
        }
        for address in ["fd00:ec2::254", "100.100.100.200", "168.63.129.16"] {
            check(&egress, address, Some("a metadata service"));
        }
        for address in ["0.0.0.0", "0.1.2.3", "::", "255.255.255.255"] {
            check(&egress, address, Some("addresses of nobody"));
        }
        for address in ["224.0.0.1", "ff02::1"] {
            check(&egress, address, Some("multicast addresses"));
        }
        for address in ["10.0.0.1", "192.168.1.1", "8.8.8.8", "fd12::1", "2606:4700::1", "::2"] {
            check(&egress, address, None);
        }
    }

    #[test]
    fn the_api_server_is_denied_by_name_and_by_address() {
        let egress = Egress::default()
            .without_api_server("cluster.example.com", 6443)
            .without_api_address("10.96.0.1".parse().unwrap());
        let denied = |host, port| egress.check_host(host, port).is_err();
        assert!(denied("cluster.example.com", 6443) && denied("Cluster.Example.Com.", 6443));
        assert!(!denied("cluster.example.com", 443));
        assert!(denied("kubernetes.default.svc.cluster.local", 443) && denied("kubernetes", 80));
        assert!(denied("10.96.0.1", 443) && denied("[::ffff:10.96.0.1]", 443));
        assert!(!denied("10.96.0.2", 443) && !denied("prometheus.monitoring.svc", 9090));
        assert!(denied("[::1]", 80) && denied("169.254.169.254", 80));
    }

    #[test]
    fn what_an_operator_allows_is_allowed() {
        let allow = |text: &str| Egress::default().allowing(text.parse().unwrap());
        check(&allow("127.0.0.0/8"), "127.0.0.1", None);
        check(&allow("127.0.0.0/8"), "::ffff:127.0.0.1", None);
        check(&allow("127.0.0.2"), "127.0.0.1", Some("loopback addresses"));
        check(&allow("::1"), "::1", None);
        check(&allow("fe80::/10"), "fe80::9", None);
        check(&allow("0.0.0.0/0"), "169.254.169.254", None);
        check(&allow("0.0.0.0/0"), "::1", Some("loopback addresses"));
        assert!(allow("localhost").check_host("LOCALHOST.", 80).is_ok());
        assert!(allow("localhost").trusts("localhost") && !allow("localhost").trusts("other"));
        for text in ["", "127.0.0.1/33", "::/129", "a b", "http://x", "x/8", "127.0.0.1:80"] {
            assert!(text.parse::<Allowed>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_denial_says_what_was_denied() {
        let denied = Egress::default().check_host("127.0.0.1", 80).unwrap_err();
        assert_eq!(denied.to_string(), "the egress policy denies loopback addresses: 127.0.0.1");
    }
}
