//! The three headers that authenticate a request.

use actix_web::http::header::HeaderMap;

use crate::problem::Problem;

/// The values of the three headers.
pub(super) struct Credentials<'a> {
    /// `X-Oncharge-Key`.
    pub(super) key: &'a str,
    /// `X-Oncharge-Timestamp`.
    pub(super) timestamp: &'a str,
    /// `X-Oncharge-Signature`.
    pub(super) signature: &'a str,
}

impl<'a> Credentials<'a> {
    /// Reads the headers; each must occur exactly once, not empty, and in ASCII.
    pub(super) fn of(headers: &'a HeaderMap) -> Result<Self, Problem> {
        let only = |name| {
            let text = single_header(headers, name).filter(|text| !text.is_empty());
            text.ok_or(Problem::MissingAuth(name))
        };
        Ok(Self {
            key: only("X-Oncharge-Key")?,
            timestamp: only("X-Oncharge-Timestamp")?,
            signature: only("X-Oncharge-Signature")?,
        })
    }
}

/// The value of a header that occurs exactly once and is ASCII.
pub(super) fn single_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let only = values.next()?;
    if values.next().is_some() {
        None
    } else {
        only.to_str().ok()
    }
}
