//! All errors of a request, and the only mapping from them to a status, a code and a body.

mod field;

use std::{borrow::Cow, error::Error as _, fmt::Write as _};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use oncharge_application::Error;
use oncharge_domain::merchant::{MAX_ACTIVE_KEYS, MAX_ENDING_KEYS};
use serde::Serialize;
use utoipa::ToSchema;

pub use self::field::FieldProblem;

/// Why a request was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// This signature or pay token header is absent, empty, repeated or not ASCII.
    #[error("missing_auth")]
    MissingAuth(&'static str),
    /// The API key does not exist or has ended.
    #[error("invalid_key")]
    InvalidKey,
    /// The timestamp is invalid or too far from the current time.
    #[error("timestamp_expired")]
    TimestampExpired,
    /// The signature is wrong.
    #[error("invalid_signature")]
    InvalidSignature,
    /// The body is larger than this many bytes.
    #[error("payload_too_large")]
    PayloadTooLarge(usize),
    /// Too many requests; the next is permitted after this many seconds.
    #[error("rate_limited")]
    RateLimited(u64),
    /// The path is unknown.
    #[error("not_found")]
    UnknownPath,
    /// The path is known but not with this method; these are allowed.
    #[error("method_not_allowed")]
    MethodNotAllowed(&'static str),
    /// The body's media type is not accepted as JSON.
    #[error("unsupported_media_type")]
    UnsupportedMediaType,
    /// The request target is not in origin form.
    #[error("invalid_request: target")]
    InvalidTarget,
    /// The connection ended before the body was complete.
    #[error("invalid_request: body")]
    IncompleteBody,
    /// The body was not received in time.
    #[error("request_timeout")]
    BodyTimeout,
    /// The body is not an acceptable JSON object.
    #[error("invalid_request: JSON")]
    InvalidJson(crate::json::InvalidJson),
    /// A query parameter or header violates its rule.
    #[error("invalid_request: {}", .0.field)]
    InvalidParameter(FieldProblem),
    /// Fields are missing, of the wrong type, or violate their rule.
    #[error("invalid_request: {} fields", .0.len())]
    InvalidFields(Vec<FieldProblem>),
    /// The use case refused or failed.
    #[error(transparent)]
    UseCase(#[from] Error),
    /// The page could not be rendered.
    #[error("internal_error: page")]
    Page(#[from] crate::checkout::page::PageError),
}

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody {
    /// The error code, for programs.
    #[schema(value_type = String, example = "invalid_signature")]
    pub error: &'static str,
    /// The error message, for people.
    #[schema(value_type = String, example = "HMAC signature verification failed")]
    pub message: Cow<'static, str>,
    /// The request's id, as in `X-Request-Id`.
    pub request_id: String,
    /// All invalid fields, if any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub details: Vec<FieldProblem>,
}

/// Status, code and message of a problem, with the optional parts of its response.
struct ProblemParts {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    details: Vec<FieldProblem>,
    /// Seconds for `Retry-After`.
    retry_after: Option<u64>,
}

impl ProblemParts {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: Vec::new(),
            retry_after: None,
        }
    }

    fn with_details(self, details: Vec<FieldProblem>) -> Self {
        Self { details, ..self }
    }

    fn with_retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }
}

