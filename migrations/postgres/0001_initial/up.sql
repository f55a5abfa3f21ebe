-- The first schema. Ids are UUIDv7, instants are timestamptz (microseconds), amounts are minor
-- units, documents are jsonb. The CHECKs repeat the invariants of crates/domain, so that no bug
-- can write an invalid row. migrations/sqlite has the same tables, columns, constraints
-- and indexes.
--
-- Every table whose rows belong to one merchant has merchant_id, so that merchants can be distributed
-- over several databases. If a row belongs to another row of the same merchant, its merchant_id is
-- not a foreign key: each one would lock the merchant's row again.

CREATE TABLE merchants (
    id                      uuid        NOT NULL PRIMARY KEY,
    version                 bigint      NOT NULL CHECK (version >= 1),
    name                    text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    connector               text        NOT NULL CHECK (length(connector) BETWEEN 1 AND 64),
    account                 text        NOT NULL CHECK (length(account) BETWEEN 1 AND 64),
    automatic_capture       boolean     NOT NULL,
    capture_delay_seconds   bigint      NOT NULL CHECK (capture_delay_seconds >= 0),
    origins                 jsonb       NOT NULL CHECK (jsonb_typeof(origins) = 'array'),
    require_idempotency_key boolean     NOT NULL,
    created_at              timestamptz NOT NULL,
    -- Branding of the merchant's checkout; NULL: the checkout's default.
    accent                  text                 CHECK (accent ~ '^#[0-9a-f]{6}$'),
    accent_dark             text                 CHECK (accent_dark ~ '^#[0-9a-f]{6}$'),
    logo                    bytea                CHECK (octet_length(logo) BETWEEN 1 AND 8192),
    -- The time from which new sessions and payments are refused; NULL: enabled.
    disabled_at             timestamptz
);

-- The key itself is stored only as SHA-256; the signing key (SHA-256 of the secret) is sealed.
CREATE TABLE api_keys (
    id                 uuid        NOT NULL PRIMARY KEY,
    merchant_id        uuid        NOT NULL REFERENCES merchants (id),
    key_hash           bytea       NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),
    signing_key        bytea       NOT NULL,
    signing_key_key_id text        NOT NULL,
    -- The last four characters of the API key.
    key_hint           text        NOT NULL CHECK (length(key_hint) = 4),
    created_at         timestamptz NOT NULL,
    -- Written at most once an hour, and not indexed, so that updates are heap-only.
    last_used_at       timestamptz,
    -- NULL: active. In the future: in the grace period of a rotation. In the past: ended.
    ends_at            timestamptz
);
-- Includes the end, so that a merchant's ended keys are not read.
CREATE INDEX api_keys_merchant ON api_keys (merchant_id, ends_at);
-- For the clean-up; contains no active key.
CREATE INDEX api_keys_ended ON api_keys (ends_at) WHERE ends_at IS NOT NULL;

