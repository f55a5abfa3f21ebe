//! The sandbox merchant's key pair, stored in `sandbox.json`.

use std::{fs, path::Path};

use anyhow::Context;
use serde_json::json;

use crate::config::{Secret, write_private};

/// A merchant and its key pair.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    /// The merchant id; empty for a pair from the environment.
    pub(crate) merchant_id: String,
    /// The API key.
    pub(crate) api_key: String,
    /// The API secret.
    pub(crate) api_secret: Secret,
}

impl Credentials {
    /// The key pair in `ONCHARGE_API_KEY` and `ONCHARGE_API_SECRET`.
    #[expect(
        clippy::disallowed_methods,
        reason = "a merchant's pair is no setting of the server"
    )]
    pub(crate) fn from_environment() -> Option<Self> {
        let api_key = std::env::var("ONCHARGE_API_KEY").ok()?;
        let api_secret = Secret::new(std::env::var("ONCHARGE_API_SECRET").ok()?);
        Some(Self {
            merchant_id: String::new(),
            api_key,
            api_secret,
        })
    }

    /// Reads a sandbox's key pair, if it has one.
    pub(crate) fn read(data_dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = data_dir.join("sandbox.json");
        if !path.exists() {
            return Ok(None);
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let stored: StoredCredentials = serde_json::from_str(&text).with_context(|| {
            format!(
                "{} is not a valid sandbox file: delete it to create a new merchant",
                path.display()
            )
        })?;
        Ok(Some(Self {
            merchant_id: stored.merchant_id,
            api_key: stored.api_key,
            api_secret: Secret::new(stored.api_secret),
        }))
    }

    /// Stores the key pair.
    pub(crate) fn write(&self, data_dir: &Path) -> anyhow::Result<()> {
        let stored = json!({
            "merchant_id": self.merchant_id,
            "api_key": self.api_key,
            "api_secret": self.api_secret.expose(),
        });
        write_private(
            &data_dir.join("sandbox.json"),
            format!("{stored:#}\n").as_bytes(),
        )
    }
}

#[derive(serde::Deserialize)]
struct StoredCredentials {
    merchant_id: String,
    api_key: String,
    api_secret: String,
}
