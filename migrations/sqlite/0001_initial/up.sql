-- The first schema. Ids are the 16 bytes of a UUIDv7, instants are microseconds since 1970 (UTC),
-- amounts are minor units, documents are JSON text. Tables are STRICT, so a value of another type
-- is refused; the CHECKs repeat the invariants of crates/domain, so that no bug can write an
-- invalid row. migrations/postgres has the same tables and columns.
--
-- Every table whose rows belong to one merchant has merchant_id; if a row belongs to another row of
-- the same merchant, its merchant_id is not a foreign key.

CREATE TABLE merchants (
    id                      BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    version                 INTEGER NOT NULL CHECK (version >= 1),
    name                    TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    connector               TEXT    NOT NULL CHECK (length(connector) BETWEEN 1 AND 64),
    account                 TEXT    NOT NULL CHECK (length(account) BETWEEN 1 AND 64),
    automatic_capture       INTEGER NOT NULL CHECK (automatic_capture IN (0, 1)),
    capture_delay_seconds   INTEGER NOT NULL CHECK (capture_delay_seconds >= 0),
    origins                 TEXT    NOT NULL CHECK (json_type(origins) = 'array'),
    require_idempotency_key INTEGER NOT NULL CHECK (require_idempotency_key IN (0, 1)),
    created_at              INTEGER NOT NULL,
    -- Branding of the merchant's checkout; NULL: the checkout's default.
    accent                  TEXT             CHECK (length(accent) = 7
                                AND accent GLOB '#[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'),
    accent_dark             TEXT             CHECK (length(accent_dark) = 7
                                AND accent_dark GLOB '#[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'),
    logo                    BLOB             CHECK (length(logo) BETWEEN 1 AND 8192),
    -- The time from which new sessions and payments are refused; NULL: enabled.
    disabled_at             INTEGER
) STRICT;

-- The key itself is stored only as SHA-256; the signing key (SHA-256 of the secret) is sealed.
CREATE TABLE api_keys (
    id                 BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    merchant_id        BLOB    NOT NULL REFERENCES merchants (id),
    key_hash           BLOB    NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    signing_key        BLOB    NOT NULL,
    signing_key_key_id TEXT    NOT NULL,
    -- The last four characters of the API key.
    key_hint           TEXT    NOT NULL CHECK (length(key_hint) = 4),
    created_at         INTEGER NOT NULL,
    -- Written at most once an hour, and not indexed.
    last_used_at       INTEGER,
    -- NULL: active. In the future: in the grace period of a rotation. In the past: ended.
    ends_at            INTEGER
) STRICT;
-- Includes the end, so that a merchant's ended keys are not read.
CREATE INDEX api_keys_merchant ON api_keys (merchant_id, ends_at);
-- For the clean-up; contains no active key.
CREATE INDEX api_keys_ended ON api_keys (ends_at) WHERE ends_at IS NOT NULL;

