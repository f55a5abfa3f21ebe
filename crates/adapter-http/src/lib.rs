//! The merchant API, the hosted checkout and PSP notifications, over HTTP.
//!
//! Start reading at `app`: all routes stand on one screen. Every request passes `observe`;
//! those under `/v1` pass the `gate`, which makes the checks of the merchant API in their order.
//! What a request is refused with becomes a status, a code and a body in [`problem`] alone.

mod api;
mod app;
pub mod checkout;
mod connections;
mod docs;
mod fields;
mod fixed;
mod gate;
mod home;
mod json;
mod limits;
mod names;
mod observe;
pub mod openapi;
pub mod ops;
mod presenter;
pub mod problem;
mod psp_webhooks;
mod query;
mod server;
mod times;
mod v1;

pub use api::{Api, Settings};
pub use connections::ConnectionLimits;
pub use limits::Rate;
pub use ops::{History, Ops};
pub use presenter::JsonPresenter;
pub use server::{serve_api, serve_ops};
