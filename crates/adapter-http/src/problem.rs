//! Everything that can be wrong with a request, and the only place where that becomes a status, a
//! code and a body.

use std::{
    borrow::Cow,
    error::Error as _,
    fmt::{self, Write as _},
};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use oncharge_application::Error;
use oncharge_domain::merchant::{MAX_ACTIVE_KEYS, MAX_ENDING_KEYS};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// This header, which signs a request or carries a shopper's token, is absent, empty, repeated
    /// or not ASCII.
    #[error("missing_auth")]
    MissingAuth(&'static str),
    /// No such API key, or it is no longer good.
    #[error("invalid_key")]
    InvalidKey,
    /// The timestamp is no timestamp, or too far from the present.
    #[error("timestamp_expired")]
    TimestampExpired,
    /// The signature is not right.
    #[error("invalid_signature")]
    InvalidSignature,
    /// The body is larger than this many bytes.
    #[error("payload_too_large")]
    PayloadTooLarge(usize),
    /// Too many requests; the next is welcome in so many seconds.
    #[error("rate_limited")]
    RateLimited(u64),
    /// Unknown path.
    #[error("not_found")]
    UnknownPath,
    /// Known path, other method; these are allowed.
    #[error("method_not_allowed")]
    MethodNotAllowed(&'static str),
    /// The body's media type is none that is read as JSON.
    #[error("unsupported_media_type")]
    UnsupportedMediaType,
    /// The request target is not in origin form.
    #[error("invalid_request: target")]
    BadTarget,
    /// The body broke off.
    #[error("invalid_request: body")]
    BrokenBody,
    /// The body did not come in time.
    #[error("request_timeout")]
    SlowBody,
    /// The body is no acceptable JSON object.
    #[error("invalid_request: JSON")]
    BadJson(crate::json::BadJson),
    /// A query parameter or header breaks its rule.
    #[error("invalid_request: {}", .0.field)]
    BadParameter(FieldProblem),
    /// Fields are missing, of the wrong type, or break their rule.
    #[error("invalid_request: {} fields", .0.len())]
    BadFields(Vec<FieldProblem>),
    /// The use case refused or failed.
    #[error(transparent)]
    UseCase(#[from] Error),
    /// The page could not be rendered.
    #[error("internal_error: page")]
    Page(#[from] crate::checkout::page::PageError),
}

/// What is wrong with one field, never its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// The field, query parameter or header.
    pub field: Cow<'static, str>,
    /// What is wrong with it.
    pub problem: Cow<'static, str>,
}

impl FieldProblem {
    /// This field has this problem.
    pub fn new(field: impl Into<Cow<'static, str>>, problem: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody {
    /// What went wrong, for programs.
    #[schema(value_type = String, example = "invalid_signature")]
    pub error: &'static str,
    /// What went wrong, for people.
    #[schema(value_type = String, example = "HMAC signature verification failed")]
    pub message: Cow<'static, str>,
    /// The request's id, as in `X-Request-Id`.
    pub request_id: String,
    /// All fields that are wrong, where fields are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub details: Vec<FieldProblem>,
}

/// Status, code and message of a problem, with what else its answer carries.
struct Answer {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    details: Vec<FieldProblem>,
    /// Seconds for `Retry-After`.
    retry_after: Option<u64>,
}

impl Answer {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: Vec::new(),
            retry_after: None,
        }
    }

    fn with(self, details: Vec<FieldProblem>) -> Self {
        Self { details, ..self }
    }

    fn after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }
}

