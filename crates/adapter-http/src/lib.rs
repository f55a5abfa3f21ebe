//! The merchant API, the hosted checkout and PSP notifications, over HTTP.
//!
//! Start reading at `routes`: all routes on one screen. Every request passes `request_log`; those
//! under `/v1` pass the `gate`, which runs the checks of the merchant API in order. Only
//! [`problem`] maps errors to a status, a code and a body, and only `render` turns everything else
//! into JSON.

mod api;
pub mod checkout;
mod connections;
mod docs;
mod error_responses;
mod gate;
mod home;
mod json;
mod limits;
mod names;
pub mod openapi;
pub mod problem;
mod psp_webhooks;
mod query;
mod render;
mod request_body;
mod request_log;
mod routes;
mod schema;
mod server;
mod static_content;
mod v1;

pub use api::{Api, Settings};
pub use connections::ConnectionLimits;
pub use limits::Rate;
pub use render::JsonPresenter;
pub use server::serve_api;
