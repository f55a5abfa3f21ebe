//! The use cases on a store in this process, wired like the server.

use std::sync::Arc;

use anyhow::anyhow;
use oncharge_adapter_http::JsonPresenter;
use oncharge_adapter_postgres::PostgresStore;
use oncharge_adapter_psp::{Account, ConnectorSettings, Registry, Secret, simulator};
use oncharge_adapter_sqlite::SqliteStore;
use oncharge_application::{App, Dependencies, Settings};
use oncharge_domain::{keyring::Keyring, time::Timestamp};
use oncharge_ports::{Clock, Entropy, Store, WebhookSender};
use ring::rand::{SecureRandom as _, SystemRandom};
use time::OffsetDateTime;

use crate::database::Database;

/// Number of PostgreSQL connections: the server's default.
pub(crate) const POOL: usize = 16;
/// The key with which the PSP signs its notifications.
pub(crate) const NOTIFICATION_KEY: &str = "key-of-the-bench";

const MASTER: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const PEPPER: &str = "p1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// The use cases, and the store in which the benchmark creates its data.
pub(crate) struct BenchApp {
    pub(crate) app: App,
    pub(crate) store: Store,
    /// Number of round trips to PostgreSQL.
    pub(crate) round_trips: Option<Arc<dyn Fn() -> u64 + Send + Sync>>,
}

impl BenchApp {
    /// Opens the use cases on this database, with this sender to merchants' servers.
    pub(crate) async fn open(
        database: &Database,
        sender: Arc<dyn WebhookSender>,
    ) -> anyhow::Result<Self> {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy(SystemRandom::new()));
        match database {
            Database::Sqlite(file) => {
                let store =
                    SqliteStore::open(file, keys(MASTER)?, entropy.clone(), Arc::new(SystemClock))?;
                Self::from_store(Store::new(Arc::new(store)), sender, entropy)
            }
            Database::Postgres(url) => {
                let store = PostgresStore::connect(url, keys(MASTER)?, entropy.clone(), POOL);
                let store = store.await?;
                let statistics_source = store.clone();
                Ok(Self {
                    round_trips: Some(Arc::new(move || statistics_source.statistics().round_trips)),
                    ..Self::from_store(Store::new(Arc::new(store)), sender, entropy)?
                })
            }
        }
    }

    fn from_store(
        store: Store,
        sender: Arc<dyn WebhookSender>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<Self> {
        let app = App::new(Dependencies {
            store: store.clone(),
            psps: Arc::new(Registry::new([account()])?),
            sender,
            presenter: Arc::new(JsonPresenter),
            clock: Arc::new(SystemClock),
            entropy,
            keys: keys(MASTER)?,
            peppers: keys(PEPPER)?,
            settings: Settings {
                sandbox: true,
                ..Settings::default()
            },
        });
        Ok(Self {
            app,
            store,
            round_trips: None,
        })
    }
}

/// A simulator account that is never called; only its notifications are used.
fn account() -> Account {
    let unused_url = "http://127.0.0.1:9";
    Account {
        name: "default".to_owned(),
        connector: ConnectorSettings::Simulator(simulator::Settings {
            base_url: unused_url.to_owned(),
            bearer: Secret::new("bearer-of-the-bench"),
            notification_key: Secret::new(NOTIFICATION_KEY),
            notification_url: format!("{unused_url}/webhooks/psp/simulator/default"),
        }),
    }
}

fn keys(text: &str) -> anyhow::Result<Keyring> {
    Keyring::parse(text).map_err(|error| anyhow!("the bench's keys: {error}"))
}

/// The machine's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "measures with the real clock")]
    fn now(&self) -> Timestamp {
        Timestamp::new(OffsetDateTime::now_utc())
    }
}

/// The operating system's randomness.
struct SystemEntropy(SystemRandom);

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        // Repeated ids would be measured as errors of the store.
        if self.0.fill(buffer).is_err() {
            std::process::abort();
        }
    }
}
