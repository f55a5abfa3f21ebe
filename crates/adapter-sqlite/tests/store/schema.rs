//! Constraints reject invalid rows, including those written by hand.

use diesel::{RunQueryDsl, connection::SimpleConnection, sql_query};

use crate::fixture::Fixture;

/// A captured session with an open attempt, an open refund and an event, to be changed by hand.
async fn captured() -> Fixture {
    let fixture = Fixture::new().await;
    fixture
        .raw()
        .batch_execute(
            "UPDATE sessions SET status = 'captured', attempt_id = zeroblob(16), \
             psp_reference = 'psp_1', amount_authorized = 10000, amount_captured = 6000, \
             refunds_requested = 100, due_at = NULL",
        )
        .unwrap();
    fixture
}

/// Runs each statement, which must be rejected with a message that names the constraint.
async fn assert_rejected(cases: &[(&str, &str)]) {
    let fixture = captured().await;
    for (statement, rule) in cases {
        let mut tool = fixture.raw();
        tool.batch_execute("PRAGMA foreign_keys = ON").unwrap();
        let refused = sql_query(*statement).execute(&mut tool);
        let message = match refused {
            Ok(rows) => panic!("{rows} rows were written by: {statement}"),
            Err(error) => error.to_string(),
        };
        assert!(message.contains(rule), "{statement}\n  {message}");
    }
}

#[tokio::test]
async fn session_amounts_are_bounded() {
    assert_rejected(&[
        ("UPDATE sessions SET amount = 0", "amount"),
        ("UPDATE sessions SET amount = 100000000000", "amount"),
        ("UPDATE sessions SET amount = 9999", "amount_authorized"),
        (
            "UPDATE sessions SET amount_authorized = 5999",
            "amount_captured",
        ),
        (
            "UPDATE sessions SET amount_captured = 10001",
            "amount_captured",
        ),
        (
            "UPDATE sessions SET amount_captured = -1",
            "amount_captured",
        ),
        (
            "UPDATE sessions SET refunds_requested = -1",
            "refunds_requested",
        ),
        (
            "UPDATE sessions SET refunds_requested = 6001",
            "sessions_refunds_within_capture",
        ),
        (
            "UPDATE sessions SET refunds_succeeded = 5901",
            "sessions_refunds_within_capture",
        ),
        (
            "UPDATE sessions SET amount_captured = 99",
            "sessions_refunds_within_capture",
        ),
    ])
    .await;
}

#[tokio::test]
async fn session_status_and_amounts_are_consistent() {
    assert_rejected(&[
        (
            "UPDATE sessions SET status = 'cancelled', refunds_requested = 0",
            "sessions_captured_only_when_captured",
        ),
        ("UPDATE sessions SET status = 'paid'", "status"),
        (
            "UPDATE sessions SET status = 'expired', refunds_requested = 0, amount_captured = 0",
            "sessions_authorized_only_when_held",
        ),
        (
            "UPDATE sessions SET attempt_id = NULL",
            "sessions_payment_has_attempt",
        ),
        (
            "UPDATE sessions SET retry = 1",
            "sessions_retry_only_when_unpaid",
        ),
        (
            "UPDATE sessions SET due_at = 1",
            "sessions_final_is_not_due",
        ),
        ("UPDATE sessions SET attempts = 4", "attempts"),
        ("UPDATE sessions SET challenges = 11", "challenges"),
        ("UPDATE sessions SET version = 0", "version"),
        ("UPDATE sessions SET currency = 'EURO'", "currency"),
        ("UPDATE sessions SET progress = '[]'", "progress"),
        ("UPDATE sessions SET attempts = '{}'", "attempts"),
        ("UPDATE sessions SET attempts = '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]'",
            "attempts"),
        ("UPDATE events SET attempt = '[]'", "attempt"),
        ("UPDATE sessions SET leased_until = 1", "sessions_lease"),
        (
            "UPDATE sessions SET amount = 'much'",
            "cannot store TEXT value in INTEGER column",
        ),
        (
            "UPDATE sessions SET merchant_id = zeroblob(16)",
            "FOREIGN KEY",
        ),
        (
            "INSERT INTO session_changes SELECT * FROM session_changes",
            "UNIQUE constraint failed: session_changes.unit_id",
        ),
    ])
    .await;
}

