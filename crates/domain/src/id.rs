//! Ids: `UUIDv7` values that know what they name, printed as a prefix and 32 hex digits.

use std::{cmp::Ordering, fmt, hash, marker::PhantomData, str::FromStr};

use uuid::Uuid;

use crate::time::Timestamp;

/// What an id names; the prefix is part of the text that merchants see.
pub trait Kind {
    /// The text before the hex digits, with its underscore (`cs_`).
    const PREFIX: &'static str;
}

/// An id of one kind: an id of a session cannot be passed where a refund's is wanted.
///
/// Ordered by time of creation (to the millisecond), as `UUIDv7` is.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

impl<K: Kind> Id<K> {
    /// An id made at `now` from 10 random bytes; the caller owns clock and randomness.
    pub fn from_parts(now: Timestamp, random: [u8; 10]) -> Self {
        let uuid = uuid::Builder::from_unix_timestamp_millis(now.unix_millis(), &random);
        Self(uuid.into_uuid(), PhantomData)
    }

    /// The id with this value, as a database keeps it.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The bare value, as a database keeps it.
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", K::PREFIX, self.0.simple())
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no id of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct NotAnId;

impl<K: Kind> FromStr for Id<K> {
    type Err = NotAnId;

    /// Reads exactly what [`fmt::Display`] writes: prefix, then 32 lower-case hex digits.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits = text.strip_prefix(K::PREFIX).ok_or(NotAnId)?;
        let plain = digits.len() == 32
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !plain {
            return Err(NotAnId);
        }
        Uuid::try_parse(digits)
            .map(Self::from_uuid)
            .map_err(|_| NotAnId)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> hash::Hash for Id<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $prefix:literal, $alias:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $kind {}
        impl Kind for $kind {
            const PREFIX: &'static str = $prefix;
        }
        $(#[$doc])*
        pub type $alias = Id<$kind>;
    )*};
}

kinds! {
    /// A checkout session.
    SessionKind "cs_", SessionId;
    /// A refund.
    RefundKind "ref_", RefundId;
    /// An operation with a PSP; its text is the PSP's idempotency key.
    OperationKind "op_", OperationId;
    /// An event that a merchant is told of.
    EventKind "evt_", EventId;
    /// A merchant.
    MerchantKind "mer_", MerchantId;
    /// The record of an API key (not the key itself).
    ApiKeyKind "key_", ApiKeyId;
    /// A ban on the shared blocklist.
    BanKind "ban_", BanId;
    /// An entry of the audit log.
    AuditKind "aud_", AuditId;
    /// A notification of a PSP in the inbox.
    NotificationKind "ntf_", NotificationId;
    /// A unit of work, so that one can ask whether it was committed.
    UnitKind "unit_", UnitId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let now = Timestamp::from_unix_seconds(1_795_360_150).unwrap();
        let id = SessionId::from_parts(now, [7; 10]);
        let text = id.to_string();
        assert!(text.starts_with("cs_") && text.len() == 35, "{text}");
        assert_eq!(text.parse::<SessionId>(), Ok(id));
    }

    #[test]
    fn other_kinds_and_other_spellings_are_refused() {
        let id = RefundId::from_uuid(Uuid::from_u128(0xabc)).to_string();
        for text in [
            id.as_str(),
            &id.replace("ref_", "cs_").to_uppercase(),
            "cs_",
            "",
            "cs_12",
        ] {
            assert_eq!(text.parse::<SessionId>(), Err(NotAnId), "{text}");
        }
    }

    #[test]
    fn later_ids_sort_later() {
        let at = |s| Timestamp::from_unix_seconds(s).unwrap();
        let (a, b) = (
            OperationId::from_parts(at(1), [9; 10]),
            OperationId::from_parts(at(2), [0; 10]),
        );
        assert!(a < b);
    }
}
