//! `GET /v1/checkout/sessions`

use serde_json::{Value, json};

use crate::support::{TestApp, new_session};

fn ids(page: &Value) -> Vec<String> {
    let rows = page["data"].as_array().unwrap().iter();
    rows.map(|row| row["session_id"].as_str().unwrap().to_owned())
        .collect()
}

async fn page(app: &TestApp, query: &str) -> Value {
    let response = app
        .get(&format!("/v1/checkout/sessions{query}"))
        .send()
        .await;
    assert_eq!(response.status, 200, "{query}: {response:?}");
    response.json()
}

#[actix_web::test]
async fn pages_are_stable_while_sessions_are_added() {
    let app = TestApp::start().await;
    let mut all = Vec::new();
    for _ in 0..5 {
        all.insert(0, app.created().await.id);
        app.clock.advance(1);
    }
    let first = page(&app, "?limit=2").await;
    assert_eq!(ids(&first), all[..2]);
    app.created().await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = page(&app, &format!("?limit=2&cursor={cursor}")).await;
    assert_eq!(ids(&second), all[2..4]);
    let cursor = second["next_cursor"].as_str().unwrap();
    let third = page(&app, &format!("?limit=2&cursor={cursor}")).await;
    assert_eq!(
        (ids(&third), &third["next_cursor"]),
        (all[4..].to_vec(), &Value::Null)
    );
    let row = &page(&app, "?limit=1").await["data"][0];
    assert_eq!(
        row.as_object().unwrap().len(),
        22,
        "a row is not a complete session: {row}"
    );
}

