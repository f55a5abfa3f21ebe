//! The published signing vectors, if their file exists next to the repository.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and prints that it is skipped"
)]

use std::path::Path;

use oncharge_domain::signing::{SignedRequest, SigningKey, signing_string};
use serde_json::Value;

fn vectors() -> Option<Vec<Value>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/signing.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: {} does not exist", file.display());
        return None;
    };
    let all: Value = serde_json::from_str(&text).unwrap();
    let vectors = all.get("vectors").and_then(Value::as_array).unwrap();
    assert!(vectors.len() >= 5, "{} vectors", vectors.len());
    Some(vectors.clone())
}

fn text<'a>(vector: &'a Value, member: &str) -> &'a str {
    let value = vector.get(member).and_then(Value::as_str);
    value.unwrap_or_else(|| unreachable!("{member} of {vector}"))
}

fn signed(vector: &Value) -> SignedRequest<'_> {
    SignedRequest {
        timestamp: text(vector, "timestamp"),
        method: text(vector, "method"),
        target: text(vector, "path"),
        body: text(vector, "body_utf8").as_bytes(),
    }
}

#[test]
fn both_readings_of_the_key_are_right() {
    for vector in vectors().into_iter().flatten() {
        let (name, request) = (text(&vector, "name"), signed(&vector));
        let key = SigningKey::of_secret(text(&vector, "api_secret"));
        let by_text = text(&vector, "signature_key_hextext");
        assert_eq!(
            signing_string(&request),
            text(&vector, "string_to_sign"),
            "{name}"
        );
        assert_eq!(key.sign(&request), by_text, "{name}");
        for signature in [by_text, text(&vector, "signature_key_raw32")] {
            assert!(key.verify(&request, signature), "{name}: {signature}");
            let upper = signature.to_uppercase();
            assert!(key.verify(&request, &upper), "{name}: {upper}");
        }
    }
}

#[test]
fn a_signature_without_the_query_is_refused() {
    let Some(vectors) = vectors() else { return };
    let mut seen = 0;
    for vector in &vectors {
        let Some(alternative) = vector.get("alt_if_query_not_signed") else {
            continue;
        };
        seen += 1;
        let key = SigningKey::of_secret(text(vector, "api_secret"));
        for member in ["signature_key_hextext", "signature_key_raw32"] {
            let signature = text(alternative, member);
            assert!(!key.verify(&signed(vector), signature), "{signature}");
            let (target, _) = text(vector, "path").split_once('?').unwrap();
            let bare = SignedRequest {
                target,
                ..signed(vector)
            };
            assert!(
                key.verify(&bare, signature),
                "valid for the path without the query: {signature}"
            );
        }
    }
    assert!(seen > 0, "no vector has a query");
}

#[test]
fn any_other_part_changes_the_signature() {
    for vector in vectors().into_iter().flatten() {
        let (name, right) = (text(&vector, "name"), signed(&vector));
        let key = SigningKey::of_secret(text(&vector, "api_secret"));
        let signature = text(&vector, "signature_key_hextext");
        let (timestamp, method, target, body) = ("1795360199", "PATCH", "/other", b"other");
        for wrong in [
            SignedRequest { timestamp, ..right },
            SignedRequest { method, ..right },
            SignedRequest { target, ..right },
            SignedRequest { body, ..right },
        ] {
            assert!(!key.verify(&wrong, signature), "{name}: {wrong:?}");
        }
        let other = SigningKey::of_secret("another secret");
        assert!(!other.verify(&right, signature), "{name}: another secret");
    }
}
