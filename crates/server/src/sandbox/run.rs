//! Starts the sandbox: simulator, store, merchant, API, workers and demo shop in one process.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
};

use anyhow::Context;
use oncharge_application::merchants::{self, NewMerchant, SettingsChange};
use oncharge_domain::{id::MerchantId, merchant::ApiKeyHash, psp::PspAccount, text::MerchantName};
use oncharge_ports::Entropy;
use oncharge_psp_simulator as psp_simulator;
use serde_json::json;

use super::{Pair, ServerLock, ports::Port};
use crate::{
    config::{Keys, Mode, PspSettings, Secret, Settings, make_private_dir, write_private},
    server::{self, Listeners, Role},
    shop,
    system::SystemEntropy,
    wiring::Wired,
};

/// How long after the authorisation the sandbox's clock captures, in seconds.
const CAPTURE_DELAY: u32 = 60;
/// What differs from a production's settings.
const PRESET: &str = r#"
mode = "sandbox"
[limits]
key_per_second = 5000
key_burst = 10000
address_per_second = 1000
address_burst = 5000
[checkout]
ban_answers_per_hour = 0
[log]
# The shop asks every second: that is not worth a line each.
filter = "info,actix_server=warn,oncharge_adapter_http::observe=warn"
"#;

/// How the sandbox is to run.
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
    /// What is logged, where it is not the configuration's filter.
    pub(crate) log_filter: Option<&'static str>,
}

/// A running sandbox.
pub(crate) struct Sandbox {
    /// Where everything is.
    pub(crate) urls: Urls,
    /// The sandbox's merchant.
    pub(crate) pair: Pair,
    simulator: psp_simulator::Running,
    server: server::Running,
    shop: shop::Running,
    _lock: ServerLock,
}

/// Where everything is, as `http://127.0.0.1:PORT`.
#[derive(Debug, Clone)]
pub(crate) struct Urls {
    pub(crate) api: String,
    pub(crate) simulator: String,
    pub(crate) ops: String,
    pub(crate) shop: String,
}

impl Sandbox {
    /// Starts everything; returns once everything answers.
    pub(crate) async fn start(options: &Options) -> anyhow::Result<Self> {
        let mut settings = settings(options)?;
        let filter = options.log_filter.unwrap_or(&settings.log.filter);
        crate::telemetry::start(settings.log.format, filter)?;
        let data_dir = options.data_dir.as_path();
        make_private_dir(data_dir)?;
        let lock = ServerLock::take(data_dir)?;
        let entropy = SystemEntropy::new();
        let keys = settings.keys.or_in(data_dir, Some(&entropy))?;

        let api = options.api_port.listen("the API")?;
        let ops = options.ops_port.listen("the operators' port")?;
        let shop_listener = options.shop_port.listen("the demo shop")?;
        let simulator = start_simulator(&mut settings, options, &entropy).await?;
        let urls = Urls {
            api: url(&api)?,
            simulator: simulator.url().to_owned(),
            ops: url(&ops)?,
            shop: url(&shop_listener)?,
        };
        let wired = wire(&settings, keys, data_dir, &urls).await?;
        let pair = merchant(&wired, options).await?;
        let listeners = Listeners { api, ops };
        let shop_url = Some(urls.shop.clone());
        let server = server::start(&settings, &wired, listeners, (Role::All, shop_url)).await?;
        let shop = shop::start(shop_listener, &urls, &pair, data_dir)?;
        Ok(Self {
            urls,
            pair,
            simulator,
            server,
            shop,
            _lock: lock,
        })
    }

    /// The ready file's content.
    pub(crate) fn ready(&self) -> serde_json::Value {
        json!({
            "base_url": self.urls.api,
            "simulator_url": self.urls.simulator,
            "ops_url": self.urls.ops,
            "demo_shop_url": self.urls.shop,
            "api_key": self.pair.api_key,
            "api_secret": self.pair.api_secret.expose(),
            "merchant_id": self.pair.merchant_id,
        })
    }

    /// Stops everything, the simulator last, since what is in hand may still need it.
    pub(crate) async fn stop(self) {
        self.shop.stop().await;
        self.server.stop().await;
        self.simulator.stop().await;
    }
}

fn settings(options: &Options) -> anyhow::Result<Settings> {
    let mut settings = Settings::load(None, PRESET)?;
    settings.mode = Mode::Sandbox;
    if let Some(url) = &options.database_url {
        settings.database.url = Some(Secret::new(url.clone()));
    }
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
    Ok(settings)
}

