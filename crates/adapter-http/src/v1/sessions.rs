//! Checkout sessions.

pub(crate) mod cancel;
pub(crate) mod capture;
pub(crate) mod create;
pub(crate) mod expire;
pub(crate) mod get;
pub(crate) mod list;
