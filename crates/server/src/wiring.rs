//! Connects adapters to ports: the only place that does.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use oncharge_adapter_http::JsonPresenter;
use oncharge_adapter_ops::RoundTrips;
use oncharge_adapter_postgres::PostgresStore;
use oncharge_adapter_psp::{Account, ConnectorSettings, Registry, Secret, simulator};
use oncharge_adapter_sqlite::SqliteStore;
use oncharge_adapter_webhook::HttpSender;
use oncharge_application::{App, Dependencies, keys};
use oncharge_ports::{PspRegistry, Store, WebhookSender};

use crate::{
    config::{Keys, Mode, PspAccounts, PspSettings, Settings},
    sandbox::ServerLock,
    server::wait_for_database,
    system::{SystemClock, SystemEntropy, process_name},
};

/// The file name of the embedded database in the data directory.
const EMBEDDED_FILE: &str = "oncharge.db";

/// The use cases and their store; cheap to clone.
#[derive(Clone)]
pub struct Components {
    /// The use cases.
    pub app: App,
    /// The store, for setting up data and for the gauges.
    pub store: Store,
    /// Number of round trips to the database; `None` for the embedded one.
    pub round_trips: Option<RoundTrips>,
}

impl Components {
    /// Opens the components of a server: a migrated store, and PSP accounts that send notifications
    /// to `base_url` unless configured otherwise; registers the process as a node of the
    /// deployment. Waits for an unreachable database.
    ///
    /// Errors if the store cannot be opened, or if the keys do not match its data.
    pub(crate) async fn for_server(
        settings: &Settings,
        keys: &Keys,
        data_dir: &Path,
        base_url: &str,
    ) -> anyhow::Result<Self> {
        let (psps, sender) = (registry(&settings.psp, base_url)?, sender(settings.mode)?);
        let open = || async {
            let store = OpenedStore::configured(settings, keys, data_dir).await?;
            let (psps, sender) = (psps.clone(), sender.clone());
            let components = Self::new(store, keys, psps, sender, settings.for_use_cases());
            if components.is_embedded() {
                // The lock on the data directory is held.
                keys::membership::withdraw_all(&components.app).await?;
            }
            keys::membership::join(&components.app, &process_name()).await?;
            Ok(components)
        };
        let Some(location) = settings.database.location() else {
            // Waiting does not help with the embedded file.
            return open().await;
        };
        wait_for_database(&location.name, &SystemEntropy::new(), open).await
    }

    /// Opens the components of a command with these PSP accounts; does not wait for the database.
    pub(crate) async fn for_commands(
        settings: &Settings,
        accounts: &PspAccounts,
        data_dir: &Path,
    ) -> anyhow::Result<Self> {
        let keys = settings.keys.configured_or_stored(data_dir, None)?;
        let store = OpenedStore::configured(settings, &keys, data_dir).await?;
        let components = Self::without_payments(store, settings, &keys, accounts)?;
        if let Some(_lock) = ServerLock::try_acquire(data_dir)?.filter(|_| components.is_embedded())
        {
            keys::membership::withdraw_all(&components.app).await?;
        }
        keys::check(&components.app).await?;
        Ok(components)
    }

    /// Opens the database to check the configuration, without migrating it; `None` if none is
    /// configured.
    pub(crate) fn for_check(settings: &Settings, keys: &Keys) -> anyhow::Result<Option<Self>> {
        let Some(url) = &settings.database.url else {
            return Ok(None);
        };
        let (master, entropy) = (keys.master.clone(), Arc::new(SystemEntropy::new()));
        let store = PostgresStore::connect_without_migrating(url.expose(), master, entropy, 1)
            .context("database.url cannot be used")?;
        let store = OpenedStore::from_postgres(store);
        Self::without_payments(store, settings, keys, &settings.psp).map(Some)
    }

    /// Wires the use cases for work that starts no payment.
    fn without_payments(
        store: OpenedStore,
        settings: &Settings,
        keys: &Keys,
        accounts: &PspAccounts,
    ) -> anyhow::Result<Self> {
        // No PSP receives this URL.
        let psps = registry(accounts, "http://127.0.0.1")?;
        let sender = sender(settings.mode)?;
        Ok(Self::new(
            store,
            keys,
            psps,
            sender,
            settings.for_use_cases(),
        ))
    }

