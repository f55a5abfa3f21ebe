//! A merchant's API keys.

pub mod list;
pub mod remove;
pub mod rotate;