#[actix_web::test]
async fn filters_narrow_the_list() {
    let app = TestApp::start().await;
    let start = app.now();
    let old = app
        .create(&new_session(&json!({"reference": "a b+c"})))
        .await;
    app.clock.advance(1800);
    let paid = app.authorized().await;
    let open = app.create(&new_session(&json!({"order_id": "42"}))).await;
    for (query, expected) in [
        ("?status=expired", vec![&old.id]),
        ("?status=authorized", vec![&paid.id]),
        ("?status=created", vec![&open.id]),
        ("?status=captured", vec![]),
        ("?reference=a+b%2Bc", vec![&old.id]),
        ("?reference=A+b%2Bc", vec![]),
        ("?reference=order-42&status=created", vec![&open.id]),
        ("?order_id=42&status=created", vec![&open.id]),
        ("?order_id=4", vec![]),
    ] {
        let found = ids(&page(&app, query).await);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let shown = app.get(&format!("/v1/checkout/sessions/{}", paid.id));
    let reference = shown.send().await.json()["psp_reference"].clone();
    let query = format!("?psp_reference={}", reference.as_str().unwrap());
    assert_eq!(
        ids(&page(&app, &query).await),
        std::slice::from_ref(&paid.id)
    );
    let time = |seconds: i64| {
        let at = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        at.format(&time::format_description::well_known::Rfc3339)
            .unwrap()
    };
    for (query, count) in [
        (format!("?created_after={}", time(start)), 3),
        (format!("?created_after={}", time(start + 1)), 2),
        (format!("?created_before={}", time(start)), 0),
        (format!("?created_before={}", time(start + 1)), 1),
        (format!("?created_before={}", time(start + 1800)), 1),
    ] {
        assert_eq!(ids(&page(&app, &query).await).len(), count, "{query}");
    }
    let other = app.another_merchant().await;
    let theirs = app.get("/v1/checkout/sessions").by(&other).send().await;
    assert_eq!(theirs.json(), json!({"data": [], "next_cursor": null}));
}

#[actix_web::test]
async fn invalid_parameters_are_refused() {
    let app = TestApp::start().await;
    app.created().await;
    app.created().await;
    let cursor = page(&app, "?limit=1").await["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let other = app.another_merchant().await;
    let refund_list = app
        .get(&format!("/v1/refunds?cursor={cursor}"))
        .send()
        .await;
    assert_eq!(
        refund_list.fields(),
        ["cursor"],
        "a cursor is valid only for its list"
    );
    let theirs = app
        .get(&format!("/v1/checkout/sessions?cursor={cursor}"))
        .by(&other)
        .send()
        .await;
    assert_eq!(
        theirs.fields(),
        ["cursor"],
        "a cursor is valid only for its merchant"
    );
    let narrowed = app
        .get(&format!(
            "/v1/checkout/sessions?order_id=42&cursor={cursor}"
        ))
        .send()
        .await;
    assert_eq!(
        narrowed.fields(),
        ["cursor"],
        "a cursor is valid only for its filter"
    );
    for (query, field) in [
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?limit=x", "limit"),
        ("?limit=1&limit=2", "limit"),
        ("?cursor=x", "cursor"),
        ("?cursor=", "cursor"),
        ("?status=paid", "status"),
        ("?reference=", "reference"),
        ("?reference=%00", "reference"),
        ("?reference=%ff", "reference"),
        ("?order_id=", "order_id"),
        ("?psp_reference=a%20b", "psp_reference"),
        ("?order_idd=42", "order_idd"),
        ("?Status=captured", "Status"),
        ("?=1", "(empty name)"),
        ("?a%0d%0aX:%20b", "a??X:?b"),
        ("?4242424242424242=1", "****4242"),
        ("?created_after=yesterday", "created_after"),
        ("?created_before=1795367350", "created_before"),
    ] {
        let response = app
            .get(&format!("/v1/checkout/sessions{query}"))
            .send()
            .await;
        assert_eq!(
            response.refusal(),
            (400, "invalid_request".to_owned()),
            "{query}"
        );
        assert_eq!(response.fields(), [field], "{query}");
    }
}

#[actix_web::test]
async fn a_time_with_a_plus_that_is_not_encoded_is_refused_with_what_to_do() {
    let app = TestApp::start().await;
    let target = "/v1/checkout/sessions?created_after=2026-02-07T12:00:00";
    let refused = app.get(&format!("{target}+00:00")).send().await;
    assert_eq!(refused.refusal(), (400, "invalid_request".to_owned()));
    for hint in ["%2B", "12:00:00Z"] {
        assert!(refused.text().contains(hint), "{}", refused.text());
    }
    let encoded = app.get(&format!("{target}%2B00:00")).send().await;
    assert_eq!(encoded.status, 200, "{encoded:?}");
}

#[actix_web::test]
async fn unknown_parameters_are_refused_on_every_endpoint() {
    let app = TestApp::start().await;
    let session = app.created().await.id;
    let one = format!("/v1/checkout/sessions/{session}");
    for (method, target) in [
        ("GET", one.clone()),
        ("POST", "/v1/checkout/sessions".to_owned()),
        ("POST", format!("{one}/cancel")),
        ("POST", format!("{one}/capture")),
        ("POST", format!("{one}/expire")),
        ("GET", "/v1/refunds".to_owned()),
        ("POST", "/v1/refunds".to_owned()),
        ("GET", "/v1/refunds/ref_1".to_owned()),
        ("GET", "/v1/events".to_owned()),
        ("GET", "/v1/events/evt_1".to_owned()),
        ("POST", "/v1/events/evt_1/redeliver".to_owned()),
        ("GET", "/v1/webhook_endpoint".to_owned()),
        ("PUT", "/v1/webhook_endpoint".to_owned()),
        ("DELETE", "/v1/webhook_endpoint".to_owned()),
        ("POST", "/v1/webhook_endpoint/test".to_owned()),
        ("POST", "/v1/api_keys/rotate".to_owned()),
    ] {
        let mut request = app.request(method, &format!("{target}?dry_run=1"));
        if method != "GET" && method != "DELETE" {
            request.body = b"{}".to_vec();
        }
        let response = request.send().await;
        let refusal = (400, "invalid_request".to_owned());
        assert_eq!(response.refusal(), refusal, "{method} {target}");
        assert_eq!(response.fields(), ["dry_run"], "{method} {target}");
    }
    let response = app.get("/v1/refunds?session=cs_1").send().await;
    assert_eq!(
        response.json()["message"],
        "session is unknown: this endpoint accepts the query parameters limit, cursor, session_id"
    );
    let response = app.get("/v1/checkout/sessions?status=paid").send().await;
    assert_eq!(
        response.json()["message"],
        "status must be one of created, pending, authorized, captured, refused, cancelled, error, \
         expired"
    );
}

#[actix_web::test]
async fn head_is_get_without_a_body() {
    let app = TestApp::start().await;
    let session = app.created().await.id;
    for target in [
        "/v1/checkout/sessions".to_owned(),
        format!("/v1/checkout/sessions/{session}"),
        "/v1/refunds?limit=0".to_owned(),
        "/openapi.json".to_owned(),
        "/docs".to_owned(),
        "/".to_owned(),
    ] {
        let get = app.get(&target).send().await;
        let head = app.request("HEAD", &target).set("Connection", "close");
        let head = head.send().await;
        assert_eq!(head.status, get.status, "{target}: {head:?}");
        for name in ["content-type", "content-length"] {
            assert!(head.header(name).is_some(), "{target}: {head:?}");
        }
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert_eq!(head.text(), "", "{target}");
    }
}
