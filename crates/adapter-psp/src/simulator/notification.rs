//! Verifies and parses the simulator's notifications.

use oncharge_domain::{
    card::Card,
    money::Money,
    psp::{PspReference, PspResponse},
};
use oncharge_ports::psp::{InvalidSignature, Notification, NotificationError};
use ring::{digest, hmac};
use serde::Deserialize;

use super::{card, response};
use crate::secret::Secret;

/// The header with the hexadecimal HMAC-SHA256 of the raw body under the account's key.
pub(super) const SIGNATURE: &str = "X-Psp-Signature";

/// Maximum length of a notification id that can serve as event key, in characters.
const MAX_ID_LENGTH: usize = 255;

/// A notification; which members are required depends on its type.
#[derive(Deserialize)]
struct NotificationBody {
    r#type: String,
    psp_reference: Option<String>,
    reference: Option<String>,
    idempotency_key: Option<String>,
    success: Option<bool>,
    amount: Option<i64>,
    currency: Option<String>,
    reason: Option<String>,
    #[serde(default, with = "card")]
    card: Option<Card>,
}

/// The member needed to detect duplicates.
#[derive(Deserialize)]
struct BodyWithId {
    id: String,
}

/// Verifies the body's signature with the account's key, in constant time.
pub(super) fn verify(
    key: &Secret,
    signature: Option<&str>,
    body: &[u8],
) -> Result<(), InvalidSignature> {
    let tag = signature
        .and_then(|text| hex::decode(text).ok())
        .ok_or(InvalidSignature)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    hmac::verify(&key, body, &tag).map_err(|_| InvalidSignature)
}

/// The key that identifies duplicates of a verified body: its id, or the SHA-256 of its bytes if it
/// has no usable one, so that unknown formats are stored as well, and once.
pub(super) fn event_key(body: &[u8]) -> String {
    let parsed = serde_json::from_slice::<BodyWithId>(body).ok();
    parsed
        .map(|parsed| parsed.id)
        .filter(|id| (1..=MAX_ID_LENGTH).contains(&id.len()))
        .filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()))
        .unwrap_or_else(|| hex::encode(digest::digest(&digest::SHA256, body)))
}

/// Parses a verified body.
pub(super) fn read(body: &[u8]) -> Result<Notification, NotificationError> {
    use NotificationError::{Irrelevant, Malformed};

    let parsed: NotificationBody = serde_json::from_slice(body).map_err(|_| Malformed)?;
    if !matches!(
        parsed.r#type.as_str(),
        "authorisation" | "capture" | "cancel" | "refund"
    ) {
        return Err(Irrelevant);
    }
    let key = parsed.idempotency_key.as_deref().ok_or(Malformed)?;
    let reference = parsed.reference.as_deref().ok_or(Malformed)?;
    Ok(Notification {
        operation: key.parse().map_err(|_| Irrelevant)?,
        session: reference.parse().map_err(|_| Irrelevant)?,
        amount: amount(&parsed).ok_or(Malformed)?,
        reference: psp_reference(&parsed).ok_or(Malformed)?,
        response: psp_response(&parsed).ok_or(Malformed)?,
        card: parsed.card,
    })
}

fn amount(parsed: &NotificationBody) -> Option<Money> {
    response::money(parsed.amount?, parsed.currency.as_deref()?)
}

fn psp_reference(parsed: &NotificationBody) -> Option<PspReference> {
    PspReference::parse(parsed.psp_reference.as_deref()?).ok()
}

/// A successful authorization is reported as accepted: the notification does not say whether the
/// money was captured with it, and a wrong guess would be wrong about money. A look-up determines
/// it.
fn psp_response(parsed: &NotificationBody) -> Option<PspResponse> {
    let reference = psp_reference(parsed)?;
    Some(match (parsed.success?, parsed.r#type.as_str()) {
        (false, _) => PspResponse::Refused(response::reason(parsed.reason.as_deref())),
        (true, "authorisation") => PspResponse::Accepted { reference },
        (true, _) => PspResponse::Done {
            reference,
            captured: false,
        },
    })
}

#[cfg(test)]
mod tests {
    use oncharge_domain::psp::RefusalReason;

    use super::*;

    const OPERATION: &str = "op_018f0000000070008000000000000001";
    const SESSION: &str = "cs_018f0000000070008000000000000002";

    /// A complete notification, with these members changed.
    fn body(changes: serde_json::Value) -> Vec<u8> {
        let mut parsed = serde_json::json!({
            "id": "ntf_1", "type": "authorisation", "psp_reference": "psp_1",
            "reference": SESSION, "idempotency_key": OPERATION, "success": true,
            "amount": 4200, "currency": "EUR", "reason": null,
            "created_at": "2026-11-22T10:00:00Z",
        });
        if let serde_json::Value::Object(changes) = changes {
            parsed.as_object_mut().unwrap().extend(changes);
        }
        parsed.to_string().into_bytes()
    }

