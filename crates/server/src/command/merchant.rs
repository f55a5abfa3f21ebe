//! `oncharge merchant …`: merchants and their settings.

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use oncharge_application::merchants::{self, NewMerchant, SettingsChange};
use oncharge_domain::{id::MerchantId, psp::PspAccount, text::MerchantName};
use serde_json::json;

use super::{Target, origins, print_json, usage::OrUsage};

/// How long after the authorisation the clock captures unless said otherwise, in seconds.
const CAPTURE_DELAY: u32 = 3600;

/// What to do with merchants.
#[derive(Debug, Subcommand)]
pub(super) enum MerchantCommand {
    /// Makes a merchant with its first pair, which is shown once.
    Create {
        /// Its name, as shoppers see it.
        #[arg(long)]
        name: String,
        /// The PSP account that it uses, as connector/account.
        #[arg(long, default_value = "simulator/default")]
        psp_account: String,
        #[command(flatten)]
        target: Target,
    },
    /// Changes a merchant's settings, for sessions created from then on.
    Set {
        /// The merchant's id.
        id: String,
        #[command(flatten)]
        changes: Changes,
        #[command(flatten)]
        target: Target,
    },
}

/// What to change of a merchant's settings: at least one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct Changes {
    /// Who captures.
    #[arg(long)]
    capture: Option<Capture>,
    /// Seconds from authorisation to automatic capture; 0 = with the authorisation.
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=604_800))]
    capture_delay: Option<u32>,
    /// The origins that may frame the checkout, with commas between them; empty: the origin of
    /// each session's return URL.
    #[arg(long)]
    origins: Option<String>,
}

/// Who captures.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Capture {
    /// The merchant.
    Manual,
    /// The clock.
    Automatic,
}

impl MerchantCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create {
                name,
                psp_account,
                target,
            } => {
                let name = MerchantName::parse(&name).or_usage("--name")?;
                let account = psp_account
                    .split_once('/')
                    .and_then(|(connector, account)| PspAccount::new(connector, account).ok())
                    .or_usage("--psp-account must be connector/account")?;
                let new = NewMerchant {
                    name,
                    account,
                    capture_delay_seconds: CAPTURE_DELAY,
                };
                let made = merchants::create(&target.open().await?.app, new).await;
                let (merchant, pair) = made.context("the merchant was not made")?;
                print_json(&json!({
                    "merchant_id": merchant.id.to_string(),
                    "name": merchant.name.as_str(),
                    "api_key": pair.api_key,
                    "api_secret": *pair.api_secret,
                }));
            }
            Self::Set {
                id,
                changes,
                target,
            } => {
                let id: MerchantId = id.parse().ok().or_usage("this is no merchant id")?;
                let is_sandbox = target.is_sandbox()?;
                let origins = changes
                    .origins
                    .map(|list| origins::parse(&list, is_sandbox).or_usage("--origins"))
                    .transpose()?;
                let capture = changes.capture;
                let change = SettingsChange {
                    automatic_capture: capture.map(|who| matches!(who, Capture::Automatic)),
                    capture_delay_seconds: changes.capture_delay,
                    origins,
                };
                let changed = merchants::change(&target.open().await?.app, id, change).await;
                let merchant = changed.context("the merchant was not changed")?;
                let capture = if merchant.automatic_capture {
                    "automatic"
                } else {
                    "manual"
                };
                print_json(&json!({
                    "merchant_id": merchant.id.to_string(),
                    "name": merchant.name.as_str(),
                    "capture": capture,
                    "capture_delay": merchant.capture_delay_seconds,
                    "origins": merchant.origins,
                }));
            }
        }
        Ok(())
    }
}
