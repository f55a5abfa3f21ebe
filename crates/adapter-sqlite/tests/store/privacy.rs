//! What must not be readable in the file is not: every byte of it searched.

use std::fs;

use diesel::connection::SimpleConnection;

use crate::fixture::{EMAIL, Fixture, NOTIFIED, PAY_TOKEN, PHONE, TOKEN};

#[tokio::test]
async fn secrets_and_personal_data_are_not_stored_in_plain_text() {
    let fixture = Fixture::new().await;
    // Includes data that a checkpoint moves from the log into the file.
    let mut tool = fixture.raw();
    let logged = all_bytes(&fixture);
    tool.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let signing_key = *fixture.api_key.0.signing_key.expose_bytes();
    let secrets: [&[u8]; 6] = [
        EMAIL.as_bytes(),
        PHONE.as_bytes(),
        TOKEN.as_bytes(),
        PAY_TOKEN.as_bytes(),
        NOTIFIED.as_bytes(),
        &signing_key,
    ];
    for bytes in [logged, all_bytes(&fixture)] {
        let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(
            holds(b"order-42"),
            "the file does not contain the order number"
        );
        for secret in secrets {
            assert!(!holds(secret), "{}", secret.escape_ascii());
        }
    }
}

fn all_bytes(fixture: &Fixture) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(fixture.directory.path()).unwrap() {
        bytes.extend(fs::read(entry.unwrap().path()).unwrap());
    }
    bytes
}
