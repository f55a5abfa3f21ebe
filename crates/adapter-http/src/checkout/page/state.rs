//! The state of a payment as shown to the shopper: response of the shopper's calls and input of the
//! page.

use oncharge_domain::session::{self, StatusName};
use serde::Serialize;

/// The response of `pay`, `status` and `abandon`, in its wire format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShopperState {
    status: &'static str,
    next: Next,
}

/// The shopper's next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Next {
    /// No step: pay (`created`), wait (`pending`), or the payment has ended.
    None,
    /// The issuer requires a challenge, on a page of the PSP's origin.
    Challenge { url: String },
    /// This attempt failed, another one is allowed; with `last_try` it can be the last one.
    Retry {
        reason: &'static str,
        last_try: bool,
    },
}

impl ShopperState {
    /// The state for this status and next action.
    pub fn new(status: StatusName, next: session::NextAction) -> Self {
        let next = match next {
            session::NextAction::None => Next::None,
            session::NextAction::Challenge(url) => Next::Challenge { url },
            session::NextAction::Retry { reason, last_try } => Next::Retry {
                reason: reason.name(),
                last_try,
            },
        };
        Self {
            status: status.name(),
            next,
        }
    }
}
