//! The HTTP client, and the distinction of errors before and after sending.

use std::{sync::Arc, time::Duration};

use oncharge_ports::psp::PspError;

/// Time limit for a connect (with its TLS handshake). Shorter than a call, so that an unreachable
/// PSP is `NotSent` and not a call that timed out.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept. Shorter than servers commonly do (5 s and more), so that a
/// request is hardly ever written to a connection that the PSP is closing, which would leave its
/// outcome unknown.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum size of a response, in bytes.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

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

/// Builds a client without redirects, proxies and automatic retries.
///
/// It includes its crypto provider and the machine's root certificates: nothing needs to be
/// installed, and a machine without certificates can still run a sandbox over plain HTTP. HTTP/1.1
/// only, so that it is clear which connection a request was written to.
pub(crate) fn client() -> Result<reqwest::Client, HttpClientError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .http1_only()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .build()?)
}

/// A raw response; the input of a connector.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Sends a request and reads the whole response, whatever its status.
pub(crate) async fn send(
    client: &reqwest::Client,
    request: reqwest::Request,
) -> Result<HttpResponse, PspError> {
    let mut response = client.execute(request).await.map_err(classify_error)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(classify_error)? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(PspError::Unknown(Box::new(ResponseTooLarge)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse { status, body })
}

/// The response exceeds the size limit.
#[derive(Debug, thiserror::Error)]
#[error("the response is larger than {MAX_RESPONSE_BYTES} bytes")]
struct ResponseTooLarge;

/// Classifies a failure as `NotSent` only if definitely no byte of the request was written.
///
/// The request could not be built, or there was no connection to write it to: refused, timed out,
/// failed in TLS, or hyper returned an unwritten request from a closed pooled connection and could
/// not open a new one.
fn classify_error(error: reqwest::Error) -> PspError {
    // The URL contains references; the host is in the account's configuration.
    let error = error.without_url();
    if error.is_builder() || error.is_connect() {
        PspError::NotSent(Box::new(error))
    } else {
        PspError::Unknown(Box::new(error))
    }
}
