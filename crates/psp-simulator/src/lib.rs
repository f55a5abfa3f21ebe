//! A PSP of our own, over HTTP, for the sandbox and for tests.
//!
//! It is a payment service provider in its own right: it turns cards into tokens in hosted fields,
//! holds, captures, voids and refunds, asks for 3-D Secure, sends signed notifications, keeps a
//! ledger, and misbehaves on request (`/v1/faults`). Nothing of `OnCharge` is known here. All it has
//! answered or recorded is in its own SQLite file and survives `kill -9`.
//!
//! # Test cards
//!
//! | number | what happens |
//! |---|---|
//! | `4242 4242 4242 4242` (Visa), `5555 5555 5555 4444` (Mastercard) | approved |
//! | `4000 0000 0000 0002` | refused: `card_declined` |
//! | `4000 0000 0000 9995` | refused: `insufficient_funds` |
//! | `4000 0000 0000 0069` | refused: `expired_card` |
//! | `4000 0025 0000 3155` | asks for a 3-D Secure challenge, then as the shopper chooses |
//! | `4000 0000 0000 0259` | approved; reserved for a chargeback after the capture |
//!
//! Every other card number with a right check digit is approved. The expiry must not be past, the
//! CVC has three or four digits. A token is good for one payment call.
//!
//! # Reasons of a refusal
//!
//! | `reason` | of | meaning |
//! |---|---|---|
//! | `card_declined`, `insufficient_funds`, `expired_card` | payment | the issuer's no |
//! | `authentication_failed` | payment | the shopper failed the challenge |
//! | `cancelled` | payment | cancelled while its challenge was open or before it was decided |
//! | `token_used`, `token_unknown` | payment | the token was spent on another call, or never given |
//! | `authorisation_expired` | payment | the authorisation lapsed (`fail_late`) |
//! | `already_captured` | cancel | the payment has been captured: refund it instead |
//! | `nothing_held` | capture, cancel | the payment was refused, cancelled or has lapsed before |
//! | `amount_too_large` | capture, refund | more than is held, or than is captured and not refunded |
//! | `wrong_state` | capture, refund | the payment is not decided yet or was captured before, or nothing was captured to refund |
//! | `refused_by_fault` | capture, cancel, refund | the fault `refuse` (a payment: `card_declined`) |
//! | `failed_late` | capture, cancel, refund | the fault `fail_late` |
//!
//! # Where the wire leaves room
//!
//! - A capture, cancel or refund has a `psp_reference` of its own, in its response, look-up and
//!   notification. The ledger names the payment's.
//! - A payment call with `capture: true` has one result (`captured`) and one notification, of type
//!   `authorisation`. A payment whose challenge was cancelled sends two: `authorisation` without
//!   success (`cancelled`) for its own call, `cancel` with success for the other.
//! - In asynchronous mode everything is accepted and decided 200 ms later, refusals too. Only a
//!   challenge is asked for at once, since it is no result, and its end is final at once.
//! - `fail_late` takes back what was done: a capture leaves the payment with nothing held and nothing
//!   to follow, a cancel leaves the authorisation standing, a refund can be made again. What was only
//!   accepted (asynchronous mode) is refused a second later and moves no money. The look-up then says
//!   `refused`; the call itself is still answered as it was.
//! - The fields may be framed by any http or https page: `frame-ancestors` asks of every ancestor, so
//!   naming `parent_origin` alone would shut out the checkout of a shop. Messages go to and are taken
//!   from `parent_origin` only.
//! - The faults outlive a restart like everything else; a door that is closed does not. The n-th
//!   request after the faults were put meets the same fate under the same seed; `latency_ms`,
//!   `error_rate` and `drop_after_work_rate` also meet calls without a right bearer token.
//! - A body with unknown members is refused (422), and so is a currency that is not three capitals.
//! - Idempotency keys are those of the whole account: one key, one call, whatever its kind.

mod app;
mod body;
mod call;
mod cards;
mod challenge;
mod clock;
mod codes;
mod config;
mod decide;
mod engine;
mod entropy;
mod faults;
mod fields;
mod ledger;
mod modifications;
mod notifications;
mod operations;
mod pages;
mod payments;
mod problem;
mod scheduler;
mod server;
mod store;
mod texts;
mod tokens;

pub use config::{Config, Secret};
pub use server::{Running, start};
