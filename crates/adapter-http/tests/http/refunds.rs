//! `POST /v1/refunds`, `GET /v1/refunds/{id}`, `GET /v1/refunds`

use futures_util::future::join_all;
use oncharge_domain::psp::RefusalReason;
use oncharge_testkit::{Call, Fault, Reply};
use serde_json::{Value, json};

use crate::support::TestApp;

#[actix_web::test]
async fn a_refund_is_created_and_retrieved() {
    let app = TestApp::start().await;
    let checkout = app.captured().await;
    let response = app.refund(&checkout, 5000).await;
    assert_eq!(response.status, 201, "{response:?}");
    let ordered = response.json();
    insta::assert_json_snapshot!("ordered", ordered, {
        ".refund_id" => "[refund]", ".session_id" => "[session]", ".psp_reference" => "[reference]",
    });
    let members: Vec<&str> = response
        .text()
        .split('"')
        .filter(|text| ordered.get(text).is_some())
        .collect();
    let page = [
        "refund_id",
        "session_id",
        "status",
        "psp_reference",
        "amount",
        "currency",
    ];
    assert_eq!(
        members, page,
        "the fields of the published page, in its order"
    );

    let id = ordered["refund_id"].as_str().unwrap();
    let read = app.get(&format!("/v1/refunds/{id}")).send().await;
    assert_eq!(read.status, 200);
    insta::assert_json_snapshot!("read", read.json(), {
        ".refund_id" => "[refund]", ".session_id" => "[session]", ".psp_reference" => "[reference]",
    });
}

#[actix_web::test]
async fn a_refund_is_acknowledged_whatever_the_psp_result() {
    let app = TestApp::start().await;
    let checkout = app.captured().await;
    let refused = RefusalReason::Other("too_late".to_owned());
    app.psp.reply(Call::Refund, Reply::Refused(refused));
    let response = app.refund(&checkout, 100).await;
    assert_eq!(
        (response.status, &response.json()["status"]),
        (201, &json!("refund_requested"))
    );
    let id = response.json()["refund_id"].as_str().unwrap().to_owned();
    let read = app.get(&format!("/v1/refunds/{id}")).send().await.json();
    assert_eq!(read["status"], "refund_failed");
    assert_eq!(
        read["failure"],
        json!({"code": "psp_error", "message": "too_late"})
    );

    for fault in [Fault::NotSent, Fault::UnknownBefore] {
        app.psp.fail(Call::Refund, fault);
        let response = app.refund(&checkout, 100).await;
        assert_eq!(
            (response.status, &response.json()["psp_reference"]),
            (201, &Value::Null)
        );
    }
    assert_eq!(app.session(&checkout).await["amount_refunded"], 200);
}

#[actix_web::test]
async fn refunds_never_exceed_what_was_captured() {
    let app = TestApp::start().await;
    let checkout = app.captured().await;
    let responses = join_all((0..20).map(|_| app.refund(&checkout, 1500))).await;
    let accepted = responses
        .iter()
        .filter(|response| response.status == 201)
        .count();
    let refused = responses.iter().filter(|response| {
        response.status == 422 && response.refusal().1 == "refund_exceeds_captured"
    });
    assert_eq!((accepted, refused.count()), (6, 14));
    let last = app.refund(&checkout, 1500).await;
    assert_eq!(
        last.json()["message"],
        "The amount must be at most the remaining refundable amount: 1000 minor units"
    );
    assert_eq!(app.psp.taken(checkout.session_id()), 1000);
}

