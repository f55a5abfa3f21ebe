-- The statements of a create with an Idempotency-Key, with an e-mail address.
\set n :n + 1
\set id :client_id * 1000000000000 + :n
SELECT fingerprint, responded_at, status, content_type, body, body_key_id FROM idempotency_keys WHERE (merchant_id = :merchant::uuid) AND (key = :id::bigint::text);
SELECT bans.id, bans.kind, bans.pepper_id, bans.hash, bans.source, bans.reason, bans.created_at, bans.expires_at, bans.revoked_at FROM bans WHERE ((bans.hash = ANY(:hashes::bytea[])) AND (bans.revoked_at IS NULL)) AND (bans.expires_at > now());
-- batch
BEGIN ISOLATION LEVEL READ COMMITTED;
INSERT INTO sessions (id, merchant_id, connector, account, amount, currency, reference, order_id, return_url, metadata, automatic_capture, created_at, expires_at, version, updated_at, attempts, challenges, next_sequence, status, attempt_id, psp_reference, amount_authorized, amount_captured, refunds_requested, refunds_succeeded, failure, retry, progress, due_at, unit_id) VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, :merchant::uuid, 'simulator', 'default', 9999, 'EUR', 'order-1', NULL, 'https://shop.example.com/thanks', '{"cart": "c-81723"}', 0, now(), now() + interval '1 hour', 1, now(), '[]', 0, 1, 'created', NULL, NULL, 0, 0, 0, 0, NULL, false, '{}', now() + interval '1 hour', lpad(to_hex(:id::bigint), 32, '0')::uuid);
INSERT INTO contacts (session_id, merchant_id, email, email_key_id, phone, phone_key_id) VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, :merchant::uuid, :email::bytea, 'k1', NULL, NULL);
INSERT INTO idempotency_keys (merchant_id, key, fingerprint, operation_id, created_at, responded_at, status, content_type, body, body_key_id) VALUES (:merchant::uuid, :id::bigint::text, :fingerprint::bytea, NULL, now(), now(), 201, 'application/json', :body::bytea, 'k1') ON CONFLICT (merchant_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, operation_id = excluded.operation_id, created_at = excluded.created_at, responded_at = excluded.responded_at, status = excluded.status, content_type = excluded.content_type, body = excluded.body, body_key_id = excluded.body_key_id WHERE idempotency_keys.responded_at < now() - interval '72 hours';
-- end
COMMIT;
