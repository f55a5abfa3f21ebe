//! Where the data is.

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::Secret;

/// The database.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    /// A `postgres://` URL; without one the embedded file is used.
    pub(crate) url: Option<Secret>,
    /// How many connections to PostgreSQL.
    pub(crate) pool_size: usize,
}

impl Database {
    /// Where the database is, for people: host, port and name, without user and password; `None`
    /// for the embedded file.
    pub(crate) fn place(&self) -> Option<String> {
        let url = url::Url::parse(self.url.as_ref()?.expose()).ok();
        // An address in a form of its own may hold its password anywhere.
        Some(url.map_or_else(
            || "PostgreSQL".to_owned(),
            |url| {
                let (host, port) = (url.host_str().unwrap_or_default(), url.port());
                format!("{host}:{}{}", port.unwrap_or(5432), url.path())
            },
        ))
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_shows_no_secret() {
        for (url, place) in [
            (
                "postgres://me:hunter2@db.example.com/shop?password=hunter2",
                "db.example.com:5432/shop",
            ),
            ("postgres://me@127.0.0.1:5433/x", "127.0.0.1:5433/x"),
            ("postgres://me:hunter2@host:port/x", "PostgreSQL"),
        ] {
            let url = Some(Secret::new(url.to_owned()));
            let database = Database { url, pool_size: 2 };
            assert_eq!(database.place().unwrap(), place);
        }
    }
}
