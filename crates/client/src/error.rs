//! Errors of calls and of the client's configuration.

use serde::Deserialize;

/// A call failed, after all retries.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service refused the call or failed to execute it.
    #[error("the service responded with {status} {code}: {message}")]
    Api {
        /// The HTTP status.
        status: u16,
        /// The code, such as `invalid_state`; programs should match on it.
        code: String,
        /// The message, for humans.
        message: String,
        /// The invalid fields and their problems.
        details: Vec<FieldProblem>,
        /// The request id, for support requests.
        request_id: Option<String>,
    },
    /// There was no response. Whether the call was executed is unknown: repeat it under the same
    /// idempotency key, or retrieve the session.
    #[error("no response from the service")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The response is not in the API's format, so it may not come from the service.
    #[error("the response with status {status} is not in the API's format")]
    UnexpectedResponse {
        /// The HTTP status.
        status: u16,
        /// The request id, if there is one.
        request_id: Option<String>,
    },
    /// An argument is invalid; nothing was sent.
    #[error("{0}")]
    InvalidArgument(&'static str),
    /// The operating system provided no randomness for an idempotency key; nothing was sent.
    #[error("cannot generate an idempotency key: the operating system provides no randomness")]
    NoRandomness,
}

impl Error {
    /// The API's error code (`invalid_state`, `refund_exceeds_captured`, …), if the service
    /// returned one.
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

/// A client's configuration is invalid.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The base URL is not an `http` or `https` URL without query and fragment.
    #[error("the base URL must be an http or https URL without user info, query and fragment")]
    BaseUrl,
    /// The API key is empty or not visible ASCII.
    #[error("the API key must consist of visible ASCII characters")]
    ApiKey,
    /// The API secret is empty.
    #[error("the API secret must not be empty")]
    ApiSecret,
    /// The HTTP client could not be created.
    #[error("cannot create the HTTP client")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
}
