//! Errors of calls that are not executed, and the only mapping to their status codes.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::json;

use crate::store::StoreError;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FieldProblem {
    pub(crate) field: String,
    pub(crate) problem: String,
}

/// A call that was not executed. Nothing has changed and nothing is recorded for its key.
#[derive(Debug)]
pub(crate) enum Problem {
    /// 400: not a JSON object or a valid form.
    Malformed(&'static str),
    /// 401: the bearer token is missing or wrong.
    Unauthorized,
    /// 403: the request comes from a page of another origin.
    CrossOrigin,
    /// 404: not found.
    NotFound(&'static str),
    /// 415: the body is not declared as JSON.
    UnsupportedMediaType,
    /// 421: the `Host` is not a name of this server.
    UnknownHost,
    /// 422: invalid fields.
    Invalid(Vec<FieldProblem>),
    /// 422: the idempotency key was used before with other parameters.
    KeyReused,
    /// 500: an internal error; everything was rolled back.
    Internal,
}

impl Problem {
    /// A 422 for a single field.
    pub(crate) fn field(field: &str, problem: &str) -> Self {
        Self::Invalid(vec![FieldProblem {
            field: field.to_owned(),
            problem: problem.to_owned(),
        }])
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Invalid(_) => "invalid_request",
            Self::Unauthorized => "unauthorized",
            Self::CrossOrigin => "forbidden_origin",
            Self::UnknownHost => "unknown_host",
            Self::NotFound(_) => "not_found",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::KeyReused => "idempotency_key_reused",
            Self::Internal => "internal_error",
        }
    }

    const fn message(&self) -> &'static str {
        match self {
            Self::Malformed(message) | Self::NotFound(message) => message,
            Self::Unauthorized => "the bearer token is missing or invalid",
            Self::CrossOrigin => "requests from pages of other origins are not allowed",
            Self::UnknownHost => {
                "unknown host: use localhost, the address that the simulator listens on, or a name \
                 given with --host NAME"
            }
            Self::UnsupportedMediaType => "send the body as application/json",
            Self::Invalid(_) => "some fields are invalid",
            Self::KeyReused => "this Idempotency-Key was used with other parameters",
            Self::Internal => "internal error of the simulator",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::CrossOrigin => StatusCode::FORBIDDEN,
            Self::UnknownHost => StatusCode::MISDIRECTED_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) | Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({ "error": self.code(), "message": self.message() });
        if let (Self::Invalid(details), Some(members)) = (self, body.as_object_mut()) {
            members.insert("details".to_owned(), json!(details));
        }
        HttpResponse::build(self.status_code()).json(body)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        // The error's text contains names of tables and columns, never values from a caller.
        tracing::error!(?error, "a request failed with an internal error");
        Self::Internal
    }
}
