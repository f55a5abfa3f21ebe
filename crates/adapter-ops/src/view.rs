//! The operators' view, `/ops/`: read-only pages over the store.

mod filters;
mod format;
mod overview;
mod queues;
mod response;
mod session_history;
mod sessions;
mod sparkline;
mod stuck;
mod tables;
mod timeline;

pub(crate) use self::{
    overview::overview,
    response::{home, style, unknown},
    session_history::session_history,
    sessions::sessions,
};
