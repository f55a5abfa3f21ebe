//! A simulated PSP, over HTTP, for the sandbox and for tests.
//!
//! It is an independent payment service provider: it exchanges cards for tokens in hosted fields,
//! holds, captures, voids and refunds amounts, requires 3-D Secure, sends signed notifications,
//! keeps a ledger, and injects faults on request (`/v1/faults`). It shares no code with
//! `OnCharge` except the host guard. Everything that it has responded or recorded is in its own
//! SQLite file and survives `kill -9`.
//!
//! # Test cards
//!
//! | number | what happens |
//! |---|---|
//! | `4242 4242 4242 4242` (Visa), `5555 5555 5555 4444` (Mastercard) | approved |
//! | `4000 0000 0000 0002` | refused: `card_declined` |
//! | `4000 0000 0000 9995` | refused: `insufficient_funds` |
//! | `4000 0000 0000 0069` | refused: `expired_card` |
//! | `4000 0025 0000 3155` | requires a 3-D Secure challenge, then as the shopper chooses |
//! | `4000 0000 0000 0259` | approved; reserved for a chargeback after the capture |
//!
//! Every other card number with a valid check digit is approved. The expiry must not be in the
//! past, the CVC has three or four digits. A token is valid for one payment call.
//!
//! # Reasons of a refusal
//!
//! | `reason` | of | meaning |
//! |---|---|---|
//! | `card_declined`, `insufficient_funds`, `expired_card` | payment | the issuer refused |
//! | `authentication_failed` | payment | the shopper failed the challenge |
//! | `cancelled` | payment | cancelled while its challenge was open or before it was decided |
//! | `token_used`, `token_unknown` | payment | the token was spent on another call, or never issued |
//! | `authorisation_expired` | payment | the authorization lapsed (`fail_late`) |
//! | `already_captured` | cancel | the payment has been captured: refund it instead |
//! | `nothing_held` | capture, cancel | the payment was refused, was cancelled or has lapsed |
//! | `amount_too_large` | capture, refund | more than is held, or than is captured and not refunded |
//! | `wrong_state` | capture, refund | the payment is not decided yet or was captured before, or nothing was captured to refund |
//! | `refused_by_fault` | capture, cancel, refund | the fault `refuse` (a payment: `card_declined`) |
//! | `failed_late` | capture, cancel, refund | the fault `fail_late` |
//!
//! # Details of the API
//!
//! - A capture, cancel or refund has its own `psp_reference`, in its response, look-up and
//!   notification. The ledger contains the payment's.
//! - A payment call with `capture: true` has one result (`captured`) and one notification, of type
//!   `authorisation`. A payment whose challenge was cancelled sends two: `authorisation` without
//!   success (`cancelled`) for its own call, `cancel` with success for the other.
//! - In asynchronous mode every call is accepted and decided 200 ms later, including refusals. Only
//!   a challenge is returned at once, because it is not a result, and its end is final at once.
//! - `fail_late` reverses a success: after a capture nothing is held and no further operation is
//!   possible, after a cancel the authorization is valid again, a refund can be repeated. A call
//!   that was only accepted (asynchronous mode) is refused a second later and moves no money. The
//!   look-up then returns `refused`; repeating the call still returns its original response.
//! - Any http or https page may frame the fields: `frame-ancestors` applies to every ancestor, so
//!   allowing `parent_origin` alone would block the checkout within a shop. Messages are exchanged
//!   with `parent_origin` only.
//! - The faults persist across restarts; refusing connections does not. The n-th request after the
//!   faults were put gets the same faults under the same seed; `latency_ms`, `error_rate` and
//!   `drop_after_work_rate` also apply to calls without a valid bearer token.
//! - A body with unknown members is refused (422), and so is a currency that is not three capitals.
//! - Idempotency keys are unique within the account: one key, one call, whatever its kind.
//!
//! # API faces
//!
//! Beside its own API the simulator can speak Stripe's, under `/stripe/v1/…` (module `stripe`). A face
//! translates to the same engine: ledger, faults, keys and the queue of notifications are shared.

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
mod routes;
mod scheduler;
mod server;
mod store;
mod stripe;
mod texts;
mod tokens;
mod transaction;

pub use config::{Config, Secret, StripeAccount};
pub use server::{Running, start};