#[actix_web::test]
async fn invalid_refunds_are_refused() {
    let app = TestApp::start().await;
    let (checkout, open) = (app.captured().await, app.authorized().await);
    let good = json!({
        "session_id": checkout.id, "amount": 100, "currency": "EUR", "reference": "r",
    });
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body.to_string()
    };
    let before = app.store.commits();
    let invalid = |field: &'static str| (422, "invalid_request", vec![field]);
    let cases = [
        (with("session_id", json!(1)), invalid("session_id")),
        (with("session_id", json!(null)), invalid("session_id")),
        (with("amount", json!(0)), invalid("amount")),
        (with("amount", json!(1.0)), invalid("amount")),
        (with("amount", json!("1")), invalid("amount")),
        (with("currency", json!("eur")), invalid("currency")),
        (with("currency", json!("USD")), invalid("currency")),
        (with("reference", json!("")), invalid("reference")),
        (with("reference", json!("a\u{7}")), invalid("reference")),
        (with("session_id", json!("x")), (404, "not_found", vec![])),
        (
            with("session_id", json!(format!("cs_{}", "0".repeat(32)))),
            (404, "not_found", vec![]),
        ),
        (
            with("session_id", json!(open.id)),
            (409, "invalid_state", vec![]),
        ),
        (
            with("amount", json!(10_001)),
            (422, "refund_exceeds_captured", vec![]),
        ),
        (
            json!({}).to_string(),
            (
                422,
                "invalid_request",
                vec!["session_id", "amount", "currency", "reference"],
            ),
        ),
    ];
    for (body, (status, code, fields)) in cases {
        let response = app.post("/v1/refunds", body.clone()).send().await;
        assert_eq!(
            response.refusal(),
            (status, code.to_owned()),
            "{body}: {response:?}"
        );
        assert_eq!(response.fields(), fields, "{body}");
    }
    // The status is checked before the currency.
    let mut both = json!({"session_id": open.id, "amount": 1, "currency": "USD", "reference": "r"});
    let response = app.post("/v1/refunds", both.to_string()).send().await;
    assert_eq!(response.refusal(), (409, "invalid_state".to_owned()));
    both["session_id"] = json!(checkout.id);
    let other = app.another_merchant().await;
    let theirs = app
        .post("/v1/refunds", both.to_string())
        .by(&other)
        .send()
        .await;
    assert_eq!(theirs.refusal(), (404, "not_found".to_owned()));
    assert_eq!(app.store.commits(), before, "something was written");
}

#[actix_web::test]
async fn refunds_are_listed_newest_first_and_by_session() {
    let app = TestApp::start().await;
    let (one, other) = (app.captured().await, app.captured().await);
    let mut ids = Vec::new();
    for checkout in [&one, &other, &one] {
        let response = app.refund(checkout, 100).await.json();
        ids.insert(0, response["refund_id"].as_str().unwrap().to_owned());
        app.clock.advance(1);
    }
    let list = async |query: String| {
        let page = app.get(&format!("/v1/refunds{query}")).send().await.json();
        let rows = page["data"].as_array().unwrap().iter();
        let found = rows.map(|row| row["refund_id"].as_str().unwrap().to_owned());
        (
            found.collect::<Vec<_>>(),
            page["next_cursor"].as_str().map(str::to_owned),
        )
    };
    assert_eq!(list(String::new()).await, (ids.clone(), None));
    let (first, cursor) = list("?limit=2".to_owned()).await;
    assert_eq!(first, ids[..2]);
    let (rest, end) = list(format!("?limit=2&cursor={}", cursor.unwrap())).await;
    assert_eq!((rest, end), (ids[2..].to_vec(), None));
    let (of_one, _) = list(format!("?session_id={}", one.id)).await;
    assert_eq!(of_one, [ids[0].clone(), ids[2].clone()]);
    assert_eq!(
        list("?session_id=x".to_owned()).await.0,
        Vec::<String>::new()
    );
}

#[actix_web::test]
async fn other_merchants_objects_are_not_found() {
    let app = TestApp::start().await;
    let checkout = app.captured().await;
    let id = app.refund(&checkout, 100).await.json()["refund_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let other = app.another_merchant().await;
    for request in [
        app.get(&format!("/v1/refunds/{id}")).by(&other),
        app.get("/v1/refunds/x"),
        app.get(&format!("/v1/refunds/{}", checkout.id)),
    ] {
        assert_eq!(
            request.send().await.refusal(),
            (404, "not_found".to_owned())
        );
    }
}
