//! A merchant's own keys.

pub mod rotate;
