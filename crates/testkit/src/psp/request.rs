//! The scripted PSP's bytes: requests and notifications as lines of text.

use oncharge_domain::{
    currency::Currency,
    id::{OperationId, SessionId},
    money::Money,
    psp::{Answer, Challenge, Instruction, PspReference, RefusalReason},
};
use oncharge_ports::psp::{self, Notification};

use super::{Call, ledger::Ledger};

/// A request as the PSP reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) operation: OperationId,
    pub(super) session: SessionId,
    pub(super) call: Call,
    pub(super) minor: i64,
    pub(super) currency: Option<Currency>,
    pub(super) capture: bool,
    pub(super) payment: Option<PspReference>,
    pub(super) token: String,
}

impl Request {
    /// What a connector was asked to carry out.
    pub(super) fn of(call: &psp::Call<'_>) -> Self {
        let (kind, amount, payment) = match &call.instruction {
            Instruction::Authorize { amount, .. } => (Call::Authorize, Some(*amount), None),
            Instruction::Capture { payment, amount } => {
                (Call::Capture, Some(*amount), Some(payment.clone()))
            }
            Instruction::Cancel { payment } => (Call::Cancel, None, Some(payment.clone())),
            Instruction::Refund { payment, amount } => {
                (Call::Refund, Some(*amount), Some(payment.clone()))
            }
        };
        Self {
            operation: call.operation,
            session: call.session,
            call: kind,
            minor: amount.map_or(0, Money::minor),
            currency: amount.map(Money::currency),
            capture: matches!(
                call.instruction,
                Instruction::Authorize { capture: true, .. }
            ),
            payment,
            token: call
                .payment_method
                .map(|token| token.expose().to_owned())
                .unwrap_or_default(),
        }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let call = match (self.call, self.capture) {
            (Call::Authorize, true) => "sale",
            (Call::Authorize, false) => "authorize",
            (Call::Capture, _) => "capture",
            (Call::Cancel, _) => "cancel",
            (Call::Refund, _) => "refund",
            (Call::LookUp, _) => "look_up",
        };
        let lines = [
            self.operation.to_string(),
            self.session.to_string(),
            call.to_owned(),
            self.minor.to_string(),
            self.currency.map_or("", Currency::code).to_owned(),
            self.payment
                .as_ref()
                .map_or("", PspReference::as_str)
                .to_owned(),
            self.token.clone(),
        ];
        lines.join("\n").into_bytes()
    }

    /// Reads what [`Request::write`] wrote; `None` for anything else.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.split('\n');
        let mut next = || lines.next();
        let (operation, session) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let (call, capture) = match next()? {
            "sale" => (Call::Authorize, true),
            "authorize" => (Call::Authorize, false),
            "capture" => (Call::Capture, false),
            "cancel" => (Call::Cancel, false),
            "refund" => (Call::Refund, false),
            _ => return None,
        };
        Some(Self {
            operation,
            session,
            call,
            capture,
            minor: next()?.parse().ok()?,
            currency: Currency::parse(next()?).ok(),
            payment: PspReference::parse(next()?).ok(),
            token: next()?.to_owned(),
        })
    }
}

/// The text of a notification of what is true of an operation now.
pub(super) fn write_notification(number: u64, ledger: &Ledger, operation: OperationId) -> Vec<u8> {
    let request = ledger.request_of(operation).expect("the operation arrived");
    let answer = ledger.truth(operation).expect("the operation arrived");
    let (kind, first, second) = match &answer {
        Answer::Done {
            reference,
            captured,
        } => {
            let captured = if *captured { "captured" } else { "" };
            ("done", reference.as_str(), captured)
        }
        Answer::Accepted { reference } => ("accepted", reference.as_str(), ""),
        Answer::ActionRequired(challenge) => (
            "challenge",
            challenge.reference.as_str(),
            challenge.url.as_str(),
        ),
        Answer::Refused(reason) => ("refused", reason.as_str(), ""),
    };
    // A cancel names no amount; its notification names the payment's, as PSPs do.
    let amount = ledger.amount_request(request);
    let currency = amount.currency.map_or("EUR", Currency::code);
    let (session, minor) = (request.session, amount.minor);
    format!("ntf_{number}\n{operation}\n{session}\n{minor} {currency}\n{kind}\n{first}\n{second}")
        .into_bytes()
}

/// Reads what [`write_notification`] wrote; `None` for anything else.
pub(super) fn read_notification(body: &[u8]) -> Option<Notification> {
    let lines: Vec<&str> = std::str::from_utf8(body).ok()?.split('\n').collect();
    let [event_key, operation, session, amount, kind, first, second] = lines.as_slice() else {
        return None;
    };
    let (minor, currency) = amount.split_once(' ')?;
    let reference = || PspReference::parse(first).ok();
    let answer = match *kind {
        "done" => Answer::Done {
            reference: reference()?,
            captured: *second == "captured",
        },
        "accepted" => Answer::Accepted {
            reference: reference()?,
        },
        "challenge" => Answer::ActionRequired(Challenge {
            reference: reference()?,
            url: (*second).to_owned(),
        }),
        "refused" => Answer::Refused(RefusalReason::parse(first)),
        _ => return None,
    };
    Some(Notification {
        event_key: (*event_key).to_owned(),
        operation: operation.parse().ok()?,
        session: session.parse().ok()?,
        amount: Money::new(minor.parse().ok()?, Currency::parse(currency).ok()?).ok()?,
        answer,
    })
}
