//! Attempts to pay as the merchant sees them, bounded in number.

use std::collections::BTreeMap;

use crate::{
    card::Card,
    id::OperationId,
    psp::PspReference,
    session::{FailureCode, InvalidSnapshot, Session, StatusName},
    time::Timestamp,
};

/// How often a shopper may try to pay. An attempt that was definitely not sent, or whose challenge
/// the shopper abandoned, does not count.
pub const MAX_ATTEMPTS: u32 = 3;

/// How many 3-D Secure challenges can be opened per session. Bounds the abandoned attempts, which
/// [`MAX_ATTEMPTS`] does not count.
pub const MAX_CHALLENGES: u32 = 10;

/// The maximum number of listed attempts: more than counted attempts and abandoned challenges
/// together, so that only attempts that were never sent are dropped, oldest first.
pub const MAX_LISTED_ATTEMPTS: usize = 20;

/// One attempt of the shopper to pay: an authorize operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The operation's id.
    pub id: OperationId,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Whether it uses up one of the [`MAX_ATTEMPTS`]. An attempt that was definitely not sent, or
    /// whose challenge the shopper abandoned, does not.
    pub counts: bool,
    /// The card, if the PSP reports it; the first report is kept.
    pub card: Option<Card>,
    /// The PSP's reference of the payment, once known.
    pub reference: Option<PspReference>,
    /// When the shopper paid.
    pub created_at: Timestamp,
}

/// How an attempt ended. Its names in the API are those of a session's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptOutcome {
    /// It has not ended: the session is `pending` because of it.
    Pending,
    /// The PSP authorized it, and the session kept the payment. What has happened to the payment
    /// since is in the session's status.
    Authorized,
    /// It was declined, or the shopper failed or abandoned the challenge.
    Refused(FailureCode),
    /// A technical failure that moved no money.
    Error(FailureCode),
    /// The session expired first, and no money is held.
    Expired,
    /// The PSP authorized a payment that the session no longer expected; a compensation reverses
    /// it.
    Cancelled,
}

impl AttemptOutcome {
    /// The status in the API.
    pub fn status(self) -> StatusName {
        match self {
            Self::Pending => StatusName::Pending,
            Self::Authorized => StatusName::Authorized,
            Self::Refused(_) => StatusName::Refused,
            Self::Error(_) => StatusName::Error,
            Self::Expired => StatusName::Expired,
            Self::Cancelled => StatusName::Cancelled,
        }
    }

    /// Why no money moved.
    pub fn failure(self) -> Option<FailureCode> {
        match self {
            Self::Refused(code) | Self::Error(code) => Some(code),
            Self::Pending | Self::Authorized | Self::Expired | Self::Cancelled => None,
        }
    }

    fn restore(status: StatusName, failure: Option<FailureCode>) -> Option<Self> {
        Some(match (status, failure) {
            (StatusName::Pending, None) => Self::Pending,
            (StatusName::Authorized, None) => Self::Authorized,
            (StatusName::Refused, Some(code)) => Self::Refused(code),
            (StatusName::Error, Some(code)) => Self::Error(code),
            (StatusName::Expired, None) => Self::Expired,
            (StatusName::Cancelled, None) => Self::Cancelled,
            _ => return None,
        })
    }
}

impl Attempt {
    /// An attempt that starts now.
    pub(super) fn start(id: OperationId, now: Timestamp) -> Self {
        Self {
            id,
            outcome: AttemptOutcome::Pending,
            counts: true,
            card: None,
            reference: None,
            created_at: now,
        }
    }

    /// The attempt as a flat map of texts by name, for stores; unset values are left out.
    pub fn snapshot(&self) -> BTreeMap<String, String> {
        let mut flat = BTreeMap::new();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                flat.insert(name.to_owned(), value);
            }
        };
        let text = |text: &str| text.to_owned();
        let card = self.card.as_ref();
        put("id", Some(self.id.to_string()));
        put("at", Some(self.created_at.unix_micros().to_string()));
        put("status", Some(text(self.outcome.status().name())));
        put(
            "failure",
            self.outcome.failure().map(|code| text(code.name())),
        );
        put("brand", card.and_then(Card::brand).map(text));
        put("last4", card.and_then(Card::last4).map(text));
        put(
            "reference",
            self.reference.as_ref().map(|r| text(r.as_str())),
        );
        put("counts", (!self.counts).then(|| text("no")));
        flat
    }

    /// Parses what [`Attempt::snapshot`] wrote.
    ///
    /// Errors if a text is missing or invalid.
    pub fn restore(flat: &BTreeMap<String, String>) -> Result<Self, InvalidSnapshot> {
        let text = |name: &str| flat.get(name).map(String::as_str);
        let id = text("id").and_then(|id| id.parse().ok());
        let at = text("at").and_then(|at| at.parse().ok());
        let status = text("status").and_then(|name| name.parse().ok());
        let failure = text("failure").map(|code| code.parse().map_err(|_| CORRUPT));
        let outcome = AttemptOutcome::restore(status.ok_or(CORRUPT)?, failure.transpose()?);
        let reference = text("reference").map(PspReference::parse).transpose();
        Ok(Self {
            id: id.ok_or(CORRUPT)?,
            outcome: outcome.ok_or(CORRUPT)?,
            counts: text("counts").is_none(),
            card: Card::new(text("brand"), text("last4")),
            reference: reference.map_err(|_| CORRUPT)?,
            created_at: at.and_then(Timestamp::from_unix_micros).ok_or(CORRUPT)?,
        })
    }
}

const CORRUPT: InvalidSnapshot = InvalidSnapshot("attempts");

impl Session {
    /// How many attempts use up one of the [`MAX_ATTEMPTS`].
    pub fn counted_attempts(&self) -> u32 {
        let counted = self.attempts.iter().filter(|attempt| attempt.counts);
        u32::try_from(counted.count()).unwrap_or(MAX_ATTEMPTS)
    }

    /// The attempt with this id, if it is listed.
    pub fn attempt(&self, id: OperationId) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.id == id)
    }

    /// The attempt whose payment the session keeps or kept.
    pub fn kept_attempt(&self) -> Option<&Attempt> {
        let payment = self.status.payment()?;
        self.attempt(payment.attempt)
    }

    pub(super) fn attempt_mut(&mut self, id: OperationId) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|attempt| attempt.id == id)
    }

    /// Lists a new attempt; if the list is full, drops the oldest one that does not count.
    pub(super) fn add_attempt(&mut self, attempt: Attempt) {
        if self.attempts.len() >= MAX_LISTED_ATTEMPTS
            && let Some(oldest) = self.attempts.iter().position(|other| !other.counts)
        {
            self.attempts.remove(oldest);
        }
        self.attempts.push(attempt);
    }
}
