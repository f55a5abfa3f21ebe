//! What is said between us and a payment service provider (PSP), free of any provider's format.

use std::fmt;

use crate::{card::Card, money::Money, signing::sha256, text::TextError};

/// The account at a PSP that an operation is sent through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PspAccount {
    connector: String,
    account: String,
}

impl PspAccount {
    /// The connector's name and the account's: each 1 to 64 of `a-z 0-9 - _`.
    pub fn new(connector: &str, account: &str) -> Result<Self, TextError> {
        for part in [connector, account] {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
            if part.is_empty() || part.len() > 64 || !part.bytes().all(plain) {
                return Err(TextError::Key(64));
            }
        }
        Ok(Self {
            connector: connector.to_owned(),
            account: account.to_owned(),
        })
    }

    /// The connector (`simulator`).
    pub fn connector(&self) -> &str {
        &self.connector
    }

    /// The account's name within the connector (`default`).
    pub fn account(&self) -> &str {
        &self.account
    }
}

/// The PSP's own name of a payment or of a modification: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PspReference(String);

impl PspReference {
    /// Reads a reference that a PSP gave.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        match text.len() {
            0 => Err(TextError::Empty),
            1..=255 if text.bytes().all(|b| b.is_ascii_graphic()) => Ok(Self(text.to_owned())),
            1..=255 => Err(TextError::Control),
            _ => Err(TextError::TooLong(255)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 of a one-time payment-method token: the identity of a try. The token itself is kept
/// only inside the sealed request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenFingerprint([u8; 32]);

impl TokenFingerprint {
    /// The fingerprint of a token.
    pub fn of(token: &str) -> Self {
        Self(sha256(token.as_bytes()))
    }

    /// The fingerprint with these bytes, as a store keeps it.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenFingerprint(…)")
    }
}

/// A 3-D Secure (or similar) step that the shopper has to take.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Challenge {
    /// The PSP's reference of the payment.
    pub reference: PspReference,
    /// The page to show in a frame.
    pub url: String,
}

/// What a PSP says of one operation, in its answer, a look-up or a notification alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PspResponse {
    /// It is done.
    Done {
        /// The PSP's reference.
        reference: PspReference,
        /// For an authorisation: whether the money was captured with it.
        captured: bool,
    },
    /// It was taken in; the outcome comes later.
    Accepted {
        /// The PSP's reference.
        reference: PspReference,
    },
    /// The shopper has to do something first (authorisations only).
    ActionRequired(Challenge),
    /// It was refused; final for this operation's key.
    Refused(RefusalReason),
}

/// What a PSP reports of one operation, in a response or a look-up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PspReport {
    /// What became of the operation.
    pub answer: PspResponse,
    /// The card that an authorization was made with, where the PSP names it.
    pub card: Option<Card>,
}

impl From<PspResponse> for PspReport {
    fn from(answer: PspResponse) -> Self {
        Self { answer, card: None }
    }
}

/// Why a PSP refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    /// The issuer said no without saying why.
    CardDeclined,
    /// The issuer: not enough money.
    InsufficientFunds,
    /// The card has expired.
    ExpiredCard,
    /// The shopper failed the challenge.
    AuthenticationFailed,
    /// The authorisation lapsed by time.
    AuthorizationExpired,
    /// A void was refused because the money has been captured.
    AlreadyCaptured,
    /// A void or refund was refused because nothing is held (any more).
    NothingHeld,
    /// It could not be sent in all the time it had.
    NeverSent,
    /// Anything else, as the PSP calls it (visible ASCII, cut at 64).
    Other(String),
}

impl RefusalReason {
    /// The text that is kept and shown in `failure.message`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::CardDeclined => "card_declined",
            Self::InsufficientFunds => "insufficient_funds",
            Self::ExpiredCard => "expired_card",
            Self::AuthenticationFailed => "authentication_failed",
            Self::AuthorizationExpired => "authorization_expired",
            Self::AlreadyCaptured => "already_captured",
            Self::NothingHeld => "nothing_held",
            Self::NeverSent => "never_sent",
            Self::Other(text) => text,
        }
    }

    /// Reads what [`RefusalReason::as_str`] wrote; any other text becomes [`Self::Other`].
    pub fn parse(text: &str) -> Self {
        match text {
            "card_declined" => Self::CardDeclined,
            "insufficient_funds" => Self::InsufficientFunds,
            "expired_card" => Self::ExpiredCard,
            "authentication_failed" => Self::AuthenticationFailed,
            "authorization_expired" => Self::AuthorizationExpired,
            "already_captured" => Self::AlreadyCaptured,
            "nothing_held" => Self::NothingHeld,
            "never_sent" => Self::NeverSent,
            other => Self::Other(
                other
                    .chars()
                    .filter(char::is_ascii_graphic)
                    .take(64)
                    .collect(),
            ),
        }
    }
}

/// What has been learned of one operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PspResult {
    /// The PSP's own word.
    Response(PspResponse),
    /// The request surely never left us (no connection, breaker open), now or before.
    NotSent,
    /// It may or may not have arrived: time-out, lost connection, a fault that does not say.
    Unknown,
    /// A look-up found nothing; which proves nothing by itself.
    NotFound,
}

/// What a connector is asked to do; the operation's id goes with it as idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Instruction {
    /// Reserve (and with `capture` take) the money.
    Authorize {
        /// How much.
        amount: Money,
        /// Whether to capture at once.
        capture: bool,
    },
    /// Take so much of an authorised payment; releases the rest.
    Capture {
        /// The payment.
        payment: PspReference,
        /// How much.
        amount: Money,
    },
    /// Release an authorised payment, or end an open challenge.
    Cancel {
        /// The payment.
        payment: PspReference,
    },
    /// Give back so much of a captured payment.
    Refund {
        /// The payment.
        payment: PspReference,
        /// How much.
        amount: Money,
    },
}
