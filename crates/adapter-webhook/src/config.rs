//! What a sender depends on, and its limits.

use std::{sync::Arc, time::Duration};

use oncharge_domain::webhook::endpoint::is_allowed_address;
use oncharge_ports::clock::Clock;

use crate::resolver::{AddressPolicy, DnsLookup, SystemDnsLookup};

/// Total time limit for one attempt (product rule: ten seconds).
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The dependencies and limits of a sender; tests replace them.
pub(crate) struct SenderConfig {
    /// For dates in `Retry-After`.
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether `http` is allowed at all (to this machine).
    pub(crate) sandbox: bool,
    /// Time limit for one attempt.
    pub(crate) timeout: Duration,
    /// The DNS resolver.
    pub(crate) lookup: Arc<dyn DnsLookup>,
    /// Which addresses are allowed.
    pub(crate) is_allowed_address: AddressPolicy,
    /// The trusted root certificates.
    pub(crate) roots: rustls::RootCertStore,
}

impl SenderConfig {
    /// The configuration for production.
    pub(crate) fn new(clock: Arc<dyn Clock>, sandbox: bool) -> Self {
        Self {
            clock,
            sandbox,
            timeout: ATTEMPT_TIMEOUT,
            lookup: Arc::new(SystemDnsLookup::new()),
            is_allowed_address,
            roots: native_roots(),
        }
    }
}

/// The machine's root certificates. Without any, every `https` attempt fails.
pub(crate) fn native_roots() -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    let (added, _) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        tracing::warn!(
            "this machine has no root certificates: webhooks cannot be delivered over https"
        );
    }
    roots
}
