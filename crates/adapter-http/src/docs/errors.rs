//! The table of error codes: status and code as [`Problem`] returns them, and their meaning.

use oncharge_application::Error;
use oncharge_domain::session::StatusName;

use super::markdown;
use crate::{
    checkout::page::PageError,
    problem::{FieldProblem, Problem, psp_rejected},
};

/// One error code.
pub(super) struct ErrorRow {
    /// As in the response's `error`.
    pub(super) code: &'static str,
    /// `401`, or several.
    pub(super) statuses: String,
    /// Meaning and remedy, as HTML.
    pub(super) html: String,
}

/// All codes, in the order in which a request is checked.
pub(super) fn rows() -> Vec<ErrorRow> {
    let mut rows: Vec<ErrorRow> = meanings()
        .into_iter()
        .map(|(problems, meaning)| row(&problems, meaning))
        .collect();
    let (status, _) = psp_rejected("");
    rows.push(ErrorRow {
        code: "psp_rejected",
        statuses: status.as_u16().to_string(),
        html: markdown::inline(
            "The processor refused a capture or cancel. The response is stored under the request's \
             idempotency key.",
        ),
    });
    rows
}

fn row(problems: &[Problem], meaning: &str) -> ErrorRow {
    let statuses = problems.iter().map(|one| one.status().as_u16().to_string());
    ErrorRow {
        code: problems.first().map_or("", Problem::code),
        statuses: statuses.collect::<Vec<_>>().join(", "),
        html: markdown::inline(meaning),
    }
}

