//! A webhook endpoint as its merchant sees it.

use oncharge_application::webhooks::endpoint::EndpointView;
use serde::Serialize;
use utoipa::ToSchema;

use crate::times::rfc3339;

/// Where your events are posted to.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub(crate) struct EndpointBody<'a> {
    /// The URL, as you wrote it.
    #[schema(
        format = "uri",
        example = "https://shop.example.com/?wc-api=oncharge_callback"
    )]
    url: &'a str,
    /// Whether events are sent to it. It is disabled when it answers 410, or has done nothing but
    /// fail for five days; setting it again enables it.
    enabled: bool,
    /// What libraries of Standard Webhooks are given to verify deliveries.
    #[schema(pattern = "^whsec_[A-Za-z0-9+/]{43}=$")]
    signing_secret: &'a str,
    /// When your first endpoint was set.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was set last.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl<'a> From<&'a EndpointView> for EndpointBody<'a> {
    fn from(view: &'a EndpointView) -> Self {
        let endpoint = &view.endpoint;
        Self {
            url: endpoint.url.as_str(),
            enabled: endpoint.disabled.is_none(),
            signing_secret: &view.signing_secret,
            created_at: rfc3339(endpoint.created_at),
            updated_at: rfc3339(endpoint.updated_at),
        }
    }
}