CREATE TABLE sessions (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    merchant_id       BLOB    NOT NULL REFERENCES merchants (id),
    version           INTEGER NOT NULL CHECK (version >= 1),
    connector         TEXT    NOT NULL CHECK (length(connector) BETWEEN 1 AND 64),
    account           TEXT    NOT NULL CHECK (length(account) BETWEEN 1 AND 64),
    amount            INTEGER NOT NULL CHECK (amount BETWEEN 1 AND 99999999999),
    currency          TEXT    NOT NULL CHECK (length(currency) = 3),
    reference         TEXT    NOT NULL CHECK (length(reference) BETWEEN 1 AND 255),
    order_id          TEXT             CHECK (length(order_id) BETWEEN 1 AND 255),
    return_url        TEXT    NOT NULL CHECK (length(return_url) BETWEEN 1 AND 2048),
    metadata          TEXT    NOT NULL CHECK (json_type(metadata) = 'object'),
    automatic_capture INTEGER          CHECK (automatic_capture >= 0),
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL,
    -- The attempts, oldest first, each an object of texts (domain::session::Attempt).
    attempts          TEXT    NOT NULL CHECK (json_type(attempts) = 'array'
                          AND json_array_length(attempts) <= 20),
    challenges        INTEGER NOT NULL CHECK (challenges BETWEEN 0 AND 10),
    next_sequence     INTEGER NOT NULL CHECK (next_sequence >= 1),
    status            TEXT    NOT NULL CHECK (status IN ('created', 'pending', 'authorized',
                          'captured', 'refused', 'cancelled', 'error', 'expired')),
    -- The fields of the status, flattened (domain::session::Snapshot).
    attempt_id        BLOB             CHECK (length(attempt_id) = 16),
    psp_reference     TEXT             CHECK (length(psp_reference) BETWEEN 1 AND 255),
    amount_authorized INTEGER NOT NULL CHECK (amount_authorized BETWEEN 0 AND amount),
    amount_captured   INTEGER NOT NULL CHECK (amount_captured BETWEEN 0 AND amount_authorized),
    refunds_requested INTEGER NOT NULL CHECK (refunds_requested >= 0),
    refunds_succeeded INTEGER NOT NULL CHECK (refunds_succeeded >= 0),
    failure           TEXT,
    retry             INTEGER NOT NULL CHECK (retry IN (0, 1)),
    progress          TEXT    NOT NULL CHECK (json_type(progress) = 'object'),
    -- The session's next deadline; NULL: none.
    due_at            INTEGER,
    leased_until      INTEGER,
    lease_token       BLOB             CHECK (length(lease_token) = 16),
    -- The unit of work that created it; session_changes has those that changed it.
    unit_id           BLOB    NOT NULL CHECK (length(unit_id) = 16),
    CONSTRAINT sessions_refunds_within_capture CHECK (
        status = 'error' OR refunds_requested + refunds_succeeded <= amount_captured),
    CONSTRAINT sessions_captured_only_when_captured CHECK (
        (status = 'captured') = (amount_captured > 0)),
    CONSTRAINT sessions_authorized_only_when_held CHECK (
        amount_authorized = 0 OR status IN ('authorized', 'captured', 'cancelled', 'error')),
    CONSTRAINT sessions_payment_has_attempt CHECK (
        attempt_id IS NOT NULL OR status IN ('created', 'refused', 'error', 'expired')),
    CONSTRAINT sessions_retry_only_when_unpaid CHECK (
        retry = 0 OR status IN ('refused', 'error')),
    CONSTRAINT sessions_final_is_not_due CHECK (
        due_at IS NULL OR status IN ('created', 'pending', 'authorized')),
    CONSTRAINT sessions_lease CHECK ((leased_until IS NULL) = (lease_token IS NULL))
) STRICT;
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
    unit_id     BLOB    NOT NULL PRIMARY KEY CHECK (length(unit_id) = 16),
    session_id  BLOB    NOT NULL CHECK (length(session_id) = 16),
    merchant_id BLOB    NOT NULL CHECK (length(merchant_id) = 16),
    version     INTEGER NOT NULL CHECK (version >= 2)
) STRICT, WITHOUT ROWID;

-- Personal data is in a separate table, each value sealed, so that it can be erased separately.
CREATE TABLE contacts (
    session_id   BLOB NOT NULL PRIMARY KEY REFERENCES sessions (id),
    merchant_id  BLOB NOT NULL CHECK (length(merchant_id) = 16),
    email        BLOB,
    email_key_id TEXT,
    phone        BLOB,
    phone_key_id TEXT,
    CONSTRAINT contacts_email CHECK ((email IS NULL) = (email_key_id IS NULL)),
    CONSTRAINT contacts_phone CHECK ((phone IS NULL) = (phone_key_id IS NULL)),
    CONSTRAINT contacts_not_empty CHECK (email IS NOT NULL OR phone IS NOT NULL)
) STRICT;

