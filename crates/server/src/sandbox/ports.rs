//! Ports of the sandbox: a default that is taken gives way, one that was asked for does not.

use std::net::Ipv4Addr;

use anyhow::Context;

use crate::{server::Reserved, telemetry};

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

    /// Takes it on loopback.
    ///
    /// Errors where a port that was asked for is taken; a taken default falls back to a free one.
    pub(crate) fn take(self, what: &str) -> anyhow::Result<Reserved> {
        let wanted = self.asked.unwrap_or(self.default);
        match Reserved::take((Ipv4Addr::LOCALHOST, wanted).into()) {
            Err(_) if self.asked.is_none() => {
                let free = Reserved::take((Ipv4Addr::LOCALHOST, 0).into())
                    .with_context(|| format!("no free port for {what}"))?;
                let port = free.address()?.port();
                telemetry::say(format_args!("port {wanted} is taken: {what} uses {port}"));
                Ok(free)
            }
            taken => taken.with_context(|| format!("cannot listen on port {wanted} for {what}")),
        }
    }
}
