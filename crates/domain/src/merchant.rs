//! Merchants, their settings and their API keys.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    branding::Branding,
    id::{ApiKeyId, MerchantId},
    psp::PspAccount,
    signing::{SigningKey, sha256},
    text::MerchantName,
    time::Timestamp,
};

/// A merchant and its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merchant {
    /// Its id.
    pub id: MerchantId,
    /// How many times its settings were written; a write names the version that it read.
    pub version: u32,
    /// Its name, as shoppers see it.
    pub name: MerchantName,
    /// The PSP account that its new sessions use.
    pub account: PspAccount,
    /// Whether sessions are captured automatically by default.
    pub automatic_capture: bool,
    /// Seconds from authorization to automatic capture; 0 captures with the authorization.
    pub capture_delay_seconds: u32,
    /// Origins that may frame the checkout; if empty, the origin of each session's `return_url`.
    pub origins: Vec<String>,
    /// Whether refunds and captures without an `Idempotency-Key` are refused.
    pub require_idempotency_key: bool,
    /// The branding of its checkout.
    pub branding: Branding,
    /// When it was created.
    pub created_at: Timestamp,
    /// Since when new sessions and new payments are refused; operations in progress continue.
    pub disabled_at: Option<Timestamp>,
}

/// The SHA-256 of the public half of a key pair, which is sent in `X-Oncharge-Key`.
#[derive(Clone, PartialEq, Eq, Hash, Zeroize, ZeroizeOnDrop)]
pub struct ApiKeyHash([u8; 32]);

impl ApiKeyHash {
    /// The hash under which a key is looked up.
    pub fn of(key: &str) -> Self {
        Self(sha256(key.as_bytes()))
    }

    /// The bytes, for stores.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyHash(…)")
    }
}

/// The maximum number of active keys of a merchant.
pub const MAX_ACTIVE_KEYS: u32 = 5;

/// The maximum number of a merchant's keys in their grace period, in which each still signs
/// requests and webhooks.
pub const MAX_ENDING_KEYS: u32 = 5;

/// How precisely the last use of a key is recorded, in seconds: at most one write per interval.
pub const LAST_USE_PRECISION_SECONDS: i64 = 3600;

/// A merchant's API key as stored: without the key's text and the secret.
///
/// A key is *active* until it has an end. A rotation sets an end in the future: until then the key
/// is in its *grace period*, in which it signs requests but no longer counts as active.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The record's id.
    pub id: ApiKeyId,
    /// The key's merchant.
    pub merchant: MerchantId,
    /// The SHA-256 of the secret, with which requests are signed.
    pub signing_key: SigningKey,
    /// The last four characters of the key's text, by which its merchant recognizes it.
    pub hint: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last signed a request, at most [`LAST_USE_PRECISION_SECONDS`] too early.
    pub last_used_at: Option<Timestamp>,
    /// From when on it is refused: revoked, or its grace period after a rotation has ended.
    pub ends_at: Option<Timestamp>,
}

impl ApiKey {
    /// The hint of a key with this text.
    pub fn hint_of(key: &str) -> String {
        let start = key
            .char_indices()
            .rev()
            .nth(3)
            .map_or(0, |(start, _)| start);
        key.get(start..).unwrap_or_default().to_owned()
    }

    /// Whether requests may be signed with it at this time.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }

    /// Whether it has neither ended nor been replaced.
    pub fn is_active(&self) -> bool {
        self.ends_at.is_none()
    }

    /// Whether a use at this time is to be recorded.
    pub fn should_record_use(&self, now: Timestamp) -> bool {
        self.last_used_at
            .is_none_or(|last| last.plus_seconds(LAST_USE_PRECISION_SECONDS) <= now)
    }
}
