//! The tables as declared to Diesel; `migrations` is authoritative.

diesel::table! {
    use crate::sql_types::{BigInt, Binary, Bool, Id, Instant, Json, Nullable, Text};

    merchants (id) {
        id -> Id,
        version -> BigInt,
        name -> Text,
        connector -> Text,
        account -> Text,
        automatic_capture -> Bool,
        capture_delay_seconds -> BigInt,
        origins -> Json,
        require_idempotency_key -> Bool,
        created_at -> Instant,
        accent -> Nullable<Text>,
        accent_dark -> Nullable<Text>,
        logo -> Nullable<Binary>,
        disabled_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use crate::sql_types::{Binary, Id, Instant, Nullable, Text};

    api_keys (id) {
        id -> Id,
        merchant_id -> Id,
        key_hash -> Binary,
        signing_key -> Binary,
        signing_key_key_id -> Text,
        key_hint -> Text,
        created_at -> Instant,
        last_used_at -> Nullable<Instant>,
        ends_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use crate::sql_types::{BigInt, Bool, Id, Instant, Json, Nullable, Text};

    sessions (id) {
        id -> Id,
        merchant_id -> Id,
        version -> BigInt,
        connector -> Text,
        account -> Text,
        amount -> BigInt,
        currency -> Text,
        reference -> Text,
        order_id -> Nullable<Text>,
        return_url -> Text,
        metadata -> Json,
        automatic_capture -> Nullable<BigInt>,
        created_at -> Instant,
        updated_at -> Instant,
        expires_at -> Instant,
        attempts -> Json,
        challenges -> BigInt,
        next_sequence -> BigInt,
        status -> Text,
        attempt_id -> Nullable<Id>,
        psp_reference -> Nullable<Text>,
        amount_authorized -> BigInt,
        amount_captured -> BigInt,
        refunds_requested -> BigInt,
        refunds_succeeded -> BigInt,
        failure -> Nullable<Text>,
        retry -> Bool,
        progress -> Json,
        due_at -> Nullable<Instant>,
        leased_until -> Nullable<Instant>,
        lease_token -> Nullable<Id>,
        unit_id -> Id,
    }
}

diesel::table! {
    use crate::sql_types::{BigInt, Id};

    session_changes (unit_id) {
        unit_id -> Id,
        session_id -> Id,
        merchant_id -> Id,
        version -> BigInt,
    }
}

diesel::table! {
    use crate::sql_types::{Binary, Id, Nullable, Text};

    contacts (session_id) {
        session_id -> Id,
        merchant_id -> Id,
        email -> Nullable<Binary>,
        email_key_id -> Nullable<Text>,
        phone -> Nullable<Binary>,
        phone_key_id -> Nullable<Text>,
    }
}

diesel::table! {
    use crate::sql_types::{BigInt, Binary, Bool, Id, Instant, Nullable, Text};

    operations (id) {
        id -> Id,
        session_id -> Id,
        merchant_id -> Id,
        kind -> Text,
        token -> Nullable<Binary>,
        captures -> Nullable<Bool>,
        automatic -> Nullable<Bool>,
        purpose -> Nullable<Text>,
        refund_id -> Nullable<Id>,
        compensates_id -> Nullable<Id>,
        compensates_by -> Nullable<Text>,
        round -> Nullable<BigInt>,
        amount -> BigInt,
        currency -> Text,
        connector -> Text,
        account -> Text,
        payment_reference -> Nullable<Text>,
        status -> Text,
        sending -> Text,
        psp_reference -> Nullable<Text>,
        failure -> Nullable<Text>,
        compensated -> Bool,
        contradiction -> Nullable<Text>,
        request -> Nullable<Binary>,
        request_key_id -> Nullable<Text>,
        created_at -> Instant,
        last_sent_at -> Instant,
        not_before -> Instant,
        next_try_at -> Nullable<Instant>,
        tries -> BigInt,
        leased_until -> Nullable<Instant>,
        lease_token -> Nullable<Id>,
    }
}

diesel::table! {
    use crate::sql_types::{BigInt, Id, Instant, Nullable, Text};

    refunds (id) {
        id -> Id,
        session_id -> Id,
        merchant_id -> Id,
        operation_id -> Id,
        amount -> BigInt,
        currency -> Text,
        reference -> Text,
        status -> Text,
        failure -> Nullable<Text>,
        psp_reference -> Nullable<Text>,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::{BigInt, Id, Instant, Json, Nullable, Text};

    events (id) {
        id -> Id,
        session_id -> Id,
        merchant_id -> Id,
        sequence -> BigInt,
        kind -> Text,
        status -> Text,
        amount -> BigInt,
        authorized -> BigInt,
        captured -> BigInt,
        refunded -> BigInt,
        currency -> Text,
        failure -> Nullable<Text>,
        failure_reason -> Nullable<Text>,
        psp_reference -> Nullable<Text>,
        attempt -> Nullable<Json>,
        refund_id -> Nullable<Id>,
        retry_until -> Nullable<Instant>,
        created_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::{BigInt, Binary, Id, Instant, Nullable, Text};

    idempotency_keys (merchant_id, key) {
        merchant_id -> Id,
        key -> Text,
        fingerprint -> Binary,
        operation_id -> Nullable<Id>,
        created_at -> Instant,
        responded_at -> Nullable<Instant>,
        status -> Nullable<BigInt>,
        content_type -> Nullable<Text>,
        body -> Nullable<Binary>,
        body_key_id -> Nullable<Text>,
    }
}

diesel::table! {
    use crate::sql_types::{Binary, Id, Instant, Nullable, Text};

    bans (id) {
        id -> Id,
        kind -> Text,
        pepper_id -> Text,
        hash -> Binary,
        source -> Text,
        reason -> Nullable<Text>,
        created_at -> Instant,
        expires_at -> Instant,
        revoked_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use crate::sql_types::{BigInt, Id, Instant, Nullable, Text};

    audit_log (number) {
        number -> BigInt,
        id -> Id,
        created_at -> Instant,
        action -> Text,
        merchant_id -> Nullable<Id>,
        session_id -> Nullable<Id>,
        operation_id -> Nullable<Id>,
        detail -> Text,
    }
}

diesel::table! {
    use crate::sql_types::{BigInt, Binary, Id, Instant, Nullable, Text};

    webhook_endpoints (merchant_id) {
        merchant_id -> Id,
        id -> Id,
        version -> BigInt,
        url -> Text,
        key_id -> Id,
        secret -> Binary,
        secret_key_id -> Text,
        previous_secret -> Nullable<Binary>,
        previous_secret_key_id -> Nullable<Text>,
        previous_secret_ends_at -> Nullable<Instant>,
        disabled -> Nullable<Text>,
        disabled_at -> Nullable<Instant>,
        failing_since -> Nullable<Instant>,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::{BigInt, Id, Instant, Nullable, Text};

    deliveries (event_id) {
        event_id -> Id,
        session_id -> Id,
        merchant_id -> Id,
        sequence -> BigInt,
        endpoint_id -> Id,
        url -> Text,
        state -> Text,
        attempts -> BigInt,
        failures -> BigInt,
        round -> BigInt,
        created_at -> Instant,
        next_try_at -> Nullable<Instant>,
        leased_until -> Nullable<Instant>,
        lease_token -> Nullable<Id>,
        ended_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use crate::sql_types::{BigInt, Id, Instant, Nullable, Text};

    delivery_attempts (event_id, number) {
        event_id -> Id,
        merchant_id -> Id,
        number -> BigInt,
        at -> Instant,
        status -> Nullable<BigInt>,
        latency_ms -> BigInt,
        response -> Text,
        error -> Nullable<Text>,
    }
}

diesel::table! {
    use crate::sql_types::{Binary, Instant, Nullable, Text};

    keys_in_use (purpose, key_id) {
        purpose -> Text,
        key_id -> Text,
        digest -> Binary,
        used_until -> Nullable<Instant>,
    }
}

diesel::table! {
    use crate::sql_types::{Id, Instant, Json, Text};

    nodes (id) {
        id -> Id,
        name -> Text,
        master_keys -> Json,
        pepper_keys -> Json,
        live_until -> Instant,
    }
}

diesel::table! {
    use crate::sql_types::{BigInt, Binary, Id, Instant, Nullable, Text};

    psp_notifications (id) {
        id -> Id,
        connector -> Text,
        account -> Text,
        event_key -> Nullable<Text>,
        status -> Text,
        body -> Binary,
        body_key_id -> Text,
        received_at -> Instant,
        operation_id -> Nullable<Id>,
        session_id -> Nullable<Id>,
        next_try_at -> Nullable<Instant>,
        tries -> BigInt,
        leased_until -> Nullable<Instant>,
        lease_token -> Nullable<Id>,
    }
}

diesel::joinable!(api_keys -> merchants (merchant_id));
diesel::joinable!(contacts -> sessions (session_id));
diesel::joinable!(deliveries -> events (event_id));
diesel::joinable!(events -> sessions (session_id));
diesel::joinable!(refunds -> operations (operation_id));
diesel::allow_tables_to_appear_in_same_query!(
    api_keys,
    contacts,
    deliveries,
    delivery_attempts,
    events,
    merchants,
    operations,
    refunds,
    sessions,
    webhook_endpoints,
);
