//! Whether something is good news. Colour follows it, but never says it alone.

use oncharge_client::SessionStatus as Status;

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

/// What a status means to the shop.
pub(super) fn tone_of(status: Status) -> Tone {
    match status {
        Status::Authorized | Status::Captured => Tone::Good,
        Status::Refused | Status::Error => Tone::Bad,
        _ => Tone::Plain,
    }
}
