//! The scripted PSP's requests as lines of text.

use oncharge_domain::{
    currency::Currency,
    id::{OperationId, SessionId},
    money::Money,
    psp::{Instruction, PspReference},
};
use oncharge_ports::psp;

use super::Call;

/// A request as the PSP parses it.
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
    /// Builds the request for a connector's call.
    pub(super) fn of(call: &psp::PspRequest<'_>) -> Self {
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

    /// Parses what [`Request::write`] wrote; `None` for anything else.
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
