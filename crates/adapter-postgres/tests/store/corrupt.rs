//! Errors of unreadable rows contain their table, column and id, and no value.

use oncharge_ports::{CheckoutRepository, MerchantRepository, StoreError};

use crate::fixture::Fixture;

/// Runs a statement with constraints disabled.
async fn tamper(fixture: &Fixture, statement: &str) {
    let client = fixture.database.client().await;
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
async fn a_session_with_invalid_columns_is_corrupt() {
    for (change, column) in [
        ("currency = 'XXX'", "currency"),
        ("return_url = 'nonsense'", "return_url"),
        ("metadata = '{\"a\": 1}'", "metadata"),
        ("attempts = '[{\"status\": \"paid\"}]'", "attempts"),
        ("connector = 'UPPER'", "account"),
        ("status = 'refused'", "failure"),
    ] {
        let fixture = Fixture::open(1).await;
        let session = fixture.created_session().await;
        let statement = format!("UPDATE sessions SET due_at = NULL, {change}");
        tamper(&fixture, &statement).await;
        let error = fixture.store.session(session.id).await.unwrap_err();
        assert_eq!(place(&error), ("sessions", column), "{change}");
        assert!(
            error.to_string().contains(&session.id.to_string()),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_logo_is_corrupt() {
    let fixture = Fixture::open(1).await;
    tamper(&fixture, "UPDATE merchants SET logo = 'no image'").await;
    let error = fixture
        .store
        .merchant(fixture.merchant.id)
        .await
        .unwrap_err();
    assert_eq!(place(&error), ("merchants", "logo"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_value_moved_to_another_row_or_column_does_not_open() {
    let fixture = Fixture::open(1).await;
    let (from, to) = (
        fixture.created_session().await,
        fixture.created_session().await,
    );
    let moved = format!(
        "UPDATE contacts SET email = other.email FROM contacts AS other \
         WHERE contacts.session_id = '{}' AND other.session_id = '{}'",
        to.id.uuid(),
        from.id.uuid()
    );
    tamper(&fixture, &moved).await;
    let error = fixture.store.session(to.id).await.unwrap_err();
    assert_eq!(place(&error), ("contacts", "email"));
    let swapped = format!(
        "UPDATE contacts SET phone = email WHERE session_id = '{}'",
        from.id.uuid()
    );
    tamper(&fixture, &swapped).await;
    let error = fixture.store.session(from.id).await.unwrap_err();
    assert_eq!(place(&error), ("contacts", "phone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_signing_key_does_not_open() {
    let fixture = Fixture::open(1).await;
    let altered = "UPDATE api_keys SET signing_key = set_byte(signing_key, 20, \
         255 - get_byte(signing_key, 20))";
    tamper(&fixture, altered).await;
    let error = MerchantRepository::key(&fixture.store, &fixture.key_hash)
        .await
        .unwrap_err();
    assert_eq!(place(&error), ("api_keys", "signing_key"));
}
