//! The merchant API, version 1: one endpoint, one file.

pub(crate) mod api_keys;
pub(crate) mod events;
pub(crate) mod failure;
pub(crate) mod refunds;
pub(crate) mod response;
pub(crate) mod sessions;
pub(crate) mod webhook_endpoint;