CREATE TABLE sessions (
    id                uuid        NOT NULL PRIMARY KEY,
    merchant_id       uuid        NOT NULL REFERENCES merchants (id),
    version           bigint      NOT NULL CHECK (version >= 1),
    connector         text        NOT NULL CHECK (length(connector) BETWEEN 1 AND 64),
    account           text        NOT NULL CHECK (length(account) BETWEEN 1 AND 64),
    amount            bigint      NOT NULL CHECK (amount BETWEEN 1 AND 99999999999),
    currency          text        NOT NULL CHECK (length(currency) = 3),
    reference         text        NOT NULL CHECK (length(reference) BETWEEN 1 AND 255),
    order_id          text                 CHECK (length(order_id) BETWEEN 1 AND 255),
    return_url        text        NOT NULL CHECK (length(return_url) BETWEEN 1 AND 2048),
    metadata          jsonb       NOT NULL CHECK (jsonb_typeof(metadata) = 'object'),
    automatic_capture bigint               CHECK (automatic_capture >= 0),
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    -- The attempts, oldest first, each an object of texts (domain::session::Attempt).
    attempts          jsonb       NOT NULL CHECK (jsonb_typeof(attempts) = 'array'
                          AND jsonb_array_length(attempts) <= 20),
    challenges        bigint      NOT NULL CHECK (challenges BETWEEN 0 AND 10),
    next_sequence     bigint      NOT NULL CHECK (next_sequence >= 1),
    status            text        NOT NULL CHECK (status IN ('created', 'pending', 'authorized',
                          'captured', 'refused', 'cancelled', 'error', 'expired')),
    -- The fields of the status, flattened (domain::session::Snapshot).
    attempt_id        uuid,
    psp_reference     text                 CHECK (length(psp_reference) BETWEEN 1 AND 255),
    amount_authorized bigint      NOT NULL CHECK (amount_authorized BETWEEN 0 AND amount),
    amount_captured   bigint      NOT NULL CHECK (amount_captured BETWEEN 0 AND amount_authorized),
    refunds_requested bigint      NOT NULL CHECK (refunds_requested >= 0),
    refunds_succeeded bigint      NOT NULL CHECK (refunds_succeeded >= 0),
    failure           text,
    retry             boolean     NOT NULL,
    progress          jsonb       NOT NULL CHECK (jsonb_typeof(progress) = 'object'),
    -- The session's next deadline; NULL: none.
    due_at            timestamptz,
    leased_until      timestamptz,
    lease_token       uuid,
    -- The unit of work that created it; session_changes has those that changed it.
    unit_id           uuid        NOT NULL,
    CONSTRAINT sessions_refunds_within_capture CHECK (
        status = 'error' OR refunds_requested + refunds_succeeded <= amount_captured),
    CONSTRAINT sessions_captured_only_when_captured CHECK (
        (status = 'captured') = (amount_captured > 0)),
    CONSTRAINT sessions_authorized_only_when_held CHECK (
        amount_authorized = 0 OR status IN ('authorized', 'captured', 'cancelled', 'error')),
    CONSTRAINT sessions_payment_has_attempt CHECK (
        attempt_id IS NOT NULL OR status IN ('created', 'refused', 'error', 'expired')),
    CONSTRAINT sessions_retry_only_when_unpaid CHECK (
        NOT retry OR status IN ('refused', 'error')),
    CONSTRAINT sessions_final_is_not_due CHECK (
        due_at IS NULL OR status IN ('created', 'pending', 'authorized')),
    CONSTRAINT sessions_lease CHECK ((leased_until IS NULL) = (lease_token IS NULL))
);
CREATE INDEX sessions_list ON sessions (merchant_id, created_at, id);
-- The searched value is the first column, so that operators can search without a merchant.
CREATE INDEX sessions_by_reference ON sessions (reference, merchant_id, created_at, id);
CREATE INDEX sessions_by_order ON sessions (order_id, merchant_id, created_at, id)
    WHERE order_id IS NOT NULL;
CREATE INDEX sessions_by_status ON sessions (merchant_id, status, created_at, id);
CREATE INDEX sessions_due ON sessions (due_at) WHERE due_at IS NOT NULL;
-- For operators: the newest sessions of one status, across merchants.
CREATE INDEX sessions_newest ON sessions (status, created_at, id);
CREATE INDEX sessions_capture_failed ON sessions (id)
    WHERE status = 'error' AND failure = 'capture_failed';

-- The unit of work that wrote each version (from 2 on), so that `is_committed` works after later
-- units have changed the session. Rows are deleted after an hour: unit ids begin with
-- their time of creation, so the primary key serves both.
CREATE TABLE session_changes (
    unit_id     uuid   NOT NULL PRIMARY KEY,
    session_id  uuid   NOT NULL,
    merchant_id uuid   NOT NULL,
    version     bigint NOT NULL CHECK (version >= 2)
);

-- Personal data is in a separate table, each value sealed, so that it can be erased separately.
CREATE TABLE contacts (
    session_id   uuid NOT NULL PRIMARY KEY REFERENCES sessions (id),
    merchant_id  uuid NOT NULL,
    email        bytea,
    email_key_id text,
    phone        bytea,
    phone_key_id text,
    CONSTRAINT contacts_email CHECK ((email IS NULL) = (email_key_id IS NULL)),
    CONSTRAINT contacts_phone CHECK ((phone IS NULL) = (phone_key_id IS NULL)),
    CONSTRAINT contacts_not_empty CHECK (email IS NOT NULL OR phone IS NOT NULL)
);