    /// Wires the use cases to a store, with the machine's clock and randomness and the responses of
    /// the merchant API.
    pub fn new(
        opened: OpenedStore,
        keys: &Keys,
        psps: Arc<dyn PspRegistry>,
        sender: Arc<dyn WebhookSender>,
        settings: oncharge_application::Settings,
    ) -> Self {
        let OpenedStore { store, round_trips } = opened;
        let app = App::new(Dependencies {
            store: store.clone(),
            psps,
            sender,
            presenter: Arc::new(JsonPresenter),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::new()),
            keys: keys.master.clone(),
            peppers: keys.pepper.clone(),
            settings,
        });
        Self {
            app,
            store,
            round_trips,
        }
    }

    /// Whether the store is the embedded file, which a single server uses.
    pub(crate) fn is_embedded(&self) -> bool {
        self.round_trips.is_none()
    }
}

/// The path of the embedded database in a data directory.
pub(crate) fn embedded_file(data_dir: &Path) -> PathBuf {
    data_dir.join(EMBEDDED_FILE)
}

/// An open store, and its statistics.
pub struct OpenedStore {
    store: Store,
    round_trips: Option<RoundTrips>,
}

impl OpenedStore {
    /// Opens the configured store.
    async fn configured(settings: &Settings, keys: &Keys, data_dir: &Path) -> anyhow::Result<Self> {
        let database = &settings.database;
        match &database.url {
            Some(url) => Self::postgres(url.expose(), database.pool_size, keys).await,
            None => Self::sqlite(&embedded_file(data_dir), keys),
        }
    }

    /// Opens an embedded database and migrates its schema.
    pub fn sqlite(file: &Path, keys: &Keys) -> anyhow::Result<Self> {
        let (master, entropy) = (keys.master.clone(), Arc::new(SystemEntropy::new()));
        let store = SqliteStore::open(file, master, entropy, Arc::new(SystemClock))
            .with_context(|| format!("cannot open {}", file.display()))?;
        Ok(Self {
            store: Store::new(Arc::new(store)),
            round_trips: None,
        })
    }

    /// Connects to a PostgreSQL database and migrates its schema.
    pub async fn postgres(url: &str, pool_size: usize, keys: &Keys) -> anyhow::Result<Self> {
        let (master, entropy) = (keys.master.clone(), Arc::new(SystemEntropy::new()));
        let store = PostgresStore::connect(url, master, entropy, pool_size).await;
        Ok(Self::from_postgres(
            store.context("cannot open the database")?,
        ))
    }

    fn from_postgres(store: PostgresStore) -> Self {
        let statistics_source = store.clone();
        Self {
            round_trips: Some(Arc::new(move || statistics_source.statistics().round_trips)),
            store: Store::new(Arc::new(store)),
        }
    }
}

fn registry(accounts: &PspAccounts, base_url: &str) -> anyhow::Result<Arc<dyn PspRegistry>> {
    let accounts = accounts
        .iter()
        .map(|(name, psp)| account(name, psp, base_url));
    let registry = Registry::new(accounts).context("cannot set up the PSP accounts")?;
    Ok(Arc::new(registry))
}

fn sender(mode: Mode) -> anyhow::Result<Arc<dyn WebhookSender>> {
    let sender = HttpSender::new(Arc::new(SystemClock), mode == Mode::Sandbox);
    Ok(Arc::new(
        sender.context("cannot set up the webhook client")?,
    ))
}

fn account(name: &str, psp: &PspSettings, base_url: &str) -> Account {
    let notify = psp.notify_url.as_deref().unwrap_or(base_url);
    Account {
        name: name.to_owned(),
        connector: ConnectorSettings::Simulator(simulator::Settings {
            base_url: psp.url.clone(),
            bearer: Secret::new(psp.bearer.expose()),
            notification_key: Secret::new(psp.notification_key.expose()),
            notification_url: format!("{notify}/webhooks/psp/{}/{name}", psp.connector),
        }),
    }
}
