//! A request as its handler reads it: access, key, parameters.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpMessage as _, HttpRequest};
use serde_json::json;

use super::account::Access;
use super::error::StripeError;
use super::form::Form;
use crate::call::fingerprint;

pub(super) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const MAX_KEY_LENGTH: usize = 255;

/// The id of a request, `req_…`.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// A `POST` request.
#[derive(Debug)]
pub(super) struct Call {
    /// The idempotency key, if one was sent.
    pub(super) key: Option<String>,
    pub(super) request_id: String,
    /// Distinguishes requests under the same key.
    pub(super) fingerprint: String,
}

impl Call {
    /// Reads a `POST` request that needs the secret key.
    pub(super) fn read(request: &HttpRequest, bytes: &[u8]) -> Result<(Self, Form), StripeError> {
        require_secret_key(request)?;
        Self::read_public(request, bytes)
    }

    /// Reads a `POST` request that the publishable key may send as well.
    pub(super) fn read_public(
        request: &HttpRequest,
        bytes: &[u8],
    ) -> Result<(Self, Form), StripeError> {
        if !bytes.is_empty() && !is_form(request) {
            return Err(StripeError::invalid(
                "Invalid request: the body must be application/x-www-form-urlencoded.",
            ));
        }
        let form = Form::parse(bytes);
        let request_id = request.extensions().get::<RequestId>().cloned();
        let call = Self {
            key: key(request)?,
            request_id: request_id.map(|id| id.0).unwrap_or_default(),
            fingerprint: fingerprint(&json!(["stripe", request.path(), form.comparable()])),
        };
        Ok((call, form))
    }
}

/// Reads the query of a `GET` request that needs the secret key.
pub(super) fn read_query(request: &HttpRequest) -> Result<Form, StripeError> {
    require_secret_key(request)?;
    Ok(Form::parse(request.query_string().as_bytes()))
}

/// What the request's API key allows.
pub(super) fn access(request: &HttpRequest) -> Access {
    request
        .extensions()
        .get::<Access>()
        .copied()
        .unwrap_or(Access::Publishable)
}

fn require_secret_key(request: &HttpRequest) -> Result<(), StripeError> {
    if access(request) == Access::Secret {
        return Ok(());
    }
    Err(StripeError::unauthorized(
        "This API call cannot be made with a publishable API key. Please use a secret API key.",
    )
    .with_code("secret_key_required"))
}

fn is_form(request: &HttpRequest) -> bool {
    request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| {
            essence
                .trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
}

fn key(request: &HttpRequest) -> Result<Option<String>, StripeError> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = value
        .to_str()
        .ok()
        .filter(|key| (1..=MAX_KEY_LENGTH).contains(&key.len()));
    let invalid = || StripeError::invalid("Idempotency-Key must have 1 to 255 characters.");
    key.map(|key| Some(key.to_owned())).ok_or_else(invalid)
}
