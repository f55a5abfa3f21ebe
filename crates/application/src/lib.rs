//! Use cases and workers: load, decide, commit, call, commit.
//!
//! Every use case has three steps: load a session, call the domain's pure decision, commit the
//! result as one unit of work. A PSP is called only after the intent is committed, and its result
//! is committed after the call; [`workers`] finish what a crash leaves between the two. Start
//! reading at [`checkout::pay`].

pub mod api_keys;
mod app;
pub mod authenticate;
pub mod bans;
pub mod checkout;
mod commit;
mod error;
mod execute;
mod hourly_quotas;
mod idempotency;
pub mod keys;
mod locks;
pub mod merchants;
pub mod operator_queries;
mod principal;
mod psp_call;
pub mod reconcile;
pub mod refunds;
mod screening;
mod settlement;
pub mod store_clock;
pub mod webhooks;
pub mod workers;

pub use app::{App, Dependencies, Settings};
pub use error::Error;
pub use idempotency::{Idempotency, PostContext, Reply};
