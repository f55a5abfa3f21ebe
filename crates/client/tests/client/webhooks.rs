//! Which requests are accepted as webhooks, and how they are parsed.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic; what is unwrapped here was written above it"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oncharge_client::{
    EventKind, InvalidSigningSecret, SessionStatus, Webhook, WebhookError, WebhookEvent,
    WebhookVerifier, verify_webhook,
};
use oncharge_domain::{signing::SigningKey, webhook::WebhookSecret};
use serde_json::{Value, json};

const SECRET: &str = "whsec_fTH7d+DS/INUj4Z30YYNq7G3kxh6BWVd+7tcdtWfPiI=";
const NEW_SECRET: &str = "whsec_X4tlTOf3Xfv0QanO7y6/o8RwC3WOvr5I7qXsNRee5d8=";
const OTHER_SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const ID: &str = "evt_01JD000000000000000000";
const AT: u64 = 1_795_360_150;

/// A request with a webhook.
#[derive(Clone)]
struct SignedWebhook {
    id: Option<String>,
    timestamp: Option<String>,
    signature: Option<String>,
    body: Vec<u8>,
}

impl SignedWebhook {
    /// Signed as by the service, with this secret.
    fn new(secret: &str, body: &Value) -> Self {
        let body = body.to_string().into_bytes();
        let secret: WebhookSecret = secret.parse().unwrap();
        let signature = secret.sign(ID, i64::try_from(AT).unwrap(), &body);
        Self {
            id: Some(ID.to_owned()),
            timestamp: Some(AT.to_string()),
            signature: Some(signature),
            body,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        match name {
            "webhook-id" => self.id.as_deref(),
            "webhook-timestamp" => self.timestamp.as_deref(),
            "webhook-signature" => self.signature.as_deref(),
            _ => None,
        }
    }

    /// Verified this many seconds after it was signed.
    fn verify(&self, verifier: &WebhookVerifier, later: i64) -> Result<Webhook, WebhookError> {
        verifier.verify_at(|name| self.header(name), &self.body, at(later))
    }

    fn refusal(&self, later: i64) -> String {
        let refused = self.verify(&verifier(SECRET), later);
        refused.unwrap_err().to_string()
    }
}

fn verifier(secret: &str) -> WebhookVerifier {
    WebhookVerifier::new(secret).unwrap()
}

fn at(later: i64) -> SystemTime {
    let seconds = AT.checked_add_signed(later).unwrap();
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn captured() -> Value {
    json!({
        "event": "payment.captured", "session_id": "cs_1", "psp_reference": "psp_1",
        "merchant_reference": "order-42", "status": "captured",
        "amount": {"value": 9999, "currency": "USD"}, "metadata": {"color": "blue"},
        "amounts": {"authorized": 12000, "captured": 9999, "refunded": 0}, "failure": null,
        "id": ID, "sequence": 2, "created_at": "2026-11-22T12:00:00Z",
    })
}

/// The event with these fields replaced.
fn event(changes: &Value) -> WebhookEvent {
    match read(changes) {
        Ok(Webhook::Event(event)) => *event,
        other => panic!("{other:?}"),
    }
}

fn read(changes: &Value) -> Result<Webhook, WebhookError> {
    let mut body = captured();
    for (member, value) in changes.as_object().unwrap() {
        body[member] = value.clone();
    }
    SignedWebhook::new(SECRET, &body).verify(&verifier(SECRET), 0)
}

#[test]
fn signatures_of_other_implementations_verify() {
    // Created with another implementation of Standard Webhooks. Its body is not an event of the
    // service, which is reported only after the signature was verified.
    let secret = "whsec_X4tlTOf3Xfv0QanO7y6/o8RwC3WOvr5I7qXsNRee5d8=";
    let verifier = verifier(secret);
    let mut webhook = SignedWebhook {
        id: Some(ID.to_owned()),
        timestamp: Some(AT.to_string()),
        signature: Some("v1,pVOiZyKzWlmgRf6puuFcewwyiyHy6EdfcdiA/QqPuhI=".to_owned()),
        body: r#"{"type":"payment.captured","data":{"id":"pay_1","note":"Größe €"}}"#.into(),
    };
    let read = webhook.verify(&verifier, 0);
    assert!(matches!(read, Err(WebhookError::Unreadable(_))), "{read:?}");
    webhook.body.push(b' ');
    let read = webhook.verify(&verifier, 0);
    assert!(
        matches!(read, Err(WebhookError::WrongSignature)),
        "{read:?}"
    );
}

#[test]
fn an_event_carries_the_attempt_that_it_is_about() {
    assert_eq!(
        event(&json!({})).payment_attempt,
        None,
        "an event of an older version of the service"
    );
    let attempt = json!({
        "attempt_id": "op_1", "status": "refused", "psp_reference": null,
        "failure": {"code": "card_declined", "message": "The card was declined."},
        "payment_method": {"type": "card", "brand": null, "last4": "0002"},
        "created_at": "2026-11-22T11:59:58Z",
    });
    let attempt = event(&json!({"payment_attempt": attempt})).payment_attempt;
    let attempt = attempt.unwrap();
    assert_eq!(attempt.failure.unwrap().code, "card_declined");
    let method = attempt.payment_method.unwrap();
    assert_eq!(
        (method.brand, method.last4.as_deref()),
        (None, Some("0002"))
    );
}

#[test]
fn a_request_is_verified_with_the_signing_secret() {
    let webhook = SignedWebhook::new(SECRET, &captured());
    let verify = |secret| verify_webhook(secret, |name| webhook.header(name), &webhook.body, at(0));
    assert!(verify(SECRET).is_ok());
    let other = verify(OTHER_SECRET);
    assert!(
        matches!(other, Err(WebhookError::WrongSignature)),
        "{other:?}"
    );
    let none = verify("ocs_an_api_secret");
    assert!(
        matches!(none, Err(WebhookError::Secret(InvalidSigningSecret))),
        "{none:?}"
    );
}

#[test]
fn unknown_event_members_are_ignored() {
    let read = event(&json!({ "something_new": [1, {"a": null}] }));
    assert_eq!(
        (read.id.as_str(), read.kind),
        (ID, EventKind::PaymentCaptured)
    );
    assert_eq!((read.session_id.as_str(), read.sequence), ("cs_1", 2));
    assert_eq!((read.amount, read.currency.as_str()), (9999, "USD"));
    assert_eq!(read.merchant_reference, "order-42");
    assert_eq!(read.psp_reference.as_deref(), Some("psp_1"));
    assert_eq!(read.status, SessionStatus::Captured);
    assert_eq!(read.metadata["color"], "blue");
    assert_eq!(read.created_at.unix_timestamp(), 1_795_348_800);
    assert_eq!(
        (read.retry_until, read.refund_id, read.dispute_id),
        (None, None, None)
    );

    let refused = json!({
        "event": "payment.refused", "status": "refused", "psp_reference": null,
        "retry_until": "2026-11-22T12:30:00Z",
    });
    let read = event(&refused);
    assert_eq!(
        (read.kind, read.psp_reference),
        (EventKind::PaymentRefused, None)
    );
    assert_eq!(read.retry_until.unwrap().unix_timestamp(), 1_795_350_600);

    let refund = json!({ "event": "refund.succeeded", "refund_id": "ref_1", "dispute_id": null });
    assert_eq!(event(&refund).refund_id.as_deref(), Some("ref_1"));
}

#[test]
fn unknown_event_kinds_are_accepted() {
    let unknown = |name: &str| EventKind::Unknown(name.to_owned());
    let later = event(&json!({ "event": "payment.levitated", "status": "levitating" }));
    assert_eq!(later.kind, unknown("payment.levitated"));
    assert_eq!(later.status, SessionStatus::Unknown);

    let verifier = verifier(SECRET);
    for (body, kind) in [
        (
            json!({ "event": "payout.sent", "amount": 7 }),
            unknown("payout.sent"),
        ),
        (
            json!({ "event": "endpoint.test", "id": ID }),
            EventKind::EndpointTest,
        ),
    ] {
        let read = SignedWebhook::new(SECRET, &body)
            .verify(&verifier, 0)
            .unwrap();
        let id = ID.to_owned();
        assert_eq!(read, Webhook::Other { id, kind });
    }
}

#[test]
fn missing_headers_are_refused() {
    let good = SignedWebhook::new(SECRET, &captured());
    let without = |change: fn(&mut SignedWebhook)| {
        let mut webhook = good.clone();
        change(&mut webhook);
        webhook.refusal(0)
    };
    let missing = |name: &str| format!("the header {name} is missing");
    assert_eq!(without(|webhook| webhook.id = None), missing("webhook-id"));
    assert_eq!(
        without(|webhook| webhook.timestamp = None),
        missing("webhook-timestamp")
    );
    assert_eq!(
        without(|webhook| webhook.signature = None),
        missing("webhook-signature")
    );
}

#[test]
fn forged_webhooks_are_refused() {
    let good = SignedWebhook::new(SECRET, &captured());
    let right = good.signature.clone().unwrap();
    let tag = right.strip_prefix("v1,").unwrap();
    for signature in [
        "",
        " ",
        "v1,",
        tag,
        &format!("v1a,{tag}"),
        &format!("v2,{tag}"),
        &format!("V1,{tag}"),
        &right[..right.len() - 1],
        &right.to_lowercase(),
        &format!("v1,{}", "A".repeat(1 << 20)),
        "v1,\u{1f600}",
    ] {
        let webhook = SignedWebhook {
            signature: Some(signature.to_owned()),
            ..good.clone()
        };
        assert_eq!(
            webhook.refusal(0),
            "the signature is invalid",
            "{signature:.40}"
        );
    }
    let other_id = SignedWebhook {
        id: Some("evt_2".to_owned()),
        ..good.clone()
    };
    assert_eq!(other_id.refusal(0), "the signature is invalid");
    let later = SignedWebhook {
        timestamp: Some((AT + 1).to_string()),
        ..good.clone()
    };
    assert_eq!(later.refusal(0), "the signature is invalid");
    let of_another = SignedWebhook::new(OTHER_SECRET, &captured());
    assert_eq!(of_another.refusal(0), "the signature is invalid");
}

#[test]
fn the_legacy_signature_alone_is_refused() {
    let body = captured().to_string();
    let plain = SigningKey::of_secret("ocs_1").sign_webhook(body.as_bytes());
    let headers = |name: &str| (name == "x-oncharge-signature").then_some(plain.as_str());
    let refused = verify_webhook(SECRET, headers, body.as_bytes(), at(0));
    assert!(
        matches!(refused, Err(WebhookError::MissingHeader("webhook-id"))),
        "{refused:?}"
    );
}

#[test]
fn timestamps_have_five_minutes_of_tolerance() {
    let verifier = verifier(SECRET);
    let good = SignedWebhook::new(SECRET, &captured());
    for later in [-300, 0, 300] {
        assert!(good.verify(&verifier, later).is_ok(), "{later}");
    }
    for later in [-301, 301] {
        assert_eq!(
            good.refusal(later),
            "the timestamp is more than 5 minutes from the current time"
        );
    }
    for timestamp in [
        "",
        "soon",
        "-1",
        "+1795360150",
        " 1795360150",
        "17953601500000000000",
        "１",
    ] {
        let webhook = SignedWebhook {
            timestamp: Some(timestamp.to_owned()),
            ..good.clone()
        };
        let refusal = webhook.refusal(0);
        assert_eq!(
            refusal, "the timestamp is more than 5 minutes from the current time",
            "{timestamp:?}"
        );
    }
}

#[test]
fn malformed_bodies_are_unreadable_and_not_quoted() {
    let deep = json!("[".repeat(100_000)).as_str().unwrap().to_owned();
    let secret: WebhookSecret = SECRET.parse().unwrap();
    for body in [
        "",
        "null",
        "{}",
        r#"{"event": "payment.captured"}"#,
        r#"{"event": 7}"#,
        r#"{"event": "payment.captured\ud800"}"#,
        deep.as_str(),
    ] {
        let webhook = SignedWebhook {
            signature: Some(secret.sign(ID, 1_795_360_150, body.as_bytes())),
            body: body.as_bytes().to_vec(),
            ..SignedWebhook::new(SECRET, &captured())
        };
        assert_eq!(
            webhook.refusal(0),
            "the body is not a valid event",
            "{body:.40}"
        );
    }
    for changes in [
        json!({ "amount": 9999 }),
        json!({ "amount": {"value": "9999", "currency": "USD"} }),
        json!({ "amount": {"value": 99.99, "currency": "USD"} }),
        json!({ "amount": {"value": 10_000_000_000_000_000_000_u64, "currency": "USD"} }),
        json!({ "sequence": -1 }),
        json!({ "created_at": "yesterday, by jane@example.com" }),
        json!({ "session_id": null }),
    ] {
        let error = read(&changes).unwrap_err();
        assert!(
            matches!(error, WebhookError::Unreadable(_)),
            "{changes}: {error:?}"
        );
        assert!(!format!("{error:?}").contains("jane"), "{error:?}");
    }
}

#[test]
fn two_secrets_verify_during_a_rotation() {
    let (old, new) = (
        SignedWebhook::new(SECRET, &captured()),
        SignedWebhook::new(NEW_SECRET, &captured()),
    );
    let either = verifier(NEW_SECRET).or(verifier(SECRET));
    for webhook in [&old, &new] {
        assert!(webhook.verify(&either, 0).is_ok());
    }
    // During the grace period the service signs with both secrets: either is enough.
    let signatures = [
        new.signature.clone().unwrap(),
        old.signature.clone().unwrap(),
    ];
    let both = SignedWebhook {
        signature: Some(signatures.join(" ")),
        ..old
    };
    for secret in [SECRET, NEW_SECRET] {
        assert!(both.verify(&verifier(secret), 0).is_ok(), "{secret}");
    }
    let stranger = both.verify(&verifier(OTHER_SECRET), 0);
    assert!(matches!(stranger, Err(WebhookError::WrongSignature)));
    assert!(!format!("{either:?}").contains("fTH7"), "{either:?}");
}

#[test]
fn invalid_signing_secrets_are_refused() {
    for text in [
        "",
        "ocs_an_api_secret",
        "whsec_",
        "whsec_AAAA",
        "X4tlTOf3Xfv0QanO7y6/o8RwC3WOvr5I7qXsNRee5d8=",
        "whsec_X4tlTOf3Xfv0QanO7y6/o8RwC3WOvr5I7qXsNRee5d8=\n",
    ] {
        let refused = WebhookVerifier::new(text);
        assert_eq!(refused.err(), Some(InvalidSigningSecret), "{text:?}");
    }
}
