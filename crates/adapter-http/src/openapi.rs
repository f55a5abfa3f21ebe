//! The OpenAPI 3.1 document of the API, generated from the code.

mod examples;
mod webhooks;

use std::{collections::BTreeMap, sync::LazyLock};

use actix_web::{HttpRequest, HttpResponse};
use oncharge_domain::{currency::Currency, session::EventKind};
use utoipa::{
    IntoResponses, Modify, OpenApi, PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type,
        schema::{Schema, SchemaType},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

use self::{examples::Examples, webhooks::Webhooks};
use crate::{checkout, static_content::StaticContent, v1};

/// The document as pretty-printed JSON with a stable member order.
pub fn document() -> String {
    let mut text = Document::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// `GET /openapi.json`
pub(crate) async fn serve(request: HttpRequest) -> HttpResponse {
    static DOCUMENT: LazyLock<StaticContent> = LazyLock::new(|| StaticContent::new(document()));
    let headers = [
        ("Content-Type", "application/json".to_owned()),
        ("Cache-Control", "public, max-age=300".to_owned()),
    ];
    DOCUMENT.response(&request, headers)
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "OnCharge",
        description =
            "Payments for merchants: create a checkout session, show the hosted checkout, capture \
             or cancel, refund, and receive every change by webhook. Every request under `/v1` is \
             signed: `X-Oncharge-Signature` is the hex HMAC-SHA256 of \
             `{timestamp}.{METHOD}.{path}.{sha256(body)}`, keyed with the lowercase hex SHA-256 of \
             your API secret. Unknown query parameters are rejected. Unknown members of a body are \
             ignored and listed in the response header `Oncharge-Warning`. `HEAD` works wherever \
             `GET` does.",
        license(name = "Apache-2.0 OR MIT"),
    ),
    servers((url = "/", description = "This service")),
    paths(
        v1::sessions::create::create,
        v1::sessions::get::get,
        v1::sessions::list::list,
        v1::sessions::cancel::cancel,
        v1::sessions::capture::capture,
        v1::sessions::expire::expire,
        v1::refunds::create::create,
        v1::refunds::get::get,
        v1::refunds::list::list,
        v1::webhook_endpoint::get::get,
        v1::webhook_endpoint::set::set,
        v1::webhook_endpoint::remove::remove,
        v1::webhook_endpoint::rotate_secret::rotate_secret,
        v1::webhook_endpoint::test::test,
        v1::events::list::list,
        v1::events::get::get,
        v1::events::redeliver::redeliver,
        v1::api_keys::list::list,
        v1::api_keys::rotate::rotate,
        v1::api_keys::remove::remove,
        checkout::pay::pay,
        checkout::status::status,
        checkout::abandon::abandon,
    ),
    components(schemas(
        crate::problem::ErrorBody,
        IdempotencyKey,
        crate::v1::events::body::TestBody,
    )),
    security(("key" = [], "timestamp" = [], "signature" = [])),
    tags(
        (name = "Checkout sessions", description =
            "Create, retrieve, capture, cancel and expire payments."),
        (name = "Refunds", description = "Pay back captured payments, in full or in part."),
        (name = "Webhooks", description =
            "The endpoint, the events, and the requests that are posted to it (under `webhooks`)."),
        (name = "API keys", description = "The keys and secrets that sign requests."),
        (name = "Shopper", description = "Used by the hosted checkout; merchants do not need it."),
    ),
    modifiers(&Security, &OptionalWithoutNull, &Webhooks, &Examples),
)]
struct Document;

/// The security schemes.
struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let header = |name: &str, description: &str| {
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                name,
                description,
            )))
        };
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("key", header("X-Oncharge-Key", "Your API key."));
        components.add_security_scheme(
            "timestamp",
            header(
                "X-Oncharge-Timestamp",
                "Unix seconds, within 5 minutes of the current time.",
            ),
        );
        components.add_security_scheme(
            "signature",
            header(
                "X-Oncharge-Signature",
                "HMAC-SHA256 of timestamp, method, path and body as 64 hex digits.",
            ),
        );
        let bearer = Http::new(HttpAuthScheme::Bearer);
        components.add_security_scheme("pay_token", SecurityScheme::Http(bearer));
    }
}

/// A parameter or body that is optional may be absent; a null in its place is refused.
struct OptionalWithoutNull;

