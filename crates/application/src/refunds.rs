//! Use cases of merchants on refunds, one per file.

pub mod get;
pub mod list;
pub mod request;