/// Problems that share a code, and its meaning.
type Meaning = (Vec<Problem>, &'static str);

/// The meanings of all codes, in the order in which a request is checked.
fn meanings() -> Vec<Meaning> {
    let mut all: Vec<Meaning> = request_meanings()
        .map(|(one, text)| (vec![one], text))
        .into();
    all.push((
        vec![
            Problem::InvalidParameter(FieldProblem::new("", "")),
            Problem::InvalidFields(Vec::new()),
        ],
        "400: the body is not a valid JSON object, or a query parameter or header is invalid. 422: \
         fields are missing or invalid. `details` lists all of them, without their values.",
    ));
    let use_case_meanings =
        use_case_meanings().map(|(error, text)| (vec![Problem::UseCase(error)], text));
    all.extend(use_case_meanings);
    all.push((
        vec![Problem::Page(PageError::FieldsUrl)],
        "An internal error. A `POST` with an `Idempotency-Key` can be repeated. If the error \
         persists, contact us with the `request_id`.",
    ));
    all
}

/// Problems of a request, independent of its use case.
#[rustfmt::skip] // One problem, one meaning.
fn request_meanings() -> [(Problem, &'static str); 11] {
    [
        (Problem::MissingAuth("X-Oncharge-Key"), "One of the three headers that sign a request is absent, empty, \
            repeated or not ASCII; for a shopper's call, the pay token is missing."),
        (
            Problem::InvalidKey,
            "The API key does not exist, was revoked, or its grace period after a rotation is \
             over.",
        ),
        (
            Problem::TimestampExpired,
            "`X-Oncharge-Timestamp` is not 1 to 12 digits, or differs from the current time by \
             more than 5 minutes: synchronize your server's clock.",
        ),
        (
            Problem::InvalidSignature,
            "The signature does not match the received request. Compare your request with the \
             output of `oncharge sign`.",
        ),
        (
            Problem::UseCase(Error::BadPayToken),
            "A shopper's call: the pay token is invalid, expired or belongs to another session.",
        ),
        (Problem::PayloadTooLarge(0), "The body is over 64 KiB."),
        (
            Problem::RateLimited(1),
            "Too many requests. Wait as long as `Retry-After` says. The `RateLimit` header of \
             every response to a signed request states the remaining quota.",
        ),
        (
            Problem::UnknownPath,
            "The path does not exist, or you have no such session, refund, event or endpoint.",
        ),
        (Problem::MethodNotAllowed(""),
            "The path does not support this method. `Allow` lists the supported methods."),
        (
            Problem::UnsupportedMediaType,
            "The body's `Content-Type` is not a JSON type. The header is optional.",
        ),
        (Problem::BodyTimeout, "The body did not arrive in time. Nothing was done."),
    ]
}

/// Errors of the use cases.
#[rustfmt::skip] // One error, one meaning.
fn use_case_meanings() -> [(Error, &'static str); 10] {
    [
        (
            Error::IdempotencyConflict,
            "The first request with this `Idempotency-Key` is still being processed: retry after \
             `Retry-After`.",
        ),
        (Error::IdempotencyKeyReused, "This `Idempotency-Key` was used for another request in the \
            last 72 hours."),
        (Error::GlobalBan, "This shopper cannot be served."),
        (
            Error::MerchantDisabled,
            "The merchant is disabled: new sessions and payments are rejected. Captures, cancels, \
             refunds and webhooks continue.",
        ),
        (
            Error::InvalidState(StatusName::Created),
            "The session's status does not allow it, or another operation is in progress; \
             `message` says which. For redelivery and tests: there is no webhook endpoint, or it \
             is disabled. For API keys: it is the last active key, or 5 keys are in their grace \
             period.",
        ),
        (
            Error::KeyIsEnding,
            "The API key is in the grace period of a rotation: use its successor to manage keys \
             and the webhook endpoint. It can delete only itself.",
        ),
        (
            Error::RefundExceedsCaptured(0),
            "The refunds would exceed the captured amount. `message` and the session's \
             `amount_refundable` state the remaining amount.",
        ),
        (
            Error::CaptureExceedsAuthorized(0),
            "The amount exceeds the authorized amount, which `message` states.",
        ),
        (
            Error::PspUnavailable,
            "The processor is unreachable and received nothing: repeat the request with the same \
             key.",
        ),
        (Error::Busy(None), "Nothing was written: repeat the request after `Retry-After`."),
    ]
}

/// Replaces each code in the HTML by a link to its row.
pub(super) fn link_codes(html: &str, rows: &[ErrorRow]) -> String {
    let mut linked = html.to_owned();
    for ErrorRow { code, .. } in rows {
        let plain = format!("<code>{code}</code>");
        let link = format!("<a href=\"#error-{code}\"><code>{code}</code></a>");
        linked = linked.replace(&plain, &link);
    }
    linked
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::docs::document::{Document, members, text};

    #[test]
    fn every_documented_code_is_in_the_table() {
        let rows = rows();
        let document = Document::read();
        let mut seen = 0;
        for (path, methods) in members(document.at(""), "paths") {
            let operations = methods.as_object().unwrap().values();
            let responses = operations.flat_map(|operation| members(operation, "responses"));
            for (status, response) in responses.filter(|(status, _)| !status.starts_with('2')) {
                let description = text(response, "description").replace("`details`", "");
                let words = description.split('`').skip(1).step_by(2);
                for code in words.filter(|word| *word != "payment_method") {
                    seen += 1;
                    let found = rows.iter().find(|row| row.code == code);
                    let statuses = &found.unwrap_or_else(|| panic!("{path}: {code}")).statuses;
                    assert!(
                        statuses.contains(status.as_str()),
                        "{path}: {code} is {status}"
                    );
                }
            }
        }
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn each_code_has_one_row() {
        let mut codes: Vec<_> = rows().iter().map(|row| row.code).collect();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
        for (problems, meaning) in meanings() {
            assert!(!meaning.is_empty());
            let code = problems[0].code();
            assert!(
                problems.iter().all(|problem| problem.code() == code),
                "{code}"
            );
        }
        let refused: Value = serde_json::from_slice(&psp_rejected("").1).unwrap();
        assert_eq!(refused["error"], "psp_rejected");
    }
}
