//! The payment domain: values, states, decisions. Pure: no I/O, no clock, no randomness.
//!
//! [`branding`] is unrelated to payments: it describes the look of the checkout page, and
//! [`merchant::Merchant`] holds it as a value. All other modules are about payments.
//!
//! This crate can be used on its own: to parse and format money amounts, to sign and verify
//! requests, and above all to decide *what may happen next to this payment*.
//! [`session::Session::decide`] takes an input and the current time and returns the new state, the
//! operations to send to the payment service provider (PSP) and the events to publish, or a typed
//! [`session::Refusal`]. Ids and times are inputs, so that the same input always gives the same
//! result.
//!
//! ```
//! use oncharge_domain::{
//!     currency::Currency, id::{Id, MerchantId, OperationId, SessionId}, money::Money,
//!     psp::{PspAccount, PspReference, PspResponse, PspResult, TokenFingerprint},
//!     session::{Input, NewSession, PspUpdate, Session, StatusName}, text::Reference,
//!     text::ReturnUrl, time::Timestamp,
//! };
//!
//! let now = Timestamp::from_unix_seconds(1_795_360_150).ok_or("time")?;
//! let session = Session::create(NewSession {
//!     id: SessionId::from_parts(now, [1; 10]),
//!     merchant: MerchantId::from_parts(now, [2; 10]),
//!     account: PspAccount::new("simulator", "default")?,
//!     amount: Money::new(9999, Currency::parse("USD")?)?,
//!     reference: Reference::parse("order-42")?,
//!     order_id: None,
//!     return_url: ReturnUrl::parse("https://shop.example.com/thanks", false)?,
//!     metadata: Default::default(),
//!     contact: Default::default(),
//!     automatic_capture: Some(3600),
//!     created_at: now,
//!     lifetime_seconds: 1800,
//! });
//!
//! // The shopper pays: the decision holds the operation to send to the PSP.
//! let attempt = OperationId::from_parts(now, [3; 10]);
//! let token = TokenFingerprint::of("tok_abc");
//! let paying = session.decide(Input::Pay { operation: attempt, token, banned: false }, now)?;
//! assert_eq!(paying.session.status_name(), StatusName::Pending);
//!
//! // The PSP authorizes the payment: the session is `authorized` and has its first event.
//! let update = PspUpdate {
//!     result: PspResult::Response(PspResponse::Done { reference: PspReference::parse("psp_1")?, captured: false }),
//!     ..PspUpdate::new(paying.operations[0].clone(), OperationId::from_parts(now, [4; 10]))
//! };
//! let paid = paying.session.decide(Input::PspUpdate(Box::new(update)), now)?;
//! assert_eq!(paid.session.status_name(), StatusName::Authorized);
//! assert_eq!(paid.events[0].sequence, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::arithmetic_side_effects
)]

pub mod audit;
pub mod blocklist;
pub mod branding;
pub mod card;
pub mod currency;
pub mod cursor;
pub mod id;
pub mod idempotency;
pub mod keyring;
pub mod merchant;
pub mod money;
pub mod operation;
pub mod pay_token;
pub mod psp;
pub mod refund;
pub mod retry;
pub mod session;
pub mod signing;
pub mod text;
pub mod time;
pub mod webhook;
