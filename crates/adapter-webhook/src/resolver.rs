//! Resolves names to allowed addresses.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

/// Whether a URL (`https` or not) may connect to an address.
pub(crate) type AddressPolicy = fn(is_https: bool, address: IpAddr) -> bool;

/// A DNS resolver.
#[async_trait]
pub(crate) trait DnsLookup: Send + Sync {
    /// All addresses of the name at this moment.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Maximum number of concurrent look-ups: far fewer than the process has blocking threads, so that
/// names whose servers do not respond never block other work.
const MAX_CONCURRENT_LOOKUPS: usize = 64;

/// The machine's own resolver.
///
/// Its threads may outlast an attempt that has timed out, until the machine's resolver gives up;
/// until then they count as concurrent look-ups.
pub(crate) struct SystemDnsLookup {
    permits: Arc<Semaphore>,
}

impl SystemDnsLookup {
    /// A resolver with [`MAX_CONCURRENT_LOOKUPS`] permits.
    pub(crate) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(MAX_CONCURRENT_LOOKUPS)),
        }
    }
}

#[async_trait]
impl DnsLookup for SystemDnsLookup {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let permits = Arc::clone(&self.permits).acquire_owned();
        let (permit, name) = (permits.await.map_err(io::Error::other)?, name.to_owned());
        let lookup_task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let found = (name.as_str(), 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect())
        });
        lookup_task.await.map_err(io::Error::other)?
    }
}

/// A name without an address, or without an allowed one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    /// It has no address.
    #[error("the host name has no IP address")]
    Unknown(#[source] Option<io::Error>),
    /// It has only addresses that may not be connected to.
    #[error("the host name has no public IP address")]
    Forbidden,
}

/// The only resolver of one client: every name that the client connects to is resolved and checked
/// here, immediately before.
#[derive(Clone)]
pub(crate) struct GuardedResolver {
    pub(crate) lookup: Arc<dyn DnsLookup>,
    pub(crate) is_allowed_address: AddressPolicy,
    pub(crate) is_https: bool,
}

impl GuardedResolver {
    async fn allowed(&self, name: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let found = self.lookup.addresses(name).await;
        let found = found.map_err(|error| ResolveError::Unknown(Some(error)))?;
        if found.is_empty() {
            return Err(ResolveError::Unknown(None));
        }
        let allowed: Vec<SocketAddr> = found
            .into_iter()
            .filter(|address| (self.is_allowed_address)(self.is_https, *address))
            // Port 0 is replaced by the URL's port.
            .map(|address| SocketAddr::new(address, 0))
            .collect();
        if allowed.is_empty() {
            return Err(ResolveError::Forbidden);
        }
        Ok(allowed)
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let allowed = resolver.allowed(name.as_str()).await?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