CREATE TABLE operations (
    id                uuid        NOT NULL PRIMARY KEY,
    session_id        uuid        NOT NULL REFERENCES sessions (id),
    merchant_id       uuid        NOT NULL REFERENCES merchants (id),
    kind              text        NOT NULL CHECK (kind IN ('authorize', 'capture', 'cancel',
                          'refund', 'compensation')),
    -- Details of one kind each, NULL for all others.
    token             bytea                CHECK (octet_length(token) = 32),         -- authorize
    captures          boolean,                                                       -- authorize
    automatic         boolean,                                                       -- capture
    purpose           text                 CHECK (purpose IN ('merchant', 'abandon', 'expiry')), -- cancel
    refund_id         uuid,                                                          -- refund
    compensates_id    uuid,                                                          -- compensation
    compensates_by    text                 CHECK (compensates_by IN ('void', 'refund')), -- compensation
    round             bigint               CHECK (round >= 0),                       -- compensation
    amount            bigint      NOT NULL CHECK (amount BETWEEN 0 AND 99999999999),
    currency          text        NOT NULL CHECK (length(currency) = 3),
    connector         text        NOT NULL CHECK (length(connector) BETWEEN 1 AND 64),
    account           text        NOT NULL CHECK (length(account) BETWEEN 1 AND 64),
    payment_reference text                 CHECK (length(payment_reference) BETWEEN 1 AND 255),
    status            text        NOT NULL CHECK (status IN ('requested', 'succeeded', 'failed')),
    sending           text        NOT NULL CHECK (sending IN ('intended', 'not_sent', 'unknown',
                          'mismatched', 'accepted')),
    psp_reference     text                 CHECK (length(psp_reference) BETWEEN 1 AND 255),
    failure           text,
    compensated       boolean     NOT NULL,
    -- The PSP reports it as done although it failed here.
    contradiction     text                 CHECK (contradiction IN ('listed', 'dismissed')),
    -- The sealed bytes to send; deleted as soon as the operation is final.
    request           bytea,
    request_key_id    text,
    created_at        timestamptz NOT NULL,
    last_sent_at      timestamptz NOT NULL,
    not_before        timestamptz NOT NULL,
    -- When recovery is due; NULL once it is final, so that the index contains only open ones.
    next_try_at       timestamptz,
    tries             bigint      NOT NULL CHECK (tries >= 0),
    leased_until      timestamptz,
    lease_token       uuid,
    -- One attempt per payment-method token; also the index by session.
    CONSTRAINT operations_token UNIQUE (session_id, token),
    CONSTRAINT operations_authorize CHECK (
        (kind = 'authorize') = (token IS NOT NULL) AND (kind = 'authorize') = (captures IS NOT NULL)
        AND (kind = 'authorize') = (payment_reference IS NULL)),
    CONSTRAINT operations_capture CHECK ((kind = 'capture') = (automatic IS NOT NULL)),
    CONSTRAINT operations_cancel CHECK ((kind = 'cancel') = (purpose IS NOT NULL)),
    CONSTRAINT operations_refund CHECK ((kind = 'refund') = (refund_id IS NOT NULL)),
    CONSTRAINT operations_compensation CHECK (
        (kind = 'compensation') = (compensates_id IS NOT NULL)
        AND (kind = 'compensation') = (compensates_by IS NOT NULL)
        AND (kind = 'compensation') = (round IS NOT NULL)),
    CONSTRAINT operations_open_has_request CHECK (
        (status = 'requested') = (request IS NOT NULL)
        AND (status = 'requested') = (request_key_id IS NOT NULL)
        AND (status = 'requested') = (next_try_at IS NOT NULL)),
    CONSTRAINT operations_failed_says_why CHECK (status <> 'failed' OR failure IS NOT NULL),
    CONSTRAINT operations_contradicted_has_failed CHECK (
        contradiction IS NULL OR status = 'failed'),
    CONSTRAINT operations_lease CHECK ((leased_until IS NULL) = (lease_token IS NULL))
);
-- At most one of authorize, capture and the merchant's cancel can be open for a session. A cancel
-- that ends an attempt is concurrent with the open authorize that it ends, so it has its own index;
-- refunds are independent of each other, and a compensation concerns money that is not the session's.
CREATE UNIQUE INDEX operations_one_in_flight ON operations (session_id)
    WHERE status = 'requested' AND (kind IN ('authorize', 'capture') OR purpose = 'merchant');
CREATE UNIQUE INDEX operations_one_ending ON operations (session_id)
    WHERE status = 'requested' AND purpose IN ('abandon', 'expiry');
