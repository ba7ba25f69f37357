//! The hosts that servers have served, so that the next cold start knows which of them may share a
//! connection. An entry is a reason to wait for an attempt, never to use a connection.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use coalesce_core::{Host, HostBuf};

use crate::candidate::{ConnectionFacts, HandshakeCheck};
use crate::endpoint::comparable;
use crate::key::Partition;
use crate::limits::{SERVED_HOSTS_MAX, SERVED_HOSTS_TTL, SERVERS_MAX};
use crate::memory::LeafDigest;

/// A server, and the hosts for which its certificate was accepted.
#[derive(Debug)]
pub(super) struct Server {
    /// What a request in one partition does must not show in another.
    partition: Partition,
    leaf: LeafDigest,
    address: (IpAddr, u16),
    hosts: Vec<HostBuf>,
    expires_at: Duration,
}

impl Server {
    pub(super) fn has_served(&self, host: &Host<'_>) -> bool {
        self.hosts.iter().any(|known| *known == *host)
    }

    pub(super) fn is_at(&self, address: SocketAddr) -> bool {
        comparable(address) == Some(self.address)
    }
}

/// The servers that were met, each for a time. The server that would expire first makes room.
#[derive(Debug, Default)]
pub(super) struct ServedHosts {
    servers: Vec<Server>,
}

impl ServedHosts {
    /// Remembers that the server of a connection has a valid certificate for a host.
    pub(super) fn remember_connection(
        &mut self,
        facts: &ConnectionFacts,
        host: &Host<'_>,
        now: Duration,
    ) {
        if let Some(tls) = &facts.tls
            && facts.key.proxy.is_none()
            && tls.check == HandshakeCheck::Verified
        {
            self.remember(&facts.key.partition, (tls.leaf, facts.peer), host, now);
        }
    }

    fn remember(
        &mut self,
        partition: &Partition,
        (leaf, peer): (LeafDigest, SocketAddr),
        host: &Host<'_>,
        now: Duration,
    ) {
        let Some(address) = comparable(peer) else { return };
        let expires_at = now.saturating_add(SERVED_HOSTS_TTL);
        let known = self
            .servers
            .iter_mut()
            .find(|it| it.address == address && it.leaf == leaf && it.partition == *partition);
        if let Some(server) = known {
            server.expires_at = expires_at;
            if server.hosts.len() < SERVED_HOSTS_MAX && !server.has_served(host) {
                server.hosts.push(host.to_buf());
            }
            return;
        }
        if self.servers.len() >= SERVERS_MAX {
            self.servers.retain(|it| it.expires_at > now);
        }
        if self.servers.len() >= SERVERS_MAX {
            let first = self.servers.iter().enumerate().min_by_key(|(_, it)| it.expires_at);
            if let Some((at, _)) = first {
                self.servers.swap_remove(at);
            }
        }
        let (partition, hosts) = (partition.clone(), [host.to_buf()].into());
        self.servers.push(Server { partition, leaf, address, hosts, expires_at });
    }

    /// Returns the servers that have served a host.
    pub(super) fn of<'a>(
        &'a self,
        partition: &Partition,
        host: &Host<'_>,
        now: Duration,
    ) -> Vec<&'a Server> {
        let servers = self
            .servers
            .iter()
            .filter(|it| it.expires_at > now && it.partition == *partition && it.has_served(host));
        servers.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn memory_is_bounded_and_forgets_the_server_that_expires_first() {
        let (mut memory, partition) = (ServedHosts::default(), Partition::default());
        let peer = "192.0.2.10".parse().unwrap();
        let host = |number: usize| format!("h{number}.test").parse::<HostBuf>().unwrap();
        for number in 0..SERVERS_MAX + 10 {
            let now = Duration::from_millis(u64::try_from(number).unwrap());
            let leaf = LeafDigest::new([u8::try_from(number % 256).unwrap(); 32]);
            let address = SocketAddr::new(peer, u16::try_from(number).unwrap() + 1);
            memory.remember(&partition, (leaf, address), &Host::from(&host(number)), now);
        }
        assert_eq!(memory.servers.len(), SERVERS_MAX);
        let now = Duration::from_secs(1);
        let holds = |number| !memory.of(&partition, &Host::from(&host(number)), now).is_empty();
        assert!(!holds(0) && !holds(9) && holds(10) && holds(SERVERS_MAX + 9));
        assert!(memory.of(&Partition::new("other"), &Host::from(&host(10)), now).is_empty());
        assert!(memory.of(&partition, &Host::from(&host(10)), now + SERVED_HOSTS_TTL).is_empty());
    }

    #[test]
    fn server_with_many_hosts_keeps_the_first_ones() {
        let (mut memory, partition) = (ServedHosts::default(), Partition::default());
        let server = (LeafDigest::new([7; 32]), "192.0.2.10:443".parse().unwrap());
        for number in 0..1_000 {
            let host = format!("h{}.test", number % 500).parse::<HostBuf>().unwrap();
            memory.remember(&partition, server, &Host::from(&host), Duration::ZERO);
        }
        assert_eq!((memory.servers.len(), memory.servers[0].hosts.len()), (1, SERVED_HOSTS_MAX));
    }
}
