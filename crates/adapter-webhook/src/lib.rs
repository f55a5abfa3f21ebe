//! Sends webhooks to merchants' servers.
//!
//! A merchant's URL is hostile input, and so is the response. [`HttpSender`] guarantees three
//! rules, whatever a server does:
//!
//! - **No internal address is reached.** The addresses of a name are resolved here and checked by
//!   [`oncharge_domain::webhook::endpoint::is_allowed_address`], and the connection is made only to
//!   an address that passed: there is no second look-up in between that could return another one
//!   (DNS rebinding). Hosts that are addresses themselves are checked at each send. Redirects are
//!   not followed, and proxies of the environment are not used.
//! - **Time and memory are limited.** Ten seconds from the first look-up to the end of reading;
//!   at most the first kilobyte of a response body.
//! - **The head decides.** Once the status line and headers are received, nothing in the body turns
//!   a success into a failure, or the reverse.
//!
//! The caller controls concurrency and retries: one send is one attempt.

mod client;
mod config;
mod failure;
mod resolver;
mod response;
mod sender;

#[cfg(test)]
mod tests;

pub use client::HttpClientError;
pub use sender::HttpSender;
