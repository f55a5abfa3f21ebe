//! Posts webhooks to merchants' servers, and to nothing else.
//!
//! A merchant's URL is hostile input, and so is whatever answers there. [`HttpSender`] keeps to
//! three rules, whatever happens outside:
//!
//! - **Nothing inside is reached.** The addresses of a name are looked up here, judged by
//!   [`oncharge_domain::webhook::endpoint::is_allowed_address`], and the connection is made to one of
//!   those that passed and to no other: there is no second look-up in between for a name to change
//!   its mind. Hosts that are addresses themselves are judged at each send. Redirects are not
//!   followed, and proxies of the environment are not used.
//! - **Nobody takes more than his time and room.** Ten seconds from the first look-up to the end of
//!   what is read; of an answer's body the first kilobyte and no more.
//! - **The head decides.** Once the status line and headers are there, nothing that the body does
//!   turns a success into a failure, or the other way.
//!
//! How many sends run at once is the caller's affair, and so are retries: one send is one attempt.

mod client;
mod failure;
mod resolver;
mod response;
mod sender;

#[cfg(test)]
mod tests;

pub use client::HttpClientError;
pub use sender::HttpSender;
