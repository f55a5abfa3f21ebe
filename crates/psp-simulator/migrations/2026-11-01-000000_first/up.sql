-- All times are microseconds since 1970-01-01 UTC; all amounts are minor units.

-- Cards entered in the hosted fields. The card number itself is never stored.
CREATE TABLE tokens (
    token TEXT PRIMARY KEY NOT NULL,
    brand TEXT NOT NULL,
    last4 TEXT NOT NULL,
    behaviour TEXT NOT NULL,
    -- Only of payment methods (Stripe face).
    exp_month INTEGER,
    exp_year INTEGER,
    created_at INTEGER NOT NULL,
    -- The idempotency key of the one payment call that this token was spent on.
    used_by TEXT
) STRICT;

CREATE TABLE payments (
    psp_reference TEXT PRIMARY KEY NOT NULL,
    -- The key of the payment call.
    idempotency_key TEXT NOT NULL UNIQUE,
    -- The caller's own reference.
    reference TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    -- Whether to capture together with the authorization.
    capture INTEGER NOT NULL,
    notification_url TEXT,
    behaviour TEXT NOT NULL,
    brand TEXT,
    last4 TEXT,
    status TEXT NOT NULL,
    captured INTEGER NOT NULL CHECK (captured BETWEEN 0 AND amount),
    refunded INTEGER NOT NULL CHECK (refunded BETWEEN 0 AND amount),
    challenge_id TEXT UNIQUE,
    -- The PaymentIntent that this payment is an attempt of (Stripe face).
    intent_id TEXT,
    -- Whether a passed challenge waits for another call before the payment is authorized.
    confirm_after_challenge INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- One row for each idempotency key ever seen, kept permanently.
CREATE TABLE operations (
    idempotency_key TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    -- Of the call itself: a payment call has its payment's, a modification one of its own.
    psp_reference TEXT NOT NULL UNIQUE,
    -- Of the payment that it makes or modifies.
    payment_reference TEXT NOT NULL,
    -- SHA-256 of the call's parameters: the same key with others is refused.
    fingerprint TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    -- The first response, repeated for the same key.
    response TEXT NOT NULL,
    response_reason TEXT,
    -- The current result.
    result TEXT NOT NULL,
    reason TEXT,
    -- Decided when the call came in: refuse it for this reason when it is processed.
    forced_reason TEXT,
    fail_late INTEGER NOT NULL,
    -- When the accepted work is to be done (asynchronous mode).
    due_at INTEGER,
    -- When the completed work is to be reversed (fail_late).
    late_at INTEGER,
    -- What the caller stored with the call, as a JSON object (Stripe face).
    metadata TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX operations_due ON operations (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX operations_payment ON operations (payment_reference, created_at);
CREATE INDEX operations_late ON operations (late_at) WHERE late_at IS NOT NULL;

-- Every movement of money, in order. Rows are only ever added.
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    reference TEXT NOT NULL,
    kind TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    psp_reference TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_reference ON ledger (reference, id);

-- The outgoing queue. A duplicate (a fault) is a row of its own with the same notification_id.
CREATE TABLE notifications (
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    notification_id TEXT NOT NULL,
    psp_reference TEXT NOT NULL,
    -- The API face whose signature it carries.
    face TEXT NOT NULL,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    tries INTEGER NOT NULL,
    next_try_at INTEGER NOT NULL,
    -- Held back by a fault; clearing the faults releases it.
    held INTEGER NOT NULL,
    delivered_at INTEGER
) STRICT;
CREATE INDEX notifications_due ON notifications (next_try_at) WHERE delivered_at IS NULL;

-- PaymentIntents of the Stripe face. An intent has one payment for each attempt to confirm it.
CREATE TABLE stripe_payment_intents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    intent_id TEXT NOT NULL UNIQUE,
    client_secret TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    capture_method TEXT NOT NULL,
    confirmation_method TEXT NOT NULL,
    -- JSON list.
    payment_method_types TEXT NOT NULL,
    -- The payment method given last.
    payment_method TEXT,
    description TEXT,
    -- JSON object of texts.
    metadata TEXT NOT NULL,
    return_url TEXT,
    use_stripe_sdk INTEGER NOT NULL,
    -- The payment of the latest attempt.
    payment_reference TEXT,
    cancellation_reason TEXT,
    -- When an intent without an open payment was cancelled; otherwise its payment has the status.
    canceled_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE stripe_confirmation_tokens (
    token TEXT PRIMARY KEY NOT NULL,
    payment_method TEXT NOT NULL,
    return_url TEXT,
    -- The PaymentIntent that it was used for.
    intent_id TEXT,
    created_at INTEGER NOT NULL
) STRICT;

-- The response to every executed request of the Stripe face with an idempotency key.
CREATE TABLE stripe_requests (
    idempotency_key TEXT PRIMARY KEY NOT NULL,
    -- SHA-256 of method, path and parameters.
    fingerprint TEXT NOT NULL,
    request_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- The configured faults.
CREATE TABLE faults (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    settings TEXT NOT NULL
) STRICT;
