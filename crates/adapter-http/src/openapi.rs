//! The OpenAPI 3.1 document of the API, generated from the code.

mod example_events;
mod examples;
mod webhooks;

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        RefOr, Type,
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
        crate::schema::IdempotencyKey,
        crate::render::event::TestBody,
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
