//! What every handler of the API server shares, and the settings it was started with.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ipnet::IpNet;
use oncharge_application::App;

use crate::{
    connections::ConnectionLimits,
    limits::{Limits, Rate},
};

/// The settings of the API server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often each API key may call.
    pub per_key: Rate,
    /// How many requests that fail their checks an address may send before it is answered
    /// `rate_limited` instead.
    pub per_address: Rate,
    /// Proxies whose `Forwarded` and `X-Forwarded-For` are believed; none by default.
    pub trusted_proxies: Vec<IpNet>,
    /// How many connections there may be, and how long one may stand still.
    pub connections: ConnectionLimits,
    /// Whether shoppers reach us by `https`, so that pages may demand it from then on.
    pub behind_tls: bool,
    /// Within which time a request's body must have come in whole.
    pub body_timeout: Duration,
    /// Where the demo shop is, for the page at `/`; `None` where there is none.
    pub shop_url: Option<String>,
}

impl Settings {
    /// 100 requests a second for each key (bursts of 200), 20 failures for each address (bursts of
    /// 100), 256 connections of one address, no proxy, 10 s for a body.
    pub fn production() -> Self {
        Self {
            per_key: Rate::per_second(100, 200),
            per_address: Rate::per_second(20, 100),
            trusted_proxies: Vec::new(),
            connections: ConnectionLimits::new(),
            behind_tls: false,
            body_timeout: Duration::from_secs(10),
            shop_url: None,
        }
    }

    /// As in production, but 5000 requests a second for each key (bursts of twice that) and 1000
    /// failures for each address (bursts of 5000), so that tests and benches get through.
    pub fn sandbox() -> Self {
        Self {
            per_key: Rate::per_second(5000, 10_000),
            per_address: Rate::per_second(1000, 5000),
            ..Self::production()
        }
    }
}

/// What every handler of the API server shares; a cheap handle.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    app: App,
    settings: Settings,
    limits: Limits,
    has_warned_of_proxy: AtomicBool,
}

impl Api {
    /// Over these use cases, with these settings. The limits are counted from here on.
    pub fn new(app: App, settings: Settings) -> Self {
        let limits = Limits::new(settings.per_key, settings.per_address);
        Self(Arc::new(Inner {
            app,
            settings,
            limits,
            has_warned_of_proxy: AtomicBool::new(false),
        }))
    }

    /// Warns once that a proxy is not configured. The sandbox is reached directly.
    pub(crate) fn warn_of_unlisted_proxy(&self) {
        let has_warned = &self.0.has_warned_of_proxy;
        if self.0.app.settings().sandbox || has_warned.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!(
            "a request came from a private address with X-Forwarded-For, but \
             network.trusted_proxies is empty: all clients behind that proxy share one limit"
        );
    }

    pub(crate) fn app(&self) -> &App {
        &self.0.app
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }
}
