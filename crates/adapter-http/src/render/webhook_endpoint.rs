//! A webhook endpoint as its merchant sees it.

use oncharge_application::webhooks::endpoint::{EndpointView, SecretView};
use oncharge_domain::webhook::WebhookEndpoint;
use serde::Serialize;
use utoipa::ToSchema;

/// The endpoint that your events are posted to.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub(crate) struct EndpointBody<'a> {
    /// The URL, as you set it.
    #[schema(
        format = "uri",
        example = "https://shop.example.com/?wc-api=oncharge_callback"
    )]
    url: &'a str,
    /// Whether events are sent to it. It is disabled when it responds with 410, or when all
    /// deliveries have failed for five days. Setting it again enables it.
    enabled: bool,
    /// Why it is disabled: `gone` (it responded with 410) or `failing`; null while it is enabled.
    #[schema(required)]
    disabled_reason: Option<&'static str>,
    /// When it was disabled.
    #[schema(required, format = DateTime)]
    disabled_at: Option<String>,
    /// The secret with which Standard Webhooks libraries verify deliveries. Returned only when it
    /// is new: after a new URL is set, and by `rotate_secret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^whsec_[A-Za-z0-9+/]{43}=$")]
    signing_secret: Option<String>,
    /// The last four characters of `signing_secret`, returned instead of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_hint: Option<String>,
    /// When your first endpoint was set.
    #[schema(format = DateTime)]
    created_at: String,
    /// When you last changed it.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl<'a> EndpointBody<'a> {
    /// The endpoint including its secret.
    pub(crate) fn with_secret(endpoint: &'a WebhookEndpoint) -> Self {
        let secret = endpoint.secrets.current.text();
        Self {
            signing_secret: Some(secret.to_string()),
            secret_hint: None,
            ..Self::with_hint(endpoint)
        }
    }

    fn with_hint(endpoint: &'a WebhookEndpoint) -> Self {
        let disabled = endpoint.disabled;
        Self {
            url: endpoint.url.as_str(),
            enabled: disabled.is_none(),
            disabled_reason: disabled.map(|disabled| disabled.reason.name()),
            disabled_at: disabled.map(|disabled| disabled.at.rfc3339()),
            signing_secret: None,
            secret_hint: Some(endpoint.secrets.current.hint()),
            created_at: endpoint.created_at.rfc3339(),
            updated_at: endpoint.updated_at.rfc3339(),
        }
    }
}

impl<'a> From<&'a EndpointView> for EndpointBody<'a> {
    fn from(view: &'a EndpointView) -> Self {
        match view.secret {
            SecretView::Whole => Self::with_secret(&view.endpoint),
            SecretView::Hint => Self::with_hint(&view.endpoint),
        }
    }
}
