//! `POST /v1/checkout/sessions`

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use oncharge_application::checkout::create::{self, CaptureMode, NewCheckout};
use oncharge_domain::{
    money::Money,
    text::{Contact, Email, Metadata, OrderId, Phone, ReturnUrl},
};
use utoipa::ToSchema;

use super::body::CreatedSessionBody;
use crate::{
    Api,
    error_responses::{CreateErrors, PostErrors},
    fields::{FieldReader, FieldResult, JsonBody, amount, currency, parse_with, reference, text},
    gate::post::Post,
    json::Value,
    problem::Problem,
    v1::response,
};

/// A new checkout session. Unknown members are ignored and listed in `Oncharge-Warning`; null
/// counts as absent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
pub(crate) struct NewSession {
    /// Minor units as in ISO 4217.
    #[schema(minimum = 1, maximum = 99_999_999_999_i64, example = 9999)]
    amount: i64,
    /// ISO 4217, a code in use.
    #[schema(schema_with = crate::schema::currencies)]
    currency: String,
    /// Your own reference; need not be unique. No control characters.
    #[schema(schema_with = crate::schema::reference)]
    reference: String,
    /// Where the shopper is sent afterwards: absolute `https` URL without user info and fragment
    /// (`http` for loopback hosts in the sandbox).
    #[schema(
        max_length = 2048,
        format = "uri",
        pattern = "^https?://",
        example = "https://shop.example.com/thank-you"
    )]
    return_url: String,
    /// Your own order number. An empty string counts as absent.
    #[schema(max_length = 255, nullable, example = "42")]
    order_id: Option<String>,
    /// The shopper's e-mail address. An empty string counts as absent.
    #[schema(max_length = 254, format = Email, nullable, example = "shopper@example.com")]
    customer_email: Option<String>,
    /// The shopper's phone number in E.164 form. An empty string counts as absent.
    #[schema(pattern = r"^\+[1-9][0-9]{4,14}$", nullable, example = "+15551234567")]
    customer_phone: Option<String>,
    /// Your own pairs: at most 50, keys up to 40, values up to 500 characters.
    #[schema(schema_with = crate::schema::metadata)]
    metadata: Option<BTreeMap<String, String>>,
    /// Whether payments are captured automatically or at your request; default: your account's
    /// setting.
    #[schema(value_type = Option<crate::schema::CaptureMode>)]
    capture: Option<String>,
}

/// Create a checkout session
///
/// The response contains the relative URL of the hosted checkout and the shopper's pay token.
#[utoipa::path(
    post,
    path = "/v1/checkout/sessions",
    tag = "Checkout sessions",
    operation_id = "createSession",
    params(("Idempotency-Key" = Option<crate::schema::IdempotencyKey>, Header,
            description = "The same request with the same key is executed once.")),
    request_body = NewSession,
    responses((status = 201, body = CreatedSessionBody<'_>, description = "Created."), PostErrors, CreateErrors),
)]
pub(crate) async fn create(api: web::Data<Api>, post: Post) -> Result<HttpResponse, Problem> {
    let new = read(&post.body, api.app().settings().sandbox)?;
    let reply = create::create(api.app(), post.context, new).await?;
    Ok(response::reply(reply))
}

fn read(body: &JsonBody, sandbox: bool) -> Result<NewCheckout, Problem> {
    let mut fields = FieldReader::of(body);
    let minor = fields.required("amount", amount);
    let currency = fields.required("currency", currency);
    let reference = fields.required("reference", reference);
    let return_url = fields.required("return_url", |value| {
        ReturnUrl::parse(text(value)?, sandbox).map_err(|problem| problem.to_string())
    });
    let order_id = fields.optional_non_empty("order_id", parse_with(OrderId::parse));
    let email = fields.optional_non_empty("customer_email", parse_with(Email::parse));
    let phone = fields.optional_non_empty("customer_phone", parse_with(Phone::parse));
    let metadata = fields.optional("metadata", metadata).unwrap_or_default();
    let capture = fields.optional("capture", capture);
    let money = minor
        .zip(currency)
        .and_then(|(minor, currency)| Money::new(minor, currency).ok());
    let ((amount, reference), return_url) = fields.finish(money.zip(reference).zip(return_url))?;
    let contact = Contact { email, phone };
    Ok(NewCheckout {
        amount,
        reference,
        order_id,
        return_url,
        metadata,
        contact,
        capture,
    })
}

fn metadata(value: &Value) -> FieldResult<Metadata> {
    let rule = "must be an object with string values";
    let Value::Object(object) = value else {
        return Err(rule.to_owned());
    };
    let pairs = object.members().map(|(key, value)| match value {
        Value::String(text) => Ok((key.clone(), text.clone())),
        _ => Err(rule.to_owned()),
    });
    let pairs = pairs.collect::<FieldResult<BTreeMap<_, _>>>()?;
    Metadata::new(pairs).map_err(|problem| problem.to_string())
}

fn capture(value: &Value) -> FieldResult<CaptureMode> {
    match value {
        Value::String(text) if text == "automatic" => Ok(CaptureMode::Automatic),
        Value::String(text) if text == "manual" => Ok(CaptureMode::Manual),
        _ => Err("must be \"automatic\" or \"manual\"".to_owned()),
    }
}
