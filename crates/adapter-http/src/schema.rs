//! Schemas of the OpenAPI document that several endpoints share.

use oncharge_domain::{currency::Currency, session::EventKind};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Type,
        schema::{Object, Schema, SchemaType},
    },
};

/// An idempotency key.
#[derive(ToSchema)]
#[schema(pattern = "^[!-~]{1,255}$", value_type = String)]
#[expect(dead_code, reason = "describes a header, which is read as text")]
pub(crate) struct IdempotencyKey(String);

/// The header that identifies a request.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header, which is read as text")]
pub(crate) struct IdempotencyHeader {
    /// The same request with the same key is executed once.
    #[param(rename = "Idempotency-Key")]
    key: Option<IdempotencyKey>,
}

pub(crate) fn currencies() -> Object {
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
pub(crate) fn metadata() -> Object {
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

pub(crate) fn reference() -> Object {
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
    /// Whether a payment is captured automatically after the authorization or at your request.
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
