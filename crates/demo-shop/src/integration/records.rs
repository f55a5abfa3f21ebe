//! What the shop stores of a payment, with its order.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{dollars::Dollars, moment::Moment};

/// A checkout session.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Checkout {
    /// Stored permanently with the order: identifies the payment in every later call.
    pub(crate) session_id: String,
    /// The key under which it was created.
    #[serde(default)]
    pub(crate) idempotency_key: String,
    /// The shop's origin at that time: only its pages may frame the checkout.
    pub(crate) origin: String,
    /// For the shopper's browser. It contains the pay token, so it is kept in memory only;
    /// [`iframe_url`](super::session::iframe_url) retrieves it again.
    #[serde(skip)]
    pub(crate) iframe_url: Option<String>,
}

impl fmt::Debug for Checkout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkout")
            .field("session_id", &self.session_id)
            .finish_non_exhaustive()
    }
}

/// An action that the shop requests of OnCharge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Create a checkout session for the order.
    Checkout,
    /// Capture the authorized amount.
    Capture,
    /// Cancel the authorization.
    Cancel,
    /// Refund this amount.
    Refund(Dollars),
}

/// A stored action that has no final response yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) act: Action,
    pub(crate) idempotency_key: String,
}

impl Intent {
    /// Derives the key from the order and the number of actions before this one, its `turn`:
    /// repetitions of a request have the same key, other actions have others. The key includes the
    /// time because a reset shop numbers its orders from the start again.
    pub(crate) fn new(act: Action, number: u64, placed_at: Moment, turn: u32) -> Self {
        let placed = placed_at.unix_seconds();
        Self {
            act,
            idempotency_key: format!("order-{number}-{placed}-{turn}"),
        }
    }
}
