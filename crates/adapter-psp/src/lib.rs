//! Connectors to payment service providers, and the decorators around each of them.
//!
//! [`Registry`] is the entry point: built from the configured accounts, it implements
//! [`oncharge_ports::psp::PspRegistry`]. Every account's connector is wrapped in three decorators,
//! from the outside in: metrics, a circuit breaker, a time limit of ten seconds per call.
//!
//! The most important duty of a connector is to report the right one of the two errors. `NotSent`
//! is a guarantee that no byte of the request left us (no connection, breaker open), because
//! callers act on it as if the call had never been made; any later failure is `Unknown`. When in
//! doubt it is `Unknown`: that costs a look-up, a wrong `NotSent` would cost money.
//!
//! A provider's formats never leave its own module.

mod amount;
mod breaker;
mod delegate;
mod http;
mod metered;
mod registry;
mod secret;
pub mod simulator;
mod timeout;

pub use http::HttpClientError;
pub use metered::describe_metrics;
pub use registry::{Account, Connector, Registry, RegistryError};
pub use secret::Secret;
