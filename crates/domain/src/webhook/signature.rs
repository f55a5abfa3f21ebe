//! How a delivery is signed: the plain signature of the published page, and that of Standard
//! Webhooks (<https://www.standardwebhooks.com>), which cannot be replayed.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    id::ApiKeyId,
    merchant::ApiKey,
    signing::{SigningKey, is_timely, parse_timestamp},
    time::Timestamp,
};

/// What both signatures are made and verified with: the SHA-256 of an API secret.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct WebhookSecret([u8; 32]);

/// The signatures of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSignatures {
    /// `X-Oncharge-Signature`: hex HMAC-SHA256 of the raw body.
    pub plain: String,
    /// `webhook-signature`: `v1,` and base64, one for each key, with a space between.
    pub standard: String,
}

/// A delivery that is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// No signature is right.
    #[error("the signature does not verify")]
    Wrong,
    /// Its timestamp is no number, or more than five minutes away from the present.
    #[error("the timestamp is too far from the present")]
    Untimely,
}

impl WebhookSecret {
    /// The secret of this key.
    pub fn of(key: &SigningKey) -> Self {
        Self(*key.expose_bytes())
    }

    /// `whsec_` and the base64 of the 32 bytes: what Standard Webhooks libraries are given.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("whsec_{}", STANDARD.encode(self.0)))
    }

    /// The plain signature: hex HMAC-SHA256 of the body, with the lowercase hex text as key.
    pub fn sign(&self, body: &[u8]) -> String {
        hex::encode(tag(self.hex().as_bytes(), &[body]))
    }

    /// The signature of Standard Webhooks over id, timestamp (Unix seconds) and body.
    pub fn sign_standard(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let head = format!("{id}.{timestamp}.");
        let tag = tag(&self.0, &[head.as_bytes(), body]);
        format!("v1,{}", STANDARD.encode(tag))
    }

    /// Whether the plain signature (64 hex digits, either case) is right.
    pub fn verify(&self, signature: &str, body: &[u8]) -> Result<(), BadSignature> {
        let mut given = [0; 32];
        let is_hex = hex::decode_to_slice(signature, &mut given).is_ok();
        let equal = tag(self.hex().as_bytes(), &[body]).ct_eq(&given);
        right(equal & Choice::from(u8::from(is_hex)))
    }

    /// Whether one of the signatures of Standard Webhooks is right, and its time is now.
    pub fn verify_standard(
        &self,
        (id, timestamp, signatures): (&str, &str, &str),
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), BadSignature> {
        let seconds = parse_timestamp(timestamp).ok_or(BadSignature::Untimely)?;
        if !is_timely(seconds, now.unix_seconds()) {
            return Err(BadSignature::Untimely);
        }
        let right_one = self.sign_standard(id, seconds, body);
        let mut found = Choice::from(0);
        for given in signatures.split(' ') {
            found |= right_one.as_bytes().ct_eq(given.as_bytes());
        }
        right(found)
    }

    fn hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

impl WebhookSignatures {
    /// Signs one attempt with a merchant's active keys; `None` where there is none.
    ///
    /// The newest key signs. During a rotation's grace (a key that is active, but has an end) the
    /// endpoint keeps the key that it was set with for the plain signature. The standard one is made
    /// with every key in its grace as well, and with the endpoint's own as long as that is active.
    pub fn make(
        keys: &[ApiKey],
        endpoint_key: Option<ApiKeyId>,
        (id, body): (&str, &[u8]),
        now: Timestamp,
    ) -> Option<Self> {
        let plain = signing_key(keys, endpoint_key, now)?;
        let newest = newest(keys, now)?;
        let others = keys.iter().filter(|key| {
            let counts = key.ends_at.is_some() || Some(key.id) == endpoint_key;
            key.id != newest.id && counts && key.is_active(now)
        });
        let standard: Vec<String> = std::iter::once(newest)
            .chain(others)
            .map(|key| {
                WebhookSecret::of(&key.signing_key).sign_standard(id, now.unix_seconds(), body)
            })
            .collect();
        Some(Self {
            plain: WebhookSecret::of(&plain.signing_key).sign(body),
            standard: standard.join(" "),
        })
    }
}

/// The key that an endpoint's plain signatures are made with: its own while that is in the grace of
/// a rotation, else the merchant's newest.
pub fn signing_key(
    keys: &[ApiKey],
    endpoint_key: Option<ApiKeyId>,
    now: Timestamp,
) -> Option<&ApiKey> {
    in_grace(keys, now)
        .find(|key| Some(key.id) == endpoint_key)
        .or_else(|| newest(keys, now))
}

fn newest(keys: &[ApiKey], now: Timestamp) -> Option<&ApiKey> {
    let active = keys.iter().filter(|key| key.is_active(now));
    active.max_by_key(|key| (key.ends_at.is_none(), key.created_at, key.id))
}

fn in_grace(keys: &[ApiKey], now: Timestamp) -> impl Iterator<Item = &ApiKey> {
    keys.iter()
        .filter(move |key| key.ends_at.is_some() && key.is_active(now))
}

fn right(choice: Choice) -> Result<(), BadSignature> {
    if bool::from(choice) {
        Ok(())
    } else {
        Err(BadSignature::Wrong)
    }
}