CREATE TABLE operations (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    session_id        BLOB    NOT NULL REFERENCES sessions (id),
    merchant_id       BLOB    NOT NULL REFERENCES merchants (id),
    kind              TEXT    NOT NULL CHECK (kind IN ('authorize', 'capture', 'cancel', 'refund',
                          'compensation')),
    -- Details of one kind each, NULL for all others.
    token             BLOB             CHECK (length(token) = 32),               -- authorize
    captures          INTEGER          CHECK (captures IN (0, 1)),               -- authorize
    automatic         INTEGER          CHECK (automatic IN (0, 1)),              -- capture
    purpose           TEXT             CHECK (purpose IN ('merchant', 'abandon', 'expiry')), -- cancel
    refund_id         BLOB             CHECK (length(refund_id) = 16),           -- refund
    compensates_id    BLOB             CHECK (length(compensates_id) = 16),      -- compensation
    compensates_by    TEXT             CHECK (compensates_by IN ('void', 'refund')), -- compensation
    round             INTEGER          CHECK (round >= 0),                       -- compensation
    amount            INTEGER NOT NULL CHECK (amount BETWEEN 0 AND 99999999999),
    currency          TEXT    NOT NULL CHECK (length(currency) = 3),
    connector         TEXT    NOT NULL CHECK (length(connector) BETWEEN 1 AND 64),
    account           TEXT    NOT NULL CHECK (length(account) BETWEEN 1 AND 64),
    payment_reference TEXT             CHECK (length(payment_reference) BETWEEN 1 AND 255),
    status            TEXT    NOT NULL CHECK (status IN ('requested', 'succeeded', 'failed')),
    sending           TEXT    NOT NULL CHECK (sending IN ('intended', 'not_sent', 'unknown',
                          'mismatched', 'accepted')),
    psp_reference     TEXT             CHECK (length(psp_reference) BETWEEN 1 AND 255),
    failure           TEXT,
    compensated       INTEGER NOT NULL CHECK (compensated IN (0, 1)),
    -- The PSP reports it as done although it failed here.
    contradiction     TEXT             CHECK (contradiction IN ('listed', 'dismissed')),
    -- The sealed bytes to send; deleted as soon as the operation is final.
    request           BLOB,
    request_key_id    TEXT,
    created_at        INTEGER NOT NULL,
    last_sent_at      INTEGER NOT NULL,
    not_before        INTEGER NOT NULL,
    -- When recovery is due; NULL once it is final, so that the index contains only open ones.
    next_try_at       INTEGER,
    tries             INTEGER NOT NULL CHECK (tries >= 0),
    leased_until      INTEGER,
    lease_token       BLOB             CHECK (length(lease_token) = 16),
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
) STRICT;
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
    WHERE failure = 'never_sent' AND kind IN ('authorize', 'capture', 'cancel') AND compensated = 0
        AND contradiction IS NULL;
CREATE INDEX operations_by_psp_reference ON operations (psp_reference, merchant_id)
    WHERE psp_reference IS NOT NULL;

CREATE TABLE refunds (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    session_id    BLOB    NOT NULL REFERENCES sessions (id),
    merchant_id   BLOB    NOT NULL REFERENCES merchants (id),
    operation_id  BLOB    NOT NULL UNIQUE REFERENCES operations (id),
    amount        INTEGER NOT NULL CHECK (amount BETWEEN 1 AND 99999999999),
    currency      TEXT    NOT NULL CHECK (length(currency) = 3),
    reference     TEXT    NOT NULL CHECK (length(reference) BETWEEN 1 AND 255),
    status        TEXT    NOT NULL CHECK (status IN ('refund_requested', 'refund_succeeded',
                      'refund_failed')),
    failure       TEXT,
    psp_reference TEXT             CHECK (length(psp_reference) BETWEEN 1 AND 255),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    CONSTRAINT refunds_failed_says_why CHECK ((status = 'refund_failed') = (failure IS NOT NULL))
) STRICT;
CREATE INDEX refunds_list ON refunds (merchant_id, created_at, id);
CREATE INDEX refunds_by_session ON refunds (session_id, created_at, id);

