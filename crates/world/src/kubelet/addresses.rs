//! Loopback addresses for pods, each in use by one pod at a time.

use std::{collections::BTreeSet, net::Ipv4Addr};

/// Addresses of one /16 network, handed out in order so that a freed one rests before it is used again.
#[derive(Debug)]
pub(crate) struct Addresses {
    network: [u8; 2],
    taken: BTreeSet<u16>,
    next: u16,
}

/// The network had no free address left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every address of {}.{}.0.0/16 was taken", .0[0], .0[1])]
pub(crate) struct Exhausted([u8; 2]);

impl Addresses {
    /// All addresses that share the first two bytes of `network`.
    pub(crate) fn within(network: Ipv4Addr) -> Self {
        let [first, second, _, _] = network.octets();
        Self { network: [first, second], taken: BTreeSet::new(), next: 1 }
    }

    /// Takes a free address.
    pub(crate) fn take(&mut self) -> Result<Ipv4Addr, Exhausted> {
        for step in 0..=u16::MAX {
            let host = self.next.wrapping_add(step);
            let low = host & 0xff;
            if low != 0 && low != 0xff && self.taken.insert(host) {
                self.next = host.wrapping_add(1);
                return Ok(self.address(host));
            }
        }
        Err(Exhausted(self.network))
    }

    /// Marks an address that a pod has from before.
    pub(crate) fn reserve(&mut self, address: Ipv4Addr) {
        let [first, second, third, fourth] = address.octets();
        if [first, second] == self.network {
            self.taken.insert(u16::from_be_bytes([third, fourth]));
        }
    }

    /// Gives an address back.
    pub(crate) fn free(&mut self, address: Ipv4Addr) {
        let [_, _, third, fourth] = address.octets();
        self.taken.remove(&u16::from_be_bytes([third, fourth]));
    }

    fn address(&self, host: u16) -> Ipv4Addr {
        let [third, fourth] = host.to_be_bytes();
        Ipv4Addr::new(self.network[0], self.network[1], third, fourth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_address_rests_before_it_is_used_again() {
        let mut pool = Addresses::within(Ipv4Addr::new(127, 77, 0, 0));
        let first = pool.take().unwrap();
        assert_eq!(first, Ipv4Addr::new(127, 77, 0, 1));
        pool.free(first);
        pool.reserve(Ipv4Addr::new(127, 77, 0, 2));
        assert_eq!(pool.take().unwrap(), Ipv4Addr::new(127, 77, 0, 3));
        let all: Vec<_> = std::iter::from_fn(|| pool.take().ok()).collect();
        assert_eq!(all.len(), 254 * 256 - 2);
        assert!(all.contains(&first));
    }
}
