//! Use cases of merchants and shoppers on checkout sessions, one per file.

pub mod abandon;
pub mod cancel;
pub mod capture;
pub mod create;
pub mod expire;
pub mod get;
pub mod list;
mod modify;
pub mod pay;
pub mod receive_notification;
pub mod shopper_view;

pub use shopper_view::ShopperState;
