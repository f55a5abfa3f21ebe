//! Page cursors: opaque, authenticated, bound to one merchant and one list.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::{
    id::MerchantId,
    keyring::{DerivedKeys, Keyring},
    time::Timestamp,
};

/// The position in a list, newest first, after which the next page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// When the last row shown was created.
    pub created_at: Timestamp,
    /// The id of the last row shown.
    pub id: Uuid,
}

/// Issues and verifies cursors under keys derived from the master keys.
#[derive(Clone, Debug)]
pub struct Cursors(DerivedKeys);

impl Cursors {
    /// Derives the cursor keys; the first signs, all verify.
    pub fn new(keys: &Keyring) -> Self {
        Self(keys.derive("cursor"))
    }

    /// The cursor of a position in this merchant's list with that name.
    pub fn write(&self, merchant: MerchantId, list: &str, position: Position) -> String {
        let place = position_bytes(position);
        let token = self.0.sign(&place, &text(merchant, list, &place));
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The position, if the cursor was issued for this merchant and list.
    pub fn read(&self, merchant: MerchantId, list: &str, cursor: &str) -> Option<Position> {
        let raw = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let signed = |place: &[u8]| text(merchant, list, place);
        let place = self.0.verify(&raw, signed)?;
        let (micros, id) = place.split_at_checked(8)?;
        Some(Position {
            created_at: Timestamp::from_unix_micros(i64::from_be_bytes(micros.try_into().ok()?))?,
            id: Uuid::from_slice(id).ok()?,
        })
    }
}

fn position_bytes(position: Position) -> [u8; 24] {
    let mut bytes = [0; 24];
    let (micros, id) = bytes.split_at_mut(8);
    micros.copy_from_slice(&position.created_at.unix_micros().to_be_bytes());
    id.copy_from_slice(position.id.as_bytes());
    bytes
}

fn text(merchant: MerchantId, list: &str, place: &[u8]) -> Vec<u8> {
    [
        merchant.uuid().as_bytes().as_slice(),
        list.as_bytes(),
        &[0],
        place,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::KeyId;

    #[test]
    fn a_cursor_is_bound_to_merchant_and_list() {
        let ring = Keyring::entry(&KeyId::parse("a").unwrap(), &[1; 32]);
        let cursors = Cursors::new(&Keyring::parse(&ring).unwrap());
        let now = Timestamp::from_unix_seconds(1_795_360_150).unwrap();
        let (mine, other) = (
            MerchantId::from_parts(now, [1; 10]),
            MerchantId::from_parts(now, [2; 10]),
        );
        let position = Position {
            created_at: now,
            id: Uuid::from_u128(42),
        };
        let text = cursors.write(mine, "sessions", position);
        assert_eq!(cursors.read(mine, "sessions", &text), Some(position));
        assert_eq!(cursors.read(other, "sessions", &text), None);
        assert_eq!(cursors.read(mine, "refunds", &text), None);
        for bad in ["", "AAAA", "!", &text[1..]] {
            assert_eq!(cursors.read(mine, "sessions", bad), None, "{bad}");
        }
        let rotated = Keyring::entry(&KeyId::parse("b").unwrap(), &[2; 32]);
        let both = [ring.as_str(), rotated.as_str()].join(",");
        let both = Cursors::new(&Keyring::parse(&both).unwrap());
        assert_eq!(both.read(mine, "sessions", &text), Some(position));
        // A cursor contains its key's id: no other key is tried.
        let renamed = Keyring::entry(&KeyId::parse("c").unwrap(), &[1; 32]);
        let renamed = Cursors::new(&Keyring::parse(&renamed).unwrap());
        assert_eq!(renamed.read(mine, "sessions", &text), None);
    }
}