CREATE INDEX operations_due ON operations (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX operations_contradicted ON operations (created_at) WHERE contradiction = 'listed';
CREATE INDEX operations_list ON operations (created_at, id);
-- For the clean-up: operations that were never sent and that no other row depends on.
CREATE INDEX operations_never_sent ON operations (id)
    WHERE failure = 'never_sent' AND kind IN ('authorize', 'capture', 'cancel') AND NOT compensated
        AND contradiction IS NULL;
CREATE INDEX operations_by_psp_reference ON operations (psp_reference, merchant_id)
    WHERE psp_reference IS NOT NULL;

CREATE TABLE refunds (
    id            uuid        NOT NULL PRIMARY KEY,
    session_id    uuid        NOT NULL REFERENCES sessions (id),
    merchant_id   uuid        NOT NULL REFERENCES merchants (id),
    operation_id  uuid        NOT NULL UNIQUE REFERENCES operations (id),
    amount        bigint      NOT NULL CHECK (amount BETWEEN 1 AND 99999999999),
    currency      text        NOT NULL CHECK (length(currency) = 3),
    reference     text        NOT NULL CHECK (length(reference) BETWEEN 1 AND 255),
    status        text        NOT NULL CHECK (status IN ('refund_requested', 'refund_succeeded',
                      'refund_failed')),
    failure       text,
    psp_reference text                 CHECK (length(psp_reference) BETWEEN 1 AND 255),
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    CONSTRAINT refunds_failed_says_why CHECK ((status = 'refund_failed') = (failure IS NOT NULL))
);
CREATE INDEX refunds_list ON refunds (merchant_id, created_at, id);
CREATE INDEX refunds_by_session ON refunds (session_id, created_at, id);

-- Numbered from 1 without gaps in each session.
CREATE TABLE events (
    id            uuid        NOT NULL PRIMARY KEY,
    session_id    uuid        NOT NULL REFERENCES sessions (id),
    merchant_id   uuid        NOT NULL REFERENCES merchants (id),
    sequence      bigint      NOT NULL CHECK (sequence >= 1),
    kind          text        NOT NULL,
    status        text        NOT NULL CHECK (status IN ('created', 'pending', 'authorized',
                      'captured', 'refused', 'cancelled', 'error', 'expired')),
    amount        bigint      NOT NULL CHECK (amount BETWEEN 0 AND 99999999999),
    -- The session's totals after the event.
    authorized    bigint      NOT NULL CHECK (authorized BETWEEN 0 AND 99999999999),
    captured      bigint      NOT NULL CHECK (captured BETWEEN 0 AND authorized),
    refunded      bigint      NOT NULL CHECK (refunded BETWEEN 0 AND 99999999999),
    currency      text        NOT NULL CHECK (length(currency) = 3),
    failure       text,
    -- The PSP's reason for the failure, if any.
    failure_reason text,
    psp_reference text                 CHECK (length(psp_reference) BETWEEN 1 AND 255),
    -- The attempt that the event is about, as it was at the time.
    attempt       jsonb                CHECK (jsonb_typeof(attempt) = 'object'),
    refund_id     uuid,
    retry_until   timestamptz,
    created_at    timestamptz NOT NULL,
    CONSTRAINT events_sequence UNIQUE (session_id, sequence),
    CONSTRAINT events_reason_of_a_failure CHECK (failure_reason IS NULL OR failure IS NOT NULL)
);
CREATE INDEX events_list ON events (merchant_id, created_at, id);
CREATE INDEX events_by_kind ON events (merchant_id, kind, created_at, id);

-- At most one per merchant; a disabled one is kept until it is set again or removed.
CREATE TABLE webhook_endpoints (
    merchant_id             uuid        NOT NULL PRIMARY KEY REFERENCES merchants (id),
    -- Unchanged from the first write to the removal; deliveries reference it.
    id                      uuid        NOT NULL,
    -- Incremented by the merchant's changes.
    version                 bigint      NOT NULL CHECK (version >= 1),
    url                     text        NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    -- The API key that set it; not a foreign key, since ended keys are deleted.
    key_id                  uuid        NOT NULL,
    -- The secrets of Standard Webhooks, sealed; the previous one signs until it ends.
    secret                  bytea       NOT NULL,
    secret_key_id           text        NOT NULL,
    previous_secret         bytea,
    previous_secret_key_id  text,
    previous_secret_ends_at timestamptz,
    disabled                text                 CHECK (disabled IN ('gone', 'failing')),
    disabled_at             timestamptz,
    failing_since           timestamptz,
    created_at              timestamptz NOT NULL,
    updated_at              timestamptz NOT NULL,
    CONSTRAINT webhook_endpoints_previous_secret CHECK (
        (previous_secret IS NULL) = (previous_secret_key_id IS NULL)
        AND (previous_secret IS NULL) = (previous_secret_ends_at IS NULL)),
    CONSTRAINT webhook_endpoints_disabled CHECK ((disabled IS NULL) = (disabled_at IS NULL))
);
-- For the list of stuck work.
CREATE INDEX webhook_endpoints_failing ON webhook_endpoints (failing_since)
    WHERE failing_since IS NOT NULL AND disabled IS NULL;

-- The outbox: one row per event that had an endpoint, written in the same commit as the event.
CREATE TABLE deliveries (
    event_id     uuid        NOT NULL PRIMARY KEY REFERENCES events (id),
    session_id   uuid        NOT NULL,
    merchant_id  uuid        NOT NULL,
    sequence     bigint      NOT NULL CHECK (sequence >= 1),
    -- The endpoint at the time of the event, which may have been removed since, and its URL.
    endpoint_id  uuid        NOT NULL,
    url          text        NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    state        text        NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts     bigint      NOT NULL CHECK (attempts >= 0),
    failures     bigint      NOT NULL CHECK (failures BETWEEN 0 AND 10),
    -- Number of redeliveries.
    round        bigint      NOT NULL CHECK (round >= 0),
    -- Of the event.
    created_at   timestamptz NOT NULL,
    -- When the next attempt is due; NULL once it has ended, so that indexes contain only pending ones.
    next_try_at  timestamptz,
    leased_until timestamptz,
    lease_token  uuid,
    -- When it was delivered or became dead, by the database's clock.
    ended_at     timestamptz,
    CONSTRAINT deliveries_pending CHECK ((state = 'pending') = (next_try_at IS NOT NULL)),
    CONSTRAINT deliveries_ended CHECK ((state = 'pending') = (ended_at IS NULL)),
    CONSTRAINT deliveries_lease CHECK ((leased_until IS NULL) = (lease_token IS NULL))
);
-- Includes the creation time, so that the depth of the queue is an index-only scan.
CREATE INDEX deliveries_due ON deliveries (next_try_at, created_at) WHERE next_try_at IS NOT NULL;
-- Pending first attempts, which later ones of the same session wait for.
CREATE INDEX deliveries_first ON deliveries (session_id, sequence)
    WHERE attempts = 0 AND next_try_at IS NOT NULL;
-- A queue per merchant: a long queue does not delay other merchants.
CREATE INDEX deliveries_open ON deliveries (merchant_id, next_try_at) WHERE next_try_at IS NOT NULL;
-- For the clean-up.
CREATE INDEX deliveries_ended_at ON deliveries (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE delivery_attempts (
    event_id    uuid        NOT NULL REFERENCES deliveries (event_id),
    merchant_id uuid        NOT NULL,
    number      bigint      NOT NULL CHECK (number >= 1),
    at          timestamptz NOT NULL,
    status      bigint               CHECK (status BETWEEN 100 AND 999),
    latency_ms  bigint      NOT NULL CHECK (latency_ms >= 0),
    -- The first kilobyte of the response.
    response    text        NOT NULL CHECK (length(response) <= 1024),
    error       text,
    PRIMARY KEY (event_id, number),
    CONSTRAINT delivery_attempts_response CHECK ((status IS NULL) = (error IS NOT NULL))
);

-- The inbox: notifications of PSPs as received. It references operations and sessions without
-- foreign keys, so that it never blocks a deletion.
CREATE TABLE psp_notifications (
    id           uuid        NOT NULL PRIMARY KEY,
    connector    text        NOT NULL CHECK (length(connector) BETWEEN 1 AND 64),
    account      text        NOT NULL CHECK (length(account) BETWEEN 1 AND 64),
    event_key    text                 CHECK (length(event_key) BETWEEN 1 AND 255),
    status       text        NOT NULL CHECK (status IN ('waiting', 'handled', 'irrelevant',
                     'mismatched', 'unmatched', 'malformed', 'unverified', 'dismissed')),
    -- The raw bytes, sealed.
    body         bytea       NOT NULL,
    body_key_id  text        NOT NULL,
    received_at  timestamptz NOT NULL,
    operation_id uuid,
    session_id   uuid,
    -- When it is due; NULL unless it is waiting.
    next_try_at  timestamptz,
    tries        bigint      NOT NULL CHECK (tries >= 0),
    leased_until timestamptz,
    lease_token  uuid,
    CONSTRAINT psp_notifications_event_key UNIQUE (connector, account, event_key),
    CONSTRAINT psp_notifications_verified CHECK ((event_key IS NULL) = (status = 'unverified')),
    CONSTRAINT psp_notifications_waiting CHECK ((status = 'waiting') = (next_try_at IS NOT NULL)),
    CONSTRAINT psp_notifications_lease CHECK ((leased_until IS NULL) = (lease_token IS NULL))
);
CREATE INDEX psp_notifications_due ON psp_notifications (next_try_at) WHERE next_try_at IS NOT NULL;
-- For the list of stuck work and for the clean-up.
CREATE INDEX psp_notifications_by_status ON psp_notifications (status, received_at);
CREATE INDEX psp_notifications_by_session ON psp_notifications (session_id)
    WHERE session_id IS NOT NULL;

-- A record is reserved (operation_id) or has a response, whose body is sealed. operation_id is not
-- a foreign key: deleting an operation would search all records.
CREATE TABLE idempotency_keys (
    merchant_id  uuid        NOT NULL REFERENCES merchants (id),
    key          text        NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint  bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
    operation_id uuid,
    created_at   timestamptz NOT NULL,
    responded_at timestamptz,
    status       bigint               CHECK (status BETWEEN 100 AND 599),
    content_type text,
    body         bytea,
    body_key_id  text,
    PRIMARY KEY (merchant_id, key),
    CONSTRAINT idempotency_keys_response CHECK (
        (responded_at IS NULL) = (status IS NULL) AND (responded_at IS NULL) = (content_type IS NULL)
        AND (responded_at IS NULL) = (body IS NULL) AND (responded_at IS NULL) = (body_key_id IS NULL)),
    CONSTRAINT idempotency_keys_open_has_operation CHECK (
        responded_at IS NOT NULL OR operation_id IS NOT NULL)
);
CREATE INDEX idempotency_keys_waiting ON idempotency_keys (operation_id) WHERE responded_at IS NULL;
CREATE INDEX idempotency_keys_responded ON idempotency_keys (responded_at)
    WHERE responded_at IS NOT NULL;

-- Identifiers only as HMAC-SHA256 under a pepper; revoked, never deleted.
CREATE TABLE bans (
    id         uuid        NOT NULL PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('email', 'phone')),
    pepper_id  text        NOT NULL,
    hash       bytea       NOT NULL CHECK (octet_length(hash) = 32),
    source     text        NOT NULL,
    reason     text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX bans_hash ON bans (hash);
-- Whether a live ban uses a pepper.
CREATE INDEX bans_live ON bans (pepper_id, expires_at) WHERE revoked_at IS NULL;

-- The keys that stored data uses, each registered before its first use, so that the start-up check
-- reads a few rows whatever the size of the other tables. The digest detects a wrong key under a
-- known id.
CREATE TABLE keys_in_use (
    purpose    text        NOT NULL CHECK (purpose IN ('master', 'pepper')),
    key_id     text        NOT NULL CHECK (length(key_id) BETWEEN 1 AND 32),
    digest     bytea       NOT NULL CHECK (octet_length(digest) = 32),
    -- The time until which a process may seal under a master key without registering it again.
    used_until timestamptz,
    PRIMARY KEY (purpose, key_id),
    CONSTRAINT keys_in_use_until CHECK ((purpose = 'master') = (used_until IS NOT NULL))
);

-- Server processes and their keys, as texts "id:digest" in order.
CREATE TABLE nodes (
    id          uuid        NOT NULL PRIMARY KEY,
    name        text        NOT NULL,
    master_keys jsonb       NOT NULL CHECK (jsonb_typeof(master_keys) = 'array'),
    pepper_keys jsonb       NOT NULL CHECK (jsonb_typeof(pepper_keys) = 'array'),
    live_until  timestamptz NOT NULL
);

-- Append-only; references other rows without foreign keys, so that it never blocks a deletion.
CREATE TABLE audit_log (
    number       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid        NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL,
    action       text        NOT NULL,
    merchant_id  uuid,
    session_id   uuid,
    operation_id uuid,
    detail       text        NOT NULL
);
CREATE INDEX audit_log_by_session ON audit_log (session_id) WHERE session_id IS NOT NULL;
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only';
END;
$$;
CREATE TRIGGER audit_log_is_never_changed BEFORE UPDATE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_is_never_deleted BEFORE DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_is_never_emptied BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
