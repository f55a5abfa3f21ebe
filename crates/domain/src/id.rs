//! Typed ids: `UUIDv7` values, printed as a prefix and 32 hex digits.

use std::{cmp::Ordering, fmt, hash, marker::PhantomData, str::FromStr};

use time::Duration;
use uuid::Uuid;

use crate::time::Timestamp;

/// The kind of object that an id names; its prefix is part of the text that merchants see.
pub trait Kind {
    /// The text before the hex digits, including its underscore (`cs_`).
    const PREFIX: &'static str;
}

/// The number of shard slots.
pub const SHARD_SLOTS: u16 = 1 << SLOT_BITS;

const SLOT_BITS: u32 = 10;

/// The number of bits after the slot, which is the first ten of the 62 bits of `rand_b` (RFC 9562,
/// section 5.7). `rand_a` stays available for a finer order within a millisecond.
const SLOT_SHIFT: u32 = 62 - SLOT_BITS;

const SLOT_MASK: u128 = (1 << SLOT_BITS) - 1;

/// Ten bits that the ids of a merchant and of everything that belongs to it have in common, so that
/// any of these ids determines which of several databases has its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardSlot(u16);

impl ShardSlot {
    /// The slot's number, below [`SHARD_SLOTS`].
    pub fn number(self) -> u16 {
        self.0
    }
}

/// An id of one kind: a session id cannot be passed where a refund id is expected.
///
/// Ordered by creation time (to the millisecond), like `UUIDv7`.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

impl<K: Kind> Id<K> {
    /// An id made at `now` from 10 random bytes, which also determine the slot; the caller provides
    /// clock and randomness.
    pub fn from_parts(now: Timestamp, random: [u8; 10]) -> Self {
        let uuid = uuid::Builder::from_unix_timestamp_millis(now.unix_millis(), &random);
        Self(uuid.into_uuid(), PhantomData)
    }

    /// An id in this slot, made at `now` from 10 random bytes, ten bits of which are unused.
    pub fn in_slot(slot: ShardSlot, now: Timestamp, random: [u8; 10]) -> Self {
        let rest = Self::from_parts(now, random).0.as_u128() & !(SLOT_MASK << SLOT_SHIFT);
        Self::from_uuid(Uuid::from_u128(rest | (u128::from(slot.0) << SLOT_SHIFT)))
    }

    /// The smallest id made at `time` or later (ids contain their time to the millisecond).
    pub fn first_at(time: Timestamp) -> Self {
        Self::from_parts(time, [0; 10])
    }

    /// When the id was made, to the millisecond.
    pub fn made_at(self) -> Timestamp {
        // The first 48 bits are milliseconds since 1970.
        let millis = i64::try_from(self.0.as_u128() >> 80).unwrap_or_default();
        Timestamp::UNIX_EPOCH.plus(Duration::milliseconds(millis))
    }

    /// The slot that the id was made in.
    pub fn slot(self) -> ShardSlot {
        let bits = (self.0.as_u128() >> SLOT_SHIFT) & SLOT_MASK;
        // Ten bits always fit.
        ShardSlot(u16::try_from(bits).unwrap_or_default())
    }

    /// The id with this value, for databases.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The bare value, for databases.
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

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this type")]
pub struct InvalidId;

impl<K: Kind> FromStr for Id<K> {
    type Err = InvalidId;

    /// Parses exactly what [`fmt::Display`] writes: the prefix, then 32 lower-case hex digits.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digits = text.strip_prefix(K::PREFIX).ok_or(InvalidId)?;
        let plain = digits.len() == 32
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !plain {
            return Err(InvalidId);
        }
        Uuid::try_parse(digits)
            .map(Self::from_uuid)
            .map_err(|_| InvalidId)
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
    /// An event for a merchant.
    EventKind "evt_", EventId;
    /// A merchant.
    MerchantKind "mer_", MerchantId;
    /// The record of an API key (not the key itself).
    ApiKeyKind "key_", ApiKeyId;
    /// A merchant's webhook endpoint, from its creation to its removal.
    EndpointKind "whe_", EndpointId;
    /// A ban on the shared blocklist.
    BanKind "ban_", BanId;
    /// An entry of the audit log.
    AuditKind "aud_", AuditId;
    /// A notification of a PSP in the inbox.
    NotificationKind "ntf_", NotificationId;
    /// A unit of work, so that its commit can be verified.
    UnitKind "unit_", UnitId;
    /// A running server process.
    NodeKind "node_", NodeId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_as_text() {
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
            assert_eq!(text.parse::<SessionId>(), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn an_id_carries_the_slot_that_it_is_made_in() {
        let now = Timestamp::from_unix_seconds(1_795_360_150).unwrap();
        let merchant =
            MerchantId::from_uuid(Uuid::from_u128(0x01a2_b3c4_d5e6_7f01_a5b0_0000_0000_0000));
        // The two bits of the variant (10), then ten bits: 10_0101_1011.
        assert_eq!(merchant.slot().number(), 0b10_0101_1011);
        for random in [[0; 10], [0xff; 10], [0x5a; 10]] {
            let session = SessionId::in_slot(merchant.slot(), now, random);
            assert_eq!(session.slot(), merchant.slot());
            let uuid = session.uuid();
            assert_eq!(uuid.get_version_num(), 7);
            assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
            // All other bits are as without a slot.
            let plain = SessionId::from_parts(now, random).uuid().as_u128();
            let slot_bits = SLOT_MASK << SLOT_SHIFT;
            assert_eq!(uuid.as_u128() & !slot_bits, plain & !slot_bits);
        }
    }

    #[test]
    fn every_slot_round_trips() {
        let now = Timestamp::from_unix_seconds(1_795_360_150).unwrap();
        let slots = (0..SHARD_SLOTS).map(ShardSlot);
        for slot in slots {
            assert_eq!(EventId::in_slot(slot, now, [9; 10]).slot(), slot);
        }
    }

    #[test]
    fn time_orders_ids_of_all_slots() {
        let at = |s| Timestamp::from_unix_seconds(s).unwrap();
        let (high, low) = (ShardSlot(SHARD_SLOTS - 1), ShardSlot(0));
        let earlier = OperationId::in_slot(high, at(1), [0xff; 10]);
        let later = OperationId::in_slot(low, at(2), [0; 10]);
        assert!(earlier < later);
        assert!(earlier < OperationId::first_at(at(2)));
        assert!(OperationId::first_at(at(2)) <= later);
    }

    #[test]
    fn an_id_says_when_it_was_made() {
        let at = Timestamp::from_unix_micros(1_234_567_891_234).unwrap();
        let millis = Timestamp::from_unix_micros(1_234_567_891_000).unwrap();
        assert_eq!(OperationId::from_parts(at, [0xff; 10]).made_at(), millis);
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
