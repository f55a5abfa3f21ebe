//! `PUT /v1/webhook_endpoint`

use actix_web::{HttpResponse, web};
use oncharge_application::webhooks::endpoint;
use oncharge_domain::webhook::EndpointUrl;

use crate::{
    Api,
    error_responses::{ActiveKeyErrors, ChangeErrors},
    gate::{ActiveSigner, post::Put},
    problem::Problem,
    render::webhook_endpoint::EndpointBody,
    request_body::request_body,
};

request_body! {
    /// Where your events are posted. Unknown members are ignored.
    pub(crate) struct NewWebhookEndpoint {
        /// Absolute `https` URL without user info and fragment (`http` for loopback hosts in the
        /// sandbox). The host must not be an address of a private network. The query is kept.
        #[schema(
            value_type = String,
            max_length = 2048,
            format = "uri",
            pattern = "^https?://",
            example = "https://shop.example.com/?wc-api=oncharge_callback"
        )]
        url: EndpointUrl,
    }
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
    Put(body): Put<NewWebhookEndpoint>,
) -> Result<HttpResponse, Problem> {
    let view = endpoint::set(api.app(), signer.merchant.id, signer.key.id, body.url).await?;
    Ok(HttpResponse::Ok().json(EndpointBody::from(&view)))
}
