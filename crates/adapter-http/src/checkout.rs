//! The hosted checkout: the shopper's page and the endpoints that it calls.

pub(crate) mod abandon;
pub(crate) mod asset;
pub mod messages;
pub mod page;
pub(crate) mod pay;
pub mod security_headers;
pub(crate) mod shopper;
pub(crate) mod show;
pub(crate) mod status;
