//! The requests to merchants' endpoints, as the `webhooks` of OpenAPI 3.1.

use oncharge_domain::session::EventKind;
use serde_json::Value;
use utoipa::{
    Modify,
    openapi::{
        ContentBuilder, HttpMethod, ObjectBuilder, PathItem, PathsBuilder, Ref, Required,
        ResponseBuilder, Type,
        path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        schema::SchemaType,
    },
};

use super::example_events::{event, test};

/// Adds the webhooks to the document.
pub(super) struct Webhooks;

impl Modify for Webhooks {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let mut all = PathsBuilder::new();
        for &kind in EventKind::ALL {
            let webhook_operation = webhook_operation("Event", event_summary(kind), event(kind));
            let webhook_operation = webhook_operation.operation_id(Some(operation_id(kind.name())));
            all = all.path(kind.name(), item(webhook_operation));
        }
        let test = webhook_operation(
            "EndpointTest",
            "You requested a test of your endpoint",
            test(),
        );
        let test = test.operation_id(Some(operation_id("endpoint.test")));
        openapi.webhooks = Some(all.path("endpoint.test", item(test)).build());
    }
}

fn item(operation: OperationBuilder) -> PathItem {
    PathItem::new(HttpMethod::Post, operation)
}

/// The operation id: `payment.authorized` becomes `onPaymentAuthorized`.
fn operation_id(name: &str) -> String {
    let words = name.split(['.', '_']).map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_ascii_uppercase() + rest
    });
    std::iter::once("on".to_owned()).chain(words).collect()
}

/// A `POST` to a merchant's endpoint.
fn webhook_operation(schema: &str, summary: &str, example: Value) -> OperationBuilder {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .example(Some(example))
        .build();
    let body = RequestBodyBuilder::new()
        .content("application/json", content)
        .required(Some(Required::True));
    let response = |text: &str| ResponseBuilder::new().description(text).build();
    let operation = OperationBuilder::from(Operation::new())
        .tag("Webhooks")
        .summary(Some(summary))
        .parameters(Some(headers()))
        .request_body(Some(body.build()))
        .response("2XX", response("The event is accepted."))
        .response(
            "410",
            response("Your endpoint no longer exists: OnCharge disables it."),
        )
        .response(
            "default",
            response("The delivery is retried, with ten attempts in total."),
        );
    operation.securities(Some([]))
}

/// The headers with the signatures.
fn headers() -> Vec<ParameterBuilder> {
    let header = |name: &str, text: &str| {
        let schema = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(text))
            .schema(Some(schema))
    };
    vec![
        header(
            "X-Oncharge-Signature",
            "Hex HMAC-SHA256 of the raw body, keyed with the lowercase hex SHA-256 of your API \
             secret.",
        ),
        header("webhook-id", "Standard Webhooks: the event's id."),
        header(
            "webhook-timestamp",
            "Standard Webhooks: the time of this attempt, in Unix seconds.",
        ),
        header(
            "webhook-signature",
            "Standard Webhooks: `v1,` and a base64 signature; during a rotation one for each \
             secret, separated by spaces.",
        ),
    ]
}

fn event_summary(kind: EventKind) -> &'static str {
    match kind {
        EventKind::PaymentAuthorized => "The amount is reserved",
        EventKind::PaymentCaptured => "The amount was captured",
        EventKind::PaymentRefused => "The payment was refused",
        EventKind::PaymentCancelled => "The reserved amount was released",
        EventKind::PaymentExpired => "The session expired",
        EventKind::PaymentError => "A technical failure; no money was moved",
        EventKind::PaymentCaptureFailed => "A capture failed or was reversed",
        EventKind::PaymentCancelFailed => "A cancel failed",
        EventKind::RefundRequested => "A refund was requested",
        EventKind::RefundSucceeded => "A refund was paid out",
        EventKind::RefundFailed => "A refund failed or was reversed",
    }
}
