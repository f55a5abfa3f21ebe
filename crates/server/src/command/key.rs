//! `oncharge key …`: API keys.

use anyhow::Context;
use clap::{Args, Subcommand};
use oncharge_application::merchants::{self, KeySelector};
use oncharge_domain::{
    id::{ApiKeyId, MerchantId},
    merchant::ApiKey,
    time::Timestamp,
};
use serde_json::{Value, json};

use super::{Target, print_json, rfc3339, usage_error::OrUsageError};
use crate::config::PspAccounts;

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Creates another API key and secret for a merchant; the secret is shown only once. A merchant
    /// can have at most 5 active keys.
    Create {
        /// The merchant's id.
        #[arg(long)]
        merchant: String,
        #[command(flatten)]
        target: Target,
    },
    /// Lists a merchant's keys that still work, newest first, one per line.
    List {
        /// The merchant's id.
        #[arg(long)]
        merchant: String,
        #[command(flatten)]
        target: Target,
    },
    /// Revokes one or all keys. Running servers reject them within a second.
    Revoke(Revoke),
}

/// Which keys are revoked: one, or all of a merchant.
#[derive(Debug, Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    key_args: KeyArgs,
    /// The merchant's id; required with --all.
    #[arg(long, requires = "all")]
    merchant: Option<String>,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct KeyArgs {
    /// The API key (not the secret).
    key: Option<String>,
    /// The key's id (`key_…`), as `key list` prints it.
    #[arg(long, value_name = "KEY_ID")]
    id: Option<String>,
    /// Revokes all keys of the merchant given by --merchant.
    #[arg(long, requires = "merchant")]
    all: bool,
}

impl KeyCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create { merchant, target } => {
                let id = merchant_id(&merchant)?;
                let app = target.open_to_seal(&PspAccounts::new()).await?.app;
                let pair = merchants::add_key(&app, id).await;
                let pair = pair.context("cannot create the key")?;
                print_json(&json!({ "api_key": pair.api_key, "api_secret": *pair.api_secret }));
                Ok(())
            }
            Self::List { merchant, target } => list(merchant_id(&merchant)?, &target).await,
            Self::Revoke(revoke) => revoke.run().await,
        }
    }
}

async fn list(merchant: MerchantId, target: &Target) -> anyhow::Result<()> {
    let app = target.open().await?.app;
    let keys = merchants::list_keys(&app, merchant).await;
    for key in keys.context("cannot list the keys")? {
        print_json(&key_json(&key)?);
    }
    Ok(())
}

fn key_json(key: &ApiKey) -> anyhow::Result<Value> {
    let time = |at: Option<Timestamp>| at.map(rfc3339).transpose();
    Ok(json!({
        "key_id": key.id.to_string(),
        "key_hint": key.hint,
        "created_at": rfc3339(key.created_at)?,
        "last_used_at": time(key.last_used_at)?,
        "ends_at": time(key.ends_at)?,
    }))
}

impl Revoke {
    async fn run(self) -> anyhow::Result<()> {
        if let Some(merchant) = &self.merchant {
            let merchant = merchant_id(merchant)?;
            let app = self.target.open().await?.app;
            let revoked = merchants::revoke_all_keys(&app, merchant).await;
            let revoked = revoked.context("cannot revoke the keys")?;
            let merchant = merchant.to_string();
            print_json(&json!({ "merchant_id": merchant, "revoked": revoked }));
            return Ok(());
        }
        let selector = match (&self.key_args.key, &self.key_args.id) {
            (_, Some(id)) => {
                let id: Option<ApiKeyId> = id.parse().ok();
                KeySelector::Id(id.or_usage_error("--id must be a key id (key_…)")?)
            }
            (Some(key), None) => KeySelector::Text(key),
            (None, None) => {
                return None
                    .or_usage_error("pass the API key, --id KEY_ID, or --all with --merchant");
            }
        };
        let app = self.target.open().await?.app;
        let revoked = merchants::revoke_key(&app, &selector).await;
        let revoked = revoked.context("cannot revoke the key")?;
        let api_key = match selector {
            KeySelector::Text(key) => Some(key),
            KeySelector::Id(_) => None,
        };
        // A key that was rotated before may have a successor.
        let remaining = merchants::list_keys(&app, revoked.merchant).await?;
        let remaining: Vec<String> = remaining.iter().map(|key| key.id.to_string()).collect();
        print_json(&json!({
            "key_id": revoked.id.to_string(),
            "api_key": api_key,
            "revoked": true,
            "remaining_key_ids": remaining,
        }));
        Ok(())
    }
}

fn merchant_id(text: &str) -> anyhow::Result<MerchantId> {
    let id: Option<MerchantId> = text.parse().ok();
    id.or_usage_error("--merchant must be a merchant id (mer_…)")
}
