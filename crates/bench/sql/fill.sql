-- Fills a migrated database with synthetic finished payments, set-based: psql -v rows=30000000.
-- Each has a session, a contact, an authorization, a capture and two events, spread over the last
-- year, and belongs to one merchant. Nothing sealed can be opened: contacts hold random bytes.
\set ON_ERROR_STOP on
\timing on
SELECT coalesce((SELECT id FROM merchants WHERE name = 'Synthetic'),
    '01890000-0000-7000-8a50-000000000001'::uuid) AS merchant \gset
INSERT INTO merchants (id, version, name, connector, account, automatic_capture, capture_delay_seconds, origins,
    require_idempotency_key, created_at)
VALUES (:'merchant', 1, 'Synthetic', 'simulator', 'default', true, 0, '[]', false, now())
ON CONFLICT (id) DO NOTHING;

-- A UUIDv7 of this time in the merchant's shard slot: hex digits 17 to 19 are the merchant's.
CREATE FUNCTION pg_temp.id(at timestamptz, of_row bigint, kind text) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || substr(hash, 1, 3) || '8a5' || substr(hash, 4, 13))::uuid
    FROM (SELECT md5(kind || of_row) AS hash) AS hashed
$$;

-- One row per payment, so that all its ids are generated once.
CREATE TEMP TABLE payments AS
SELECT n, at, pg_temp.id(at, n, :'run' || 's') AS session, pg_temp.id(at, n, :'run' || 'a') AS attempt,
    pg_temp.id(at, n, :'run' || 'c') AS capture,
    jsonb_build_object('id', 'op_' || replace(pg_temp.id(at, n, :'run' || 'a')::text, '-', ''),
        'at', ((extract(epoch FROM at) * 1000000)::bigint)::text, 'status', 'authorized',
        'brand', 'visa', 'last4', '4242', 'reference', 'psp_' || n) AS attempt_document
FROM (SELECT n, now() - n * (interval '1 year' / :rows) AS at
    FROM generate_series(1::bigint, :rows) AS n) AS numbered;

INSERT INTO sessions (id, merchant_id, version, connector, account, amount, currency, reference,
    return_url, metadata, created_at, updated_at, expires_at, attempts, challenges, next_sequence, status,
    attempt_id, psp_reference, amount_authorized, amount_captured, refunds_requested, refunds_succeeded, retry,
    progress, unit_id)
SELECT session, :'merchant', 5, 'simulator', 'default', 9999, 'USD', 'order-' || n,
    'https://shop.example.com/thanks', '{}', at, at, at + interval '30 minutes',
    jsonb_build_array(attempt_document), 0, 3, 'captured', attempt,
    'psp_' || n, 9999, 9999, 0, 0, false,
    jsonb_build_object('capture', 'op_' || replace(capture::text, '-', '')), session
FROM payments ORDER BY at;

INSERT INTO contacts (session_id, merchant_id, email, email_key_id)
SELECT session, :'merchant', sha256(session::text::bytea), 'synthetic' FROM payments ORDER BY at;

INSERT INTO operations (id, session_id, merchant_id, kind, token, captures, automatic, amount, currency,
    connector, account, payment_reference, status, sending, psp_reference, compensated, created_at,
    last_sent_at, not_before, tries)
SELECT attempt, session, :'merchant'::uuid, 'authorize', sha256(attempt::text::bytea), false, NULL::boolean,
    9999, 'USD', 'simulator', 'default', NULL, 'succeeded', 'intended', 'psp_' || n, false, at, at, at, 0
FROM payments
UNION ALL
SELECT capture, session, :'merchant', 'capture', NULL, NULL, true,
    9999, 'USD', 'simulator', 'default', 'psp_' || n, 'succeeded', 'intended', 'cap_' || n, false, at, at, at, 0
FROM payments;

INSERT INTO events (id, session_id, merchant_id, sequence, kind, status, amount, authorized, captured,
    refunded, currency, psp_reference, attempt, created_at)
SELECT pg_temp.id(at, n * 2 + sequence, :'run' || 'e'), session, :'merchant', sequence,
    CASE sequence WHEN 1 THEN 'payment.authorized' ELSE 'payment.captured' END,
    CASE sequence WHEN 1 THEN 'authorized' ELSE 'captured' END,
    9999, 9999, CASE sequence WHEN 1 THEN 0 ELSE 9999 END, 0, 'USD', 'psp_' || n, attempt_document, at
FROM payments, generate_series(1, 2) AS sequence;

VACUUM ANALYZE;
