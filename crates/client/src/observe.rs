//! Observation of the HTTP exchanges, for a log or for display.

use std::{fmt, sync::Arc};

use reqwest::header::HeaderMap;

/// One attempt of a call: the request and its response.
///
/// It never contains the API secret. It does contain the rest of the traffic: the response to a new
/// session contains the pay token; requests and responses contain the shopper's address. Mask
/// sensitive data before you store it.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// `GET` or `POST`, in upper case.
    pub method: &'a str,
    /// The path with its query, as sent and signed.
    pub target: &'a str,
    /// The headers set by this crate, including the signature, named as in the API's documentation.
    pub headers: &'a [(&'static str, String)],
    /// The request's JSON text, byte for byte as signed; empty if there is none.
    pub body: &'a str,
    /// The response; `None` if there was none.
    pub response: Option<ExchangeResponse<'a>>,
}

/// A raw response.
#[derive(Clone, Copy)]
pub struct ExchangeResponse<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The raw body.
    pub body: &'a [u8],
    pub(crate) headers: &'a HeaderMap,
}

impl<'a> ExchangeResponse<'a> {
    /// A response header, by its case-insensitive name.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The callback of [`Client::with_observer`](crate::Client::with_observer).
#[derive(Clone)]
pub(crate) struct Observer(pub(crate) Arc<dyn Fn(&Exchange<'_>) + Send + Sync>);

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Bodies and signatures are only accessible on purpose.
        f.debug_struct("Exchange")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("status", &self.response.map(|response| response.status))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ExchangeResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
