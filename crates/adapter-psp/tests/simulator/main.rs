//! The simulator's connector against a real simulator over HTTP, through the registry.

mod faults;
mod laws;
mod notifications;
mod receiver;
mod registry;
mod responses;
mod sandbox;
