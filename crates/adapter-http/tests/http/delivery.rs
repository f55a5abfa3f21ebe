//! Deliveries to a merchant's endpoint: the payload of each event, and its signatures.

use std::collections::BTreeMap;

use oncharge_domain::{
    psp::RefusalReason,
    session::EventKind,
    signing::SigningKey,
    webhook::{SignatureError, StandardHeaders, WebhookSecret},
};
use oncharge_ports::{Clock as _, webhook_sender::Webhook};
use oncharge_testkit::{Call, Fault, Reply};
use serde_json::{Value, json};

use crate::support::{ENDPOINT_URL, TestApp, new_session};

/// The delivered bodies, by event.
fn posted(app: &TestApp) -> BTreeMap<String, Value> {
    let bodies = app.sender.bodies(ENDPOINT_URL).into_iter();
    let read = bodies.map(|body| serde_json::from_str::<Value>(&body).unwrap());
    read.map(|body| (body["event"].as_str().unwrap().to_owned(), body))
        .collect()
}

fn header<'a>(webhook: &'a Webhook, name: &str) -> &'a str {
    let mut found = webhook.headers.iter().filter(|(one, _)| *one == name);
    let (_, value) = found.next().unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(found.next(), None, "{name} once");
    value
}

#[actix_web::test]
async fn every_event_of_a_payment_is_delivered() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let body = json!({"metadata": {"b": "2", "a": "\u{fc}\"</script>"}, "capture": "manual"});
    let checkout = app.create(&new_session(&body)).await;
    app.psp.reply(
        Call::Authorize,
        Reply::Refused(RefusalReason::InsufficientFunds),
    );
    app.pay(&checkout, "tok_1").await;
    app.pay(&checkout, "tok_2").await;
    app.post(&checkout.path("/capture"), "").send().await;
    app.refund(&checkout, 300).await;
    app.deliver().await;
    let posted = posted(&app);
    let sequences: Vec<_> = app
        .sender
        .bodies(ENDPOINT_URL)
        .iter()
        .map(|body| serde_json::from_str::<Value>(body).unwrap()["sequence"].clone())
        .collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5].map(|number| json!(number)));
    for body in posted.values() {
        assert_eq!(body["session_id"], checkout.id.as_str());
    }
    insta::assert_json_snapshot!("life", posted, {
        ".*.session_id" => "[session]", ".*.id" => "[event]",
        ".*.psp_reference" => insta::dynamic_redaction(|value, _| {
            if value.is_nil() { value } else { "[reference]".into() }
        }),
        ".*.refund_id" => "[refund]",
        ".*.payment_attempt.attempt_id" => "[attempt]",
        ".*.payment_attempt.psp_reference" => insta::dynamic_redaction(|value, _| {
            if value.is_nil() { value } else { "[reference]".into() }
        }),
    });
}

#[actix_web::test]
async fn payload_members_are_in_the_documented_order() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let checkout = app.captured().await;
    app.refund(&checkout, 300).await;
    app.deliver().await;
    let body = app.sender.bodies(ENDPOINT_URL).pop().unwrap();
    let json: Value = serde_json::from_str(&body).unwrap();
    let (head, attempt) = body.split_once(",\"payment_attempt\":{").unwrap();
    assert!(attempt.ends_with("}}"), "the last member: {attempt}");
    let members: Vec<&str> = head
        .split('"')
        .filter(|text| json.get(text).is_some())
        .collect();
    let documented = [
        "event",
        "session_id",
        "psp_reference",
        "merchant_reference",
        "status",
        "amount",
        "metadata",
        "id",
        "sequence",
        "created_at",
        "refund_id",
        "amounts",
        "failure",
    ];
    assert_eq!(members, documented);
}

#[actix_web::test]
async fn only_refusals_and_errors_have_retry_until() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let refused = || Reply::Refused(RefusalReason::CardDeclined);
    let checkout = app.created().await;
    let expires_at = app.session(&checkout).await["expires_at"].clone();
    app.psp.reply(Call::Authorize, refused());
    app.pay(&checkout, "tok_1").await;
    app.deliver().await;
    assert_eq!(posted(&app)["payment.refused"]["retry_until"], expires_at);

    let exhausted = app.created().await;
    for token in ["tok_1", "tok_2", "tok_3"] {
        app.psp.reply(Call::Authorize, refused());
        app.pay(&exhausted, token).await;
    }
    app.deliver().await;
    let last = &posted(&app)["payment.refused"];
    assert_eq!(last["session_id"], exhausted.id.as_str());
    let is_null = last.get("retry_until").is_some_and(Value::is_null);
    assert!(is_null, "there, and null: {last}");

    app.psp.fail(Call::Authorize, Fault::NotSent);
    let failed = app.created().await;
    app.pay(&failed, "tok_1").await;
    app.deliver().await;
    for (name, body) in posted(&app) {
        let is_refusal = ["payment.refused", "payment.error"].contains(&name.as_str());
        assert_eq!(body.get("retry_until").is_some(), is_refusal, "{name}");
        assert!(body.get("refund_id").is_none(), "{name}");
    }
}

#[actix_web::test]
async fn both_signatures_verify() {
    let app = TestApp::start().await;
    let endpoint = app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    app.authorized().await;
    app.deliver().await;
    let sent = app.sender.sent_to(ENDPOINT_URL);
    let [webhook] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    let shown = endpoint["signing_secret"].as_str().unwrap();
    let secret: WebhookSecret = shown.parse().unwrap();
    let key = SigningKey::of_secret(&app.pair.secret);
    let plain = header(webhook, "X-Oncharge-Signature");
    assert_eq!(key.verify_webhook(plain, &webhook.body), Ok(()));
    let standard = StandardHeaders {
        id: header(webhook, "webhook-id"),
        timestamp: header(webhook, "webhook-timestamp"),
        signature: header(webhook, "webhook-signature"),
    };
    let now = app.clock.now();
    assert_eq!(secret.verify(&standard, &webhook.body, now), Ok(()));
    let body: Value = serde_json::from_slice(&webhook.body).unwrap();
    assert_eq!(body["id"], standard.id);
    let mut changed = webhook.body.clone();
    changed.push(b' ');
    assert_eq!(
        key.verify_webhook(plain, &changed),
        Err(SignatureError::Mismatch)
    );
    assert_eq!(
        secret.verify(&standard, &changed, now),
        Err(SignatureError::Mismatch)
    );
    let later = app.clock.advance(301);
    assert_eq!(
        secret.verify(&standard, &webhook.body, later),
        Err(SignatureError::TimestampOutOfRange)
    );
}

#[actix_web::test]
async fn every_attempt_has_the_same_body() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    app.sender
        .reply(ENDPOINT_URL, oncharge_testkit::Outcome::Status(500));
    app.authorized().await;
    app.deliver().await;
    app.clock.advance(60);
    app.deliver().await;
    let sent = app.sender.sent_to(ENDPOINT_URL);
    let [first, second] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!(first.body, second.body);
    let name = "webhook-timestamp";
    assert_ne!(header(first, name), header(second, name));
    assert_eq!(header(first, "webhook-id"), header(second, "webhook-id"));
    let types = EventKind::ALL.iter().map(|kind| kind.name());
    let payload = serde_json::from_slice::<Value>(&first.body).unwrap();
    assert!(types.into_iter().any(|name| payload["event"] == name));
}
