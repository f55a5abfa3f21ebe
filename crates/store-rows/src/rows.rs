//! Rows of the tables, and their conversions from and to domain values.
//!
//! A column's type is always what `schema` says. Whether a value is valid in the domain is checked
//! here; an error names the table, column and row.

pub mod attempt;
pub mod audit;
pub mod ban;
pub mod contact;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod idempotency_key;
pub mod merchant;
pub mod node;
pub mod notification;
pub mod operation;
pub mod refund;
pub mod registered_key;
pub mod session;
pub mod session_history;
pub mod stuck;
