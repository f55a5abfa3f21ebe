//! What merchants do with refunds, one use case a file.

pub mod get;
pub mod list;
pub mod request;
