//! Ports of the sandbox: a default that is taken gives way, one that was asked for does not.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::Context;

use crate::telemetry;

/// A port that was asked for, or a default.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Port {
    asked: Option<u16>,
    default: u16,
}

impl Port {
    pub(crate) fn new(asked: Option<u16>, default: u16) -> Self {
        Self { asked, default }
    }

    /// Listens on loopback.
    ///
    /// Errors where a port that was asked for is taken; a taken default falls back to a free one.
    pub(crate) fn listen(self, what: &str) -> anyhow::Result<TcpListener> {
        let wanted = self.asked.unwrap_or(self.default);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)) {
            Err(_) if self.asked.is_none() => {
                let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                    .with_context(|| format!("no free port for {what}"))?;
                let port = free.local_addr()?.port();
                telemetry::say(format_args!("port {wanted} is taken: {what} uses {port}"));
                Ok(free)
            }
            bound => bound.with_context(|| format!("cannot listen on port {wanted} for {what}")),
        }
    }
}
