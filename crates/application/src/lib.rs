//! Use cases and workers: load, decide, commit, call, commit.
//!
//! Every use case is three plain steps: load a session, ask the domain what follows, commit that
//! as one unit of work. A PSP is called only after the intent is committed, and its word is
//! committed after the call; what a crash leaves between the two is finished by [`workers`].
//! Start reading at [`checkout::pay`].

pub mod api_keys;
mod app;
pub mod authenticate;
pub mod bans;
mod calling;
mod carrying_out;
pub mod checkout;
mod committing;
mod error;
mod idempotent;
pub mod keys;
mod learning;
mod locks;
pub mod merchants;
pub mod oversight;
pub mod reconcile;
pub mod refunds;
mod screening;
pub mod store_clock;
pub mod webhooks;
pub mod workers;

pub use app::{App, Dependencies, Settings};
pub use error::Error;
pub use idempotent::{Idempotency, PostContext, Reply};
