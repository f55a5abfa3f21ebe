//! The tables as declared to Diesel; migrations/postgres is authoritative.

diesel::table! {
    merchants (id) {
        id -> Uuid,
        version -> BigInt,
        name -> Text,
        connector -> Text,
        account -> Text,
        automatic_capture -> Bool,
        capture_delay_seconds -> BigInt,
        origins -> Jsonb,
        require_idempotency_key -> Bool,
        created_at -> Timestamptz,
        accent -> Nullable<Text>,
        accent_dark -> Nullable<Text>,
        logo -> Nullable<Bytea>,
        disabled_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Uuid,
        merchant_id -> Uuid,
        key_hash -> Bytea,
        signing_key -> Bytea,
        signing_key_key_id -> Text,
        key_hint -> Text,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
        ends_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        merchant_id -> Uuid,
        version -> BigInt,
        connector -> Text,
        account -> Text,
        amount -> BigInt,
        currency -> Text,
        reference -> Text,
        order_id -> Nullable<Text>,
        return_url -> Text,
        metadata -> Jsonb,
        automatic_capture -> Nullable<BigInt>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        expires_at -> Timestamptz,
        attempts -> Jsonb,
        challenges -> BigInt,
        next_sequence -> BigInt,
        status -> Text,
        attempt_id -> Nullable<Uuid>,
        psp_reference -> Nullable<Text>,
        amount_authorized -> BigInt,
        amount_captured -> BigInt,
        refunds_requested -> BigInt,
        refunds_succeeded -> BigInt,
        failure -> Nullable<Text>,
        retry -> Bool,
        progress -> Jsonb,
        due_at -> Nullable<Timestamptz>,
        leased_until -> Nullable<Timestamptz>,
        lease_token -> Nullable<Uuid>,
        unit_id -> Uuid,
    }
}

diesel::table! {
    session_changes (unit_id) {
        unit_id -> Uuid,
        session_id -> Uuid,
        merchant_id -> Uuid,
        version -> BigInt,
    }
}

diesel::table! {
    contacts (session_id) {
        session_id -> Uuid,
        merchant_id -> Uuid,
        email -> Nullable<Bytea>,
        email_key_id -> Nullable<Text>,
        phone -> Nullable<Bytea>,
        phone_key_id -> Nullable<Text>,
    }
}

diesel::table! {
    operations (id) {
        id -> Uuid,
        session_id -> Uuid,
        merchant_id -> Uuid,
        kind -> Text,
        token -> Nullable<Bytea>,
        captures -> Nullable<Bool>,
        automatic -> Nullable<Bool>,
        purpose -> Nullable<Text>,
        refund_id -> Nullable<Uuid>,
        compensates_id -> Nullable<Uuid>,
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
        request -> Nullable<Bytea>,
        request_key_id -> Nullable<Text>,
        created_at -> Timestamptz,
        last_sent_at -> Timestamptz,
        not_before -> Timestamptz,
        next_try_at -> Nullable<Timestamptz>,
        tries -> BigInt,
        leased_until -> Nullable<Timestamptz>,
        lease_token -> Nullable<Uuid>,
    }
}

diesel::table! {
    refunds (id) {
        id -> Uuid,
        session_id -> Uuid,
        merchant_id -> Uuid,
        operation_id -> Uuid,
        amount -> BigInt,
        currency -> Text,
        reference -> Text,
        status -> Text,
        failure -> Nullable<Text>,
        psp_reference -> Nullable<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    events (id) {
        id -> Uuid,
        session_id -> Uuid,
        merchant_id -> Uuid,
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
        attempt -> Nullable<Jsonb>,
        refund_id -> Nullable<Uuid>,
        retry_until -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    idempotency_keys (merchant_id, key) {
        merchant_id -> Uuid,
        key -> Text,
        fingerprint -> Bytea,
        operation_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
        answered_at -> Nullable<Timestamptz>,
        status -> Nullable<BigInt>,
        content_type -> Nullable<Text>,
        body -> Nullable<Bytea>,
        body_key_id -> Nullable<Text>,
    }
}

diesel::table! {
    bans (id) {
        id -> Uuid,
        kind -> Text,
        pepper_id -> Text,
        hash -> Bytea,
        source -> Text,
        reason -> Nullable<Text>,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    audit_log (number) {
        number -> BigInt,
        id -> Uuid,
        created_at -> Timestamptz,
        action -> Text,
        merchant_id -> Nullable<Uuid>,
        session_id -> Nullable<Uuid>,
        operation_id -> Nullable<Uuid>,
        detail -> Text,
    }
}

diesel::table! {
    webhook_endpoints (merchant_id) {
        merchant_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        url -> Text,
        key_id -> Uuid,
        secret -> Bytea,
        secret_key_id -> Text,
        previous_secret -> Nullable<Bytea>,
        previous_secret_key_id -> Nullable<Text>,
        previous_secret_ends_at -> Nullable<Timestamptz>,
        disabled -> Nullable<Text>,
        disabled_at -> Nullable<Timestamptz>,
        failing_since -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    deliveries (event_id) {
        event_id -> Uuid,
        session_id -> Uuid,
        merchant_id -> Uuid,
        sequence -> BigInt,
        endpoint_id -> Uuid,
        url -> Text,
        state -> Text,
        attempts -> BigInt,
        failures -> BigInt,
        round -> BigInt,
        created_at -> Timestamptz,
        next_try_at -> Nullable<Timestamptz>,
        leased_until -> Nullable<Timestamptz>,
        lease_token -> Nullable<Uuid>,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    delivery_attempts (event_id, number) {
        event_id -> Uuid,
        merchant_id -> Uuid,
        number -> BigInt,
        at -> Timestamptz,
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
        digest -> Bytea,
        used_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    nodes (id) {
        id -> Uuid,
        name -> Text,
        master_keys -> Jsonb,
        pepper_keys -> Jsonb,
        live_until -> Timestamptz,
    }
}

diesel::table! {
    psp_notifications (id) {
        id -> Uuid,
        connector -> Text,
        account -> Text,
        event_key -> Nullable<Text>,
        status -> Text,
        body -> Bytea,
        body_key_id -> Text,
        received_at -> Timestamptz,
        operation_id -> Nullable<Uuid>,
        session_id -> Nullable<Uuid>,
        next_try_at -> Nullable<Timestamptz>,
        tries -> BigInt,
        leased_until -> Nullable<Timestamptz>,
        lease_token -> Nullable<Uuid>,
    }
}

diesel::joinable!(api_keys -> merchants (merchant_id));
diesel::joinable!(contacts -> sessions (session_id));
diesel::joinable!(deliveries -> events (event_id));
diesel::joinable!(events -> sessions (session_id));
diesel::joinable!(refunds -> operations (operation_id));
diesel::allow_tables_to_appear_in_same_query!(api_keys, merchants);
diesel::allow_tables_to_appear_in_same_query!(api_keys, webhook_endpoints);
diesel::allow_tables_to_appear_in_same_query!(contacts, operations);
diesel::allow_tables_to_appear_in_same_query!(contacts, sessions);
diesel::allow_tables_to_appear_in_same_query!(
    deliveries,
    delivery_attempts,
    events,
    sessions,
    webhook_endpoints
);
diesel::allow_tables_to_appear_in_same_query!(operations, refunds, sessions);

diesel::define_sql_function! {
    /// The database's clock, used for leases; constant within a transaction.
    #[sql_name = "now"]
    fn database_clock() -> Nullable<Timestamptz>;
}
