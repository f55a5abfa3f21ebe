//! Errors of unreadable rows contain their table, column and id, and no value.

use diesel::connection::SimpleConnection;
use oncharge_ports::{CheckoutRepository, StoreError};

use crate::fixture::Fixture;

#[tokio::test]
async fn a_corrupt_row_is_reported_with_table_column_and_id() {
    let fixture = Fixture::new().await;
    let id = fixture.session.id.uuid().simple().to_string();
    for (change, expected) in [
        (
            "UPDATE sessions SET currency = 'XXX'",
            ("sessions", "currency"),
        ),
        (
            "UPDATE sessions SET currency = 'EUR', progress = '{}', status = 'pending', \
          attempt_id = zeroblob(16)",
            ("sessions", "step"),
        ),
        (
            "UPDATE sessions SET status = 'created', attempt_id = NULL; \
          UPDATE contacts SET phone = email",
            ("contacts", "phone"),
        ),
    ] {
        fixture.raw().batch_execute(change).unwrap();
        match fixture.store.session(fixture.session.id).await {
            Err(StoreError::Corrupt { table, column, row }) => {
                assert_eq!((table, column), expected, "{change}");
                assert!(row.ends_with(&id), "{change}: {row}");
            }
            other => panic!("{change}: {other:?}"),
        }
    }
}
