//! Databases of in-process measurements: a new one for each.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Context;
use clap::Args;
use tokio_postgres::NoTls;

/// The databases of the measurements.
#[derive(Args)]
pub(crate) struct DatabaseArgs {
    /// A database on PostgreSQL; new ones are created on the same server.
    #[arg(long)]
    postgres_url: String,
    /// The process id of PostgreSQL's first process, to measure its CPU time.
    #[arg(long)]
    pub(crate) postgres_pid: Option<u32>,
    /// The directory of the embedded databases.
    #[arg(long)]
    directory: PathBuf,
}

/// A kind of database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub(crate) const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A new, empty database.
pub(crate) enum Database {
    /// The path of the file.
    Sqlite(PathBuf),
    /// The URL.
    Postgres(String),
}

impl DatabaseArgs {
    /// Creates a new, empty database of this kind.
    pub(crate) async fn create(&self, kind: Kind) -> anyhow::Result<Database> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bench_{}_{count}", std::process::id());
        if kind == Kind::Sqlite {
            return Ok(Database::Sqlite(self.directory.join(format!("{name}.db"))));
        }
        let (client, connection) = tokio_postgres::connect(&self.postgres_url, NoTls).await?;
        let create_database = async {
            let statement = format!("CREATE DATABASE {name}");
            client.batch_execute(&statement).await?;
            drop(client);
            anyhow::Ok(())
        };
        let (created, connection_result) = tokio::join!(create_database, connection);
        created?;
        connection_result?;
        let (server, _) = self
            .postgres_url
            .rsplit_once('/')
            .context("the URL names no database")?;
        Ok(Database::Postgres(format!("{server}/{name}")))
    }
}
