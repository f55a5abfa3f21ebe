//! The HTTP adapter through its interface: a listening server over an in-memory store and PSP,
//! called over plain sockets, so that targets, headers and bodies are exactly what the tests write.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod abandon;
mod api_keys;
mod assets;
mod cancel;
mod capture;
mod connections;
mod create;
mod create_bad_input;
mod delivery;
mod docs;
mod events;
mod expire;
mod gate;
mod get;
mod hostile;
mod idempotency;
mod limits;
mod list;
mod logs;
mod openapi;
mod pay;
mod psp_webhooks;
mod redeliver;
mod refunds;
mod rotate;
mod show;
mod signing;
mod status;
mod support;
mod webhook_endpoint;
mod webhook_test;
