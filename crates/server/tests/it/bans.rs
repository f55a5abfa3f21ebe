//! The shared blocklist, changed by operator commands while a server is running.

use serde_json::{Value, json};

use crate::support::{Database, Dev, Shop, binary::data_dir, eventually, on_both, shop::order};

on_both!(banned_until_revoked, banned_after_creation);

const SPELLINGS: [(&str, &str, &str, &str); 2] = [
    (
        "--email",
        "J.Doe+shop@GoogleMail.com",
        "customer_email",
        "jdoe@gmail.com",
    ),
    (
        "--phone",
        "+1 (555) 123-4567",
        "customer_phone",
        "+15551234567",
    ),
];

fn ban(dev: &Dev, flag: &str, who: &str) -> String {
    let added = dev
        .command(&["ban", "add", flag, who, "--days", "30"])
        .unwrap();
    let added: Value = serde_json::from_str(&added).unwrap();
    assert!(added["expires_at"].is_string(), "{added}");
    added["ban_id"].as_str().unwrap().to_owned()
}

async fn creates(shop: &Shop, member: &str, value: &str, status: u16) {
    let body = order(json!({ member: value }));
    eventually(5, &format!("creation answered {status}"), || async {
        let response = shop.post("/v1/checkout/sessions", &body).await;
        if response.status == status {
            Ok(())
        } else {
            Err(response.body)
        }
    })
    .await;
}

async fn banned_until_revoked(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    for (flag, spelling, member, plain) in SPELLINGS {
        let id = ban(&dev, flag, spelling);
        creates(&shop, member, plain, 403).await;
        let refusal = shop
            .post("/v1/checkout/sessions", &order(json!({ member: plain })))
            .await;
        let refusal = refusal.expect(403);
        assert_eq!(refusal["error"], "global_ban");
        assert!(
            refusal.get("details").is_none(),
            "the refusal shows its reason: {refusal}"
        );
        assert!(dev.command(&["ban", "list"]).unwrap().contains(&id));
        dev.command(&["ban", "revoke", &id]).unwrap();
        creates(&shop, member, plain, 201).await;
        assert!(
            dev.command(&["ban", "revoke", &id]).is_err(),
            "a ban was revoked twice"
        );
    }
    if database == Database::Sqlite {
        for entry in std::fs::read_dir(data_dir(dir_of(&dev))).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            for raw in ["jdoe@gmail.com", "5551234567", "GoogleMail"] {
                let found = bytes
                    .windows(raw.len())
                    .any(|window| window == raw.as_bytes());
                assert!(!found, "{raw} is stored in plain text");
            }
        }
    }
}

fn dir_of(dev: &Dev) -> &std::path::Path {
    dev.dir.path()
}

async fn banned_after_creation(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let contact = json!({ "customer_email": "late@example.com" });
    let (id, pay_token) = shop.create(contact).await;
    ban(&dev, "--email", "LATE@example.com");
    creates(&shop, "customer_email", "late@example.com", 403).await;
    let refused = shop
        .pay(&id, &pay_token, "4242424242424242")
        .await
        .expect(200);
    assert_eq!(
        refused,
        json!({ "status": "refused", "next": { "type": "none" } })
    );
    let session = shop.session(&id).await;
    assert_eq!(session["failure"]["code"], "global_ban");
    assert_eq!(session["retry_until"], Value::Null);
    assert!(shop.ledger(&id).await.is_empty(), "the PSP was called");
}
