//! OnCharge in a shop: all that a merchant's own server needs for it, and nothing else.
//!
//! To be read in this order, in ten minutes:
//!
//! 1. [`actions`]: whatever changes something is written down first and sent under an idempotency key
//!    of its own, so that it happens once, whatever breaks in between: making the session, capture,
//!    cancel, refund.
//! 2. [`session`]: an order becomes a checkout session.
//! 3. `embed.js`: the order's page puts the checkout into itself.
//! 4. [`webhooks`]: OnCharge tells the shop that something happened. Verify, keep, answer.
//! 5. [`refresh`] and [`confirm`]: then the shop asks how the payment stands, and believes that; so
//!    it does, too, where no webhook comes.
//!
//! What it borrows from the shop are stand-ins for what every shop has: `order_store` for the table of
//! orders (`order` reads one, `update` changes one durably), `inbox` for a table of webhooks with
//! the event's id as its key. The calls are signed by the client crate; in another language signing
//! is some ten lines, which the API reference shows.

pub(super) mod actions;
pub(super) mod confirm;
pub(super) mod refresh;
pub(super) mod session;
pub(super) mod webhooks;

/// What the page runs, after `/oncharge.js` of OnCharge.
pub(super) const EMBED_JS: &str = include_str!("integration/embed.js");