impl Problem {
    fn answer(&self) -> Answer {
        use StatusCode as S;
        match self {
            Self::MissingAuth(header) => Answer::new(
                S::UNAUTHORIZED,
                "missing_auth",
                format!("The header {header} is missing, empty, repeated or not ASCII"),
            ),
            Self::InvalidKey => {
                Answer::new(S::UNAUTHORIZED, "invalid_key", "The API key is not valid")
            }
            Self::TimestampExpired => Answer::new(
                S::UNAUTHORIZED,
                "timestamp_expired",
                "The timestamp is not within 5 minutes of the present time",
            ),
            Self::InvalidSignature => Answer::new(
                S::UNAUTHORIZED,
                "invalid_signature",
                "HMAC signature verification failed",
            ),
            Self::PayloadTooLarge(most) => Answer::new(
                S::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                format!("The body must be at most {most} bytes"),
            ),
            Self::RateLimited(seconds) => {
                Answer::new(S::TOO_MANY_REQUESTS, "rate_limited", "Too many requests")
                    .after(*seconds)
            }
            Self::UnknownPath => Answer::new(S::NOT_FOUND, "not_found", "There is no such path"),
            Self::MethodNotAllowed(allowed) => Answer::new(
                S::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                format!("This path allows {allowed}"),
            ),
            Self::UnsupportedMediaType => Answer::new(
                S::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body must be JSON: send it as application/json",
            ),
            Self::SlowBody => Answer::new(
                S::REQUEST_TIMEOUT,
                "request_timeout",
                "The body did not arrive in time",
            ),
            Self::BadTarget => invalid(S::BAD_REQUEST, "The request target must be a path"),
            Self::BrokenBody => invalid(S::BAD_REQUEST, "The body is incomplete"),
            Self::BadJson(bad) => {
                invalid(S::BAD_REQUEST, bad.to_string()).with(bad.field().into_iter().collect())
            }
            Self::BadParameter(problem) => bad_parameter(problem.clone()),
            Self::BadFields(problems) => bad_fields(problems.clone()),
            Self::UseCase(error) => answer_of(error),
            Self::Page(_) => internal(),
        }
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.answer().status
    }

    /// The code in the answer's body.
    pub(crate) fn code(&self) -> &'static str {
        self.answer().code
    }

    /// After how many seconds another try may succeed, where that is known.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.answer().retry_after
    }

    /// The answer's body.
    pub(crate) fn body(&self, request_id: &str) -> Vec<u8> {
        let Answer {
            code,
            message,
            details,
            ..
        } = self.answer();
        error_body(&ErrorBody {
            error: code,
            message,
            request_id: request_id.to_owned(),
            details,
        })
    }

    /// Logs a fault of ours with its causes; nothing else is worth a line of its own.
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

/// The answers of the use cases' errors.
fn answer_of(error: &Error) -> Answer {
    use StatusCode as S;
    match error {
        Error::IdempotencyConflict => Answer::new(
            S::CONFLICT,
            "idempotency_conflict",
            "The first request with this Idempotency-Key is still being processed",
        )
        .after(1),
        Error::IdempotencyKeyReused => unprocessable(
            "idempotency_key_reused",
            "The Idempotency-Key was used for another request",
        ),
        Error::IdempotencyKeyRequired => {
            bad_parameter(FieldProblem::new("Idempotency-Key", "is required"))
        }
        Error::GlobalBan => Answer::new(S::FORBIDDEN, "global_ban", "The shopper cannot be served"),
        Error::MerchantDisabled => Answer::new(
            S::FORBIDDEN,
            "merchant_disabled",
            "This merchant is disabled: no new sessions and payments; captures, cancels, refunds and \
             webhooks go on",
        ),
        Error::NotFound => Answer::new(S::NOT_FOUND, "not_found", "Not found"),
        Error::BadPayToken => unauthorized("invalid_token", "The pay token is invalid"),
        Error::BadCursor => {
            bad_parameter(FieldProblem::new("cursor", "is not a cursor of this list"))
        }
        Error::Unverified => unauthorized(
            "invalid_signature",
            "The notification's signature does not verify",
        ),
        Error::InvalidState(status) => not_now(format!(
            "Not possible while the session is {}",
            status.name()
        )),
        Error::InProgress(operation) => not_now(format!(
            "Not possible while {} is in progress",
            operation.text()
        )),
        Error::NoEndpoint => not_now("There is no webhook endpoint that is enabled: set one first"),
        Error::KeyIsEnding => Answer::new(
            S::FORBIDDEN,
            "key_ending",
            "This API key is in its grace period and can end only itself: use its successor",
        ),
        Error::LastActiveKey => not_now("The last active API key cannot be ended: rotate it"),
        Error::TooManyKeys => not_now(format!("There are {MAX_ACTIVE_KEYS} active API keys")),
        Error::TooManyEndingKeys => not_now(format!(
            "{MAX_ENDING_KEYS} API keys are in their grace period: end one with \
             DELETE /v1/api_keys/{{key_id}}, or rotate with revoke_old"
        )),
        Error::RefundExceedsCaptured(left) => unprocessable(
            "refund_exceeds_captured",
            format!("The amount must be at most what is left to refund: {left} minor units"),
        ),
        Error::CaptureExceedsAuthorized(most) => unprocessable(
            "capture_exceeds_authorized",
            format!("The amount must be at most what was authorized: {most} minor units"),
        ),
        Error::Field { field, problem } => bad_fields(vec![FieldProblem::new(*field, *problem)]),
        Error::PspUnavailable => Answer::new(
            S::SERVICE_UNAVAILABLE,
            "psp_unavailable",
            "The payment processor cannot be reached; nothing was sent",
        ),
        // What it met is news by now: another try meets that.
        Error::Busy(_) | Error::Overtaken => busy(),
        Error::UnknownPspAccount | Error::Internal(_) => internal(),
    }
}

