//! The merchant API, version 1: one endpoint, one file.

pub(crate) mod answer;
pub(crate) mod refunds;
pub(crate) mod sessions;
