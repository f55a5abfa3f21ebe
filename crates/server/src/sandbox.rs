//! The sandbox: everything in one process on the local machine, with its own data directory.

pub(crate) mod address;
mod credentials;
mod endpoint;
mod lock;
mod merchant;
mod ports;
mod run;
mod simulator;
mod urls;

pub(crate) use credentials::Credentials;
pub(crate) use lock::ServerLock;
pub(crate) use ports::Port;
pub(crate) use run::{Options, Sandbox};
pub(crate) use simulator::psp_accounts_in;
pub(crate) use urls::Urls;
