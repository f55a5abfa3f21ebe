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
        "400" "`invalid_request`: the body is no acceptable JSON object, a query parameter is \
            unknown, or a header is bad",
        "401" "`missing_auth`, `invalid_key`, `timestamp_expired`, `invalid_signature`",
        "408" "`request_timeout`: the body came too slowly",
        "409" "`idempotency_conflict`",
        "413" "`payload_too_large`: over 64 KiB",
        "415" "`unsupported_media_type`",
        "422" "`invalid_request` (all bad fields in `details`), `idempotency_key_reused`",
        "429" "`rate_limited`",
        "500" "`internal_error`",
        "503" "`busy` (nothing was written): safe to retry";
    /// Further errors of creating a session.
    CreateErrors:
        "403" "`global_ban`: the shopper cannot be served; `merchant_disabled`: the merchant takes \
            no new payments";
    /// Further errors of a capture.
    CaptureErrors:
        "404" "`not_found`",
        "409" "`idempotency_conflict`, `invalid_state`, `psp_rejected`",
        "422" "`invalid_request` (all bad fields in `details`), `idempotency_key_reused`, \
            `capture_exceeds_authorized`",
        "503" "`psp_unavailable` (certainly not sent), `busy` (nothing was written): safe to retry";
    /// Further errors of a cancel.
    CancelErrors:
        "404" "`not_found`",
        "409" "`idempotency_conflict`, `invalid_state`, `psp_rejected`",
        "422" "`idempotency_key_reused`",
        "503" "`psp_unavailable` (certainly not sent), `busy` (nothing was written): safe to retry";
    /// Further errors of a refund.
    RefundErrors:
        "404" "`not_found`",
        "409" "`idempotency_conflict`, `invalid_state`",
        "422" "`invalid_request` (all bad fields in `details`), `idempotency_key_reused`, \
            `refund_exceeds_captured`";
    /// Further errors of a command without a body on one of the merchant's resources.
    CommandErrors:
        "404" "`not_found`",
        "409" "`idempotency_conflict`, `invalid_state`",
        "422" "`idempotency_key_reused`";
    /// Further errors of testing the webhook endpoint.
    TestErrors:
        "403" "`key_ending`: the API key is in its grace period and can end only itself",
        "404" "`not_found`",
        "422" "`idempotency_key_reused`",
        "429" "`rate_limited`, also over 10 tests a minute";
    /// Further errors of rotating the webhook secret.
    RotateSecretErrors:
        "403" "`key_ending`: the API key is in its grace period and can end only itself",
        "404" "`not_found`";
    /// Further errors of other calls on keys and webhook endpoints.
    ActiveKeyErrors:
        "403" "`key_ending`: the API key is in its grace period and can end only itself";
    /// Further errors of rotating a key.
    RotationErrors:
        "403" "`key_ending`: the API key is in its grace period and can end only itself",
        "409" "`idempotency_conflict`; `invalid_state`: 5 API keys are in their grace period";
    /// Further errors of ending a key.
    LastKeyErrors:
        "403" "`key_ending`: the API key is in its grace period and can end only itself",
        "409" "`invalid_state`: it is the last active key";
    /// Errors of every merchant `GET` and `DELETE`.
    ReadErrors:
        "400" "`invalid_request`: a query parameter is unknown or bad",
        "401" "`missing_auth`, `invalid_key`, `timestamp_expired`, `invalid_signature`",
        "404" "`not_found`",
        "408" "`request_timeout`: the body came too slowly",
        "413" "`payload_too_large`: over 64 KiB",
        "429" "`rate_limited`",
        "500" "`internal_error`",
        "503" "`busy`: safe to retry";
    /// Errors of every merchant `PUT`.
    ChangeErrors:
        "400" "`invalid_request`: the body is no acceptable JSON object, or a query parameter is \
            unknown",
        "401" "`missing_auth`, `invalid_key`, `timestamp_expired`, `invalid_signature`",
        "408" "`request_timeout`: the body came too slowly",
        "413" "`payload_too_large`: over 64 KiB",
        "415" "`unsupported_media_type`",
        "422" "`invalid_request`: all bad fields in `details`",
        "429" "`rate_limited`",
        "500" "`internal_error`",
        "503" "`busy` (nothing was written): safe to retry";
    /// Further errors of paying.
    PayErrors:
        "403" "`merchant_disabled`: the merchant takes no new payments";
    /// Errors of the shopper's calls.
    ShopperErrors:
        "400" "`invalid_request`: the body is no acceptable JSON object",
        "401" "`missing_auth`, `invalid_token`: the pay token is missing, wrong or too old",
        "404" "`not_found`",
        "408" "`request_timeout`: the body came too slowly",
        "409" "`invalid_state`: a try is open, or the session is finished",
        "413" "`payload_too_large`: over 64 KiB",
        "415" "`unsupported_media_type`",
        "422" "`invalid_request`: `payment_method` is missing or no token of the card fields",
        "429" "`rate_limited`: over 10 a minute",
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
