//! The kinds of events, by name.

use std::fmt;

use serde::Deserialize;

/// The kind of an event.
///
/// Later versions of the service may send more kinds: their names are kept in
/// [`EventKind::Unknown`]. Acknowledge these too, or they are delivered again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "String")]
#[non_exhaustive]
pub enum EventKind {
    /// `payment.authorized`: the money is reserved.
    PaymentAuthorized,
    /// `payment.captured`: the money was taken.
    PaymentCaptured,
    /// `payment.refused`: no money was reserved.
    PaymentRefused,
    /// `payment.cancelled`: the reserved money was released.
    PaymentCancelled,
    /// `payment.expired`: the time to pay has ended.
    PaymentExpired,
    /// `payment.error`: a technical failure that moved no money.
    PaymentError,
    /// `payment.capture_failed`: a capture failed or was reversed.
    PaymentCaptureFailed,
    /// `payment.cancel_failed`: a cancel failed.
    PaymentCancelFailed,
    /// `refund.requested`: a refund was requested.
    RefundRequested,
    /// `refund.succeeded`: the shopper has received the money.
    RefundSucceeded,
    /// `refund.failed`: a refund was not paid out, or was reversed.
    RefundFailed,
    /// `chargeback.opened`: the shopper disputes the payment.
    ChargebackOpened,
    /// `chargeback.won`: the dispute was decided for you.
    ChargebackWon,
    /// `chargeback.lost`: the dispute was decided for the shopper.
    ChargebackLost,
    /// `endpoint.test`: a test of your endpoint, not about a payment.
    EndpointTest,
    /// A name that this version of the client does not know.
    Unknown(String),
}

/// All known kinds.
const KNOWN: [EventKind; 15] = [
    EventKind::PaymentAuthorized,
    EventKind::PaymentCaptured,
    EventKind::PaymentRefused,
    EventKind::PaymentCancelled,
    EventKind::PaymentExpired,
    EventKind::PaymentError,
    EventKind::PaymentCaptureFailed,
    EventKind::PaymentCancelFailed,
    EventKind::RefundRequested,
    EventKind::RefundSucceeded,
    EventKind::RefundFailed,
    EventKind::ChargebackOpened,
    EventKind::ChargebackWon,
    EventKind::ChargebackLost,
    EventKind::EndpointTest,
];

impl EventKind {
    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::PaymentAuthorized => "payment.authorized",
            Self::PaymentCaptured => "payment.captured",
            Self::PaymentRefused => "payment.refused",
            Self::PaymentCancelled => "payment.cancelled",
            Self::PaymentExpired => "payment.expired",
            Self::PaymentError => "payment.error",
            Self::PaymentCaptureFailed => "payment.capture_failed",
            Self::PaymentCancelFailed => "payment.cancel_failed",
            Self::RefundRequested => "refund.requested",
            Self::RefundSucceeded => "refund.succeeded",
            Self::RefundFailed => "refund.failed",
            Self::ChargebackOpened => "chargeback.opened",
            Self::ChargebackWon => "chargeback.won",
            Self::ChargebackLost => "chargeback.lost",
            Self::EndpointTest => "endpoint.test",
            Self::Unknown(name) => name,
        }
    }
}

impl From<String> for EventKind {
    fn from(name: String) -> Self {
        let known = KNOWN.into_iter().find(|kind| kind.as_str() == name);
        known.unwrap_or(Self::Unknown(name))
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use oncharge_domain::session;

    use super::*;

    #[test]
    fn every_event_kind_of_the_service_is_known() {
        for kind in session::EventKind::ALL {
            let read = EventKind::from(kind.name().to_owned());
            assert_eq!(read.as_str(), kind.name());
            assert!(!matches!(read, EventKind::Unknown(_)), "{read:?}");
        }
    }

    #[test]
    fn an_unknown_name_is_kept() {
        let kind = EventKind::from("payment.levitated".to_owned());
        assert_eq!(kind, EventKind::Unknown("payment.levitated".to_owned()));
        assert_eq!(kind.to_string(), "payment.levitated");
    }
}
