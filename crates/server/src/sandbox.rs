//! The sandbox: everything in one process, on this machine, on a directory of its own.

mod lock;
mod pair;
mod ports;
mod run;

pub(crate) use lock::ServerLock;
pub(crate) use pair::Pair;
pub(crate) use ports::Port;
pub(crate) use run::{Options, Sandbox, Urls};
