//! `GET /v1/checkout/sessions`

use serde_json::{Value, json};

use crate::support::{TestApp, new_session};

fn ids(page: &Value) -> Vec<String> {
    let rows = page["data"].as_array().unwrap().iter();
    rows.map(|row| row["session_id"].as_str().unwrap().to_owned())
        .collect()
}

async fn page(app: &TestApp, query: &str) -> Value {
    let answer = app
        .get(&format!("/v1/checkout/sessions{query}"))
        .send()
        .await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.json()
}

#[actix_web::test]
async fn pages_are_newest_first_and_stable_while_sessions_are_added() {
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
        21,
        "a row is a whole session: {row}"
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
    let open = app.created().await;
    for (query, expected) in [
        ("?status=expired", vec![&old.id]),
        ("?status=authorized", vec![&paid.id]),
        ("?status=created", vec![&open.id]),
        ("?status=captured", vec![]),
        ("?reference=a+b%2Bc", vec![&old.id]),
        ("?reference=A+b%2Bc", vec![]),
        ("?reference=order-42&status=created", vec![&open.id]),
        ("?unknown=1", vec![&open.id, &paid.id, &old.id]),
    ] {
        let found = ids(&page(&app, query).await);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
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
async fn bad_parameters_are_refused_by_name() {
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
        "a cursor belongs to its list"
    );
    let theirs = app
        .get(&format!("/v1/checkout/sessions?cursor={cursor}"))
        .by(&other)
        .send()
        .await;
    assert_eq!(theirs.fields(), ["cursor"], "and to its merchant");
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
        ("?created_after=yesterday", "created_after"),
        ("?created_before=1795367350", "created_before"),
    ] {
        let answer = app
            .get(&format!("/v1/checkout/sessions{query}"))
            .send()
            .await;
        assert_eq!(
            answer.refusal(),
            (400, "invalid_request".to_owned()),
            "{query}"
        );
        assert_eq!(answer.fields(), [field], "{query}");
    }
}
