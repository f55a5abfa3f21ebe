//! Settings of the database.

use anyhow::{Context, bail};
use oncharge_adapter_postgres::{Location, Protection, location};
use serde::{Deserialize, Serialize};

use super::{Mode, Secret};

/// The database.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    /// A `postgres://` URL; without one, the embedded file is used.
    pub(crate) url: Option<Secret>,
    /// Number of connections to PostgreSQL.
    pub(crate) pool_size: usize,
}

impl Database {
    /// The hosts, ports and name of the PostgreSQL database, without user and password; `None` for
    /// the embedded file.
    pub(crate) fn location(&self) -> Option<Location> {
        // The URL was validated before.
        location(self.url.as_ref()?.expose()).ok()
    }

    pub(super) fn check(&self, mode: Mode) -> anyhow::Result<()> {
        if let Some(url) = &self.url {
            let location = location(url.expose()).context("database.url")?;
            if mode == Mode::Production && location.protection == Protection::Unencrypted {
                bail!(
                    "database.url: with mode = \"production\", sslmode=disable is allowed only if \
                     every host and hostaddr is a loopback address or a Unix socket; use require, \
                     verify-ca or verify-full"
                );
            }
        }
        if !(2..=200).contains(&self.pool_size) {
            bail!("database.pool_size must be between 2 and 200");
        }
        Ok(())
    }
}
