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
pub(crate) struct Components {
    pub(crate) app: App,
    /// The store, for setting up the sandbox and for the gauges.
    pub(crate) store: Store,
    /// Whether the store is the embedded file, which a single server uses.
    pub(crate) is_embedded: bool,
    /// Number of round trips to the database; `None` for the embedded one.
    pub(crate) round_trips: Option<RoundTrips>,
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
            let store = OpenedStore::open(settings, keys, data_dir).await?;
            let components = Self::from_store(store, settings, keys, psps.clone(), sender.clone());
            if components.is_embedded {
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
        // Commands never start a payment, so no PSP receives this URL.
        let store = OpenedStore::open(settings, &keys, data_dir).await?;
        let components = Self::from_store(
            store,
            settings,
            &keys,
            registry(accounts, "http://127.0.0.1")?,
            sender(settings.mode)?,
        );
        if let Some(_lock) = ServerLock::try_acquire(data_dir)?.filter(|_| components.is_embedded) {
            keys::membership::withdraw_all(&components.app).await?;
        }
        keys::check(&components.app).await?;
        Ok(components)
    }

    /// Opens the database to check the configuration, without migrating it; `None` if none is
    /// configured.
    pub(crate) fn for_check(settings: &Settings, keys: &Keys) -> anyhow::Result<Option<Self>> {
        let Some(store) = OpenedStore::open_without_migrating(settings, keys)? else {
            return Ok(None);
        };
        Ok(Some(Self::from_store(
            store,
            settings,
            keys,
            registry(&settings.psp, "http://127.0.0.1")?,
            sender(settings.mode)?,
        )))
    }

    /// Builds the components on a store.
    fn from_store(
        opened: OpenedStore,
        settings: &Settings,
        keys: &Keys,
        psps: Arc<dyn PspRegistry>,
        sender: Arc<dyn WebhookSender>,
    ) -> Self {
        let is_embedded = settings.database.url.is_none();
        let limit = settings.checkout.ban_answers_per_hour;
        let app = App::new(Dependencies {
            store: opened.store.clone(),
            psps,
            sender,
            presenter: Arc::new(JsonPresenter),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::new()),
            keys: keys.master.clone(),
            peppers: keys.pepper.clone(),
            settings: oncharge_application::Settings {
                sandbox: settings.mode == Mode::Sandbox,
                session_ttl_seconds: settings.checkout.session_ttl_seconds,
                ban_answers_per_hour: (limit > 0).then_some(limit),
                webhook_clock: settings.webhooks.clock.into(),
            },
        });
        Self {
            app,
            store: opened.store,
            is_embedded,
            round_trips: opened.round_trips,
        }
    }
}

/// The path of the embedded database in a data directory.
pub(crate) fn embedded_file(data_dir: &Path) -> PathBuf {
    data_dir.join(EMBEDDED_FILE)
}

/// A store, and its statistics.
struct OpenedStore {
    store: Store,
    round_trips: Option<RoundTrips>,
}

impl OpenedStore {
    /// Opens the configured store and migrates its schema.
    async fn open(settings: &Settings, keys: &Keys, data_dir: &Path) -> anyhow::Result<Self> {
        let (keys, entropy) = (keys.master.clone(), Arc::new(SystemEntropy::new()));
        if let Some(url) = &settings.database.url {
            let pool = settings.database.pool_size;
            let store = PostgresStore::connect(url.expose(), keys, entropy, pool).await;
            return Ok(Self::from_postgres(
                store.context("cannot open the database")?,
            ));
        }
        let file = embedded_file(data_dir);
        let store = SqliteStore::open(&file, keys, entropy, Arc::new(SystemClock))
            .with_context(|| format!("cannot open {}", file.display()))?;
        Ok(Self {
            store: Store::new(Arc::new(store)),
            round_trips: None,
        })
    }

    /// Opens the configured PostgreSQL without migrating it; `None` if there is none.
    fn open_without_migrating(settings: &Settings, keys: &Keys) -> anyhow::Result<Option<Self>> {
        let Some(url) = &settings.database.url else {
            return Ok(None);
        };
        let entropy = Arc::new(SystemEntropy::new());
        let store =
            PostgresStore::connect_without_migrating(url.expose(), keys.master.clone(), entropy, 1);
        Ok(Some(Self::from_postgres(
            store.context("database.url cannot be used")?,
        )))
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
