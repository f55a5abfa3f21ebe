//! The integration of OnCharge in a shop: all that a merchant's server needs, and nothing else.
//!
//! Reading order, ten minutes:
//!
//! 1. [`records`] and [`actions`]: everything that changes state is stored first and then sent
//!    under its own idempotency key, so that it happens exactly once, whatever fails in between:
//!    creating the session, capture, cancel, refund.
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

pub(crate) mod actions;
pub(crate) mod confirm;
pub(crate) mod records;
pub(crate) mod refresh;
pub(crate) mod session;
pub(crate) mod webhooks;

/// The page's script, which runs after OnCharge's `/oncharge.js`.
pub(crate) const EMBED_JS: &str = include_str!("integration/embed.js");