impl Problem {
    fn parts(&self) -> ProblemParts {
        use StatusCode as S;
        match self {
            Self::MissingAuth(header) => ProblemParts::new(
                S::UNAUTHORIZED,
                "missing_auth",
                format!("The header {header} is missing, empty, repeated or not ASCII"),
            ),
            Self::InvalidKey => {
                ProblemParts::new(S::UNAUTHORIZED, "invalid_key", "The API key is invalid")
            }
            Self::TimestampExpired => ProblemParts::new(
                S::UNAUTHORIZED,
                "timestamp_expired",
                "The timestamp is not within 5 minutes of the current time",
            ),
            Self::InvalidSignature => ProblemParts::new(
                S::UNAUTHORIZED,
                "invalid_signature",
                "HMAC signature verification failed",
            ),
            Self::PayloadTooLarge(max) => ProblemParts::new(
                S::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                format!("The body must be at most {max} bytes"),
            ),
            Self::RateLimited(seconds) => {
                ProblemParts::new(S::TOO_MANY_REQUESTS, "rate_limited", "Too many requests")
                    .with_retry_after(*seconds)
            }
            Self::UnknownPath => ProblemParts::new(S::NOT_FOUND, "not_found", "No such path"),
            Self::MethodNotAllowed(allowed) => ProblemParts::new(
                S::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                format!("This path allows only {allowed}"),
            ),
            Self::UnsupportedMediaType => ProblemParts::new(
                S::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body must be JSON: send Content-Type: application/json",
            ),
            Self::BodyTimeout => ProblemParts::new(
                S::REQUEST_TIMEOUT,
                "request_timeout",
                "The body did not arrive in time",
            ),
            Self::InvalidTarget => invalid(S::BAD_REQUEST, "The request target must be a path"),
            Self::IncompleteBody => invalid(S::BAD_REQUEST, "The body is incomplete"),
            Self::InvalidJson(bad) => invalid(S::BAD_REQUEST, bad.to_string())
                .with_details(bad.field().into_iter().collect()),
            Self::InvalidParameter(problem) => invalid_parameter(problem.clone()),
            Self::InvalidFields(problems) => invalid_fields(problems.clone()),
            Self::UseCase(error) => use_case_parts(error),
            Self::Page(_) => internal(),
        }
    }

    /// The HTTP status of the response.
    pub(crate) fn status(&self) -> StatusCode {
        self.parts().status
    }

