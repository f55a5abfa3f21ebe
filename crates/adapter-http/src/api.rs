//! State shared by all handlers of the API server, and its settings.

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
    /// Request rate limit of each API key.
    pub per_key: Rate,
    /// Rate of failed authentication checks per address, beyond which it receives `rate_limited`.
    pub per_address: Rate,
    /// Proxies whose `Forwarded` and `X-Forwarded-For` headers are trusted; none by default.
    pub trusted_proxies: Vec<IpNet>,
    /// Limits on the number of connections and their idle time.
    pub connections: ConnectionLimits,
    /// Whether shoppers reach the server by `https`, so that pages may send HSTS.
    pub behind_tls: bool,
    /// Time limit for receiving a request's whole body.
    pub body_timeout: Duration,
    /// Address of the demo shop, linked from the page at `/`; `None` if there is no shop.
    pub shop_url: Option<String>,
}

impl Settings {
    /// Per key 100 requests/s (bursts of 200), per address 20 failures/s (bursts of 100), 256
    /// connections per address, no proxy, 10 s for a body.
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

    /// Like production, but 5000 requests/s per key (bursts of twice that) and 1000 failures/s per
    /// address (bursts of 5000), so that tests and benchmarks are not limited.
    pub fn sandbox() -> Self {
        Self {
            per_key: Rate::per_second(5000, 10_000),
            per_address: Rate::per_second(1000, 5000),
            ..Self::production()
        }
    }
}

/// State shared by all handlers of the API server; cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    app: App,
    settings: Settings,
    limits: Limits,
    has_warned_of_proxy: AtomicBool,
}

impl Api {
    /// Creates the state with these use cases and settings. Rate limits start at zero.
    pub fn new(app: App, settings: Settings) -> Self {
        let limits = Limits::new(settings.per_key, settings.per_address);
        Self(Arc::new(Inner {
            app,
            settings,
            limits,
            has_warned_of_proxy: AtomicBool::new(false),
        }))
    }

    /// Warns once about a proxy that is not configured. The sandbox is reached directly.
    pub(crate) fn warn_of_unlisted_proxy(&self) {
        let has_warned = &self.0.has_warned_of_proxy;
        if self.0.app.settings().sandbox || has_warned.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!(
            "received X-Forwarded-For from a private address, but network.trusted_proxies is \
             empty: all clients behind that proxy share one rate limit"
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
