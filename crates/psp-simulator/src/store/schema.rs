//! The tables for diesel; `migrations/` is authoritative.

diesel::table! {
    tokens (token) {
        token -> Text,
        brand -> Text,
        last4 -> Text,
        #[sql_name = "behaviour"]
        behavior -> Text,
        exp_month -> Nullable<Integer>,
        exp_year -> Nullable<Integer>,
        created_at -> BigInt,
        used_by -> Nullable<Text>,
    }
}

diesel::table! {
    payments (psp_reference) {
        psp_reference -> Text,
        idempotency_key -> Text,
        reference -> Text,
        amount -> BigInt,
        currency -> Text,
        capture -> Bool,
        notification_url -> Nullable<Text>,
        #[sql_name = "behaviour"]
        behavior -> Text,
        brand -> Nullable<Text>,
        last4 -> Nullable<Text>,
        status -> Text,
        captured -> BigInt,
        refunded -> BigInt,
        challenge_id -> Nullable<Text>,
        intent_id -> Nullable<Text>,
        confirm_after_challenge -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    operations (idempotency_key) {
        idempotency_key -> Text,
        kind -> Text,
        psp_reference -> Text,
        payment_reference -> Text,
        fingerprint -> Text,
        amount -> BigInt,
        currency -> Text,
        response -> Text,
        response_reason -> Nullable<Text>,
        result -> Text,
        reason -> Nullable<Text>,
        forced_reason -> Nullable<Text>,
        fail_late -> Bool,
        due_at -> Nullable<BigInt>,
        late_at -> Nullable<BigInt>,
        metadata -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    ledger (id) {
        id -> BigInt,
        reference -> Text,
        kind -> Text,
        amount -> BigInt,
        currency -> Text,
        psp_reference -> Text,
        idempotency_key -> Text,
        at -> BigInt,
    }
}

diesel::table! {
    notifications (seq) {
        seq -> BigInt,
        notification_id -> Text,
        psp_reference -> Text,
        face -> Text,
        url -> Text,
        body -> Text,
        tries -> Integer,
        next_try_at -> BigInt,
        held -> Bool,
        delivered_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    stripe_payment_intents (seq) {
        seq -> BigInt,
        intent_id -> Text,
        client_secret -> Text,
        amount -> BigInt,
        currency -> Text,
        capture_method -> Text,
        confirmation_method -> Text,
        payment_method_types -> Text,
        payment_method -> Nullable<Text>,
        description -> Nullable<Text>,
        metadata -> Text,
        return_url -> Nullable<Text>,
        use_stripe_sdk -> Bool,
        payment_reference -> Nullable<Text>,
        cancellation_reason -> Nullable<Text>,
        canceled_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    stripe_confirmation_tokens (token) {
        token -> Text,
        payment_method -> Text,
        return_url -> Nullable<Text>,
        intent_id -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    stripe_requests (idempotency_key) {
        idempotency_key -> Text,
        fingerprint -> Text,
        request_id -> Text,
        status -> Integer,
        body -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    faults (id) {
        id -> Integer,
        settings -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(operations, payments);
