//! Where the data is.

use anyhow::bail;
use serde::Deserialize;

use super::Secret;

/// The database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    /// A `postgres://` URL; without one the embedded file is used.
    pub(crate) url: Option<Secret>,
    /// How many connections to PostgreSQL.
    pub(crate) pool_size: usize,
}

impl Database {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if let Some(url) = &self.url {
            let known = ["postgres://", "postgresql://"];
            if !known.iter().any(|scheme| url.expose().starts_with(scheme)) {
                bail!("database.url must be a postgres:// URL");
            }
        }
        if !(2..=200).contains(&self.pool_size) {
            bail!("database.pool_size must be 2 to 200");
        }
        Ok(())
    }
}
