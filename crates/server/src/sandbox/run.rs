//! Starts the sandbox: simulator, store, merchant, API, workers and demo shop in one process.

use std::path::PathBuf;

use anyhow::Context;
use oncharge_demo_shop::{self as demo_shop, DataDir};
use oncharge_psp_simulator as psp_simulator;
use serde_json::json;

use super::{Credentials, ServerLock, Urls, address, endpoint, merchant, ports::Port, simulator};
use crate::{
    config::{Mode, Settings, WebhookClock, create_private_dir, write_private},
    server::{self, OpsServer, ReservedPort, Role},
    shutdown::Shutdown,
    system::SystemEntropy,
    wiring::Components,
};

/// Differences from the production settings.
const PRESET: &str = r#"
mode = "sandbox"
[limits]
key_per_second = 5000
key_burst = 10000
address_per_second = 1000
address_burst = 5000
address_connections = 4096
[checkout]
ban_answers_per_hour = 0
"#;

/// Options of the sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) data_dir: PathBuf,
    pub(crate) database_url: Option<String>,
    pub(crate) api_port: Port,
    pub(crate) simulator_port: Port,
    pub(crate) ops_port: Port,
    pub(crate) shop_port: Port,
    pub(crate) rate_limit: Option<u32>,
    pub(crate) address_limit: Option<u32>,
    pub(crate) session_ttl: Option<i64>,
    pub(crate) capture_delay: Option<u32>,
    pub(crate) webhook_clock: Option<WebhookClock>,
    /// Overrides the configured log filter.
    pub(crate) log_filter: Option<&'static str>,
}

/// A running sandbox.
pub(crate) struct Sandbox {
    pub(crate) urls: Urls,
    /// The key pair of the sandbox's merchant.
    pub(crate) credentials: Credentials,
    simulator: psp_simulator::Running,
    server: server::Running,
    shop: demo_shop::Running,
    _lock: ServerLock,
}

impl Sandbox {
    /// Starts everything; returns once all servers respond.
    pub(crate) async fn start(options: &Options) -> anyhow::Result<Self> {
        let started = Self::start_inner(options, None).await?;
        started.context("the start was interrupted")
    }

    /// Like [`Self::start`], but returns `None` if a shutdown is requested while waiting for the
    /// database.
    pub(crate) async fn start_or_shutdown(
        options: &Options,
        shutdown: &mut Shutdown,
    ) -> anyhow::Result<Option<Self>> {
        Self::start_inner(options, Some(shutdown)).await
    }

    async fn start_inner(
        options: &Options,
        shutdown: Option<&mut Shutdown>,
    ) -> anyhow::Result<Option<Self>> {
        let mut settings = settings(options)?;
        let filter = options.log_filter.unwrap_or(&settings.log.filter);
        crate::telemetry::start(settings.log.format, filter)?;
        let data_dir = options.data_dir.as_path();
        create_private_dir(data_dir)?;
        let lock = ServerLock::acquire(data_dir)?;
        let entropy = SystemEntropy::new();
        let keys = settings
            .keys
            .configured_or_stored(data_dir, Some(&entropy))?;

        let api = options.api_port.reserve("the API")?;
        let ops = options.ops_port.reserve("the operators' port")?;
        let reserved_shop_port = options.shop_port.reserve("the demo shop")?;
        let simulator =
            simulator::start(&mut settings, data_dir, options.simulator_port, &entropy).await?;
        let urls = Urls {
            api: url(&api)?,
            simulator: simulator.url().to_owned(),
            ops: url(&ops)?,
            shop: url(&reserved_shop_port)?,
        };
        address::write(data_dir, &urls.api)?;
        server::log_start(&settings, Role::All, data_dir);
        let ops_server = OpsServer::start(ops.listen()?, &settings.network)?;
        let opening = Components::for_server(&settings, &keys, data_dir, &urls.api);
        let components = match shutdown {
            Some(shutdown) => shutdown.run_until_requested(opening).await?,
            None => Some(opening.await?),
        };
        let Some(components) = components else {
            simulator.stop().await;
            return Ok(None);
        };
        let credentials =
            merchant::ensure_merchant(&components, data_dir, options.capture_delay).await?;
        endpoint::register(&components, &credentials, data_dir, &urls.shop).await?;
        let shop_settings = demo_shop::Settings {
            url: &urls.shop,
            api_url: &urls.api,
            ops_url: &urls.ops,
            api_key: &credentials.api_key,
            api_secret: credentials.api_secret.expose(),
            signing_secret: endpoint::signing_secret(&components, &credentials)?,
            data_dir: DataDir::new(data_dir, write_private),
        };
        let shop = demo_shop::start(reserved_shop_port.listen()?, shop_settings)?;
        let shop_url = Some(urls.shop.clone());
        let server = server::start(
            &settings,
            &components,
            Some(api),
            ops_server,
            Role::All,
            shop_url,
        )
        .await?;
        Ok(Some(Self {
            urls,
            credentials,
            simulator,
            server,
            shop,
            _lock: lock,
        }))
    }

    /// The content of the ready file.
    pub(crate) fn ready(&self) -> serde_json::Value {
        json!({
            "base_url": self.urls.api,
            "simulator_url": self.urls.simulator,
            "ops_url": self.urls.ops,
            "demo_shop_url": self.urls.shop,
            "api_key": self.credentials.api_key,
            "api_secret": self.credentials.api_secret.expose(),
            "merchant_id": self.credentials.merchant_id,
        })
    }

    /// Stops everything, the simulator last, because operations in progress may need it.
    pub(crate) async fn stop(self) {
        self.shop.stop().await;
        self.server.stop().await;
        self.simulator.stop().await;
    }
}

fn settings(options: &Options) -> anyhow::Result<Settings> {
    let mut settings = Settings::load(None, PRESET, options.database_url.as_deref())?;
    settings.mode = Mode::Sandbox;
    if let Some(rate) = options.rate_limit {
        (settings.limits.key_per_second, settings.limits.key_burst) =
            (rate, rate.saturating_mul(2));
    }
    if let Some(rate) = options.address_limit {
        settings.limits.address_per_second = rate;
        settings.limits.address_burst = rate.saturating_mul(5);
    }
    if let Some(ttl) = options.session_ttl {
        settings.checkout.session_ttl_seconds = ttl;
    }
    if let Some(clock) = options.webhook_clock {
        settings.webhooks.clock = clock;
    }
    Ok(settings)
}

fn url(port: &ReservedPort) -> anyhow::Result<String> {
    Ok(format!("http://{}", port.address()?))
}
