//! Lists: newest first, in pages, bounded by time.

use serde_json::Value;

use super::client::{Face, Response};

fn ids(list: &Response) -> Vec<String> {
    let data = list.body["data"].as_array().unwrap();
    data.iter()
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn intents_are_listed_newest_first_in_pages() {
    let face = Face::start().await;
    let mut made = Vec::new();
    for amount in 1001..=1003 {
        let form = format!("amount={amount}&currency=eur&metadata[n]={amount}");
        made.push(face.post("/payment_intents", &form).await.id());
    }
    made.reverse();
    let all = face.get("/payment_intents").await;
    assert_eq!(all.text("/object"), "list");
    assert_eq!(all.text("/url"), "/v1/payment_intents");
    assert_eq!(
        (ids(&all), &all.body["has_more"]),
        (made.clone(), &Value::Bool(false))
    );
    assert_eq!(all.text("/data/0/metadata/n"), "1003");

    let first = face.get("/payment_intents?limit=2").await;
    assert_eq!(ids(&first), made[..2]);
    assert_eq!(first.body["has_more"], true);
    let path = format!("/payment_intents?limit=2&starting_after={}", made[1]);
    let second = face.get(&path).await;
    assert_eq!(
        (ids(&second), &second.body["has_more"]),
        (made[2..].to_vec(), &Value::Bool(false))
    );

    let created = all.body["data"][2]["created"].as_i64().unwrap();
    let since = face
        .get(&format!("/payment_intents?created[gte]={created}"))
        .await;
    assert_eq!(ids(&since), made);
    let before = face
        .get(&format!("/payment_intents?created[lt]={created}"))
        .await;
    assert_eq!(ids(&before), Vec::<String>::new());
}

#[tokio::test]
async fn a_list_expands_charges() {
    let face = Face::start().await;
    face.authorized("p").await;
    let list = face
        .get("/payment_intents?expand[]=data.latest_charge")
        .await;
    let last4 = "/data/0/latest_charge/payment_method_details/card/last4";
    assert_eq!(list.text(last4), "4242");
    let plain = face.get("/payment_intents?expand[]=latest_charge").await;
    assert_eq!(plain.error().0, 400);
}

#[tokio::test]
async fn refunds_are_listed_newest_first_in_pages() {
    let face = Face::start().await;
    let (one, other) = (face.captured("one").await, face.captured("other").await);
    let mut made = Vec::new();
    for amount in [10, 20, 30] {
        let form = format!("payment_intent={one}&amount={amount}");
        made.push(face.post("/refunds", &form).await.id());
    }
    made.reverse();
    let elsewhere = face
        .post("/refunds", &format!("payment_intent={other}"))
        .await;
    let all = face.get("/refunds").await;
    assert_eq!(ids(&all), [vec![elsewhere.id()], made.clone()].concat());
    let path = format!("/refunds?payment_intent={one}&limit=2");
    let first = face.get(&path).await;
    assert_eq!(ids(&first), made[..2]);
    assert_eq!(first.body["has_more"], true);
    let next = face
        .get(&format!("{path}&starting_after={}", made[1]))
        .await;
    assert_eq!(ids(&next), made[2..]);
    let charge = elsewhere.text("/charge");
    let by_charge = face.get(&format!("/refunds?charge={charge}")).await;
    assert_eq!(ids(&by_charge), [elsewhere.id()]);
}

#[tokio::test]
async fn invalid_pages_are_refused() {
    let face = Face::start().await;
    for (query, param) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("created[gte]=x", "created[gte]"),
        ("other=1", "other"),
        ("starting_after=x", "starting_after"),
    ] {
        for list in ["payment_intents", "refunds"] {
            let response = face.get(&format!("/{list}?{query}")).await;
            assert_eq!(response.error().0, 400, "{list}?{query}");
            assert_eq!(response.text("/error/param"), param);
        }
    }
}
