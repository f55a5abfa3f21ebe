//! Creating and migrating the file.

use std::{io::ErrorKind, path::Path};

use diesel::{SqliteConnection, migration::MigrationSource, sqlite::Sqlite};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use oncharge_ports::{StoreError, error::Source};

use crate::{error, pool::open_writer};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Creates the file if necessary (readable by its owner only), migrates it, and returns the writing
/// connection.
pub(crate) fn open_migrated(path: &Path) -> Result<SqliteConnection, StoreError> {
    create_private(path).map_err(|error| StoreError::Unavailable(error.into()))?;
    let mut connection = open_writer(path)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Creates a missing file before SQLite does, to set its mode; SQLite gives the files beside it
/// (`-wal`, `-shm`) the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Applies pending migrations while holding the write lock, so that of several processes one
/// migrates and the others find nothing to do. A file from a newer program is refused.
fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    connection
        .immediate_transaction(|connection| -> Result<(), MigrationError> {
            connection.run_pending_migrations(MIGRATIONS)?;
            let ours = known_versions()?;
            let applied = connection.applied_migrations()?;
            if applied
                .iter()
                .all(|version| ours.contains(&version.to_string()))
            {
                Ok(())
            } else {
                Err(MigrationError::Migration(
                    "the database was migrated by a newer version of this program".into(),
                ))
            }
        })
        .map_err(|error| match error {
            MigrationError::Diesel(error) => error::store(error),
            MigrationError::Migration(error) => StoreError::Failed(error),
        })
}

/// The versions of the migrations that this program contains.
fn known_versions() -> Result<Vec<String>, Source> {
    let all = MigrationSource::<Sqlite>::migrations(&MIGRATIONS)?;
    let versions = all.iter().map(|migration| migration.name().version());
    Ok(versions.map(|version| version.to_string()).collect())
}

enum MigrationError {
    Diesel(diesel::result::Error),
    Migration(Source),
}

impl From<diesel::result::Error> for MigrationError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Diesel(error)
    }
}

impl From<Source> for MigrationError {
    fn from(error: Source) -> Self {
        Self::Migration(error)
    }
}
