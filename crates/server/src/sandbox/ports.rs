//! Ports of the sandbox: a default port falls back to a free one, a requested one does not.

use std::net::Ipv4Addr;

use anyhow::Context;

use crate::{server::ReservedPort, telemetry};

/// A requested port or a default.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Port {
    requested: Option<u16>,
    default: u16,
}

impl Port {
    pub(crate) fn new(requested: Option<u16>, default: u16) -> Self {
        Self { requested, default }
    }

    /// Binds the port on loopback.
    ///
    /// Errors if a requested port is taken; a taken default falls back to a free one.
    pub(crate) fn reserve(self, what: &str) -> anyhow::Result<ReservedPort> {
        let wanted = self.requested.unwrap_or(self.default);
        match ReservedPort::bind((Ipv4Addr::LOCALHOST, wanted).into()) {
            Err(_) if self.requested.is_none() => {
                let free = ReservedPort::bind((Ipv4Addr::LOCALHOST, 0).into())
                    .with_context(|| format!("cannot find a free port for {what}"))?;
                let port = free.address()?.port();
                telemetry::print(format_args!("port {wanted} is in use: {what} uses {port}"));
                Ok(free)
            }
            result => result.with_context(|| format!("cannot listen on port {wanted} for {what}")),
        }
    }
}
