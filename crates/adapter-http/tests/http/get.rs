//! `GET /v1/checkout/sessions/{id}`

use serde_json::json;

use crate::support::{TestApp, new_session};

#[actix_web::test]
async fn every_member_is_there_from_the_first_moment() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    insta::assert_json_snapshot!(app.session(&checkout).await, { ".session_id" => "[session]" });
}

#[actix_web::test]
async fn a_refunded_payment_shows_its_amounts() {
    let app = TestApp::start().await;
    let body = new_session(&json!({
        "order_id": "42", "customer_email": "shopper@example.com",
        "customer_phone": "+15551234567", "metadata": {"b": "2", "a": "1"}, "capture": "manual",
    }));
    let checkout = app.create(&body).await;
    app.pay(&checkout, "tok_1").await;
    let capture = app
        .post(&checkout.path("/capture"), r#"{"amount":8000}"#)
        .send()
        .await;
    assert_eq!(capture.status, 200, "{capture:?}");
    assert_eq!(app.refund(&checkout, 3000).await.status, 201);
    insta::assert_json_snapshot!(app.session(&checkout).await, {
        ".session_id" => "[session]", ".psp_reference" => "[reference]",
        ".attempts[].attempt_id" => "[attempt]", ".attempts[].psp_reference" => "[reference]",
    });
}

#[actix_web::test]
async fn a_session_past_its_expiry_is_expired() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    app.clock.advance(1799);
    assert_eq!(app.session(&checkout).await["status"], "created");
    app.clock.advance(1);
    assert_eq!(app.session(&checkout).await["status"], "expired");
    assert_eq!(app.store.commits(), 1, "reading wrote something");
}

#[actix_web::test]
async fn a_refusal_has_failure_and_retry_until() {
    use oncharge_domain::psp::RefusalReason;
    use oncharge_testkit::{Call, Reply};
    let app = TestApp::start().await;
    let checkout = app.created().await;
    app.psp.reply(
        Call::Authorize,
        Reply::Refused(RefusalReason::InsufficientFunds),
    );
    let response = app.pay(&checkout, "tok_1").await;
    assert_eq!(
        response.json(),
        json!({
            "status": "refused",
            "next": {"type": "retry", "reason": "insufficient_funds", "last_try": false},
        })
    );
    let session = app.session(&checkout).await;
    assert_eq!(session["failure"]["code"], "insufficient_funds");
    assert_eq!(session["retry_until"], session["expires_at"]);
}

#[actix_web::test]
async fn every_attempt_is_listed_with_its_card() {
    use oncharge_domain::{card::Card, psp::RefusalReason};
    use oncharge_testkit::{Call, Fault, Reply};
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let declined = Reply::Refused(RefusalReason::CardDeclined);
    app.psp.reply(Call::Authorize, declined);
    app.psp
        .set_card(Card::new(Some("mastercard"), Some("0002")));
    app.pay(&checkout, "tok_1").await;
    app.clock.advance(1);
    app.psp.fail(Call::Authorize, Fault::NotSent);
    app.pay(&checkout, "tok_2").await;
    app.clock.advance(1);
    app.psp.set_card(Card::new(Some("visa"), Some("4242")));
    app.pay(&checkout, "tok_3").await;
    app.clock.advance(1);
    let session = app.session(&checkout).await;
    insta::assert_json_snapshot!(session["attempts"], {
        "[].attempt_id" => "[attempt]", "[2].psp_reference" => "[reference]",
    });
    let cancelled = app.post(&checkout.path("/cancel"), "").send().await;
    assert_eq!(cancelled.json()["attempts"], session["attempts"]);
    let listed = app.get("/v1/checkout/sessions").send().await.json();
    assert_eq!(listed["data"][0]["attempts"], session["attempts"]);
    let events = app.get("/v1/events").send().await.json();
    let [cancelled, authorized, error, refused] = events["data"].as_array().unwrap().as_slice()
    else {
        panic!("other events: {events}");
    };
    let [first, second, third] = session["attempts"].as_array().unwrap().as_slice() else {
        panic!("other attempts: {session}");
    };
    assert_eq!(refused["payment_attempt"], *first);
    assert_eq!(error["payment_attempt"], *second);
    assert_eq!(authorized["payment_attempt"], *third);
    assert_eq!(cancelled["payment_attempt"], *third);
}

#[actix_web::test]
async fn other_merchants_objects_are_not_found() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let other = app.another_merchant().await;
    let not_found = (404, "not_found".to_owned());
    let response = app.get(&checkout.path("")).by(&other).send().await;
    assert_eq!(response.refusal(), not_found);
    let unknown = format!("cs_{}", "0".repeat(32));
    let upper = checkout.id.to_uppercase();
    for id in [
        unknown.as_str(),
        &upper,
        "cs_",
        "x",
        "ref_1",
        "%00",
        "%ff",
        "..%2f..",
        "cs_1%0a",
    ] {
        let response = app.get(&format!("/v1/checkout/sessions/{id}")).send().await;
        assert_eq!(response.refusal(), not_found, "{id}: {response:?}");
    }
}