fn unauthorized(code: &'static str, message: &'static str) -> Answer {
    Answer::new(StatusCode::UNAUTHORIZED, code, message)
}

fn unprocessable(code: &'static str, message: impl Into<Cow<'static, str>>) -> Answer {
    Answer::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
}

fn invalid(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Answer {
    Answer::new(status, "invalid_request", message)
}

fn busy() -> Answer {
    Answer::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "Too busy; nothing was written",
    )
    .after(1)
}

fn not_now(message: impl Into<Cow<'static, str>>) -> Answer {
    Answer::new(StatusCode::CONFLICT, "invalid_state", message)
}

fn bad_parameter(problem: FieldProblem) -> Answer {
    invalid(StatusCode::BAD_REQUEST, problem.to_string()).with(vec![problem])
}

fn bad_fields(problems: Vec<FieldProblem>) -> Answer {
    let each: Vec<String> = problems.iter().map(ToString::to_string).collect();
    invalid(StatusCode::UNPROCESSABLE_ENTITY, each.join("; ")).with(problems)
}

fn internal() -> Answer {
    Answer::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal_error",
        "Something failed on our side",
    )
}

/// The refusal of a capture or cancel by the PSP: it is remembered like a success, so that it is
/// rendered by the presenter and not raised as an error.
pub(crate) fn psp_rejected(request_id: &str) -> (StatusCode, Vec<u8>) {
    let body = ErrorBody {
        error: "psp_rejected",
        message: Cow::Borrowed("The payment processor refused"),
        request_id: request_id.to_owned(),
        details: Vec::new(),
    };
    (StatusCode::CONFLICT, error_body(&body))
}

fn error_body(body: &ErrorBody) -> Vec<u8> {
    // Texts only: this cannot fail.
    serde_json::to_vec(body).unwrap_or_default()
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    /// Status and headers; `observe` adds the body, since it knows the request's id.
    fn error_response(&self) -> HttpResponse {
        let answer = self.answer();
        let mut response = HttpResponse::build(answer.status);
        if let Some(seconds) = answer.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if let Self::MethodNotAllowed(allowed) = self {
            response.insert_header((header::ALLOW, *allowed));
        }
        // What is left of such a body is not waited for.
        if matches!(
            self,
            Self::PayloadTooLarge(_) | Self::SlowBody | Self::BrokenBody
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
    fn every_error_of_a_use_case_has_its_answer() {
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
            assert!(!body.contains("cause"), "no cause is shown: {body}");
        }
    }
}
