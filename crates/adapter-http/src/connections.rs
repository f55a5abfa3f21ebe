//! Connection limits: how many per address, and how long without progress.

use std::{
    any::Any,
    collections::HashMap,
    net::Shutdown,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{dev::Extensions, rt::net::TcpStream};
use ipnet::IpNet;
use oncharge_http_server::time_limits;
use socket2::SockRef;

use crate::limits::address::Address;

/// The limits of one server's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Maximum number of open connections; further ones wait to be accepted.
    pub total: usize,
    /// Maximum per address (IPv6: per /64); further ones are closed at once. Trusted proxies are
    /// exempt, because all clients come through them.
    pub per_address: u32,
    /// Maximum time without progress in either direction.
    pub stall_timeout: Duration,
}

impl ConnectionLimits {
    /// The default limits: 256 connections per address, 30 s without progress.
    pub const fn new() -> Self {
        Self {
            total: 16_384,
            per_address: 256,
            stall_timeout: time_limits::STALL,
        }
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// The open connections of a server, counted by address.
#[derive(Clone)]
pub(crate) struct Connections {
    limits: ConnectionLimits,
    trusted: Arc<[IpNet]>,
    /// At most one entry per connection.
    open: Arc<Mutex<HashMap<Address, u32>>>,
}

impl Connections {
    pub(crate) fn new(limits: ConnectionLimits, trusted: &[IpNet]) -> Self {
        Self {
            limits,
            trusted: trusted.into(),
            open: Arc::default(),
        }
    }

    /// Admits a new connection or closes it. Its permit is stored in the extensions, which actix
    /// drops with the connection.
    pub(crate) fn admit(&self, stream: &dyn Any, extensions: &mut Extensions) {
        let Some(stream) = stream.downcast_ref::<TcpStream>() else {
            return;
        };
        let socket = SockRef::from(stream);
        time_limits::limit_stalls(&socket, self.limits.stall_timeout);
        let Ok(peer) = stream.peer_addr() else {
            return;
        };
        let peer = peer.ip().to_canonical();
        if self.trusted.iter().any(|proxies| proxies.contains(&peer)) {
            return;
        }
        if let Some(permit) = self.acquire(Address::from(peer)) {
            extensions.insert(permit);
        } else {
            metrics::counter!("oncharge_http_connections_refused_total").increment(1);
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn acquire(&self, address: Address) -> Option<ConnectionPermit> {
        let mut open = lock(&self.open);
        let number = open.entry(address).or_insert(0);
        if *number >= self.limits.per_address {
            return None;
        }
        *number = number.saturating_add(1);
        let open = Arc::clone(&self.open);
        Some(ConnectionPermit { address, open })
    }
}

/// One counted connection.
struct ConnectionPermit {
    address: Address,
    open: Arc<Mutex<HashMap<Address, u32>>>,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        if let Some(number) = open.get_mut(&self.address) {
            *number = number.saturating_sub(1);
            if *number == 0 {
                open.remove(&self.address);
            }
        }
    }
}

fn lock(open: &Mutex<HashMap<Address, u32>>) -> MutexGuard<'_, HashMap<Address, u32>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn connections_per_address_are_limited_and_released() {
        let limits = ConnectionLimits {
            per_address: 2,
            ..ConnectionLimits::new()
        };
        let connections = Connections::new(limits, &[]);
        let address = Address::V4(Ipv4Addr::LOCALHOST);
        let (first, second) = (connections.acquire(address), connections.acquire(address));
        assert!(first.is_some() && second.is_some());
        assert!(connections.acquire(address).is_none());
        assert!(connections.acquire(Address::V6Net(1)).is_some(), "another");
        drop(first);
        let replacement = connections.acquire(address);
        assert!(replacement.is_some());
        drop((second, replacement));
        assert!(lock(&connections.open).is_empty());
    }
}
