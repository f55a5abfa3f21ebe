//! Parses the simulator's responses.

use oncharge_domain::{
    card::Card,
    currency::Currency,
    id::OperationId,
    money::Money,
    psp::{Challenge, PspDetails, PspReference, PspReport, PspResponse, RefusalReason},
};
use oncharge_ports::psp::PspError;
use serde::Deserialize;
use url::Url;

use super::{card, currencies};
use crate::{amount, http::HttpResponse};

/// Maximum length of a simulator's reason that is kept, in characters.
const MAX_REASON_LENGTH: usize = 64;

/// The state of an operation, in the response to a call and in a look-up.
#[derive(Deserialize)]
struct OperationBody {
    psp_reference: String,
    result: String,
    reason: Option<String>,
    challenge_url: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    #[serde(default, with = "card")]
    card: Option<Card>,
}

/// The key of the operation in a look-up.
#[derive(Deserialize)]
struct KeyBody {
    idempotency_key: String,
}

/// The simulator's error body.
#[derive(Deserialize)]
struct ErrorBody {
    error: String,
}

/// A response that is inconclusive or malformed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum UnclearResponse {
    #[error("the simulator responded with status {0}")]
    Status(u16),
    #[error("the simulator's response has an invalid field: {0}")]
    Malformed(&'static str),
    #[error("the simulator received this idempotency key with another request before")]
    KeyReused,
}

/// The bearer token is wrong: nothing was executed.
#[derive(Debug, thiserror::Error)]
#[error("the simulator does not accept the bearer token")]
struct Unauthorized;

/// Parses the response to a call that moves money.
pub(super) fn parse_call(response: &HttpResponse) -> Result<PspReport, PspError> {
    match response.status {
        200 | 201 => parse_operation(&response.body).map_err(unknown_outcome),
        401 => Err(unauthorized()),
        400 | 404 | 415 | 422 => parse_rejection(response)
            .map(PspReport::from)
            .map_err(unknown_outcome),
        status => Err(unknown_outcome(UnclearResponse::Status(status))),
    }
}

/// Parses the response to the look-up of an operation.
pub(super) fn parse_look_up(
    response: &HttpResponse,
    operation: OperationId,
) -> Result<Option<PspReport>, PspError> {
    match response.status {
        200 => check_key(&response.body, operation)
            .and_then(|()| parse_operation(&response.body))
            .map(Some)
            .map_err(unknown_outcome),
        401 => Err(unauthorized()),
        404 if error_code(&response.body).as_deref() == Some("not_found") => Ok(None),
        status => Err(unknown_outcome(UnclearResponse::Status(status))),
    }
}

/// Parses a rejected call: nothing was executed, and the same bytes will never be accepted. The
/// exception is a key that the simulator has received with other bytes: what was executed under
/// that key is unknown, so a look-up is needed.
fn parse_rejection(response: &HttpResponse) -> Result<PspResponse, UnclearResponse> {
    let code = error_code(&response.body).ok_or(UnclearResponse::Status(response.status))?;
    match (response.status, code.as_str()) {
        (422, "idempotency_key_reused") => Err(UnclearResponse::KeyReused),
        (400 | 422, "invalid_request") | (404, "not_found") | (415, "unsupported_media_type") => {
            tracing::error!(
                status = response.status,
                code,
                "the simulator rejected the request as invalid"
            );
            Ok(PspResponse::Refused(RefusalReason::Other(code)))
        }
        _ => Err(UnclearResponse::Status(response.status)),
    }
}

/// Checks that a look-up returned the operation that was asked for.
fn check_key(body: &[u8], operation: OperationId) -> Result<(), UnclearResponse> {
    let parsed = serde_json::from_slice(body).ok();
    match parsed.map(|body: KeyBody| body.idempotency_key) {
        Some(key) if key == operation.to_string() => Ok(()),
        _ => Err(UnclearResponse::Malformed("idempotency_key")),
    }
}

