//! Merchants, their settings and their API keys.

pub mod accent;
pub mod colour;
pub mod logo;
pub mod look;

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    id::{ApiKeyId, MerchantId},
    psp::PspAccount,
    signing::{SigningKey, sha256},
    text::MerchantName,
    time::Timestamp,
};
use look::Look;

/// A merchant and its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merchant {
    /// Its id.
    pub id: MerchantId,
    /// Its name, as shoppers see it.
    pub name: MerchantName,
    /// The PSP account that its new sessions use.
    pub account: PspAccount,
    /// Whether sessions are captured by the clock unless they say otherwise.
    pub automatic_capture: bool,
    /// How long after the authorisation that is, in seconds; 0 = with the authorisation.
    pub capture_delay_seconds: u32,
    /// Origins that may frame the checkout; empty: the origin of each session's `return_url`.
    pub origins: Vec<String>,
    /// Whether refunds and captures without an `Idempotency-Key` are refused.
    pub require_idempotency_key: bool,
    /// How its checkout looks.
    pub look: Look,
    /// When it was created.
    pub created_at: Timestamp,
    /// Since when new sessions and new payments are refused; everything else goes on.
    pub disabled_at: Option<Timestamp>,
}

/// The public half of a pair, as it is sent in `X-Oncharge-Key`; kept only as its SHA-256.
#[derive(Clone, PartialEq, Eq, Hash, Zeroize, ZeroizeOnDrop)]
pub struct ApiKeyHash([u8; 32]);

impl ApiKeyHash {
    /// The hash under which a key is looked up.
    pub fn of(key: &str) -> Self {
        Self(sha256(key.as_bytes()))
    }

    /// The bytes, as a store keeps them.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyHash(…)")
    }
}

/// A merchant's API key as it is kept: never the key's text, never the secret.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The record's id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub merchant: MerchantId,
    /// The SHA-256 of the secret, with which requests are signed.
    pub signing_key: SigningKey,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused: revoked, or its grace after a rotation is over.
    pub ends_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether requests may be signed with it at this time.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }
}