-- Numbered from 1 without gaps in each session.
CREATE TABLE events (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    session_id    BLOB    NOT NULL REFERENCES sessions (id),
    merchant_id   BLOB    NOT NULL REFERENCES merchants (id),
    sequence      INTEGER NOT NULL CHECK (sequence >= 1),
    kind          TEXT    NOT NULL,
    status        TEXT    NOT NULL CHECK (status IN ('created', 'pending', 'authorized',
                      'captured', 'refused', 'cancelled', 'error', 'expired')),
    amount        INTEGER NOT NULL CHECK (amount BETWEEN 0 AND 99999999999),
    -- The session's totals after the event.
    authorized    INTEGER NOT NULL CHECK (authorized BETWEEN 0 AND 99999999999),
    captured      INTEGER NOT NULL CHECK (captured BETWEEN 0 AND authorized),
    refunded      INTEGER NOT NULL CHECK (refunded BETWEEN 0 AND 99999999999),
    currency      TEXT    NOT NULL CHECK (length(currency) = 3),
    failure       TEXT,
    -- The PSP's reason for the failure, if any.
    failure_reason TEXT,
    psp_reference TEXT             CHECK (length(psp_reference) BETWEEN 1 AND 255),
    -- The attempt that the event is about, as it was at the time.
    attempt       TEXT             CHECK (json_type(attempt) = 'object'),
    refund_id     BLOB             CHECK (length(refund_id) = 16),
    retry_until   INTEGER,
    created_at    INTEGER NOT NULL,
    CONSTRAINT events_sequence UNIQUE (session_id, sequence),
    CONSTRAINT events_reason_of_a_failure CHECK (failure_reason IS NULL OR failure IS NOT NULL)
) STRICT;
CREATE INDEX events_list ON events (merchant_id, created_at, id);
CREATE INDEX events_by_kind ON events (merchant_id, kind, created_at, id);

-- At most one per merchant; a disabled one is kept until it is set again or removed.
CREATE TABLE webhook_endpoints (
    merchant_id             BLOB    NOT NULL PRIMARY KEY REFERENCES merchants (id),
    -- Unchanged from the first write to the removal; deliveries reference it.
    id                      BLOB    NOT NULL CHECK (length(id) = 16),
    -- Incremented by the merchant's changes.
    version                 INTEGER NOT NULL CHECK (version >= 1),
    url                     TEXT    NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    -- The API key that set it; not a foreign key, since ended keys are deleted.
    key_id                  BLOB    NOT NULL CHECK (length(key_id) = 16),
    -- The secrets of Standard Webhooks, sealed; the previous one signs until it ends.
    secret                  BLOB    NOT NULL,
    secret_key_id           TEXT    NOT NULL,
    previous_secret         BLOB,
    previous_secret_key_id  TEXT,
    previous_secret_ends_at INTEGER,
    disabled                TEXT             CHECK (disabled IN ('gone', 'failing')),
    disabled_at             INTEGER,
    failing_since           INTEGER,
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL,
    CONSTRAINT webhook_endpoints_previous_secret CHECK (
        (previous_secret IS NULL) = (previous_secret_key_id IS NULL)
        AND (previous_secret IS NULL) = (previous_secret_ends_at IS NULL)),
    CONSTRAINT webhook_endpoints_disabled CHECK ((disabled IS NULL) = (disabled_at IS NULL))
) STRICT;
-- For the list of stuck work.
CREATE INDEX webhook_endpoints_failing ON webhook_endpoints (failing_since)
    WHERE failing_since IS NOT NULL AND disabled IS NULL;

