//! Connectors to payment service providers, and the HTTP calls that they share.
//!
//! [`Registry`] is the entry point: built from the configured accounts, it implements
//! [`oncharge_ports::psp::PspRegistry`]. A connector is pure: it builds requests and reads
//! responses. One caller sends them for all connectors, with a time limit of ten seconds per call,
//! a circuit breaker and metrics.
//!
//! The most important duty is to report the right one of the two errors. `NotSent` is a guarantee
//! that no byte of the request left us (no connection, breaker open), because callers act on it as
//! if the call had never been made; any later failure is `Unknown`. When in doubt it is `Unknown`:
//! that costs a look-up, a wrong `NotSent` would cost money.
//!
//! A provider's formats never leave its own module.

mod amount;
mod breaker;
mod call_metrics;
mod connector;
mod http;
mod http_psp;
mod registry;
mod secret;
pub mod simulator;

pub use call_metrics::describe_metrics;
pub use http::HttpClientError;
pub use registry::{Account, ConnectorSettings, Registry, RegistryError};
pub use secret::Secret;
