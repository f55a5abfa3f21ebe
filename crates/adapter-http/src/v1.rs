//! The merchant API, version 1: one endpoint, one file.

pub(crate) mod api_keys;
pub(crate) mod events;
pub(crate) mod refunds;
pub(crate) mod sessions;
pub(crate) mod webhook_endpoint;