#[tokio::test]
async fn branding_is_colors_and_a_small_logo() {
    assert_rejected(&[
        ("UPDATE merchants SET accent = '#C2185B'", "accent"),
        ("UPDATE merchants SET accent = '#c28'", "accent"),
        (
            "UPDATE merchants SET accent_dark = '#ff80ab;'",
            "accent_dark",
        ),
        ("UPDATE merchants SET accent_dark = ''", "accent_dark"),
        ("UPDATE merchants SET logo = x''", "logo"),
        ("UPDATE merchants SET logo = zeroblob(8193)", "logo"),
        (
            "UPDATE merchants SET logo = '<svg>'",
            "cannot store TEXT value in BLOB column",
        ),
    ])
    .await;
}

#[tokio::test]
async fn one_operation_of_each_group_is_open() {
    // The session's attempt is final; two operations of one group cannot be open.
    let copy = |kind: &str, details: &str| {
        format!(
            "INSERT INTO operations (id, session_id, merchant_id, kind, {details}, amount, currency, \
             connector, account, payment_reference, status, sending, compensated, request, \
             request_key_id, created_at, last_sent_at, not_before, next_try_at, tries) \
             SELECT randomblob(16), id, merchant_id, '{kind}', VALUES_HERE, amount, currency, \
             connector, account, REFERENCE_HERE, 'requested', 'intended', 0, x'00', 'a', 0, 0, 0, 0, \
             0 FROM sessions"
        )
    };
    let authorize = copy("authorize", "token, captures")
        .replace("VALUES_HERE", "randomblob(32), 0")
        .replace("REFERENCE_HERE", "NULL");
    let capture = copy("capture", "automatic")
        .replace("VALUES_HERE", "0")
        .replace("REFERENCE_HERE", "'psp_1'");
    let cancel = |purpose: &str| {
        copy("cancel", "purpose")
            .replace("VALUES_HERE", &format!("'{purpose}'"))
            .replace("REFERENCE_HERE", "'psp_1'")
    };
    let (merchants, abandon, expiry) = (cancel("merchant"), cancel("abandon"), cancel("expiry"));
    for (first, second, together) in [
        (&authorize, &authorize, false),
        (&authorize, &capture, false),
        (&capture, &merchants, false),
        (&merchants, &authorize, false),
        (&abandon, &expiry, false),
        (&authorize, &abandon, true),
        (&authorize, &expiry, true),
    ] {
        let fixture = captured().await;
        let mut tool = fixture.raw();
        sql_query(first).execute(&mut tool).unwrap();
        let also = sql_query(second).execute(&mut tool);
        assert_eq!(also.is_ok(), together, "{first}\n{second}\n{also:?}");
    }
}

