//! The operators' server, over the in-memory store and over none.

mod health;
mod overview;
mod support;
mod view;