fn parse_operation(body: &[u8]) -> Result<PspReport, UnclearResponse> {
    let parsed: OperationBody =
        serde_json::from_slice(body).map_err(|_| UnclearResponse::Malformed("body"))?;
    let reference = PspReference::parse(&parsed.psp_reference)
        .map_err(|_| UnclearResponse::Malformed("psp_reference"))?;
    let details = PspDetails {
        reference: Some(reference.clone()),
        amount: parse_amount(&parsed)?,
        card: parsed.card.clone(),
    };
    let response = match parsed.result.as_str() {
        "authorised" | "done" => PspResponse::Done {
            reference,
            captured: false,
        },
        "captured" => PspResponse::Done {
            reference,
            captured: true,
        },
        "pending" | "received" => PspResponse::Accepted { reference },
        "refused" => PspResponse::Refused(reason(parsed.reason.as_deref())),
        "challenge" => {
            let url = parsed.challenge_url.filter(|url| is_web_url(url));
            let url = url.ok_or(UnclearResponse::Malformed("challenge_url"))?;
            PspResponse::ActionRequired(Challenge { reference, url })
        }
        _ => return Err(UnclearResponse::Malformed("result")),
    };
    Ok(PspReport { response, details })
}

/// The amount, which only look-ups have.
fn parse_amount(parsed: &OperationBody) -> Result<Option<Money>, UnclearResponse> {
    let amount = match (parsed.amount, parsed.currency.as_deref()) {
        (None, None) => return Ok(None),
        (Some(amount), Some(currency)) => money(amount, currency),
        _ => None,
    };
    amount.map(Some).ok_or(UnclearResponse::Malformed("amount"))
}

/// An amount in the simulator's units; `None` if it has no exact equivalent.
pub(super) fn money(amount: i64, currency: &str) -> Option<Money> {
    let currency = Currency::parse(currency).ok()?;
    amount::from_provider(amount, currency, currencies::exponent(currency)?)
}

/// Maps the simulator's refusal reason to ours; reasons without an equivalent keep their text.
pub(super) fn reason(code: Option<&str>) -> RefusalReason {
    match code.unwrap_or("unspecified") {
        "card_declined" => RefusalReason::CardDeclined,
        "insufficient_funds" => RefusalReason::InsufficientFunds,
        "expired_card" => RefusalReason::ExpiredCard,
        "authentication_failed" => RefusalReason::AuthenticationFailed,
        "authorisation_expired" => RefusalReason::AuthorizationExpired,
        "already_captured" => RefusalReason::AlreadyCaptured,
        // A payment that was cancelled before it was decided no longer holds money.
        "nothing_held" | "cancelled" => RefusalReason::NothingHeld,
        other => RefusalReason::Other(
            other
                .chars()
                .filter(char::is_ascii_graphic)
                .take(MAX_REASON_LENGTH)
                .collect(),
        ),
    }
}

fn error_code(body: &[u8]) -> Option<String> {
    serde_json::from_slice(body)
        .ok()
        .map(|body: ErrorBody| body.error)
}

fn is_web_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn unknown_outcome(cause: UnclearResponse) -> PspError {
    PspError::Unknown(Box::new(cause))
}

