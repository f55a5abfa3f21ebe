//! Converts an instruction to the exact bytes that every try sends.

use oncharge_domain::{money::Money, psp::Instruction};
use oncharge_ports::psp::{PreparedRequest, PspRequest, UnsupportedAmount};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::currencies;
use crate::amount;

/// A stored request, kept until its operation is final and zeroized after use. Because requests are
/// stored, this format may be extended but must stay readable.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct SimulatorRequest {
    #[zeroize(skip)]
    kind: Kind,
    /// Path, in which the PSP's own references are percent-encoded.
    pub(super) path: String,
    /// The idempotency key: the operation's id.
    pub(super) key: String,
    /// The body's exact bytes, as text; contains the shopper's token.
    pub(super) body: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Authorize,
    Capture,
    Cancel,
    Refund,
}

#[derive(Serialize)]
struct PaymentBody<'a> {
    token: &'a str,
    amount: i64,
    currency: &'static str,
    capture: bool,
    reference: &'a str,
    notification_url: &'a str,
}

#[derive(Serialize)]
struct AmountBody {
    amount: i64,
}

/// The bytes are not a request of this connector, so nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("cannot parse the prepared request")]
pub(super) struct UnreadableRequest;

/// Builds the request for an instruction. An authorization needs a payment method.
pub(super) fn prepare(
    call: &PspRequest<'_>,
    notification_url: &str,
) -> Result<PreparedRequest, UnsupportedAmount> {
    let (kind, path, body) = match &call.instruction {
        Instruction::Authorize { amount, capture } => {
            let body = PaymentBody {
                token: call.payment_method.ok_or(UnsupportedAmount)?.expose(),
                amount: to_simulator_units(*amount)?,
                currency: amount.currency().code(),
                capture: *capture,
                reference: &call.session.to_string(),
                notification_url,
            };
            (Kind::Authorize, "/v1/payments".to_owned(), to_json(&body)?)
        }
        Instruction::Capture { payment, amount } => {
            let body = to_json(&AmountBody {
                amount: to_simulator_units(*amount)?,
            })?;
            (Kind::Capture, path(payment.as_str(), "captures"), body)
        }
        Instruction::Cancel { payment } => (
            Kind::Cancel,
            path(payment.as_str(), "cancels"),
            "{}".to_owned(),
        ),
        Instruction::Refund { payment, amount } => {
            let body = to_json(&AmountBody {
                amount: to_simulator_units(*amount)?,
            })?;
            (Kind::Refund, path(payment.as_str(), "refunds"), body)
        }
    };
    let key = call.operation.to_string();
    let prepared = SimulatorRequest {
        kind,
        path,
        key,
        body,
    };
    serde_json::to_vec(&prepared)
        .map(PreparedRequest::new)
        .map_err(|_| UnsupportedAmount)
}

/// Parses what [`prepare`] wrote.
pub(super) fn read(request: &PreparedRequest) -> Result<SimulatorRequest, UnreadableRequest> {
    serde_json::from_slice(request.expose()).map_err(|_| UnreadableRequest)
}

/// The kind of a prepared request, for metrics.
pub(super) fn request_kind(request: &PreparedRequest) -> &'static str {
    match read(request).map(|prepared| prepared.kind) {
        Ok(Kind::Authorize) => "authorize",
        Ok(Kind::Capture) => "capture",
        Ok(Kind::Cancel) => "cancel",
        Ok(Kind::Refund) => "refund",
        Err(_) => "unreadable",
    }
}

pub(super) fn to_simulator_units(amount: Money) -> Result<i64, UnsupportedAmount> {
    let exponent = currencies::exponent(amount.currency()).ok_or(UnsupportedAmount)?;
    amount::to_provider(amount, exponent)
}

/// Never fails, because structs of texts and numbers always serialize; the error satisfies the
/// type.
fn to_json(body: &impl Serialize) -> Result<String, UnsupportedAmount> {
    serde_json::to_string(body).map_err(|_| UnsupportedAmount)
}

fn path(payment: &str, action: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(payment.as_bytes()).collect();
    format!("/v1/payments/{encoded}/{action}")
}

#[cfg(test)]
mod tests {
    use oncharge_domain::{
        currency::Currency,
        id::{OperationId, SessionId},
        psp::PspReference,
    };
    use oncharge_ports::psp::PaymentMethod;

    use super::*;

    const URL: &str = "http://127.0.0.1:8080/webhooks/psp/simulator/default";

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, Currency::parse(code).unwrap()).unwrap()
    }

    fn prepared(instruction: Instruction) -> Result<PreparedRequest, UnsupportedAmount> {
        let token = PaymentMethod::new("tok_abcdefgh".to_owned());
        let call = PspRequest {
            operation: OperationId::from_uuid(
                "018f0000-0000-7000-8000-000000000001".parse().unwrap(),
            ),
            session: SessionId::from_uuid("018f0000-0000-7000-8000-000000000002".parse().unwrap()),
            instruction,
            payment_method: Some(&token),
        };
        prepare(&call, URL)
    }

    fn check(instruction: Instruction, kind: &str, path: &str, body: &str) {
        let request = prepared(instruction).unwrap();
        let read = read(&request).unwrap();
        assert_eq!(read.path, path);
        assert_eq!(read.key, "op_018f0000000070008000000000000001");
        assert_eq!(read.body, body);
        assert_eq!(request_kind(&request), kind);
    }

    #[test]
    fn each_instruction_has_its_path_and_body() {
        let payment = PspReference::parse("psp_1").unwrap();
        check(
            Instruction::Authorize {
                amount: money(4200, "EUR"),
                capture: true,
            },
            "authorize",
            "/v1/payments",
            r#"{"token":"tok_abcdefgh","amount":4200,"currency":"EUR","capture":true,"reference":"cs_018f0000000070008000000000000002","notification_url":"http://127.0.0.1:8080/webhooks/psp/simulator/default"}"#,
        );
        check(
            Instruction::Capture {
                payment: payment.clone(),
                amount: money(1, "JPY"),
            },
            "capture",
            "/v1/payments/psp_1/captures",
            r#"{"amount":1}"#,
        );
        check(
            Instruction::Cancel {
                payment: payment.clone(),
            },
            "cancel",
            "/v1/payments/psp_1/cancels",
            "{}",
        );
        check(
            Instruction::Refund {
                payment,
                amount: money(1234, "KWD"),
            },
            "refund",
            "/v1/payments/psp_1/refunds",
            r#"{"amount":1234}"#,
        );
    }

    #[test]
    fn a_reference_cannot_escape_its_path() {
        let payment = PspReference::parse("../x?y#z%/é".trim_end_matches('é')).unwrap();
        check(
            Instruction::Cancel { payment },
            "cancel",
            "/v1/payments/..%2Fx%3Fy%23z%25%2F/cancels",
            "{}",
        );
    }

    #[test]
    fn zero_amounts_are_refused() {
        let payment = PspReference::parse("psp_1").unwrap();
        let zero = Instruction::Refund {
            payment,
            amount: money(0, "EUR"),
        };
        assert_eq!(prepared(zero), Err(UnsupportedAmount));
    }

    #[test]
    fn an_unreadable_request_is_an_error() {
        let request = PreparedRequest::new(b"{}".to_vec());
        assert!(read(&request).is_err());
        assert_eq!(request_kind(&request), "unreadable");
    }
}
