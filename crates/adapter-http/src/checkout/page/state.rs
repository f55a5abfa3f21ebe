//! What the shopper's calls answer and the page is rendered with: how the payment stands, what is next.

use oncharge_domain::session::{self, StatusName};
use serde::Serialize;

/// The answer of `pay`, `status` and `abandon`, as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShopperState {
    status: &'static str,
    next: Next,
}

/// The shopper's next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Next {
    /// Nothing: pay (`created`), wait (`pending`), or it is over.
    None,
    /// The issuer wants to see the shopper, on a page of the PSP's origin.
    Challenge { url: String },
    /// This try failed, another one is allowed; with `last_try` it can be the last one.
    Retry {
        reason: &'static str,
        last_try: bool,
    },
}

impl ShopperState {
    /// The answer for a session that stands so.
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
