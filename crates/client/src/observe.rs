//! Seeing what goes over the wire: for a merchant's log, or a page that shows it.

use std::{fmt, sync::Arc};

use reqwest::header::HeaderMap;

/// One attempt of a call: what was sent, and what came back.
///
/// It never holds the API secret. It does hold what else went over the wire: the answer to a new
/// session holds the pay token, requests and answers hold the shopper's address. Mask what must not
/// be seen before you keep it.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// `GET` or `POST`, in upper case.
    pub method: &'a str,
    /// The path and, where there is one, `?` and the query: as sent, and as signed.
    pub target: &'a str,
    /// The headers that this crate sets, the signature's among them, by the names of the API's
    /// documentation.
    pub headers: &'a [(&'static str, String)],
    /// The request's JSON text, byte for byte as it was signed; empty where there is none.
    pub body: &'a str,
    /// What came back; `None` where no answer came.
    pub response: Option<ExchangeResponse<'a>>,
}

/// An answer as it came in.
#[derive(Clone, Copy)]
pub struct ExchangeResponse<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The raw body.
    pub body: &'a [u8],
    pub(crate) headers: &'a HeaderMap,
}

impl<'a> ExchangeResponse<'a> {
    /// A header of the answer, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What [`Client::with_observer`](crate::Client::with_observer) was given.
#[derive(Clone)]
pub(crate) struct Observer(pub(crate) Arc<dyn Fn(&Exchange<'_>) + Send + Sync>);

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Bodies and signatures are for whoever looks at them on purpose.
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
