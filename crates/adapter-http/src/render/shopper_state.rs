//! The state of a payment as shown to the shopper: response of the shopper's calls and input of the
//! page.

use oncharge_application::checkout;
use oncharge_domain::session::NextAction;
use serde::Serialize;
use utoipa::ToSchema;

/// The state of a payment, returned by every shopper's call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShopperState {
    /// The session's status.
    #[schema(value_type = crate::schema::SessionStatus)]
    status: &'static str,
    /// The type of the shopper's next step.
    next: Next,
}

/// The shopper's next step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
struct Next {
    /// The type of the step.
    #[schema(value_type = crate::schema::NextType)]
    r#type: &'static str,
    /// For `challenge`: the page to show in a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri")]
    url: Option<String>,
    /// For `retry`: why the attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::schema::RetryReason>)]
    reason: Option<&'static str>,
    /// For `retry`: whether the next attempt can be the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_try: Option<bool>,
}

impl From<checkout::ShopperState> for ShopperState {
    fn from(state: checkout::ShopperState) -> Self {
        Self {
            status: state.status.name(),
            next: Next::from(state.next),
        }
    }
}

impl From<NextAction> for Next {
    fn from(next: NextAction) -> Self {
        match next {
            // Pay (`created`), wait (`pending`), or the payment has ended.
            NextAction::None => Self {
                r#type: "none",
                ..Self::default()
            },
            NextAction::Challenge(url) => Self {
                r#type: "challenge",
                url: Some(url),
                ..Self::default()
            },
            NextAction::Retry { reason, last_try } => Self {
                r#type: "retry",
                reason: Some(reason.name()),
                last_try: Some(last_try),
                ..Self::default()
            },
        }
    }
}