    /// The code in the response body.
    pub(crate) fn code(&self) -> &'static str {
        self.parts().code
    }

    /// Seconds after which a retry may succeed, if known.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.parts().retry_after
    }

    /// The response body.
    pub(crate) fn body(&self, request_id: &str) -> Vec<u8> {
        let ProblemParts {
            code,
            message,
            details,
            ..
        } = self.parts();
        error_body(&ErrorBody {
            error: code,
            message,
            request_id: request_id.to_owned(),
            details,
        })
    }

    /// Logs an internal error with its causes; other problems get no log line of their own.
    pub(crate) fn log(&self) {
        let cause = match self {
            Self::UseCase(error @ (Error::Internal(_) | Error::Busy(Some(_)))) => error.source(),
            Self::Page(error) => Some(error as &(dyn std::error::Error + 'static)),
            _ => return,
        };
        let mut chain = String::new();
        let mut next = cause;
        while let Some(error) = next {
            let separator = if chain.is_empty() { "" } else { ": " };
            // Writing into a String cannot fail.
            let _ = write!(chain, "{separator}{error}");
            next = error.source();
        }
        tracing::error!(code = self.code(), cause = chain, "a request failed");
    }
}

/// The responses to the use cases' errors.
fn use_case_parts(error: &Error) -> ProblemParts {
    use StatusCode as S;
    match error {
        Error::IdempotencyConflict => ProblemParts::new(
            S::CONFLICT,
            "idempotency_conflict",
            "The first request with this Idempotency-Key is still being processed: retry later",
        )
        .with_retry_after(1),
        Error::IdempotencyKeyReused => unprocessable(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request",
        ),
        Error::IdempotencyKeyRequired => invalid_field("Idempotency-Key", "is required"),
        Error::GlobalBan => forbidden("global_ban", "The shopper cannot be served"),
        Error::MerchantDisabled => forbidden(
            "merchant_disabled",
            "This merchant is disabled: new sessions and payments are rejected; captures, cancels, \
             refunds and webhooks continue",
        ),
        Error::NotFound => ProblemParts::new(S::NOT_FOUND, "not_found", "Not found"),
        Error::BadPayToken => unauthorized("invalid_token", "The pay token is invalid"),
        Error::BadCursor => invalid_field("cursor", "must be a next_cursor of this list"),
        Error::Unverified => unauthorized(
            "invalid_signature",
            "The notification's signature is invalid",
        ),
        Error::InvalidState(status) => invalid_state(format!(
            "Not possible while the session is {}",
            status.name()
        )),
        Error::InProgress(operation) => invalid_state(format!(
            "Not possible while {} is in progress",
            operation.text()
        )),
        Error::NoEndpoint => invalid_state("There is no enabled webhook endpoint: set one first"),
        Error::KeyIsEnding => forbidden(
            "key_ending",
            "This API key is in its grace period and can delete only itself: use its successor",
        ),
        Error::LastActiveKey => {
            invalid_state("The last active API key cannot be deleted: rotate it")
        }
        Error::TooManyKeys => invalid_state(format!(
            "There are already {MAX_ACTIVE_KEYS} active API keys: delete one first"
        )),
        Error::TooManyEndingKeys => invalid_state(format!(
            "{MAX_ENDING_KEYS} API keys are in their grace period: delete one with DELETE \
             /v1/api_keys/{{key_id}}, or rotate with revoke_old"
        )),
        Error::RefundExceedsCaptured(left) => unprocessable(
            "refund_exceeds_captured",
            format!(
                "The amount must be at most the remaining refundable amount: {left} minor units"
            ),
        ),
        Error::CaptureExceedsAuthorized(max) => unprocessable(
            "capture_exceeds_authorized",
            format!("The amount must be at most the authorized amount: {max} minor units"),
        ),
        Error::Field { field, problem } => {
            invalid_fields(vec![FieldProblem::new(*field, *problem)])
        }
        Error::PspUnavailable => ProblemParts::new(
            S::SERVICE_UNAVAILABLE,
            "psp_unavailable",
            "The payment processor is unreachable; nothing was sent: retry later",
        ),
        // The request met a concurrent change; a retry sees its result.
        Error::Busy(_) | Error::Overtaken => busy(),
        Error::UnknownPspAccount | Error::Internal(_) => internal(),
    }
}

fn invalid_field(field: &'static str, problem: &'static str) -> ProblemParts {
    invalid_parameter(FieldProblem::new(field, problem))
}

fn unauthorized(code: &'static str, message: &'static str) -> ProblemParts {
    ProblemParts::new(StatusCode::UNAUTHORIZED, code, message)
}

fn forbidden(code: &'static str, message: &'static str) -> ProblemParts {
    ProblemParts::new(StatusCode::FORBIDDEN, code, message)
}

fn unprocessable(code: &'static str, message: impl Into<Cow<'static, str>>) -> ProblemParts {
    ProblemParts::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
}

fn invalid(status: StatusCode, message: impl Into<Cow<'static, str>>) -> ProblemParts {
    ProblemParts::new(status, "invalid_request", message)
}

fn busy() -> ProblemParts {
    ProblemParts::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "The service is busy; nothing was written: retry later",
    )
    .with_retry_after(1)
}

fn invalid_state(message: impl Into<Cow<'static, str>>) -> ProblemParts {
    ProblemParts::new(StatusCode::CONFLICT, "invalid_state", message)
}

fn invalid_parameter(problem: FieldProblem) -> ProblemParts {
    invalid(StatusCode::BAD_REQUEST, problem.to_string()).with_details(vec![problem])
}

fn invalid_fields(problems: Vec<FieldProblem>) -> ProblemParts {
    let each: Vec<String> = problems.iter().map(ToString::to_string).collect();
    invalid(StatusCode::UNPROCESSABLE_ENTITY, each.join("; ")).with_details(problems)
}

fn internal() -> ProblemParts {
    ProblemParts::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal_error",
        "An internal error occurred",
    )
}