fn url(listener: &TcpListener) -> anyhow::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

/// Starts the simulator and enters it as the one PSP account.
async fn start_simulator(
    settings: &mut Settings,
    options: &Options,
    entropy: &SystemEntropy,
) -> anyhow::Result<psp_simulator::Running> {
    let (bearer, notification_key) = simulator_secrets(&options.data_dir, entropy)?;
    let mut config = psp_simulator::Config::new(
        options.data_dir.join("simulator.db"),
        psp_simulator::Secret::new(bearer.expose()),
        psp_simulator::Secret::new(notification_key.expose()),
    );
    // The simulator opens its port itself: this only finds out which one it gets.
    config.port = options
        .simulator_port
        .listen("the PSP simulator")?
        .local_addr()?
        .port();
    let running = psp_simulator::start(config)
        .await
        .context("the PSP simulator does not start")?;
    settings.psp.clear();
    settings.psp.insert(
        "default".to_owned(),
        PspSettings {
            connector: "simulator".to_owned(),
            url: running.url().to_owned(),
            bearer,
            notification_key,
            notify_url: None,
        },
    );
    Ok(running)
}

/// What simulator and connector share; made once.
fn simulator_secrets(data_dir: &Path, entropy: &dyn Entropy) -> anyhow::Result<(Secret, Secret)> {
    let path = data_dir.join("simulator.key");
    if !path.exists() {
        let text = [
            hex::encode(entropy.bytes::<24>()),
            hex::encode(entropy.bytes::<32>()),
        ];
        write_private(&path, text.join("\n").as_bytes())?;
    }
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let (bearer, key) = text
        .trim()
        .split_once('\n')
        .with_context(|| format!("{} is not the simulator's file", path.display()))?;
    Ok((Secret::new(bearer.to_owned()), Secret::new(key.to_owned())))
}

async fn wire(
    settings: &Settings,
    keys: Keys,
    data_dir: &Path,
    urls: &Urls,
) -> anyhow::Result<Wired> {
    Wired::for_server(settings, keys, (data_dir, &urls.api)).await
}

/// The sandbox's merchant: the one it had, with a new key where the database knows another.
async fn merchant(wired: &Wired, options: &Options) -> anyhow::Result<Pair> {
    let data_dir = options.data_dir.as_path();
    let pair = match Pair::read(data_dir)? {
        Some(pair) => keep_or_renew(wired, pair).await?,
        None => None,
    };
    let pair = match pair {
        Some(pair) => pair,
        None => new_merchant(wired).await?,
    };
    pair.write(data_dir)?;
    if let Some(delay) = options.capture_delay {
        let id = pair
            .merchant_id
            .parse()
            .context("the sandbox's merchant id")?;
        let change = SettingsChange {
            capture_delay_seconds: Some(delay),
            ..SettingsChange::default()
        };
        merchants::change(&wired.app, id, change).await?;
    }
    Ok(pair)
}

async fn keep_or_renew(wired: &Wired, pair: Pair) -> anyhow::Result<Option<Pair>> {
    let known = wired.merchants.key(&ApiKeyHash::of(&pair.api_key)).await?;
    if known.is_some_and(|(key, _)| key.is_active(wired.app.now())) {
        return Ok(Some(pair));
    }
    let id: MerchantId = pair
        .merchant_id
        .parse()
        .context("the sandbox's merchant id")?;
    if wired.merchants.merchant(id).await?.is_none() {
        return Ok(None);
    }
    let new = merchants::add_key(&wired.app, id).await?;
    Ok(Some(Pair {
        merchant_id: pair.merchant_id,
        api_key: new.api_key,
        api_secret: Secret::new(new.api_secret.to_string()),
    }))
}

async fn new_merchant(wired: &Wired) -> anyhow::Result<Pair> {
    let new = NewMerchant {
        name: MerchantName::parse("Demo Shop")?,
        account: PspAccount::new("simulator", "default")?,
        capture_delay_seconds: CAPTURE_DELAY,
    };
    let (merchant, pair) = merchants::create(&wired.app, new).await?;
    Ok(Pair {
        merchant_id: merchant.id.to_string(),
        api_key: pair.api_key,
        api_secret: Secret::new(pair.api_secret.to_string()),
    })
}
