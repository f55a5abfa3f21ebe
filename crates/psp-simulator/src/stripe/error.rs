//! Errors in Stripe's format, and the only mapping to their status codes.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value, json};

use crate::store::StoreError;

/// An error response. Its members are those of Stripe's error object.
#[derive(Debug)]
pub(crate) struct StripeError(Box<Content>);

#[derive(Debug)]
struct Content {
    status: u16,
    kind: &'static str,
    message: String,
    members: Map<String, Value>,
}

impl StripeError {
    fn new(status: u16, kind: &'static str, message: &str) -> Self {
        Self(Box::new(Content {
            status,
            kind,
            message: message.to_owned(),
            members: Map::new(),
        }))
    }

    /// 400 `invalid_request_error`.
    pub(super) fn invalid(message: &str) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    /// 402 `card_error`: the issuer refused.
    pub(super) fn card(message: &str) -> Self {
        Self::new(402, "card_error", message)
    }

    /// 400 `idempotency_error`: the key was used with another request.
    pub(super) fn key_reused(key: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used with the same endpoint and parameters \
             they were first used with. Try using a key other than '{key}' if you meant to execute \
             a different request."
        );
        Self::new(400, "idempotency_error", &message)
    }

    /// 409: a request with this key is in progress.
    pub(super) fn key_in_use(key: &str) -> Self {
        let message = format!(
            "There is currently another in-progress request using this idempotency key ('{key}'). \
             Please try again later."
        );
        Self::new(409, "idempotency_error", &message).with_code("idempotency_key_in_use")
    }

    /// 401: no valid API key.
    pub(super) fn unauthorized(message: &str) -> Self {
        Self::new(401, "invalid_request_error", message)
    }

    /// 404 `resource_missing` for an object in the path.
    pub(super) fn missing(object: &str, id: &str, param: &str) -> Self {
        Self::unknown(object, id, param).with_status(404)
    }

    /// 400 `resource_missing` for an object in a parameter.
    pub(super) fn unknown(object: &str, id: &str, param: &str) -> Self {
        Self::invalid(&format!("No such {object}: '{id}'"))
            .with_code("resource_missing")
            .with_param(param)
    }

    /// 400 `parameter_missing`.
    pub(super) fn required(param: &str) -> Self {
        Self::invalid(&format!("Missing required param: {param}."))
            .with_code("parameter_missing")
            .with_param(param)
    }

    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.0.status = status;
        self
    }

    pub(super) fn with_code(self, code: &str) -> Self {
        self.with("code", json!(code))
    }

    pub(super) fn with_param(self, param: &str) -> Self {
        self.with("param", json!(param))
    }

    /// Sets a member of the error object.
    pub(super) fn with(mut self, member: &str, value: Value) -> Self {
        self.0.members.insert(member.to_owned(), value);
        self
    }

    pub(super) fn status(&self) -> u16 {
        self.0.status
    }

    /// The response body.
    pub(super) fn to_json(&self) -> Value {
        let mut error = self.0.members.clone();
        error.insert("type".to_owned(), json!(self.0.kind));
        error.insert("message".to_owned(), json!(self.0.message));
        json!({ "error": error })
    }
}

impl fmt::Display for StripeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl ResponseError for StripeError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(self.to_json())
    }
}

impl From<StoreError> for StripeError {
    fn from(error: StoreError) -> Self {
        // The error's text contains names of tables and columns, never values from a caller.
        tracing::error!(?error, "a request failed with an internal error");
        Self::new(500, "api_error", "An internal error of the simulator.")
    }
}