    #[test]
    fn only_the_accounts_signature_verifies() {
        // printf '{"id":"ntf_1"}' | openssl dgst -sha256 -hmac account-key
        let (key, body) = (Secret::new("account-key"), br#"{"id":"ntf_1"}"#);
        let good = "eb7401042534a6edabc1a665477f5ba24b06abf135d21f626360293fb52d4124";
        assert_eq!(verify(&key, Some(good), body), Ok(()));
        assert_eq!(verify(&key, Some(&good.to_uppercase()), body), Ok(()));
        let unverified = Err(InvalidSignature);
        for bad in [
            None,
            Some(""),
            Some("zz"),
            Some(&good[2..]),
            Some(&"0".repeat(64)),
        ] {
            assert_eq!(verify(&key, bad, body), unverified, "{bad:?}");
        }
        assert_eq!(verify(&key, Some(good), br#"{"id":"ntf_2"}"#), unverified);
        assert_eq!(verify(&Secret::new("other"), Some(good), body), unverified);
    }

    #[test]
    fn the_event_key_is_the_id_or_the_body_hash() {
        let longest = "x".repeat(255);
        for id in ["ntf_1", "!~", &longest] {
            let key = event_key(&body(serde_json::json!({"id": id})));
            assert_eq!(key, id);
        }
        for id in [
            serde_json::json!(""),
            serde_json::json!("a b"),
            serde_json::json!("ä"),
            serde_json::json!("x".repeat(256)),
            serde_json::json!(7),
            serde_json::Value::Null,
        ] {
            let body = body(serde_json::json!({"id": id}));
            let key = event_key(&body);
            assert_eq!(key.len(), 64, "{id}: {key}");
            assert_eq!(key, event_key(&body), "{id}");
        }
        // printf 'not json' | sha256sum
        let hash = "7ccfa1fbf3940e6f0c0375d87c0f9235a50514e14cb427bdfaf5077987b26ccf";
        assert_eq!(event_key(b"not json"), hash);
    }

    #[test]
    fn every_notification_type_maps_to_a_response() {
        let reference = || PspReference::parse("psp_1").unwrap();
        let done = || PspResponse::Done {
            reference: reference(),
            captured: false,
        };
        let cases = [
            (
                serde_json::json!({}),
                PspResponse::Accepted {
                    reference: reference(),
                },
            ),
            (serde_json::json!({"type": "capture"}), done()),
            (serde_json::json!({"type": "cancel"}), done()),
            (serde_json::json!({"type": "refund"}), done()),
            (
                serde_json::json!({"success": false, "reason": "card_declined"}),
                PspResponse::Refused(RefusalReason::CardDeclined),
            ),
            (
                serde_json::json!({"type": "capture", "success": false, "reason": "failed_late"}),
                PspResponse::Refused(RefusalReason::Other("failed_late".to_owned())),
            ),
        ];
        for (changes, response) in cases {
            let notification = read(&body(changes.clone())).unwrap();
            assert_eq!(notification.response, response, "{changes}");
            assert_eq!(notification.operation.to_string(), OPERATION);
            assert_eq!(notification.session.to_string(), SESSION);
            assert_eq!(notification.amount.minor(), 4200);
            assert_eq!(notification.amount.currency().code(), "EUR");
        }
    }

    #[test]
    fn a_card_is_read_where_it_has_the_form_of_one() {
        assert_eq!(read(&body(serde_json::json!({}))).unwrap().card, None);
        let visa = serde_json::json!({"card": {"brand": "visa", "last4": "4242"}});
        let card = Card::new(Some("visa"), Some("4242"));
        assert_eq!(read(&body(visa)).unwrap().card, card);
        for card in ["4242424242424242", "", "42424"] {
            let hostile = serde_json::json!({"card": {"brand": card, "last4": card}});
            assert_eq!(read(&body(hostile)).unwrap().card, None, "{card}");
        }
    }

    #[test]
    fn foreign_notifications_are_irrelevant() {
        for changes in [
            serde_json::json!({"type": "chargeback", "idempotency_key": null}),
            serde_json::json!({"type": "payout"}),
            serde_json::json!({"idempotency_key": "somebody-else-s"}),
            serde_json::json!({"reference": "order-42"}),
        ] {
            let error = read(&body(changes.clone())).unwrap_err();
            assert_eq!(error, NotificationError::Irrelevant, "{changes}");
        }
    }

    #[test]
    fn incomplete_notifications_are_malformed() {
        for changes in [
            serde_json::json!({"idempotency_key": null}),
            serde_json::json!({"reference": null}),
            serde_json::json!({"psp_reference": null}),
            serde_json::json!({"psp_reference": ""}),
            serde_json::json!({"success": null}),
            serde_json::json!({"success": "true"}),
            serde_json::json!({"amount": -1}),
            serde_json::json!({"amount": 1.5}),
            serde_json::json!({"currency": "XXX"}),
        ] {
            let error = read(&body(changes.clone())).unwrap_err();
            assert_eq!(error, NotificationError::Malformed, "{changes}");
        }
        assert_eq!(read(b"not json").unwrap_err(), NotificationError::Malformed);
    }
}
