//! Webhooks through the real binary, from both sides: what a merchant's server gets and when, where
//! a merchant may have it sent, and what somebody who forges a PSP's word gets from it.

mod addresses;
mod endpoint;
mod forged;
mod schedule;
mod verified;

/// A sandbox whose schedule makes an hour a second.
const FAST: [&str; 2] = ["--webhook-clock", "fast"];
