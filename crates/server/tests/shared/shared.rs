//! What both test binaries use: `oncharge serve` processes, a simulator, databases, a faulty proxy,
//! a merchant's client and its webhook server.

pub(crate) mod database;
pub(crate) mod node;
pub(crate) mod proxy;
pub(crate) mod shop;
pub(crate) mod simulator;
pub(crate) mod webhook_server;
