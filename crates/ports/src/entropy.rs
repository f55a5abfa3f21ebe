//! The randomness port.

use oncharge_domain::{
    id::{Id, Kind, ShardSlot, UnitId},
    time::Timestamp,
};

/// A source of random bytes: cryptographically secure outside tests, seeded in tests.
pub trait Entropy: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Entropy + '_ {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut buffer = [0; N];
        self.fill(&mut buffer);
        buffer
    }

    /// A new lease token.
    pub fn lease_token(&self) -> UnitId {
        UnitId::from_uuid(uuid::Builder::from_random_bytes(self.bytes()).into_uuid())
    }

    /// A new id for a merchant, or for something that belongs to no merchant, in a random slot.
    pub fn id<K: Kind>(&self, now: Timestamp) -> Id<K> {
        Id::from_parts(now, self.bytes())
    }

    /// A new id for something that belongs to the merchant of this slot.
    pub fn id_in<K: Kind>(&self, slot: ShardSlot, now: Timestamp) -> Id<K> {
        Id::in_slot(slot, now, self.bytes())
    }
}
