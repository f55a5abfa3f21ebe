//! Messages to and from a payment service provider (PSP), independent of any provider's format.

use std::fmt;

use crate::{card::Card, money::Money, signing::sha256, text::TextError};

/// The account at a PSP that an operation is sent through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PspAccount {
    connector: String,
    account: String,
}

impl PspAccount {
    /// The names of connector and account: each 1 to 64 of `a-z 0-9 - _`.
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

/// The PSP's own id of a payment or modification: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PspReference(String);

impl PspReference {
    /// Parses a reference that a PSP sent.
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

/// SHA-256 of a one-time payment-method token, which identifies an attempt. The token itself is
/// stored only inside the sealed request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenFingerprint([u8; 32]);

impl TokenFingerprint {
    /// The fingerprint of a token.
    pub fn of(token: &str) -> Self {
        Self(sha256(token.as_bytes()))
    }

    /// The fingerprint with these bytes, for stores.
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

/// A PSP's statement about one operation, in a response, look-up or notification alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PspResponse {
    /// It is done.
    Done {
        /// The PSP's reference.
        reference: PspReference,
        /// For an authorization: whether the amount was captured with it.
        captured: bool,
    },
    /// It was accepted; the outcome follows later.
    Accepted {
        /// The PSP's reference.
        reference: PspReference,
    },
    /// The shopper has to complete a challenge first (authorizations only).
    ActionRequired(Challenge),
    /// It was refused; final for this operation's key.
    Refused(RefusalReason),
}

impl PspResponse {
    /// The PSP's reference of the operation; a refusal names none.
    pub fn reference(&self) -> Option<&PspReference> {
        match self {
            Self::Done { reference, .. } | Self::Accepted { reference } => Some(reference),
            Self::ActionRequired(challenge) => Some(&challenge.reference),
            Self::Refused(_) => None,
        }
    }
}

/// What a PSP states about an operation beside its state, as far as it does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PspDetails {
    /// The PSP's reference of the operation.
    pub reference: Option<PspReference>,
    /// The amount.
    pub amount: Option<Money>,
    /// The card that was authorized.
    pub card: Option<Card>,
}

/// A PSP's report on one operation, in a response or a look-up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PspReport {
    /// The state of the operation.
    pub response: PspResponse,
    /// What else the PSP states about it.
    pub details: PspDetails,
}

impl From<PspResponse> for PspReport {
    fn from(response: PspResponse) -> Self {
        let details = PspDetails {
            reference: response.reference().cloned(),
            ..PspDetails::default()
        };
        Self { response, details }
    }
}

/// Why a PSP refused an operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    /// The issuer declined without a reason.
    CardDeclined,
    /// The issuer declined for insufficient funds.
    InsufficientFunds,
    /// The card has expired.
    ExpiredCard,
    /// The shopper failed the challenge.
    AuthenticationFailed,
    /// The authorization expired.
    AuthorizationExpired,
    /// A void was refused because the amount has been captured.
    AlreadyCaptured,
    /// A void or refund was refused because nothing is held (any more).
    NothingHeld,
    /// It could not be sent within its time limit.
    NeverSent,
    /// Any other reason, as the PSP names it (visible ASCII, cut at 64).
    Other(String),
}

impl RefusalReason {
    /// The text that is stored and shown in `failure.message`.
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

    /// Parses what [`RefusalReason::as_str`] wrote; any other text becomes [`Self::Other`].
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

/// The result of a PSP call: a response, or the lack of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PspResult {
    /// The PSP's response.
    Response(PspResponse),
    /// The request definitely did not leave this process (no connection, breaker open), now or
    /// before.
    NotSent,
    /// It may or may not have arrived: time-out, lost connection, inconclusive error.
    Unknown,
    /// A look-up found nothing, which proves nothing by itself.
    NotFound,
}

/// An instruction for a connector; sent with the operation's id as idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Instruction {
    /// Reserve the amount (and capture it, with `capture`).
    Authorize {
        /// The amount.
        amount: Money,
        /// Whether to capture at once.
        capture: bool,
    },
    /// Capture this amount of an authorized payment; releases the rest.
    Capture {
        /// The payment.
        payment: PspReference,
        /// The amount.
        amount: Money,
    },
    /// Release an authorized payment, or end an open challenge.
    Cancel {
        /// The payment.
        payment: PspReference,
    },
    /// Refund this amount of a captured payment.
    Refund {
        /// The payment.
        payment: PspReference,
        /// The amount.
        amount: Money,
    },
}
