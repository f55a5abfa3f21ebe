//! A database per test, copied from a template that is migrated once.
#![expect(
    clippy::disallowed_methods,
    reason = "tests read their one variable here, and drive their own connections"
)]

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::Context;
use oncharge_adapter_postgres::{PostgresStore, migrate};
use oncharge_domain::{keyring::Keyring, time::Timestamp};
use oncharge_testkit::SeededEntropy;
use tokio_postgres::{Client, NoTls};

/// Advisory lock: one process at a time creates the template; the bytes of `template`.
const LOCK: i64 = i64::from_be_bytes(*b"template");
const UP: &str = include_str!("../../../../migrations/postgres/0001_initial/up.sql");
/// A clock that tests set in place of the server's: [`SEARCH_PATH`] finds this `now` before the
/// server's own. A sequence stores the time, because its value belongs to no transaction. Until it
/// is set, it returns the server's time.
const CLOCK: &str = "
    CREATE SCHEMA test_clock;
    CREATE SEQUENCE test_clock.micros MINVALUE -9223372036854775807;
    CREATE FUNCTION test_clock.now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
        SELECT CASE WHEN is_called THEN to_timestamp(0)
            + make_interval(hours => (last_value / 3600000000)::int)
            + last_value % 3600000000 * interval '1 microsecond'
            ELSE pg_catalog.now() END
        FROM test_clock.micros $$;";
const SEARCH_PATH: &str = "options=-c%20search_path%3Dpublic%2Ctest_clock%2Cpg_catalog";

/// A database; dropped with this value.
pub(crate) struct Database {
    admin: String,
    name: String,
    pub(crate) url: String,
}

impl Database {
    /// A database with the current schema.
    pub(crate) async fn migrated() -> anyhow::Result<Self> {
        let admin = admin_url()?;
        let template = template(&admin).await?;
        Self::create(admin, &format!("TEMPLATE {template}")).await
    }

    /// Its URL for a store that uses the test's clock.
    pub(crate) fn url_with_test_clock(&self) -> String {
        let separator = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{separator}{SEARCH_PATH}", self.url)
    }

    /// Creates a database on the server of this URL; `how` is appended to the statement.
    pub(crate) async fn create(admin: String, how: &str) -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("oncharge_test_{}_{number}", std::process::id());
        let client = connect(&admin).await?;
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        client.batch_execute(&drop).await?;
        let create = format!("CREATE DATABASE {name} {how}");
        client.batch_execute(&create).await?;
        let url = with_database(&admin, &name)?;
        Ok(Self { admin, name, url })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        let clean_up = move || -> anyhow::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build()?;
            runtime.block_on(async {
                let client = connect(&admin).await?;
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                Ok(client.batch_execute(&drop).await?)
            })
        };
        // On a separate thread: this may run inside a runtime, which must not block.
        if let Ok(Err(error)) = std::thread::spawn(clean_up).join() {
            eprintln!("the database {} stays: {error:#}", self.name);
        }
    }
}

/// A store on the database of this URL.
pub(crate) async fn open(
    url: &str,
    keys: Keyring,
    connections: usize,
) -> anyhow::Result<PostgresStore> {
    let entropy = Arc::new(SeededEntropy::new(rand_seed()));
    Ok(PostgresStore::connect(url, keys, entropy, connections).await?)
}

/// A different seed for each store, so that two stores on one database never use the same nonce.
fn rand_seed() -> u64 {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    u64::from(COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Sets the clock of a migrated database, which determines due times and leases.
pub(crate) async fn set_clock(client: &Client, now: Timestamp) -> anyhow::Result<()> {
    let set = "SELECT setval('test_clock.micros', $1)";
    client.query(set, &[&now.unix_micros()]).await?;
    Ok(())
}

/// Opens a connection, driven by a spawned task.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let connecting = tokio_postgres::connect(url, NoTls);
    let (client, connection) = connecting.await.context("PostgreSQL is not there")?;
    tokio::spawn(connection);
    Ok(client)
}

/// The URL of the tests' cluster.
pub(crate) fn admin_url() -> anyhow::Result<String> {
    std::env::var("ONCHARGE_TEST_POSTGRES_URL").context(
        "ONCHARGE_TEST_POSTGRES_URL is not set: `scripts/test adapter-postgres` starts a \
         temporary PostgreSQL and sets it, `just postgres` starts one for your shell",
    )
}

fn with_database(admin: &str, name: &str) -> anyhow::Result<String> {
    let (address, options) = admin.split_once('?').unwrap_or((admin, ""));
    let server = address.rsplit_once('/').context("a URL with a database")?.0;
    Ok(if options.is_empty() {
        format!("{server}/{name}")
    } else {
        format!("{server}/{name}?{options}")
    })
}

/// The name of the migrated template, which is created if it does not exist.
async fn template(admin: &str) -> anyhow::Result<String> {
    let mut hasher = DefaultHasher::new();
    (UP, CLOCK).hash(&mut hasher);
    let name = format!("oncharge_template_{:016x}", hasher.finish());
    let client = connect(admin).await?;
    let known = "SELECT 1 FROM pg_database WHERE datname = $1";
    if !client.query(known, &[&name]).await?.is_empty() {
        return Ok(name);
    }
    client
        .execute("SELECT pg_advisory_lock($1)", &[&LOCK])
        .await?;
    if client.query(known, &[&name]).await?.is_empty() {
        let raw = format!("{name}_raw");
        let drop = format!("DROP DATABASE IF EXISTS {raw} WITH (FORCE)");
        client.batch_execute(&drop).await?;
        client
            .batch_execute(&format!("CREATE DATABASE {raw}"))
            .await?;
        let raw_url = with_database(admin, &raw)?;
        migrate(&raw_url).await?;
        connect(&raw_url).await?.batch_execute(CLOCK).await?;
        wait_until_alone(&client, &raw).await?;
        // The final name marks it as complete.
        let rename = format!("ALTER DATABASE {raw} RENAME TO {name}");
        client.batch_execute(&rename).await?;
    }
    Ok(name)
}

/// Waits until no connection to the database is open.
async fn wait_until_alone(client: &Client, name: &str) -> anyhow::Result<()> {
    let others =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
    for _ in 0..500 {
        let row = client.query_one(others, &[&name]).await?;
        if row.get::<_, i64>(0) == 0 {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    anyhow::bail!("a connection to {name} stays open")
}
