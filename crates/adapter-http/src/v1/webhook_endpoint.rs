//! The merchant's webhook endpoint.

pub(crate) mod get;
pub(crate) mod remove;
pub(crate) mod rotate_secret;
pub(crate) mod set;
pub(crate) mod test;