fn tag(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::MerchantId;

    const ID: &str = "evt_01JD000000000000000000";
    const AT: i64 = 1_795_360_150;
    const BODY: &str = r#"{"type":"payment.captured","data":{"id":"pay_1","note":"Größe €"}}"#;
    /// Made with another implementation of Standard Webhooks.
    const STANDARD_TAG: &str = "v1,pVOiZyKzWlmgRf6puuFcewwyiyHy6EdfcdiA/QqPuhI=";

    const PLAIN_TAG: &str = "29e8defaf638fa5c96792267c8615a8110427353691bcfd62d3bfd32a73cb853";

    fn secret() -> WebhookSecret {
        let bytes = STANDARD
            .decode("X4tlTOf3Xfv0QanO7y6/o8RwC3WOvr5I7qXsNRee5d8=")
            .unwrap();
        WebhookSecret(bytes.try_into().unwrap())
    }

    fn now() -> Timestamp {
        Timestamp::from_unix_seconds(AT).unwrap()
    }

    #[test]
    fn the_standard_signature_is_the_published_libraries() {
        let secret = secret();
        assert_eq!(secret.sign_standard(ID, AT, BODY.as_bytes()), STANDARD_TAG);
        let verify = |signatures: &str, timestamp: &str, body: &str, now| {
            secret.verify_standard((ID, timestamp, signatures), body.as_bytes(), now)
        };
        let text = AT.to_string();
        assert_eq!(verify(STANDARD_TAG, &text, BODY, now()), Ok(()));
        let two = format!("v1,AAAA {STANDARD_TAG}");
        assert_eq!(verify(&two, &text, BODY, now().plus_seconds(300)), Ok(()));
        assert_eq!(
            verify(STANDARD_TAG, &text, "{}", now()),
            Err(BadSignature::Wrong)
        );
        assert_eq!(verify("", &text, BODY, now()), Err(BadSignature::Wrong));
        let untimely = Err(BadSignature::Untimely);
        assert_eq!(
            verify(STANDARD_TAG, &text, BODY, now().plus_seconds(301)),
            untimely
        );
        assert_eq!(verify(STANDARD_TAG, "soon", BODY, now()), untimely);
    }

    #[test]
    fn the_plain_signature_is_what_a_php_shop_computes() {
        // hash_hmac('sha256', '{"a":1}', hash('sha256', 'oc_secret_7f3aZ'))
        let secret = WebhookSecret::of(&SigningKey::of_secret("oc_secret_7f3aZ"));
        let signature = secret.sign(br#"{"a":1}"#);
        assert_eq!(signature, PLAIN_TAG);
        assert_eq!(
            secret.verify(&signature.to_uppercase(), br#"{"a":1}"#),
            Ok(())
        );
        for (signature, body) in [
            (signature.as_str(), "{}"),
            ("", r#"{"a":1}"#),
            ("zz", r#"{"a":1}"#),
        ] {
            assert_eq!(
                secret.verify(signature, body.as_bytes()),
                Err(BadSignature::Wrong)
            );
        }
    }

    fn key(number: u8, ends_at: Option<Timestamp>) -> ApiKey {
        ApiKey {
            id: ApiKeyId::from_uuid(Uuid::from_u128(number.into())),
            merchant: MerchantId::from_uuid(Uuid::from_u128(9)),
            signing_key: SigningKey::from_bytes([number; 32]),
            created_at: now().plus_seconds(number.into()),
            ends_at,
        }
    }

    /// Which keys made these signatures, by number.
    fn makers(keys: &[ApiKey], endpoint: u8) -> (u8, Vec<u8>) {
        let endpoint = ApiKeyId::from_uuid(Uuid::from_u128(endpoint.into()));
        let made = WebhookSignatures::make(keys, Some(endpoint), (ID, b"{}"), now()).unwrap();
        let secret = |number: u8| WebhookSecret([number; 32]);
        let plain = (1..9).find(|number| secret(*number).sign(b"{}") == made.plain);
        let standard = made.standard.split(' ').map(|signature| {
            let by = |number: &u8| secret(*number).sign_standard(ID, AT, b"{}") == signature;
            (1..9).find(by).unwrap()
        });
        (plain.unwrap(), standard.collect())
    }

    #[test]
    fn an_endpoint_keeps_its_key_through_a_rotations_grace() {
        let (grace, over) = (Some(now().plus_seconds(9)), Some(now()));
        assert_eq!(makers(&[key(1, None)], 1), (1, vec![1]));
        assert_eq!(makers(&[key(1, None), key(2, None)], 1), (2, vec![2, 1]));
        assert_eq!(makers(&[key(1, None), key(2, None)], 2), (2, vec![2]));
        assert_eq!(makers(&[key(1, grace), key(2, None)], 1), (1, vec![2, 1]));
        assert_eq!(makers(&[key(1, grace), key(2, None)], 2), (2, vec![2, 1]));
        assert_eq!(makers(&[key(1, over), key(2, None)], 1), (2, vec![2]));
        assert_eq!(makers(&[key(1, None), key(2, grace)], 1), (1, vec![1, 2]));
        let none = WebhookSignatures::make(&[key(1, over)], None, (ID, b"{}"), now());
        assert_eq!(none, None);
    }
}
