//! The error responses of the OpenAPI document, by kind of endpoint.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type,
        schema::SchemaType,
    },
};

type Responses = BTreeMap<String, RefOr<Response>>;

macro_rules! error_responses {
    ($($(#[$doc:meta])* $name:ident: $($status:literal $codes:literal),* $(,)?;)*) => {$(
        $(#[$doc])*
        pub(crate) enum $name {}
        impl IntoResponses for $name {
            fn responses() -> Responses {
                BTreeMap::from([$(($status.to_owned(), error_response($codes).into())),*])
            }
        }
    )*};
}

error_responses! {
    /// Errors of every merchant `POST`.
    PostErrors:
        "400"
            "`invalid_request`: the body is not a valid JSON object, a query parameter is unknown, \
             or a header is invalid",
        "401" "`missing_auth`, `invalid_key`, `timestamp_expired`, `invalid_signature`",
        "408" "`request_timeout`: the body did not arrive in time",
        "409" "`idempotency_conflict`",
        "413" "`payload_too_large`: over 64 KiB",
        "415" "`unsupported_media_type`",
        "422" "`invalid_request` (all invalid fields in `details`), `idempotency_key_reused`",
        "429" "`rate_limited`",
        "500" "`internal_error`",
        "503" "`busy` (nothing was written): safe to retry";
    /// Further errors of creating a session.
    CreateErrors:
        "403"
            "`global_ban`: the shopper cannot be served; `merchant_disabled`: the merchant accepts \
             no new payments";
    /// Further errors of a capture.
    CaptureErrors:
        "404" "`not_found`",
        "409" "`idempotency_conflict`, `invalid_state`, `psp_rejected`",
        "422"
            "`invalid_request` (all invalid fields in `details`), `idempotency_key_reused`, \
             `capture_exceeds_authorized`",
        "503" "`psp_unavailable` (nothing was sent), `busy` (nothing was written): safe to retry";
    /// Further errors of a cancel.
    CancelErrors:
        "404" "`not_found`",
        "409" "`idempotency_conflict`, `invalid_state`, `psp_rejected`",
        "422" "`idempotency_key_reused`",
        "503" "`psp_unavailable` (definitely not sent), `busy` (nothing was written): safe to retry";
    /// Further errors of a refund.
    RefundErrors:
        "404" "`not_found`",
        "409" "`idempotency_conflict`, `invalid_state`",
        "422"
            "`invalid_request` (all invalid fields in `details`), `idempotency_key_reused`, \
             `refund_exceeds_captured`";
    /// Further errors of a command without a body on one of the merchant's resources.
    CommandErrors:
        "404" "`not_found`",
        "409" "`idempotency_conflict`, `invalid_state`",
        "422" "`idempotency_key_reused`";
    /// Further errors of testing the webhook endpoint.
    TestErrors:
        "403" "`key_ending`: the API key is in its grace period and can delete only itself",
        "404" "`not_found`",
        "422" "`idempotency_key_reused`",
        "429" "`rate_limited`, also for more than 10 tests a minute";
    /// Further errors of rotating the webhook secret.
    RotateSecretErrors:
        "403" "`key_ending`: the API key is in its grace period and can delete only itself",
        "404" "`not_found`";
    /// Further errors of other calls on keys and webhook endpoints.
    ActiveKeyErrors:
        "403" "`key_ending`: the API key is in its grace period and can delete only itself";
    /// Further errors of rotating a key.
    RotationErrors:
        "403" "`key_ending`: the API key is in its grace period and can delete only itself",
        "409" "`idempotency_conflict`; `invalid_state`: 5 API keys are in their grace period";
    /// Further errors of ending a key.
    LastKeyErrors:
        "403" "`key_ending`: the API key is in its grace period and can delete only itself",
        "409" "`invalid_state`: it is the last active key";
    /// Errors of every merchant `GET` and `DELETE`.
    ReadErrors:
        "400" "`invalid_request`: a query parameter is unknown or invalid",
        "401" "`missing_auth`, `invalid_key`, `timestamp_expired`, `invalid_signature`",
        "404" "`not_found`",
        "408" "`request_timeout`: the body did not arrive in time",
        "413" "`payload_too_large`: over 64 KiB",
        "429" "`rate_limited`",
        "500" "`internal_error`",
        "503" "`busy`: safe to retry";
    /// Errors of every merchant `PUT`.
    ChangeErrors:
        "400"
            "`invalid_request`: the body is not a valid JSON object, or a query parameter is \
             unknown",
        "401" "`missing_auth`, `invalid_key`, `timestamp_expired`, `invalid_signature`",
        "408" "`request_timeout`: the body did not arrive in time",
        "413" "`payload_too_large`: over 64 KiB",
        "415" "`unsupported_media_type`",
        "422" "`invalid_request`: all invalid fields in `details`",
        "429" "`rate_limited`",
        "500" "`internal_error`",
        "503" "`busy` (nothing was written): safe to retry";
    /// Further errors of paying.
    PayErrors:
        "403" "`merchant_disabled`: the merchant accepts no new payments";
    /// Errors of the shopper's calls.
    ShopperErrors:
        "400" "`invalid_request`: the body is no acceptable JSON object",
        "401" "`missing_auth`, `invalid_token`: the pay token is missing, invalid or expired",
        "404" "`not_found`",
        "408" "`request_timeout`: the body did not arrive in time",
        "409" "`invalid_state`: another attempt is open, or the session is final",
        "413" "`payload_too_large`: over 64 KiB",
        "415" "`unsupported_media_type`",
        "422"
            "`invalid_request`: `payment_method` is missing or not a token issued by the card \
             fields",
        "429" "`rate_limited`: more than 10 requests a minute",
        "500" "`internal_error`",
        "503" "`psp_unavailable`, `busy`: safe to retry";
}

fn error_response(codes: &str) -> Response {
    let text = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .build();
    let id = HeaderBuilder::new()
        .schema(Some(text))
        .description(Some("The request's id."))
        .build();
    ResponseBuilder::new()
        .description(codes)
        .header("X-Request-Id", id)
        .content(
            "application/json",
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Error")))
                .build(),
        )
        .build()
}
