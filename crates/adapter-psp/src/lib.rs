//! Connectors to payment service providers, and what is wrapped around each of them.
//!
//! [`Registry`] is the door: built from the configured accounts, it implements
//! [`oncharge_ports::psp::PspRegistry`]. Every account's connector goes out inside three decorators, from
//! the outside in: metrics, a circuit breaker, a time limit of ten seconds a call.
//!
//! What a connector must get right above all is *which* of the two errors it reports: `NotSent`
//! is a promise that no byte of the request left us (no connection, breaker open), for callers act
//! on it as if the call had never been made; whatever happens after that is `Unknown`. When in
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
