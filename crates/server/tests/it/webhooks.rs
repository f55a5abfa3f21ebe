//! Webhooks of the real binary in both directions: deliveries to merchants and their schedule,
//! hostile endpoint URLs, and forged notifications from PSPs.

mod addresses;
mod endpoint;
mod forged;
mod schedule;
mod verified;

/// A sandbox whose webhook schedule runs at one second per hour.
const FAST: [&str; 2] = ["--webhook-clock", "fast"];
