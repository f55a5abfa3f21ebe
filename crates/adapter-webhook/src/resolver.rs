//! From a name to the addresses that may be connected to.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

/// Whether a URL (`https` or not) may lead to an address.
pub(crate) type AddressPolicy = fn(is_https: bool, address: IpAddr) -> bool;

/// How names become addresses.
#[async_trait]
pub(crate) trait DnsLookup: Send + Sync {
    /// All addresses that the name has at this moment.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// How many look-ups may be under way: far fewer than the process has threads for such work, so that
/// names which nobody answers for never keep anybody else in the process from asking.
const MAX_CONCURRENT_LOOKUPS: usize = 64;

/// As this machine is set up to do it.
///
/// Its threads may outlast an attempt that has run out of time, by as long as the machine's
/// resolver goes on asking; until then they count among the look-ups under way.
pub(crate) struct SystemDnsLookup {
    permits: Arc<Semaphore>,
}

impl SystemDnsLookup {
    /// With room for [`MAX_CONCURRENT_LOOKUPS`].
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

/// A name that leads nowhere, or nowhere that it may.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    /// It has no address.
    #[error("the name has no address")]
    Unknown(#[source] Option<io::Error>),
    /// It has only addresses that may not be connected to.
    #[error("the name has no address that may be connected to")]
    Forbidden,
}

/// The resolver of one client: all that the client connects to by name has passed here, immediately
/// before, and it asks nobody else.
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
            // Port 0 stands for the URL's.
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
