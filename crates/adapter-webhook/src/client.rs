//! Builds this crate's HTTP clients.

use std::{sync::Arc, time::Duration};

use crate::{config::SenderConfig, resolver::GuardedResolver};

/// Identifies the caller in merchants' logs and firewalls.
const USER_AGENT: &str = concat!("OnCharge-Webhooks/", env!("CARGO_PKG_VERSION"));
/// How long an idle connection is kept. Shorter than servers commonly do (5 s and more), so that a
/// webhook is hardly ever written to a connection that is being closed.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum number of idle connections per host.
const MAX_IDLE_PER_HOST: usize = 2;
/// How much of an unread body an HTTP/2 server may send per stream, in bytes.
const STREAM_WINDOW: u32 = 16 * 1024;
/// The same for all streams of a connection; 65,535 is the protocol's initial window.
const CONNECTION_WINDOW: u32 = 65_535;
/// Interval and time limit of HTTP/2 pings: attempts share a connection, and one that has died
/// silently must not fail them one after another.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// The HTTP client could not be created.
#[derive(Debug, thiserror::Error)]
pub enum HttpClientError {
    /// TLS could not be set up.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The client could not be built.
    #[error("cannot create the HTTP client")]
    Client(#[from] reqwest::Error),
}

/// The client for `https`.
pub(crate) fn https_client(config: &SenderConfig) -> Result<reqwest::Client, HttpClientError> {
    let client = builder(config, true)?
        .https_only(true)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .http2_keep_alive_timeout(KEEP_ALIVE_INTERVAL);
    Ok(client.build()?)
}

/// The client for `http` in a sandbox.
pub(crate) fn http_client(config: &SenderConfig) -> Result<reqwest::Client, HttpClientError> {
    Ok(builder(config, false)?.http1_only().build()?)
}

/// The settings of both clients: no redirects, no proxy, no cookies, no automatic retries, and only
/// our DNS resolver.
fn builder(
    config: &SenderConfig,
    is_https: bool,
) -> Result<reqwest::ClientBuilder, HttpClientError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(config.roots.clone())
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(GuardedResolver {
            lookup: Arc::clone(&config.lookup),
            is_allowed_address: config.is_allowed_address,
            is_https,
        })
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        // The attempt has its own time limit. This one is divided among a name's addresses, and
        // ends background connects that lost against a connection that was available sooner.
        .connect_timeout(config.timeout)
        .referer(false)
        .user_agent(USER_AGENT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .pool_max_idle_per_host(MAX_IDLE_PER_HOST))
}
