//! The client against a small HTTP server of the test's own, which checks what it is sent.

mod calls;
mod endpoint;
mod observed;
mod retries;
mod server;
mod webhooks;
