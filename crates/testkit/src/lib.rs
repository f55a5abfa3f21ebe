//! A clock, entropy, a store, a PSP and values under the test's control, and an HTTP client.
//!
//! For tests only: functions panic if a test misuses them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test may panic, and this crate is only ever a dev-dependency"
)]

pub mod build;
pub mod clock;
pub mod entropy;
pub mod http;
pub mod presenter;
pub mod psp;
pub mod sender;
pub mod store;

pub use build::Builder;
pub use clock::FakeClock;
pub use entropy::SeededEntropy;
pub use presenter::PlainPresenter;
pub use psp::{Call, Fault, Reply, ScriptedPsp};
pub use sender::{Outcome, ScriptedSender};
pub use store::{CommitFault, MemoryStore};
