//! `oncharge key …`: API keys.

use anyhow::Context;
use clap::Subcommand;
use oncharge_application::merchants;
use oncharge_domain::id::MerchantId;
use serde_json::json;

use super::{Target, print_json, usage::OrUsage};
use crate::config::PspAccounts;

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Makes another pair for a merchant; it is shown once.
    Create {
        /// The merchant's id.
        #[arg(long)]
        merchant: String,
        #[command(flatten)]
        target: Target,
    },
    /// Revokes a key; running servers refuse it within a second.
    Revoke {
        /// The API key (not the secret).
        key: String,
        #[command(flatten)]
        target: Target,
    },
}

impl KeyCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create { merchant, target } => {
                let id: MerchantId = merchant
                    .parse()
                    .ok()
                    .or_usage("--merchant is no merchant id")?;
                let pair =
                    merchants::add_key(&target.open_to_seal(&PspAccounts::new()).await?.app, id)
                        .await;
                let pair = pair.context("the key was not made")?;
                print_json(&json!({ "api_key": pair.api_key, "api_secret": *pair.api_secret }));
            }
            Self::Revoke { key, target } => {
                let revoked = merchants::revoke_key(&target.open().await?.app, &key).await;
                revoked.context("the key was not revoked")?;
                print_json(&json!({ "api_key": key, "revoked": true }));
            }
        }
        Ok(())
    }
}