/// The PSP's refusal of a capture or cancel. It is stored like a success, so the presenter renders
/// it; it is not returned as an error.
pub(crate) fn psp_rejected(request_id: &str) -> (StatusCode, Vec<u8>) {
    let body = ErrorBody {
        error: "psp_rejected",
        message: Cow::Borrowed("The payment processor refused the operation"),
        request_id: request_id.to_owned(),
        details: Vec::new(),
    };
    (StatusCode::CONFLICT, error_body(&body))
}

fn error_body(body: &ErrorBody) -> Vec<u8> {
    // Contains only texts: cannot fail.
    serde_json::to_vec(body).unwrap_or_default()
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    /// Status and headers; `request_log` adds the body, because it has the request id.
    fn error_response(&self) -> HttpResponse {
        let parts = self.parts();
        let mut response = HttpResponse::build(parts.status);
        if let Some(seconds) = parts.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if let Self::MethodNotAllowed(allowed) = self {
            response.insert_header((header::ALLOW, *allowed));
        }
        // The rest of such a body is not read.
        if matches!(
            self,
            Self::PayloadTooLarge(_) | Self::BodyTimeout | Self::IncompleteBody
        ) {
            response.force_close();
        }
        response.finish()
    }
}

#[cfg(test)]
mod tests {
    use oncharge_domain::session::{InProgress, StatusName};

    use super::*;

    #[test]
    fn every_use_case_error_has_a_response() {
        let field = Error::Field {
            field: "amount",
            problem: "is wrong",
        };
        let expired = Error::InvalidState(StatusName::Expired);
        let capturing = Error::InProgress(InProgress::Capture);
        let internal = Error::Internal("the cause".into());
        let cases = [
            (
                Error::IdempotencyConflict,
                409,
                "idempotency_conflict",
                Some("1"),
            ),
            (
                Error::IdempotencyKeyReused,
                422,
                "idempotency_key_reused",
                None,
            ),
            (Error::IdempotencyKeyRequired, 400, "invalid_request", None),
            (Error::GlobalBan, 403, "global_ban", None),
            (Error::MerchantDisabled, 403, "merchant_disabled", None),
            (Error::NotFound, 404, "not_found", None),
            (Error::BadPayToken, 401, "invalid_token", None),
            (Error::BadCursor, 400, "invalid_request", None),
            (Error::Unverified, 401, "invalid_signature", None),
            (expired, 409, "invalid_state", None),
            (capturing, 409, "invalid_state", None),
            (Error::NoEndpoint, 409, "invalid_state", None),
            (Error::KeyIsEnding, 403, "key_ending", None),
            (Error::LastActiveKey, 409, "invalid_state", None),
            (Error::TooManyKeys, 409, "invalid_state", None),
            (Error::TooManyEndingKeys, 409, "invalid_state", None),
            (
                Error::RefundExceedsCaptured(1),
                422,
                "refund_exceeds_captured",
                None,
            ),
            (
                Error::CaptureExceedsAuthorized(1),
                422,
                "capture_exceeds_authorized",
                None,
            ),
            (field, 422, "invalid_request", None),
            (Error::PspUnavailable, 503, "psp_unavailable", None),
            (Error::Busy(None), 503, "busy", Some("1")),
            (Error::Overtaken, 503, "busy", Some("1")),
            (Error::UnknownPspAccount, 500, "internal_error", None),
            (internal, 500, "internal_error", None),
        ];
        for (error, status, code, retry_after) in cases {
            let problem = Problem::from(error);
            let response = problem.error_response();
            assert_eq!((response.status().as_u16(), problem.code()), (status, code));
            let header = response.headers().get(header::RETRY_AFTER);
            assert_eq!(
                header.map(|value| value.to_str().unwrap()),
                retry_after,
                "{code}"
            );
            let body = String::from_utf8(problem.body("req_1")).unwrap();
            assert!(body.contains("\"request_id\":\"req_1\""), "{body}");
            assert!(!body.contains("cause"), "shows the cause: {body}");
        }
    }
}