#[tokio::test]
async fn operations_and_related_rows_are_complete() {
    assert_rejected(&[
        ("UPDATE operations SET request = NULL WHERE status = 'requested'",
            "operations_open_has_request"),
        ("UPDATE operations SET next_try_at = NULL WHERE status = 'requested'",
            "operations_open_has_request"),
        ("UPDATE operations SET request = x'00', request_key_id = 'a' WHERE status = 'failed'",
            "operations_open_has_request"),
        ("UPDATE operations SET failure = NULL WHERE status = 'failed'",
            "operations_failed_says_why"),
        ("UPDATE operations SET contradiction = 'listed' WHERE status = 'requested'",
            "operations_contradicted_has_failed"),
        ("UPDATE events SET failure_reason = 'x'", "events_reason_of_a_failure"),
        ("UPDATE events SET captured = authorized + 1", "captured"),
        ("UPDATE operations SET token = NULL WHERE kind = 'authorize'", "operations_authorize"),
        ("UPDATE operations SET refund_id = NULL WHERE kind = 'refund'", "operations_refund"),
        ("UPDATE operations SET round = 1 WHERE kind = 'refund'", "operations_compensation"),
        ("UPDATE refunds SET status = 'refund_failed'", "refunds_failed_says_why"),
        ("UPDATE refunds SET amount = 0", "amount"),
        ("UPDATE refunds SET operation_id = zeroblob(16)", "FOREIGN KEY"),
        ("INSERT INTO events SELECT randomblob(16), session_id, merchant_id, sequence, kind, status, \
          amount, authorized, captured, refunded, currency, failure, failure_reason, psp_reference, \
          attempt, refund_id, retry_until, created_at FROM events",
            "UNIQUE constraint failed: events.session_id, events.sequence"),
        ("UPDATE idempotency_keys SET body = NULL WHERE responded_at IS NOT NULL",
            "idempotency_keys_response"),
        ("UPDATE idempotency_keys SET operation_id = NULL WHERE responded_at IS NULL",
            "idempotency_keys_open_has_operation"),
        ("UPDATE contacts SET email_key_id = NULL", "contacts_email"),
        ("DELETE FROM sessions", "FOREIGN KEY"),
    ])
    .await;
}

#[tokio::test]
async fn the_audit_log_is_append_only() {
    assert_rejected(&[
        (
            "UPDATE audit_log SET detail = 'nothing happened'",
            "audit_log is append-only",
        ),
        ("DELETE FROM audit_log", "audit_log is append-only"),
        (
            "DELETE FROM audit_log WHERE number = 1",
            "audit_log is append-only",
        ),
    ])
    .await;
}

#[tokio::test]
async fn deliveries_and_notifications_are_queued_or_finished() {
    assert_rejected(&[
        (
            "UPDATE deliveries SET state = 'delivered'",
            "deliveries_pending",
        ),
        (
            "UPDATE deliveries SET next_try_at = NULL",
            "deliveries_pending",
        ),
        ("UPDATE deliveries SET leased_until = 1", "deliveries_lease"),
        ("UPDATE deliveries SET failures = 11", "failures"),
        ("UPDATE deliveries SET round = -1", "round"),
        (
            "INSERT INTO delivery_attempts SELECT event_id, merchant_id, 1, 0, 200, 0, '', 'timeout' FROM deliveries",
            "delivery_attempts_response",
        ),
        (
            "INSERT INTO delivery_attempts SELECT event_id, merchant_id, 1, 0, NULL, 0, '', NULL FROM deliveries",
            "delivery_attempts_response",
        ),
        (
            "UPDATE webhook_endpoints SET disabled = 'bored', disabled_at = 0",
            "disabled",
        ),
        (
            "UPDATE webhook_endpoints SET disabled = 'gone'",
            "webhook_endpoints_disabled",
        ),
        (
            "UPDATE webhook_endpoints SET previous_secret = x'00'",
            "webhook_endpoints_previous_secret",
        ),
        ("UPDATE webhook_endpoints SET version = 0", "version"),
        ("UPDATE webhook_endpoints SET url = ''", "url"),
        (
            "UPDATE psp_notifications SET status = 'handled'",
            "psp_notifications_waiting",
        ),
        (
            "UPDATE psp_notifications SET status = 'unverified', next_try_at = NULL",
            "psp_notifications_verified",
        ),
        (
            "UPDATE psp_notifications SET lease_token = zeroblob(16)",
            "psp_notifications_lease",
        ),
        (
            "INSERT INTO psp_notifications SELECT randomblob(16), connector, account, event_key, \
             status, body, body_key_id, received_at, operation_id, session_id, next_try_at, tries, \
             leased_until, lease_token FROM psp_notifications",
            "UNIQUE constraint failed: psp_notifications.connector",
        ),
    ])
    .await;
}
