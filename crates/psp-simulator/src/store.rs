//! The simulator's own SQLite file: one writer thread with group commit, one reader thread.
//!
//! Nothing is answered before its transaction is durable (`synchronous=FULL`), so `kill -9` at any
//! point loses nothing that was answered. All writes pass through one thread, so every piece of
//! work is atomic with respect to every other: there are no races.

pub(crate) mod db_thread;
pub(crate) mod faults;
pub(crate) mod ledger;
pub(crate) mod notifications;
pub(crate) mod operations;
pub(crate) mod payments;
pub(crate) mod schema;
pub(crate) mod stripe;
pub(crate) mod tokens;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use diesel::connection::SimpleConnection as _;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection as _, QueryResult};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use crate::entropy::NoEntropy;
use db_thread::{DbThread, Mode};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Why work on the database failed. Its transaction was rolled back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The simulator is stopping, or the whole transaction could not be committed.
    #[error("the database is unavailable")]
    Unavailable,
    /// A statement failed.
    #[error("a statement failed")]
    Database(#[from] diesel::result::Error),
    /// No id could be generated.
    #[error("cannot generate an id")]
    Entropy(#[from] NoEntropy),
    /// A notification could not be serialized as JSON.
    #[error("cannot serialize a notification")]
    Json(#[from] serde_json::Error),
    /// A required row is missing or invalid.
    #[error("a row of table {0} is missing or unreadable")]
    Corrupt(&'static str),
}

/// The open database file.
pub(crate) struct Store {
    writer: DbThread,
    reader: DbThread,
    /// Held while the file is in use; the operating system releases it with the process.
    lock: File,
}

impl Store {
    /// Opens the file, creates what is missing and migrates the tables. Blocks.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create the directory {}", folder.display()))?;
        }
        let lock = lock(path)?;
        create_private(path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut connection = connect(path)?;
        connection
            .run_pending_migrations(MIGRATIONS)
            .map_err(|error| anyhow::anyhow!("cannot migrate the database: {error}"))?;
        let writer = DbThread::start("psp-simulator writer", connection, Mode::Write)?;
        let reader = DbThread::start("psp-simulator reader", connect(path)?, Mode::Read)?;
        Ok(Self {
            writer,
            reader,
            lock,
        })
    }

    /// Runs `work` in a transaction and returns once it is durable. The work is completed even if
    /// the returned future is dropped after its first poll: a client that disconnects changes
    /// nothing.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    {
        self.writer.run(work).await
    }

    /// Reads the committed state, as one consistent view.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    {
        self.reader.run(work).await
    }

    /// Completes submitted work, closes the file and releases its lock. Blocks.
    pub(crate) fn close(&self) {
        self.reader.close();
        self.writer.close();
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "cannot release the lock on the database file");
        }
    }
}

/// Creates the file before SQLite does, so that only its owner may read it; SQLite gives the files
/// beside it the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Excludes a second simulator on the same file, where both would execute the same pending work.
fn lock(path: &Path) -> anyhow::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&name)
        .with_context(|| format!("cannot open {}", name.display()))?;
    file.try_lock().with_context(|| {
        format!(
            "another simulator uses {} (lock file: {})",
            path.display(),
            name.display()
        )
    })?;
    Ok(file)
}

fn connect(path: &Path) -> anyhow::Result<SqliteConnection> {
    let name = path
        .to_str()
        .context("the database's path is not valid UTF-8")?;
    let mut connection = SqliteConnection::establish(name)
        .with_context(|| format!("cannot open the database {name}"))?;
    configure(&mut connection).context("cannot prepare the database connection")?;
    Ok(connection)
}

fn configure(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute(
        "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
    )
}
