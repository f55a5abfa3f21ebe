//! API keys.

pub(crate) mod rotate;
