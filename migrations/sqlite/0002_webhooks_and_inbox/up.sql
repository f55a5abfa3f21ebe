-- Webhooks out (endpoints, the outbox, every attempt) and in (the inbox), and the indexes that the
-- clean-up and the lists of stuck work need. migrations/postgres has the same tables and columns.

-- One for each merchant at most; a disabled one is kept until it is set again or removed.
CREATE TABLE webhook_endpoints (
    merchant_id   BLOB    NOT NULL PRIMARY KEY REFERENCES merchants (id),
    url           TEXT    NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    key_id        BLOB    NOT NULL REFERENCES api_keys (id),
    disabled      TEXT             CHECK (disabled IN ('gone', 'failing')),
    failing_since INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;

-- The outbox: one row for each event that has or had somewhere to go, written with the event.
CREATE TABLE deliveries (
    event_id     BLOB    NOT NULL PRIMARY KEY REFERENCES events (id),
    session_id   BLOB    NOT NULL CHECK (length(session_id) = 16),
    merchant_id  BLOB    NOT NULL CHECK (length(merchant_id) = 16),
    sequence     INTEGER NOT NULL CHECK (sequence >= 1),
    url          TEXT    NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts     INTEGER NOT NULL CHECK (attempts >= 0),
    failures     INTEGER NOT NULL CHECK (failures BETWEEN 0 AND 10),
    -- How often it was redelivered.
    round        INTEGER NOT NULL CHECK (round >= 0),
    -- The event's.
    created_at   INTEGER NOT NULL,
    -- When it is tried next; NULL once it is over, so that the indexes hold what is open.
    next_try_at  INTEGER,
    leased_until INTEGER,
    lease_token  BLOB             CHECK (length(lease_token) = 16),
    CONSTRAINT deliveries_pending CHECK ((state = 'pending') = (next_try_at IS NOT NULL)),
    CONSTRAINT deliveries_lease CHECK ((leased_until IS NULL) = (lease_token IS NULL))
) STRICT;
-- With the creation, so that the depth of a long queue is counted in the index alone.
CREATE INDEX deliveries_due ON deliveries (next_try_at, created_at) WHERE next_try_at IS NOT NULL;
-- First attempts that wait, by which the next one knows its turn.
CREATE INDEX deliveries_first ON deliveries (session_id, sequence)
    WHERE attempts = 0 AND next_try_at IS NOT NULL;
-- Each merchant's own queue: one with a long queue does not stand before the others.
CREATE INDEX deliveries_open ON deliveries (merchant_id, next_try_at) WHERE next_try_at IS NOT NULL;

CREATE TABLE delivery_attempts (
    event_id   BLOB    NOT NULL REFERENCES deliveries (event_id),
    number     INTEGER NOT NULL CHECK (number >= 1),
    at         INTEGER NOT NULL,
    status     INTEGER          CHECK (status BETWEEN 100 AND 999),
    latency_ms INTEGER NOT NULL CHECK (latency_ms >= 0),
    -- The first kilobyte of the answer.
    response   TEXT    NOT NULL CHECK (length(response) <= 1024),
    error      TEXT,
    PRIMARY KEY (event_id, number),
    CONSTRAINT delivery_attempts_answer CHECK ((status IS NULL) = (error IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- The inbox: what PSPs have told, as it came. It names operations and sessions without foreign
-- keys: evidence must never hold anything up.
CREATE TABLE psp_notifications (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    connector    TEXT    NOT NULL CHECK (length(connector) BETWEEN 1 AND 64),
    account      TEXT    NOT NULL CHECK (length(account) BETWEEN 1 AND 64),
    event_key    TEXT             CHECK (length(event_key) BETWEEN 1 AND 255),
    status       TEXT    NOT NULL CHECK (status IN ('waiting', 'handled', 'irrelevant',
                     'mismatched', 'unmatched', 'malformed', 'unverified', 'dismissed')),
    -- Its bytes, sealed.
    body         BLOB    NOT NULL,
    body_key_id  TEXT    NOT NULL,
    received_at  INTEGER NOT NULL,
    operation_id BLOB             CHECK (length(operation_id) = 16),
    session_id   BLOB             CHECK (length(session_id) = 16),
    -- When it is taken up; NULL unless it waits.
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

CREATE INDEX idempotency_keys_answered ON idempotency_keys (answered_at)
    WHERE answered_at IS NOT NULL;
CREATE INDEX operations_list ON operations (created_at, id);
CREATE INDEX sessions_capture_failed ON sessions (id)
    WHERE status = 'error' AND failure = 'capture_failed';
