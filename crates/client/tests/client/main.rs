//! The client against a small HTTP server, which verifies its requests.

mod calls;
mod endpoint;
mod observed;
mod retries;
mod server;
mod webhooks;
