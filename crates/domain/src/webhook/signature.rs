//! Signatures of deliveries: the plain signature of the published API page, and that of Standard
//! Webhooks (<https://www.standardwebhooks.com>), which prevents replays.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::secret::{EndpointSecrets, WebhookSecret};
use crate::{
    id::ApiKeyId,
    merchant::ApiKey,
    signing::{SigningKey, is_within_tolerance, parse_timestamp},
    time::Timestamp,
};

/// The signatures of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSignatures {
    /// `X-Oncharge-Signature`: hex HMAC-SHA256 of the raw body.
    pub plain: String,
    /// `webhook-signature`: `v1,` and base64 for each secret, separated by spaces.
    pub standard: String,
}

/// The Standard Webhooks headers as received.
#[derive(Clone, Copy, Debug)]
pub struct StandardHeaders<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`, Unix seconds.
    pub timestamp: &'a str,
    /// `webhook-signature`.
    pub signature: &'a str,
}

/// Why a delivery is not authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No signature is valid.
    #[error("the signature is invalid")]
    Mismatch,
    /// The timestamp is not a number, or differs from the present by more than five minutes.
    #[error("the timestamp is more than 5 minutes from the current time")]
    TimestampOutOfRange,
}

impl WebhookSecret {
    /// The signature of Standard Webhooks over id, timestamp (Unix seconds) and body.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let head = format!("{id}.{timestamp}.");
        let tag = tag(self.expose_bytes(), &[head.as_bytes(), body]);
        format!("v1,{}", STANDARD.encode(tag))
    }

    /// Whether one of the signatures is valid and the timestamp is current.
    pub fn verify(
        &self,
        headers: &StandardHeaders<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let seconds =
            parse_timestamp(headers.timestamp).ok_or(SignatureError::TimestampOutOfRange)?;
        if !is_within_tolerance(seconds, now.unix_seconds()) {
            return Err(SignatureError::TimestampOutOfRange);
        }
        let expected = self.sign(headers.id, seconds, body);
        let mut found = Choice::from(0);
        for given in headers.signature.split(' ') {
            found |= expected.as_bytes().ct_eq(given.as_bytes());
        }
        check(found)
    }
}

impl SigningKey {
    /// The plain signature of a webhook: hex HMAC-SHA256 of the body, with the lowercase hex text
    /// of the key as HMAC key.
    pub fn sign_webhook(&self, body: &[u8]) -> String {
        hex::encode(tag(self.hex().as_bytes(), &[body]))
    }

    /// Whether the plain signature (64 hex digits, either case) is valid.
    pub fn verify_webhook(&self, signature: &str, body: &[u8]) -> Result<(), SignatureError> {
        let mut given = [0; 32];
        let is_hex = hex::decode_to_slice(signature, &mut given).is_ok();
        let equal = tag(self.hex().as_bytes(), &[body]).ct_eq(&given);
        check(equal & Choice::from(u8::from(is_hex)))
    }

    fn hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.expose_bytes()))
    }
}

impl WebhookSignatures {
    /// Signs one attempt; `None` if the merchant has no valid API key.
    ///
    /// The newest active API key makes the plain signature. During a rotation's grace period the
    /// endpoint keeps the API key that it was set with. The standard signature is made with each of
    /// the endpoint's secrets that sign at this time.
    pub fn make(
        keys: &[ApiKey],
        endpoint_key: ApiKeyId,
        secrets: &EndpointSecrets,
        message: &Message<'_>,
    ) -> Option<Self> {
        let Message { id, body, at } = *message;
        let plain = plain_key(keys, endpoint_key, at)?;
        let signing = secrets.signing(at);
        let standard: Vec<String> = signing
            .map(|secret| secret.sign(id, at.unix_seconds(), body))
            .collect();
        Some(Self {
            plain: plain.signing_key.sign_webhook(body),
            standard: standard.join(" "),
        })
    }
}

/// The signed parts of a delivery.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The event's id.
    pub id: &'a str,
    /// The raw body.
    pub body: &'a [u8],
    /// When the attempt is made.
    pub at: Timestamp,
}

/// The API key of an endpoint's plain signatures: its own during the grace period of a rotation,
/// otherwise the merchant's newest.
fn plain_key(keys: &[ApiKey], endpoint_key: ApiKeyId, now: Timestamp) -> Option<&ApiKey> {
    let valid = || keys.iter().filter(|key| key.is_valid(now));
    let own = valid().find(|key| key.id == endpoint_key && !key.is_active());
    own.or_else(|| valid().max_by_key(|key| (key.is_active(), key.created_at, key.id)))
}

fn check(choice: Choice) -> Result<(), SignatureError> {
    if bool::from(choice) {
        Ok(())
    } else {
        Err(SignatureError::Mismatch)
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
    /// Computed by another implementation of Standard Webhooks.
    const STANDARD_TAG: &str = "v1,pVOiZyKzWlmgRf6puuFcewwyiyHy6EdfcdiA/QqPuhI=";

    const PLAIN_TAG: &str = "29e8defaf638fa5c96792267c8615a8110427353691bcfd62d3bfd32a73cb853";

    fn secret() -> WebhookSecret {
        let text = "whsec_X4tlTOf3Xfv0QanO7y6/o8RwC3WOvr5I7qXsNRee5d8=";
        text.parse().unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_unix_seconds(AT).unwrap()
    }

    #[test]
    fn the_standard_signature_matches_published_libraries() {
        let secret = secret();
        assert_eq!(secret.sign(ID, AT, BODY.as_bytes()), STANDARD_TAG);
        let verify = |signature: &str, timestamp: &str, body: &str, now| {
            let headers = StandardHeaders {
                id: ID,
                timestamp,
                signature,
            };
            secret.verify(&headers, body.as_bytes(), now)
        };
        let text = AT.to_string();
        assert_eq!(verify(STANDARD_TAG, &text, BODY, now()), Ok(()));
        let two = format!("v1,AAAA {STANDARD_TAG}");
        assert_eq!(verify(&two, &text, BODY, now().plus_seconds(300)), Ok(()));
        assert_eq!(
            verify(STANDARD_TAG, &text, "{}", now()),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            verify("", &text, BODY, now()),
            Err(SignatureError::Mismatch)
        );
        let untimely = Err(SignatureError::TimestampOutOfRange);
        assert_eq!(
            verify(STANDARD_TAG, &text, BODY, now().plus_seconds(301)),
            untimely
        );
        assert_eq!(verify(STANDARD_TAG, "soon", BODY, now()), untimely);
    }

    #[test]
    fn the_plain_signature_matches_php() {
        // hash_hmac('sha256', '{"a":1}', hash('sha256', 'oc_secret_7f3aZ'))
        let key = SigningKey::of_secret("oc_secret_7f3aZ");
        let signature = key.sign_webhook(br#"{"a":1}"#);
        assert_eq!(signature, PLAIN_TAG);
        assert_eq!(
            key.verify_webhook(&signature.to_uppercase(), br#"{"a":1}"#),
            Ok(())
        );
        for (signature, body) in [
            (signature.as_str(), "{}"),
            ("", r#"{"a":1}"#),
            ("zz", r#"{"a":1}"#),
        ] {
            assert_eq!(
                key.verify_webhook(signature, body.as_bytes()),
                Err(SignatureError::Mismatch)
            );
        }
    }

    fn key(number: u8, ends_at: Option<Timestamp>) -> ApiKey {
        ApiKey {
            id: ApiKeyId::from_uuid(Uuid::from_u128(number.into())),
            merchant: MerchantId::from_uuid(Uuid::from_u128(9)),
            signing_key: SigningKey::from_bytes([number; 32]),
            hint: "0000".to_owned(),
            created_at: now().plus_seconds(number.into()),
            last_used_at: None,
            ends_at,
        }
    }

    /// The number of the key that made the plain signature; 0 if there is none.
    fn plain_by(keys: &[ApiKey], endpoint: u8) -> u8 {
        let endpoint = ApiKeyId::from_uuid(Uuid::from_u128(endpoint.into()));
        let message = Message {
            id: ID,
            body: b"{}",
            at: now(),
        };
        let secrets = EndpointSecrets::new(secret());
        let made = WebhookSignatures::make(keys, endpoint, &secrets, &message);
        let Some(made) = made else {
            return 0;
        };
        assert_eq!(made.standard, secret().sign(ID, AT, b"{}"));
        let by = |number: &u8| SigningKey::from_bytes([*number; 32]).sign_webhook(b"{}");
        (1..9).find(|number| by(number) == made.plain).unwrap()
    }

    #[test]
    fn an_endpoint_keeps_its_api_key_through_a_rotations_grace_period() {
        let (grace, over) = (Some(now().plus_seconds(9)), Some(now()));
        assert_eq!(plain_by(&[key(1, None)], 1), 1);
        assert_eq!(plain_by(&[key(1, None), key(2, None)], 1), 2);
        assert_eq!(plain_by(&[key(1, None), key(2, None)], 2), 2);
        assert_eq!(plain_by(&[key(1, grace), key(2, None)], 1), 1);
        assert_eq!(plain_by(&[key(1, grace), key(2, None)], 2), 2);
        assert_eq!(plain_by(&[key(1, over), key(2, None)], 1), 2);
        assert_eq!(plain_by(&[key(1, None), key(2, grace)], 1), 1);
        assert_eq!(
            plain_by(&[key(1, over)], 1),
            0,
            "an ended key signs nothing"
        );
    }

    #[test]
    fn both_secrets_sign_while_one_replaces_the_other() {
        let new = WebhookSecret::from_bytes([7; 32]);
        let secrets = EndpointSecrets::new(secret()).rotated_to(new.clone(), now());
        let message = Message {
            id: ID,
            body: b"{}",
            at: now(),
        };
        let keys = [key(1, None)];
        let made = WebhookSignatures::make(&keys, keys[0].id, &secrets, &message).unwrap();
        let both = [new, secret()].map(|secret| secret.sign(ID, AT, b"{}"));
        assert_eq!(made.standard, both.join(" "));
    }

    #[test]
    fn a_webhook_secret_signs_no_request_of_the_api() {
        use crate::signing::SignedRequest;
        let (key, secret) = (SigningKey::of_secret("ocs_1"), secret());
        let request = SignedRequest {
            timestamp: "1795360151",
            method: "GET",
            target: "/v1/events",
            body: b"",
        };
        let forged = SigningKey::from_bytes(*secret.expose_bytes()).sign(&request);
        assert!(!key.verify(&request, &forged));
    }
}