-- The outbox: one row per event that had an endpoint, written in the same commit as the event.
CREATE TABLE deliveries (
    event_id     BLOB    NOT NULL PRIMARY KEY REFERENCES events (id),
    session_id   BLOB    NOT NULL CHECK (length(session_id) = 16),
    merchant_id  BLOB    NOT NULL CHECK (length(merchant_id) = 16),
    sequence     INTEGER NOT NULL CHECK (sequence >= 1),
    -- The endpoint at the time of the event, which may have been removed since, and its URL.
    endpoint_id  BLOB    NOT NULL CHECK (length(endpoint_id) = 16),
    url          TEXT    NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts     INTEGER NOT NULL CHECK (attempts >= 0),
    failures     INTEGER NOT NULL CHECK (failures BETWEEN 0 AND 10),
    -- Number of redeliveries.
    round        INTEGER NOT NULL CHECK (round >= 0),
    -- Of the event.
    created_at   INTEGER NOT NULL,
    -- When the next attempt is due; NULL once it has ended, so that indexes contain only pending ones.
    next_try_at  INTEGER,
    leased_until INTEGER,
    lease_token  BLOB             CHECK (length(lease_token) = 16),
    -- When it was delivered or became dead, by the database's clock.
    ended_at     INTEGER,
    CONSTRAINT deliveries_pending CHECK ((state = 'pending') = (next_try_at IS NOT NULL)),
    CONSTRAINT deliveries_ended CHECK ((state = 'pending') = (ended_at IS NULL)),
    CONSTRAINT deliveries_lease CHECK ((leased_until IS NULL) = (lease_token IS NULL))
) STRICT;
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
    event_id    BLOB    NOT NULL REFERENCES deliveries (event_id),
    merchant_id BLOB    NOT NULL CHECK (length(merchant_id) = 16),
    number      INTEGER NOT NULL CHECK (number >= 1),
    at          INTEGER NOT NULL,
    status      INTEGER          CHECK (status BETWEEN 100 AND 999),
    latency_ms  INTEGER NOT NULL CHECK (latency_ms >= 0),
    -- The first kilobyte of the response.
    response    TEXT    NOT NULL CHECK (length(response) <= 1024),
    error       TEXT,
    PRIMARY KEY (event_id, number),
    CONSTRAINT delivery_attempts_response CHECK ((status IS NULL) = (error IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- The inbox: notifications of PSPs as received. It references operations and sessions without
-- foreign keys, so that it never blocks a deletion.
CREATE TABLE psp_notifications (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    connector    TEXT    NOT NULL CHECK (length(connector) BETWEEN 1 AND 64),
    account      TEXT    NOT NULL CHECK (length(account) BETWEEN 1 AND 64),
    event_key    TEXT             CHECK (length(event_key) BETWEEN 1 AND 255),
    status       TEXT    NOT NULL CHECK (status IN ('waiting', 'handled', 'irrelevant',
                     'mismatched', 'unmatched', 'malformed', 'unverified', 'dismissed')),
    -- The raw bytes, sealed.
    body         BLOB    NOT NULL,
    body_key_id  TEXT    NOT NULL,
    received_at  INTEGER NOT NULL,
    operation_id BLOB             CHECK (length(operation_id) = 16),
    session_id   BLOB             CHECK (length(session_id) = 16),
    -- When it is due; NULL unless it is waiting.
    next_try_at  INTEGER,
    tries        INTEGER NOT NULL CHECK (tries >= 0),
    leased_until INTEGER,
    lease_token  BLOB             CHECK (length(lease_token) = 16),
    CONSTRAINT psp_notifications_event_key UNIQUE (connector, account, event_key),
    CONSTRAINT psp_notifications_verified CHECK ((event_key IS NULL) = (status = 'unverified')),
    CONSTRAINT psp_notifications_waiting CHECK ((status = 'waiting') = (next_try_at IS NOT NULL)),
    CONSTRAINT psp_notifications_lease CHECK ((leased_until IS NULL) = (lease_token IS NULL))
) STRICT;
CREATE INDEX psp_notifications_due ON psp_notifications (next_try_at) WHERE next_try_at IS NOT NULL;
-- For the list of stuck work and for the clean-up.
CREATE INDEX psp_notifications_by_status ON psp_notifications (status, received_at);
CREATE INDEX psp_notifications_by_session ON psp_notifications (session_id)
    WHERE session_id IS NOT NULL;

-- A record is reserved (operation_id) or has a response, whose body is sealed. operation_id is not
-- a foreign key: deleting an operation would search all records.
CREATE TABLE idempotency_keys (
    merchant_id  BLOB    NOT NULL REFERENCES merchants (id),
    key          TEXT    NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint  BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    operation_id BLOB             CHECK (length(operation_id) = 16),
    created_at   INTEGER NOT NULL,
    responded_at INTEGER,
    status       INTEGER          CHECK (status BETWEEN 100 AND 599),
    content_type TEXT,
    body         BLOB,
    body_key_id  TEXT,
    PRIMARY KEY (merchant_id, key),
    CONSTRAINT idempotency_keys_response CHECK (
        (responded_at IS NULL) = (status IS NULL) AND (responded_at IS NULL) = (content_type IS NULL)
        AND (responded_at IS NULL) = (body IS NULL) AND (responded_at IS NULL) = (body_key_id IS NULL)),
    CONSTRAINT idempotency_keys_open_has_operation CHECK (
        responded_at IS NOT NULL OR operation_id IS NOT NULL)
) STRICT;
CREATE INDEX idempotency_keys_waiting ON idempotency_keys (operation_id) WHERE responded_at IS NULL;
CREATE INDEX idempotency_keys_responded ON idempotency_keys (responded_at)
    WHERE responded_at IS NOT NULL;

-- Identifiers only as HMAC-SHA256 under a pepper; revoked, never deleted.
CREATE TABLE bans (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind       TEXT    NOT NULL CHECK (kind IN ('email', 'phone')),
    pepper_id  TEXT    NOT NULL,
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    source     TEXT    NOT NULL,
    reason     TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX bans_hash ON bans (hash);
-- Whether a live ban uses a pepper.
CREATE INDEX bans_live ON bans (pepper_id, expires_at) WHERE revoked_at IS NULL;

-- The keys that stored data uses, each registered before its first use, so that the start-up check
-- reads a few rows whatever the size of the other tables. The digest detects a wrong key under a
-- known id.
CREATE TABLE keys_in_use (
    purpose    TEXT    NOT NULL CHECK (purpose IN ('master', 'pepper')),
    key_id     TEXT    NOT NULL CHECK (length(key_id) BETWEEN 1 AND 32),
    digest     BLOB    NOT NULL CHECK (length(digest) = 32),
    -- The time until which a process may seal under a master key without registering it again.
    used_until INTEGER,
    PRIMARY KEY (purpose, key_id),
    CONSTRAINT keys_in_use_until CHECK ((purpose = 'master') = (used_until IS NOT NULL))
) STRICT;

-- Server processes and their keys, as texts "id:digest" in order.
CREATE TABLE nodes (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name        TEXT    NOT NULL,
    master_keys TEXT    NOT NULL CHECK (json_type(master_keys) = 'array'),
    pepper_keys TEXT    NOT NULL CHECK (json_type(pepper_keys) = 'array'),
    live_until  INTEGER NOT NULL
) STRICT;

-- Append-only; references other rows without foreign keys, so that it never blocks a deletion.
CREATE TABLE audit_log (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    created_at   INTEGER NOT NULL,
    action       TEXT    NOT NULL,
    merchant_id  BLOB,
    session_id   BLOB,
    operation_id BLOB,
    detail       TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_log_by_session ON audit_log (session_id) WHERE session_id IS NOT NULL;
CREATE TRIGGER audit_log_is_never_changed BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only');
END;
CREATE TRIGGER audit_log_is_never_deleted BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only');
END;
