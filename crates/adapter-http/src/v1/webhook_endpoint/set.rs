//! `PUT /v1/webhook_endpoint`

use actix_web::{HttpResponse, web};
use oncharge_application::webhooks::endpoint;
use oncharge_domain::webhook::EndpointUrl;
use utoipa::ToSchema;

use super::body::EndpointBody;
use crate::{
    Api,
    error_responses::{ActiveKeyErrors, ChangeErrors},
    fields::{FieldReader, JsonBody, text},
    gate::{ActiveSigner, post::Put},
    problem::Problem,
};

/// Where your events are posted. Unknown members are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
pub(crate) struct NewWebhookEndpoint {
    /// Absolute `https` URL without user info and fragment (`http` for loopback hosts in the
    /// sandbox). The host must not be an address of a private network. The query is kept.
    #[schema(
        max_length = 2048,
        format = "uri",
        pattern = "^https?://",
        example = "https://shop.example.com/?wc-api=oncharge_callback"
    )]
    url: String,
}

/// Set the webhook endpoint
///
/// Replaces the current endpoint and enables it. New events are sent to it; pending deliveries to
/// another URL still go there. A new URL gets a new `signing_secret`, returned only in this
/// response; for 24 hours the previous secret signs too. The same URL keeps its secret, and the
/// response has `secret_hint`.
#[utoipa::path(
    put,
    path = "/v1/webhook_endpoint",
    tag = "Webhooks",
    operation_id = "setWebhookEndpoint",
    request_body = NewWebhookEndpoint,
    responses(
        (status = 200, body = EndpointBody<'_>, description = "Set."),
        ChangeErrors,
        ActiveKeyErrors,
    ),
)]
pub(crate) async fn set(
    api: web::Data<Api>,
    ActiveSigner(signer): ActiveSigner,
    Put(body): Put,
) -> Result<HttpResponse, Problem> {
    let url = read(&body, api.app().settings().sandbox)?;
    let view = endpoint::set(api.app(), signer.merchant.id, signer.key.id, url).await?;
    Ok(HttpResponse::Ok().json(EndpointBody::from(&view)))
}

fn read(body: &JsonBody, sandbox: bool) -> Result<EndpointUrl, Problem> {
    let mut fields = FieldReader::of(body);
    let url = fields.required("url", |value| {
        EndpointUrl::parse(text(value)?, sandbox).map_err(|problem| problem.to_string())
    });
    fields.finish(url)
}
