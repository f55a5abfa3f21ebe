//! What can go wrong, in the terms of whoever called.

use serde::Deserialize;

/// A call did not succeed, after all retries.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service refused the call, or could not carry it out.
    #[error("the service answered {status} {code}: {message}")]
    Api {
        /// The HTTP status.
        status: u16,
        /// The code, such as `invalid_state`; what a program should look at.
        code: String,
        /// The message, for people.
        message: String,
        /// Which fields were wrong, and how.
        details: Vec<FieldProblem>,
        /// The request's id, for the support.
        request_id: Option<String>,
    },
    /// No answer came. Whether the call was carried out is not known: repeat it under the same
    /// idempotency key, or ask for the session.
    #[error("the service gave no answer")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An answer came that is not of the API's form, so perhaps not from the service.
    #[error("the answer with status {status} is not of the API's form")]
    UnexpectedResponse {
        /// The HTTP status.
        status: u16,
        /// The request's id, if there is one.
        request_id: Option<String>,
    },
    /// An argument that no such call can have; nothing was sent.
    #[error("{0}")]
    InvalidArgument(&'static str),
    /// The operating system gave no randomness for an idempotency key; nothing was sent.
    #[error("no random idempotency key could be made")]
    NoRandomness,
}

impl Error {
    /// The API's code (`invalid_state`, `refund_exceeds_captured`, …), if the service gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Api { code, .. } => Some(code),
            _ => None,
        }
    }
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct FieldProblem {
    /// The field's name.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A client cannot be made of these.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not an `http` or `https` URL without query and fragment.
    #[error("the base URL must be an http or https URL without user info, query and fragment")]
    BaseUrl,
    /// Empty, or more than visible ASCII.
    #[error("the API key must be visible ASCII characters")]
    ApiKey,
    /// Empty.
    #[error("the API secret must not be empty")]
    ApiSecret,
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
}
