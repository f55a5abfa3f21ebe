//! The tables as declared to Diesel; `migrations/sqlite` is authoritative.

diesel::table! {
    merchants (id) {
        id -> Binary,
        version -> BigInt,
        name -> Text,
        connector -> Text,
        account -> Text,
        automatic_capture -> Bool,
        capture_delay_seconds -> BigInt,
        origins -> Text,
        require_idempotency_key -> Bool,
        created_at -> BigInt,
        accent -> Nullable<Text>,
        accent_dark -> Nullable<Text>,
        logo -> Nullable<Binary>,
        disabled_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Binary,
        merchant_id -> Binary,
        key_hash -> Binary,
        signing_key -> Binary,
        signing_key_key_id -> Text,
        key_hint -> Text,
        created_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
        ends_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Binary,
        merchant_id -> Binary,
        version -> BigInt,
        connector -> Text,
        account -> Text,
        amount -> BigInt,
        currency -> Text,
        reference -> Text,
        order_id -> Nullable<Text>,
        return_url -> Text,
        metadata -> Text,
        automatic_capture -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
        expires_at -> BigInt,
        attempts -> Text,
        challenges -> BigInt,
        next_sequence -> BigInt,
        status -> Text,
        attempt_id -> Nullable<Binary>,
        psp_reference -> Nullable<Text>,
        amount_authorized -> BigInt,
        amount_captured -> BigInt,
        refunds_requested -> BigInt,
        refunds_succeeded -> BigInt,
        failure -> Nullable<Text>,
        retry -> Bool,
        progress -> Text,
        due_at -> Nullable<BigInt>,
        leased_until -> Nullable<BigInt>,
        lease_token -> Nullable<Binary>,
        unit_id -> Binary,
    }
}

diesel::table! {
    session_changes (unit_id) {
        unit_id -> Binary,
        session_id -> Binary,
        merchant_id -> Binary,
        version -> BigInt,
    }
}

diesel::table! {
    contacts (session_id) {
        session_id -> Binary,
        merchant_id -> Binary,
        email -> Nullable<Binary>,
        email_key_id -> Nullable<Text>,
        phone -> Nullable<Binary>,
        phone_key_id -> Nullable<Text>,
    }
}

diesel::table! {
    operations (id) {
        id -> Binary,
        session_id -> Binary,
        merchant_id -> Binary,
        kind -> Text,
        token -> Nullable<Binary>,
        captures -> Nullable<Bool>,
        automatic -> Nullable<Bool>,
        purpose -> Nullable<Text>,
        refund_id -> Nullable<Binary>,
        compensates_id -> Nullable<Binary>,
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
        created_at -> BigInt,
        last_sent_at -> BigInt,
        not_before -> BigInt,
        next_try_at -> Nullable<BigInt>,
        tries -> BigInt,
        leased_until -> Nullable<BigInt>,
        lease_token -> Nullable<Binary>,
    }
}

diesel::table! {
    refunds (id) {
        id -> Binary,
        session_id -> Binary,
        merchant_id -> Binary,
        operation_id -> Binary,
        amount -> BigInt,
        currency -> Text,
        reference -> Text,
        status -> Text,
        failure -> Nullable<Text>,
        psp_reference -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    events (id) {
        id -> Binary,
        session_id -> Binary,
        merchant_id -> Binary,
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
        attempt -> Nullable<Text>,
        refund_id -> Nullable<Binary>,
        retry_until -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    idempotency_keys (merchant_id, key) {
        merchant_id -> Binary,
        key -> Text,
        fingerprint -> Binary,
        operation_id -> Nullable<Binary>,
        created_at -> BigInt,
        answered_at -> Nullable<BigInt>,
        status -> Nullable<BigInt>,
        content_type -> Nullable<Text>,
        body -> Nullable<Binary>,
        body_key_id -> Nullable<Text>,
    }
}

diesel::table! {
    bans (id) {
        id -> Binary,
        kind -> Text,
        pepper_id -> Text,
        hash -> Binary,
        source -> Text,
        reason -> Nullable<Text>,
        created_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    audit_log (number) {
        number -> BigInt,
        id -> Binary,
        created_at -> BigInt,
        action -> Text,
        merchant_id -> Nullable<Binary>,
        session_id -> Nullable<Binary>,
        operation_id -> Nullable<Binary>,
        detail -> Text,
    }
}

diesel::table! {
    webhook_endpoints (merchant_id) {
        merchant_id -> Binary,
        id -> Binary,
        version -> BigInt,
        url -> Text,
        key_id -> Binary,
        secret -> Binary,
        secret_key_id -> Text,
        previous_secret -> Nullable<Binary>,
        previous_secret_key_id -> Nullable<Text>,
        previous_secret_ends_at -> Nullable<BigInt>,
        disabled -> Nullable<Text>,
        disabled_at -> Nullable<BigInt>,
        failing_since -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    deliveries (event_id) {
        event_id -> Binary,
        session_id -> Binary,
        merchant_id -> Binary,
        sequence -> BigInt,
        endpoint_id -> Binary,
        url -> Text,
        state -> Text,
        attempts -> BigInt,
        failures -> BigInt,
        round -> BigInt,
        created_at -> BigInt,
        next_try_at -> Nullable<BigInt>,
        leased_until -> Nullable<BigInt>,
        lease_token -> Nullable<Binary>,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    delivery_attempts (event_id, number) {
        event_id -> Binary,
        merchant_id -> Binary,
        number -> BigInt,
        at -> BigInt,
        status -> Nullable<BigInt>,
        latency_ms -> BigInt,
        response -> Text,
        error -> Nullable<Text>,
    }
}

diesel::table! {
    keys_in_use (purpose, key_id) {
        purpose -> Text,
        key_id -> Text,
        digest -> Binary,
        used_until -> Nullable<BigInt>,
    }
}

diesel::table! {
    nodes (id) {
        id -> Binary,
        name -> Text,
        master_keys -> Text,
        pepper_keys -> Text,
        live_until -> BigInt,
    }
}

diesel::table! {
    psp_notifications (id) {
        id -> Binary,
        connector -> Text,
        account -> Text,
        event_key -> Nullable<Text>,
        status -> Text,
        body -> Binary,
        body_key_id -> Text,
        received_at -> BigInt,
        operation_id -> Nullable<Binary>,
        session_id -> Nullable<Binary>,
        next_try_at -> Nullable<BigInt>,
        tries -> BigInt,
        leased_until -> Nullable<BigInt>,
        lease_token -> Nullable<Binary>,
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