/// Checked before any work, so nothing was executed; but nothing will be until somebody acts.
fn unauthorized() -> PspError {
    tracing::error!("the simulator rejected the bearer token: check psp.<account>.bearer");
    PspError::NotSent(Box::new(Unauthorized))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "op_018f0000000070008000000000000001";

    fn look_up(response: &HttpResponse) -> Result<Option<PspReport>, PspError> {
        parse_look_up(response, KEY.parse().unwrap())
    }

    fn response(status: u16, body: &str) -> HttpResponse {
        HttpResponse {
            status,
            body: body.as_bytes().to_vec(),
        }
    }

    /// An operation with these members.
    fn body(members: &str) -> String {
        format!(r#"{{"idempotency_key":"{KEY}","psp_reference":"psp_1",{members}}}"#)
    }

    fn reference() -> PspReference {
        PspReference::parse("psp_1").unwrap()
    }

    #[test]
    fn every_result_maps_to_a_response() {
        let url = "http://127.0.0.1:8081/challenge/ch_1".to_owned();
        let cases = [
            (
                r#""result":"authorised""#,
                PspResponse::Done {
                    reference: reference(),
                    captured: false,
                },
            ),
            (
                r#""result":"captured""#,
                PspResponse::Done {
                    reference: reference(),
                    captured: true,
                },
            ),
            (
                r#""result":"done""#,
                PspResponse::Done {
                    reference: reference(),
                    captured: false,
                },
            ),
            (
                r#""result":"pending""#,
                PspResponse::Accepted {
                    reference: reference(),
                },
            ),
            (
                r#""result":"received""#,
                PspResponse::Accepted {
                    reference: reference(),
                },
            ),
            (
                r#""result":"challenge","challenge_url":"http://127.0.0.1:8081/challenge/ch_1""#,
                PspResponse::ActionRequired(Challenge {
                    reference: reference(),
                    url,
                }),
            ),
            (
                r#""result":"refused","reason":"insufficient_funds""#,
                PspResponse::Refused(RefusalReason::InsufficientFunds),
            ),
            (
                r#""result":"refused""#,
                PspResponse::Refused(RefusalReason::Other("unspecified".into())),
            ),
        ];
        for (members, expected) in cases {
            let body = body(members);
            let report = parse_call(&response(201, &body)).unwrap();
            assert_eq!(report.response, expected, "{body}");
            assert_eq!(report.details.reference, Some(reference()), "{body}");
            let found = look_up(&response(200, &body)).unwrap();
            assert_eq!(found, Some(report), "{body}");
        }
    }

    #[test]
    fn a_look_up_names_the_amount() {
        let look_up = |members: &str| {
            let members = format!(r#""result":"done",{members}"#);
            look_up(&response(200, &body(&members)))
        };
        let found = look_up(r#""amount":1234,"currency":"EUR""#)
            .unwrap()
            .unwrap();
        let currency = Currency::parse("EUR").unwrap();
        assert_eq!(found.details.amount, Money::new(1234, currency).ok());
        let found = look_up(r#""amount":null"#).unwrap().unwrap();
        assert_eq!(found.details.amount, None);
        for members in [
            r#""amount":-1,"currency":"EUR""#,
            r#""amount":1.5,"currency":"EUR""#,
            r#""amount":1,"currency":"euro""#,
            r#""amount":1"#,
            r#""currency":"EUR""#,
        ] {
            let result = look_up(members);
            assert!(
                matches!(result, Err(PspError::Unknown(_))),
                "{members}: {result:?}"
            );
        }
    }

    /// A card number in place of its description must neither be stored nor hide the result.
    #[test]
    fn a_card_is_read_where_it_has_the_form_of_one() {
        let visa = Card::new(Some("visa"), Some("4242"));
        let brand = Card::new(Some("visa"), None);
        for (member, card) in [
            (r#"{"brand":"visa","last4":"4242"}"#, &visa),
            (r#"{"brand":"visa","last4":"4242","exp":7}"#, &visa),
            (r#"{"brand":"visa","last4":"4242424242424242"}"#, &brand),
            (r#"{"brand":"visa","last4":4242}"#, &brand),
            (r#"{"brand":"4242424242424242","last4":"42424"}"#, &None),
            (r#""4242424242424242""#, &None),
            ("null", &None),
            ("[]", &None),
            ("7", &None),
        ] {
            let body = body(&format!(r#""result":"captured","card":{member}"#));
            let report = parse_call(&response(201, &body)).unwrap();
            assert_eq!(&report.details.card, card, "{body}");
            assert!(
                matches!(report.response, PspResponse::Done { .. }),
                "{body}"
            );
            let found = look_up(&response(200, &body)).unwrap().unwrap();
            assert_eq!(found, report, "{body}");
        }
    }

    #[test]
    fn every_reason_is_mapped() {
        let cases = [
            ("card_declined", RefusalReason::CardDeclined),
            ("insufficient_funds", RefusalReason::InsufficientFunds),
            ("expired_card", RefusalReason::ExpiredCard),
            ("authentication_failed", RefusalReason::AuthenticationFailed),
            ("authorisation_expired", RefusalReason::AuthorizationExpired),
            ("already_captured", RefusalReason::AlreadyCaptured),
            ("nothing_held", RefusalReason::NothingHeld),
            ("cancelled", RefusalReason::NothingHeld),
            ("wrong_state", RefusalReason::Other("wrong_state".into())),
            // Our own reasons, which a PSP must not be able to set.
            ("never_sent", RefusalReason::Other("never_sent".into())),
            ("a b\u{7f}é!", RefusalReason::Other("ab!".into())),
        ];
        for (code, expected) in cases {
            assert_eq!(reason(Some(code)), expected, "{code}");
        }
        let long = "x".repeat(65);
        assert_eq!(reason(Some(&long)), RefusalReason::Other("x".repeat(64)));
    }

    #[test]
    fn rejected_calls_are_final_refusals() {
        for (status, code) in [
            (400, "invalid_request"),
            (422, "invalid_request"),
            (404, "not_found"),
            (415, "unsupported_media_type"),
        ] {
            let body = format!(r#"{{"error":"{code}","message":"…"}}"#);
            let response = parse_call(&response(status, &body)).unwrap().response;
            assert_eq!(
                response,
                PspResponse::Refused(RefusalReason::Other(code.to_owned())),
                "{status}"
            );
        }
    }

    #[test]
    fn unclear_responses_are_unknown() {
        let authorised = r#"{"psp_reference":"psp_1","result":"authorised"}"#;
        let responses = [
            response(500, r#"{"error":"internal_error"}"#),
            response(503, ""),
            response(302, ""),
            response(204, ""),
            response(429, authorised),
            response(404, "<html>not here</html>"),
            response(422, r#"{"error":"idempotency_key_reused"}"#),
            response(201, ""),
            response(201, "{}"),
            response(201, r#"{"psp_reference":"","result":"authorised"}"#),
            response(201, r#"{"psp_reference":"psp_1","result":"perhaps"}"#),
            response(201, r#"{"psp_reference":"psp_1","result":"challenge"}"#),
            response(
                201,
                r#"{"psp_reference":"psp_1","result":"challenge","challenge_url":"javascript:1"}"#,
            ),
        ];
        for response in responses {
            let result = parse_call(&response);
            assert!(
                matches!(result, Err(PspError::Unknown(_))),
                "{response:?}: {result:?}"
            );
        }
    }

    #[test]
    fn a_look_up_of_another_operation_is_unknown() {
        let other = body(r#""result":"done""#).replace("0001\"", "0002\"");
        let without_key = r#"{"psp_reference":"psp_1","result":"done"}"#;
        for body in [other.as_str(), without_key] {
            let result = look_up(&response(200, body));
            assert!(
                matches!(result, Err(PspError::Unknown(_))),
                "{body}: {result:?}"
            );
        }
    }

    #[test]
    fn only_the_simulators_own_404_means_not_found() {
        let nothing = response(404, r#"{"error":"not_found","message":"…"}"#);
        assert_eq!(look_up(&nothing).unwrap(), None);
        for response in [
            response(404, ""),
            response(422, "{}"),
            response(503, ""),
            response(200, "{}"),
        ] {
            assert!(
                matches!(look_up(&response), Err(PspError::Unknown(_))),
                "{response:?}"
            );
        }
    }

    #[test]
    fn a_wrong_bearer_is_not_sent() {
        let refused = response(401, r#"{"error":"unauthorized"}"#);
        assert!(matches!(parse_call(&refused), Err(PspError::NotSent(_))));
        assert!(matches!(look_up(&refused), Err(PspError::NotSent(_))));
    }
}
