-- What a refund with an Idempotency-Key asks of the database: the intent, then (after the processor's
-- answer, which is not here) the outcome. Each client has a captured session of its own.
\set n :n + 1
\set id :client_id * 1000000000000 + :n
\set other :id + 500000000000
\set session :first_captured + :client_id
\set intended 2 * (:n - :first) + 1
\set settled :intended + 1
\set refunded :n - :first
\set refunded_before :refunded - 1
SELECT fingerprint, answered_at, status, content_type, body, body_key_id FROM idempotency_keys WHERE (merchant_id = :merchant::uuid) AND (key = :id::bigint::text);
SELECT sessions.id, sessions.merchant_id, sessions.connector, sessions.account, sessions.amount, sessions.currency, sessions.reference, sessions.order_id, sessions.return_url, sessions.metadata, sessions.automatic_capture, sessions.created_at, sessions.expires_at, sessions.version, sessions.updated_at, sessions.attempts, sessions.next_sequence, sessions.status, sessions.attempt_id, sessions.psp_reference, sessions.amount_authorized, sessions.amount_captured, sessions.refunds_requested, sessions.refunds_succeeded, sessions.failure, sessions.retry, sessions.progress, sessions.due_at, contacts.session_id, contacts.email, contacts.email_key_id, contacts.phone, contacts.phone_key_id FROM (sessions LEFT OUTER JOIN contacts ON (contacts.session_id = sessions.id)) WHERE (sessions.id = lpad(to_hex(:session::bigint), 32, '0')::uuid);
-- batch
BEGIN ISOLATION LEVEL READ COMMITTED;
UPDATE sessions SET version = :intended, updated_at = now(), attempts = 1, next_sequence = :intended, status = 'captured', attempt_id = lpad(to_hex(:session::bigint), 32, '0')::uuid, psp_reference = 'psp_lqIVzAe3nwGQA4Y9Lupr9jTw', amount_authorized = 99999999999, amount_captured = 99999999999, refunds_requested = 1, refunds_succeeded = :refunded_before, failure = NULL, retry = false, progress = '{"capture": "op_01a2048c1afa7078a65bd6025fbdb83f"}', due_at = NULL WHERE ((sessions.id = lpad(to_hex(:session::bigint), 32, '0')::uuid) AND (sessions.version = :intended - 1));
INSERT INTO session_changes (session_id, version, unit_id) VALUES (lpad(to_hex(:session::bigint), 32, '0')::uuid, :intended, lpad(to_hex(:id::bigint), 32, '0')::uuid);
INSERT INTO operations (id, session_id, merchant_id, kind, token, captures, automatic, purpose, refund_id, compensates_id, compensates_by, round, amount, currency, connector, account, payment_reference, created_at, status, sending, psp_reference, failure, compensated, last_sent_at, not_before, request, request_key_id, next_try_at, tries) VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, lpad(to_hex(:session::bigint), 32, '0')::uuid, :merchant::uuid, 'refund', NULL, NULL, NULL, NULL, lpad(to_hex(:id::bigint), 32, '0')::uuid, NULL, NULL, NULL, 1, 'EUR', 'simulator', 'default', 'psp_lqIVzAe3nwGQA4Y9Lupr9jTw', now(), 'requested', 'intended', NULL, NULL, false, now(), now(), :request::bytea, 'k1', now() + interval '15 seconds', 0);
INSERT INTO refunds (id, session_id, merchant_id, operation_id, amount, currency, reference, created_at, status, failure, psp_reference, updated_at) VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, lpad(to_hex(:session::bigint), 32, '0')::uuid, :merchant::uuid, lpad(to_hex(:id::bigint), 32, '0')::uuid, 1, 'EUR', 'refund-1', now(), 'refund_requested', NULL, NULL, now());
INSERT INTO events (id, session_id, merchant_id, sequence, kind, status, amount, currency, psp_reference, refund_id, retry_until, created_at) VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, lpad(to_hex(:session::bigint), 32, '0')::uuid, :merchant::uuid, :intended - 1, 'refund.requested', 'captured', 1, 'EUR', NULL, lpad(to_hex(:id::bigint), 32, '0')::uuid, NULL, now());
INSERT INTO idempotency_keys (merchant_id, key, fingerprint, operation_id, created_at, answered_at, status, content_type, body, body_key_id) VALUES (:merchant::uuid, :id::bigint::text, :fingerprint::bytea, lpad(to_hex(:id::bigint), 32, '0')::uuid, now(), NULL, NULL, NULL, NULL, NULL) ON CONFLICT (merchant_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, operation_id = excluded.operation_id, created_at = excluded.created_at, answered_at = excluded.answered_at, status = excluded.status, content_type = excluded.content_type, body = excluded.body, body_key_id = excluded.body_key_id WHERE idempotency_keys.answered_at < now() - interval '72 hours';
-- end
COMMIT;
-- batch
BEGIN ISOLATION LEVEL READ COMMITTED;
UPDATE sessions SET version = :settled, updated_at = now(), attempts = 1, next_sequence = :settled, status = 'captured', attempt_id = lpad(to_hex(:session::bigint), 32, '0')::uuid, psp_reference = 'psp_lqIVzAe3nwGQA4Y9Lupr9jTw', amount_authorized = 99999999999, amount_captured = 99999999999, refunds_requested = 0, refunds_succeeded = :refunded, failure = NULL, retry = false, progress = '{"capture": "op_01a2048c1afa7078a65bd6025fbdb83f"}', due_at = NULL WHERE ((sessions.id = lpad(to_hex(:session::bigint), 32, '0')::uuid) AND (sessions.version = :settled - 1));
INSERT INTO session_changes (session_id, version, unit_id) VALUES (lpad(to_hex(:session::bigint), 32, '0')::uuid, :settled, lpad(to_hex(:id::bigint), 32, '0')::uuid);
UPDATE operations SET status = 'succeeded', sending = 'intended', psp_reference = 'psp_lqIVzAe3nwGQA4Y9Lupr9jTw', failure = NULL, compensated = false, last_sent_at = now(), not_before = now(), request = NULL, request_key_id = NULL, next_try_at = NULL WHERE (operations.id = lpad(to_hex(:id::bigint), 32, '0')::uuid);
UPDATE refunds SET status = 'refund_succeeded', failure = NULL, psp_reference = 'psp_lqIVzAe3nwGQA4Y9Lupr9jTw', updated_at = now() WHERE (refunds.id = lpad(to_hex(:id::bigint), 32, '0')::uuid);
INSERT INTO events (id, session_id, merchant_id, sequence, kind, status, amount, currency, psp_reference, refund_id, retry_until, created_at) VALUES (lpad(to_hex(:other::bigint), 32, '0')::uuid, lpad(to_hex(:session::bigint), 32, '0')::uuid, :merchant::uuid, :settled - 1, 'refund.succeeded', 'captured', 1, 'EUR', 'psp_lqIVzAe3nwGQA4Y9Lupr9jTw', lpad(to_hex(:id::bigint), 32, '0')::uuid, NULL, now());
UPDATE idempotency_keys SET answered_at = now(), status = 201, content_type = 'application/json', body = :body::bytea, body_key_id = 'k1' WHERE ((merchant_id = :merchant::uuid) AND (key = :id::bigint::text)) AND (answered_at IS NULL);
-- end
COMMIT;
