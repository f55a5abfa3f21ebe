-- Webhooks out (endpoints, the outbox, every attempt) and in (the inbox), and the indexes that the
-- clean-up and the lists of stuck work need. migrations/sqlite has the same.

-- One for each merchant at most; a disabled one is kept until it is set again or removed.
CREATE TABLE webhook_endpoints (
    merchant_id   uuid        NOT NULL PRIMARY KEY REFERENCES merchants (id),
    url           text        NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    key_id        uuid        NOT NULL REFERENCES api_keys (id),
    disabled      text                 CHECK (disabled IN ('gone', 'failing')),
    failing_since timestamptz,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);

-- The outbox: one row for each event that has or had somewhere to go, written with the event.
CREATE TABLE deliveries (
    event_id     uuid        NOT NULL PRIMARY KEY REFERENCES events (id),
    session_id   uuid        NOT NULL,
    merchant_id  uuid        NOT NULL,
    sequence     bigint      NOT NULL CHECK (sequence >= 1),
    url          text        NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    state        text        NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts     bigint      NOT NULL CHECK (attempts >= 0),
    failures     bigint      NOT NULL CHECK (failures BETWEEN 0 AND 10),
    -- How often it was redelivered.
    round        bigint      NOT NULL CHECK (round >= 0),
    -- The event's.
    created_at   timestamptz NOT NULL,
    -- When it is tried next; NULL once it is over, so that the indexes hold what is open.
    next_try_at  timestamptz,
    leased_until timestamptz,
    lease_token  uuid,
    CONSTRAINT deliveries_pending CHECK ((state = 'pending') = (next_try_at IS NOT NULL)),
    CONSTRAINT deliveries_lease CHECK ((leased_until IS NULL) = (lease_token IS NULL))
);
-- With the creation, so that the depth of a long queue is counted in the index alone.
CREATE INDEX deliveries_due ON deliveries (next_try_at, created_at) WHERE next_try_at IS NOT NULL;
-- First attempts that wait, by which the next one knows its turn.
CREATE INDEX deliveries_first ON deliveries (session_id, sequence)
    WHERE attempts = 0 AND next_try_at IS NOT NULL;
-- Each merchant's own queue: one with a long queue does not stand before the others.
CREATE INDEX deliveries_open ON deliveries (merchant_id, next_try_at) WHERE next_try_at IS NOT NULL;

CREATE TABLE delivery_attempts (
    event_id   uuid        NOT NULL REFERENCES deliveries (event_id),
    number     bigint      NOT NULL CHECK (number >= 1),
    at         timestamptz NOT NULL,
    status     bigint               CHECK (status BETWEEN 100 AND 999),
    latency_ms bigint      NOT NULL CHECK (latency_ms >= 0),
    -- The first kilobyte of the answer.
    response   text        NOT NULL CHECK (length(response) <= 1024),
    error      text,
    PRIMARY KEY (event_id, number),
    CONSTRAINT delivery_attempts_answer CHECK ((status IS NULL) = (error IS NOT NULL))
);

-- The inbox: what PSPs have told, as it came. It names operations and sessions without foreign
-- keys: evidence must never hold anything up.
CREATE TABLE psp_notifications (
    id           uuid        NOT NULL PRIMARY KEY,
    connector    text        NOT NULL CHECK (length(connector) BETWEEN 1 AND 64),
    account      text        NOT NULL CHECK (length(account) BETWEEN 1 AND 64),
    event_key    text                 CHECK (length(event_key) BETWEEN 1 AND 255),
    status       text        NOT NULL CHECK (status IN ('waiting', 'handled', 'irrelevant',
                     'mismatched', 'unmatched', 'malformed', 'unverified', 'dismissed')),
    -- Its bytes, sealed.
    body         bytea       NOT NULL,
    body_key_id  text        NOT NULL,
    received_at  timestamptz NOT NULL,
    operation_id uuid,
    session_id   uuid,
    -- When it is taken up; NULL unless it waits.
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

CREATE INDEX idempotency_keys_answered ON idempotency_keys (answered_at)
    WHERE answered_at IS NOT NULL;
CREATE INDEX operations_list ON operations (created_at, id);
CREATE INDEX sessions_capture_failed ON sessions (id)
    WHERE status = 'error' AND failure = 'capture_failed';
