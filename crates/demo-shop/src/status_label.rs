//! A payment's status as a short label with a tone. Color is never the only sign of it.

use oncharge_client::{Session, SessionStatus as Status};

/// Good, bad, or neutral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
}

impl Tone {
    /// The CSS class.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }

    pub(crate) fn is_good(self) -> bool {
        self == Self::Good
    }
}

/// The text of a status pill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StatusLabel {
    pub(crate) text: &'static str,
    pub(crate) tone: Tone,
}

impl StatusLabel {
    /// The label of a session: its status and refunds.
    pub(crate) fn of(session: &Session) -> Self {
        let label = Self::of_status(Some(session.status));
        let text = match session.status {
            Status::Captured if session.amount_refunded == 0 => label.text,
            Status::Captured if session.amount_refunded >= session.amount_captured => "refunded",
            Status::Captured => "partially refunded",
            _ => label.text,
        };
        Self { text, ..label }
    }

    /// The label of the last known status, if OnCharge is unreachable.
    pub(crate) fn of_status(status: Option<Status>) -> Self {
        Self {
            text: status.map_or("no payment yet", Status::as_str),
            tone: status.map_or(Tone::Plain, tone_of),
        }
    }
}

/// The tone of a status for the shop.
pub(crate) fn tone_of(status: Status) -> Tone {
    match status {
        Status::Authorized | Status::Captured => Tone::Good,
        Status::Refused | Status::Error => Tone::Bad,
        _ => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::session;

    #[test]
    fn a_captured_payment_shows_its_refunds() {
        let text = |refunded: i64| {
            let amounts =
                json!({ "amount_refunded": refunded, "amount_refundable": 1000 - refunded });
            StatusLabel::of(&session("captured", &amounts)).text
        };
        assert_eq!(
            [0, 1, 1000].map(text),
            ["captured", "partially refunded", "refunded"]
        );
        let text = StatusLabel::of(&session("authorized", &json!({}))).text;
        assert_eq!(text, "authorized");
    }
}
