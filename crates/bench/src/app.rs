//! The use cases on a store in this process, wired by the server's library.

use std::sync::Arc;

use anyhow::Context;
use oncharge::{Components, Keys, OpenedStore};
use oncharge_adapter_psp::{Account, ConnectorSettings, Registry, Secret, simulator};
use oncharge_application::Settings;
use oncharge_domain::keyring::Keyring;
use oncharge_ports::WebhookSender;

use crate::database::Database;

/// Number of PostgreSQL connections: the server's default.
pub(crate) const POOL: usize = 16;
/// The key with which the PSP signs its notifications.
pub(crate) const NOTIFICATION_KEY: &str = "key-of-the-bench";

const MASTER: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const PEPPER: &str = "p1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// Opens the use cases on this database, with this sender to merchants' servers.
pub(crate) async fn open(
    database: &Database,
    sender: Arc<dyn WebhookSender>,
) -> anyhow::Result<Components> {
    let keys = Keys {
        master: Keyring::parse(MASTER).context("the bench's master key")?,
        pepper: Keyring::parse(PEPPER).context("the bench's pepper")?,
    };
    let store = match database {
        Database::Sqlite(file) => OpenedStore::sqlite(file, &keys)?,
        Database::Postgres(url) => OpenedStore::postgres(url, POOL, &keys).await?,
    };
    let psps = Arc::new(Registry::new([account()])?);
    let settings = Settings {
        sandbox: true,
        ..Settings::default()
    };
    Ok(Components::new(store, &keys, psps, sender, settings))
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
