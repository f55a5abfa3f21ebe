//! Rows of the Stripe face.

pub(crate) mod confirmation_tokens;
pub(crate) mod payment_intents;
pub(crate) mod refunds;
pub(crate) mod requests;
