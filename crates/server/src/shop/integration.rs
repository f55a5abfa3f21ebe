//! The integration of OnCharge in a shop: all that a merchant's server needs, and nothing else.
//!
//! Reading order, ten minutes:
//!
//! 1. [`actions`]: everything that changes state is stored first and then sent under its own
//!    idempotency key, so that it happens exactly once, whatever fails in between: creating the
//!    session, capture, cancel, refund.
//! 2. [`session`]: creates a checkout session for an order.
//! 3. `embed.js`: embeds the checkout in the order's page.
//! 4. [`webhooks`]: receives events of OnCharge. Verify, store, acknowledge.
//! 5. [`refresh`] and [`confirm`]: then the shop retrieves the authoritative state of the payment;
//!    it also does so if no webhook arrives.
//!
//! It uses stand-ins for what every shop has: `order_store` for the table of orders (`order` reads
//! one, `update` changes one durably), `inbox` for a table of webhooks with the event id as its
//! key. The client crate signs the calls; in another language signing takes about ten lines, which
//! the API reference shows.

pub(super) mod actions;
pub(super) mod confirm;
pub(super) mod refresh;
pub(super) mod session;
pub(super) mod webhooks;

/// The page's script, which runs after OnCharge's `/oncharge.js`.
pub(super) const EMBED_JS: &str = include_str!("integration/embed.js");
