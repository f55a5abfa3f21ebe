//! PSP accounts.

use std::collections::BTreeMap;

use anyhow::bail;
use oncharge_domain::psp::PspAccount;
use serde::{Deserialize, Serialize};

use super::{Mode, Secret};

/// PSP accounts, by account name.
pub(crate) type PspAccounts = BTreeMap<String, PspSettings>;

/// One account at one PSP.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PspSettings {
    /// The connector (`simulator`).
    pub(crate) connector: String,
    /// The base URL of the PSP's API.
    pub(crate) url: String,
    /// The bearer token for the PSP's API.
    pub(crate) bearer: Secret,
    /// The key with which the PSP signs notifications.
    pub(crate) notification_key: Secret,
    /// OnCharge's public URL, to which the PSP sends notifications.
    pub(crate) notify_url: Option<String>,
}

impl PspSettings {
    pub(super) fn check(&self, account: &str, mode: Mode) -> anyhow::Result<()> {
        if PspAccount::new(&self.connector, account).is_err() {
            bail!("psp.{account}: an account name must be 1 to 64 characters of a-z, 0-9, - and _");
        }
        if self.connector != "simulator" {
            bail!("psp.{account}.connector must be a known connector (simulator)");
        }
        if mode == Mode::Production {
            bail!("psp.{account}.connector: simulator is not allowed with mode = \"production\"");
        }
        for (name, value) in [
            ("url", Some(&self.url)),
            ("notify_url", self.notify_url.as_ref()),
        ] {
            let bad = value.is_some_and(|text| {
                url::Url::parse(text).map_or(true, |url| !matches!(url.scheme(), "http" | "https"))
            });
            if bad {
                bail!("psp.{account}.{name} must be an http or https URL");
            }
        }
        if self.bearer.expose().is_empty() || self.notification_key.expose().is_empty() {
            bail!("psp.{account}: bearer and notification_key must not be empty");
        }
        Ok(())
    }
}
