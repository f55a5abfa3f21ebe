//! The crate's only HTTP client builder and clock, and the reader of responses.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use reqwest::header::{HeaderMap, RETRY_AFTER};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Time limit for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit for an attempt: longer than the service's own limit for the slowest PSP.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// Unused connections are closed earlier than servers and proxies commonly close theirs.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// Maximum size of a response, in bytes: fits a hundred sessions with all their metadata.
const MAX_RESPONSE_BYTES: usize = 16 << 20;

/// Builds a client that follows no redirects (a signed call is meant for one URL) and ignores the
/// environment's proxy settings. It includes its crypto provider and the platform's root
/// certificates, so that nothing needs to be installed.
pub(crate) fn client() -> Result<reqwest::Client, BoxError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .user_agent(concat!("oncharge-client/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ATTEMPT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .build()?;
    Ok(client)
}

/// The current time.
#[expect(
    clippy::disallowed_methods,
    reason = "a merchant's program has no clock port; this is the one place that reads the clock"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// The current time in Unix seconds, for the signed timestamp.
pub(crate) fn unix_now() -> u64 {
    let since_1970 = now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |duration| duration.as_secs())
}

/// A raw response.
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: HeaderMap,
}

impl HttpResponse {
    /// The request id, for support requests.
    pub(crate) fn request_id(&self) -> Option<String> {
        self.header("X-Request-Id").map(str::to_owned)
    }

    /// The value of `Retry-After`, if given in seconds.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.header(RETRY_AFTER.as_str())?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends a request and reads the whole response.
pub(crate) async fn send_request(
    request: reqwest::RequestBuilder,
) -> Result<HttpResponse, BoxError> {
    let mut response = request.send().await?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err("the response is too large".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse {
        status,
        body,
        headers,
    })
}
