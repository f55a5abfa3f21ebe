//! Rows that cannot be read back name their place, and nothing else.

use oncharge_ports::{CheckoutRepository, MerchantRepository, StoreError};

use crate::shop::Shop;

/// Runs a statement behind the store's back, without the constraints.
async fn tamper(shop: &Shop, statement: &str) {
    let client = shop.database.client().await;
    let touched = client.execute(statement, &[]).await.unwrap();
    assert!(touched > 0, "{statement}");
}

fn place(error: &StoreError) -> (&str, &str) {
    match error {
        StoreError::Corrupt { table, column, .. } => (table, column),
        other => panic!("not corrupt: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_columns_make_no_sense_is_corrupt() {
    for (change, column) in [
        ("currency = 'XXX'", "currency"),
        ("return_url = 'nonsense'", "return_url"),
        ("metadata = '{\"a\": 1}'", "metadata"),
        ("attempts = '[{\"status\": \"paid\"}]'", "attempts"),
        ("connector = 'UPPER'", "account"),
        ("status = 'refused'", "failure"),
    ] {
        let shop = Shop::open(1).await;
        let session = shop.created().await;
        let statement = format!("UPDATE sessions SET due_at = NULL, {change}");
        tamper(&shop, &statement).await;
        let error = shop.store.session(session.id).await.unwrap_err();
        assert_eq!(place(&error), ("sessions", column), "{change}");
        assert!(
            error.to_string().contains(&session.id.to_string()),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logo_that_is_none_is_corrupt() {
    let shop = Shop::open(1).await;
    tamper(&shop, "UPDATE merchants SET logo = 'no image'").await;
    let error = shop.store.merchant(shop.merchant.id).await.unwrap_err();
    assert_eq!(place(&error), ("merchants", "logo"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_value_moved_to_another_row_or_column_does_not_open() {
    let shop = Shop::open(1).await;
    let (from, to) = (shop.created().await, shop.created().await);
    let moved = format!(
        "UPDATE contacts SET email = other.email FROM contacts AS other \
         WHERE contacts.session_id = '{}' AND other.session_id = '{}'",
        to.id.uuid(),
        from.id.uuid()
    );
    tamper(&shop, &moved).await;
    let error = shop.store.session(to.id).await.unwrap_err();
    assert_eq!(place(&error), ("contacts", "email"));
    let swapped = format!(
        "UPDATE contacts SET phone = email WHERE session_id = '{}'",
        from.id.uuid()
    );
    tamper(&shop, &swapped).await;
    let error = shop.store.session(from.id).await.unwrap_err();
    assert_eq!(place(&error), ("contacts", "phone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_signing_key_does_not_open() {
    let shop = Shop::open(1).await;
    let altered = "UPDATE api_keys SET signing_key = set_byte(signing_key, 20, \
         255 - get_byte(signing_key, 20))";
    tamper(&shop, altered).await;
    let error = MerchantRepository::key(&shop.store, &shop.key_hash)
        .await
        .unwrap_err();
    assert_eq!(place(&error), ("api_keys", "signing_key"));
}
