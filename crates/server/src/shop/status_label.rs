//! How a payment stands, in a word, and whether that is good. Colour follows it, but never says it
//! alone.

use oncharge_client::{Session, SessionStatus as Status};

/// Good, bad, or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Bad,
}

impl Tone {
    /// The class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "good-news",
            Self::Bad => "bad-news",
        }
    }

    pub(super) fn is_good(self) -> bool {
        self == Self::Good
    }
}

/// What a pill says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatusLabel {
    pub(super) text: &'static str,
    pub(super) tone: Tone,
}

impl StatusLabel {
    /// Of a session: its status, and what of the money went back.
    pub(super) fn of(session: &Session) -> Self {
        let label = Self::of_status(Some(session.status));
        let text = match session.status {
            Status::Captured if session.amount_refunded == 0 => label.text,
            Status::Captured if session.amount_refunded >= session.amount_captured => "refunded",
            Status::Captured => "partly refunded",
            _ => label.text,
        };
        Self { text, ..label }
    }

    /// Of the status that was seen last, where OnCharge cannot be asked.
    pub(super) fn of_status(status: Option<Status>) -> Self {
        Self {
            text: status.map_or("no payment yet", Status::as_str),
            tone: status.map_or(Tone::Plain, tone_of),
        }
    }
}

/// What a status means to the shop.
pub(super) fn tone_of(status: Status) -> Tone {
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
    use crate::shop::fixtures::session;

    #[test]
    fn a_captured_payment_shows_its_refunds() {
        let text = |refunded: i64| {
            let amounts =
                json!({ "amount_refunded": refunded, "amount_refundable": 1000 - refunded });
            StatusLabel::of(&session("captured", &amounts)).text
        };
        assert_eq!(
            [0, 1, 1000].map(text),
            ["captured", "partly refunded", "refunded"]
        );
        let text = StatusLabel::of(&session("authorized", &json!({}))).text;
        assert_eq!(text, "authorized");
    }
}
