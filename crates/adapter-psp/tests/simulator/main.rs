//! The simulator's connector against a real simulator over HTTP, through the registry.

mod decorators;
mod faults;
mod notifications;
mod receiver;
mod responses;
mod sandbox;