impl Modify for OptionalWithoutNull {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let items = openapi.paths.paths.values_mut();
        let operations = items.flat_map(|item| {
            let methods = [&mut item.get, &mut item.post, &mut item.put];
            methods.map(Option::as_mut)
        });
        for operation in operations.flatten() {
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    parameter.schema = parameter.schema.take().map(without_null);
                }
            }
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                for content in body.content.values_mut() {
                    if let RefOr::T(content) = content {
                        content.schema = content.schema.take().map(without_null);
                    }
                }
            }
        }
    }
}

fn without_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            if let SchemaType::Array(types) = &mut object.schema_type {
                types.retain(|one| *one != Type::Null);
            }
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::OneOf(one_of)) => {
            let mut named = one_of
                .items
                .iter()
                .filter(|item| matches!(item, RefOr::Ref(_)));
            named
                .next()
                .cloned()
                .unwrap_or(RefOr::T(Schema::OneOf(one_of)))
        }
        other => other,
    }
}

/// An idempotency key.
#[derive(ToSchema)]
#[schema(pattern = "^[!-~]{1,255}$", value_type = String)]
#[expect(dead_code, reason = "describes a header, which is read as text")]
pub(crate) struct IdempotencyKey(String);

pub(crate) fn currencies() -> utoipa::openapi::schema::Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .description(Some("An active ISO 4217 code."))
        .examples([serde_json::json!("USD")])
        .enum_values(Some(Currency::all().map(Currency::code)))
        .build()
}

/// The type of an event.
pub(crate) enum EventType {}

impl ToSchema for EventType {}

impl PartialSchema for EventType {
    fn schema() -> RefOr<Schema> {
        let names = EventKind::ALL.iter().map(|kind| kind.name());
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some("The type of an event."))
            .enum_values(Some(names))
            .into()
    }
}

/// A merchant's metadata.
pub(crate) fn metadata() -> utoipa::openapi::schema::Object {
    let text = |max: usize| {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .max_length(Some(max))
    };
    ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::Object, Type::Null]))
        .description(Some(
            "Your own key-value pairs: at most 50, with keys of up to 40 and values of up to 500 \
             characters.",
        ))
        .max_properties(Some(50))
        .property_names(Some(text(40).min_length(Some(1)).build()))
        .additional_properties(Some(text(500)))
        .build()
}

pub(crate) fn reference() -> utoipa::openapi::schema::Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .description(Some(
            "Your own reference. It need not be unique. Control characters are not allowed.",
        ))
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]*$"))
        .examples([serde_json::json!("order-42")])
        .build()
}

/// An object whose members are ignored.
#[derive(ToSchema)]
pub(crate) struct Empty {}

macro_rules! schema_enums {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(ToSchema)]
        #[schema(rename_all = "snake_case")]
        #[expect(dead_code, reason = "describes words that the domain writes")]
        pub(crate) enum $name { $($variant),* }
    )*};
}

schema_enums! {
    /// The status of a session.
    SessionStatus { Created, Pending, Authorized, Captured, Refused, Cancelled, Error, Expired }
    /// The outcome of a payment attempt.
    AttemptStatus { Pending, Authorized, Refused, Error, Expired, Cancelled }
    /// Whether a payment is captured automatically after the authorization or at the merchant's
    /// request.
    CaptureMode { Automatic, Manual }
    /// An operation whose outcome is pending.
    PendingOperation { Capture, Cancel }
    /// What the shopper has to do next.
    NextType { None, Challenge, Retry }
    /// Why an attempt failed.
    RetryReason {
        CardDeclined, InsufficientFunds, ExpiredCard, AuthenticationFailed, Technical,
    }
    /// Why a delivery attempt got no response.
    SendError {
        UnknownHost, ForbiddenAddress, CannotConnect, Tls, Timeout, BrokenAnswer, NoApiKey,
    }
    /// Why something failed.
    FailureCode {
        CardDeclined, InsufficientFunds, ExpiredCard, AuthenticationFailed,
        AuthenticationAbandoned, AuthorizationExpired, VoidedAtPsp, CaptureFailed, RiskRejected,
        GlobalBan, PspError,
    }
}

/// The status of a refund.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes words that the domain writes")]
#[expect(
    clippy::enum_variant_names,
    reason = "the words on the wire have this prefix"
)]
pub(crate) enum RefundStatus {
    RefundRequested,
    RefundSucceeded,
    RefundFailed,
}

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
        "503" "`psp_unavailable` (nothing was sent), `busy` (nothing was written): safe to retry";
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
