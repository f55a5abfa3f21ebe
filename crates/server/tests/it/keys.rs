//! API keys, changed by operator commands while a server is running.

use serde_json::{Value, json};

use crate::support::{Database, Dev, Shop, eventually, on_both};

on_both!(
    revoked_by_id_within_a_second,
    all_of_a_merchant_are_revoked_at_once
);

fn lines(dev: &Dev, arguments: &[&str]) -> Vec<Value> {
    let printed = dev.command(arguments).unwrap();
    let lines = printed.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

fn listed(dev: &Dev, merchant: &str) -> Vec<Value> {
    lines(dev, &["key", "list", "--merchant", merchant])
}

/// The shop with another key and secret.
fn shop_with_pair(dev: &Dev, pair: &Value) -> Shop {
    Shop::new(&json!({
        "base_url": dev.ready("base_url"),
        "simulator_url": dev.ready("simulator_url"),
        "api_key": pair["api_key"],
        "api_secret": pair["api_secret"],
    }))
}

/// Keys are cached for one second; the rest is tolerance for a busy machine.
async fn wait_until_refused(shop: &Shop) {
    eventually(5, "the key is refused", || async {
        let response = shop.get("/v1/refunds").await;
        let is_refused = response.status == 401 && response.json()["error"] == "invalid_key";
        is_refused.then_some(()).ok_or(response.body)
    })
    .await;
}

/// An operator can find and end a key by its id, without its secret.
async fn revoked_by_id_within_a_second(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let merchant = dev.ready("merchant_id").to_owned();
    let rotated = dev.shop().post("/v1/api_keys/rotate", &json!({})).await;
    let rotated = rotated.expect(201);
    let new = shop_with_pair(&dev, &rotated);
    new.get("/v1/refunds").await.expect(200);
    let keys = listed(&dev, &merchant);
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert_eq!(
        keys[0]["ends_at"],
        Value::Null,
        "the newest key is listed first"
    );
    assert!(keys[1]["ends_at"].is_string(), "{keys:?}");
    let id = keys[0]["key_id"].as_str().unwrap();
    let revoked = lines(&dev, &["key", "revoke", "--id", id]).remove(0);
    assert_eq!(revoked["key_id"], id);
    assert_eq!(revoked["remaining_key_ids"], json!([keys[1]["key_id"]]));
    wait_until_refused(&new).await;
    dev.shop().get("/v1/refunds").await.expect(200);
}

async fn all_of_a_merchant_are_revoked_at_once(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let other = dev.merchant("Other");
    let merchant = dev.ready("merchant_id").to_owned();
    let made = lines(&dev, &["key", "create", "--merchant", &merchant]).remove(0);
    let shops = [dev.shop(), shop_with_pair(&dev, &made)];
    for shop in &shops {
        shop.get("/v1/refunds").await.expect(200);
    }
    let all = ["key", "revoke", "--all", "--merchant", &merchant];
    assert_eq!(lines(&dev, &all)[0]["revoked"], 2);
    for shop in &shops {
        wait_until_refused(shop).await;
    }
    assert_eq!(listed(&dev, &merchant).len(), 0);
    other.get("/v1/refunds").await.expect(200);
}
