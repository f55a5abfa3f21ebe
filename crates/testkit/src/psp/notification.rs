//! The scripted PSP's notifications as lines of text.

use oncharge_domain::{
    currency::Currency,
    id::OperationId,
    money::Money,
    psp::{Challenge, PspReference, PspResponse, RefusalReason},
    signing::sha256,
};
use oncharge_ports::psp::{Notification, NotificationError};

use super::ledger::Ledger;

/// Separates the notifications of one call.
pub(super) const SEPARATOR: u8 = 0x1e;
/// The second and last line of an irrelevant notification.
const IRRELEVANT: &str = "irrelevant";

/// Writes a notification with the current state of an operation.
pub(super) fn write_notification(number: u64, ledger: &Ledger, operation: OperationId) -> Vec<u8> {
    let request = ledger.request_of(operation).expect("the operation arrived");
    let response = ledger.current(operation).expect("the operation arrived");
    let (kind, first, second) = match &response {
        PspResponse::Done {
            reference,
            captured,
        } => {
            let captured = if *captured { "captured" } else { "" };
            ("done", reference.as_str(), captured)
        }
        PspResponse::Accepted { reference } => ("accepted", reference.as_str(), ""),
        PspResponse::ActionRequired(challenge) => (
            "challenge",
            challenge.reference.as_str(),
            challenge.url.as_str(),
        ),
        PspResponse::Refused(reason) => ("refused", reason.as_str(), ""),
    };
    let reference = super::reference_of(operation);
    let reference = reference.as_str();
    // A cancel names no amount; its notification has the payment's, as at real PSPs.
    let amount = ledger.amount_request(request);
    let currency = amount.currency.map_or("EUR", Currency::code);
    let (session, minor) = (request.session, amount.minor);
    let about = format!("{operation}\n{session}\n{minor} {currency}\n{reference}");
    format!("ntf_{number}\n{about}\n{kind}\n{first}\n{second}").into_bytes()
}

/// Writes a notification about nothing that OnCharge requested.
pub(super) fn write_irrelevant(number: u64) -> Vec<u8> {
    format!("ntf_{number}\n{IRRELEVANT}").into_bytes()
}

/// The notification's own id, or the SHA-256 of a body without one.
pub(super) fn event_key(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default();
    match text.split_once('\n') {
        Some((id, _)) if id.starts_with("ntf_") => id.to_owned(),
        _ => sha256(body).map(|byte| format!("{byte:02x}")).concat(),
    }
}

/// Parses what [`write_notification`] wrote.
pub(super) fn read_notification(body: &[u8]) -> Result<Notification, NotificationError> {
    let text = std::str::from_utf8(body).map_err(|_| NotificationError::Malformed)?;
    match text.split_once('\n') {
        Some((_, IRRELEVANT)) => Err(NotificationError::Irrelevant),
        _ => read(text).ok_or(NotificationError::Malformed),
    }
}

fn read(text: &str) -> Option<Notification> {
    let lines: Vec<&str> = text.split('\n').collect();
    let [_, operation, session, amount, of_psp, kind, first, second] = lines.as_slice() else {
        return None;
    };
    let (minor, currency) = amount.split_once(' ')?;
    let reference = || PspReference::parse(first).ok();
    let response = match *kind {
        "done" => PspResponse::Done {
            reference: reference()?,
            captured: *second == "captured",
        },
        "accepted" => PspResponse::Accepted {
            reference: reference()?,
        },
        "challenge" => PspResponse::ActionRequired(Challenge {
            reference: reference()?,
            url: (*second).to_owned(),
        }),
        "refused" => PspResponse::Refused(RefusalReason::parse(first)),
        _ => return None,
    };
    Some(Notification {
        operation: operation.parse().ok()?,
        session: session.parse().ok()?,
        amount: Money::new(minor.parse().ok()?, Currency::parse(currency).ok()?).ok()?,
        reference: PspReference::parse(of_psp).ok()?,
        response,
        card: None,
    })
}
