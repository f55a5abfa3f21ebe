//! Events: delivered by webhook and listed on request.

pub(crate) mod attempt;
pub(crate) mod body;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod redeliver;
