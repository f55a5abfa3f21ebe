//! Events: delivered by webhook and listed on request.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod redeliver;
