//! `oncharge merchant …`: merchants and their settings.

use std::ffi::OsString;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use oncharge_application::{
    Error,
    merchants::{self, NewMerchant, SettingsChange},
};
use oncharge_domain::{
    branding::{Branding, accent::ColorScheme},
    id::MerchantId,
    merchant::Merchant,
    psp::PspAccount,
    text::MerchantName,
};
use serde_json::json;

use super::{
    Target, branding, origins, print_json, rfc3339,
    usage_error::{OrUsageError, UsageError},
};
use crate::config::PspAccounts;

/// Default delay of the automatic capture after the authorization, in seconds.
const DEFAULT_CAPTURE_DELAY: u32 = 3600;

/// What to do with merchants.
#[derive(Debug, Subcommand)]
pub(super) enum MerchantCommand {
    /// Creates a merchant with its first API key and secret; the secret is shown only once.
    Create {
        /// The merchant's name, as shown to shoppers.
        #[arg(long)]
        name: String,
        /// The merchant's PSP account, as connector/account.
        #[arg(long, default_value = "simulator/default")]
        psp_account: String,
        #[command(flatten)]
        target: Target,
    },
    /// Lists all merchants with their settings, one per line.
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Prints a merchant's settings.
    Show {
        /// The merchant's id.
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Rejects new sessions and payments of a merchant, within a second. Webhooks, captures,
    /// cancels and refunds continue.
    Disable {
        /// The merchant's id.
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Enables a disabled merchant.
    Enable {
        /// The merchant's id.
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Changes a merchant's settings and prints them. Capture settings apply to sessions created
    /// afterwards; origins and branding apply within a second.
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
    /// Whether payments are captured automatically or at the merchant's request.
    #[arg(long)]
    capture: Option<Capture>,
    /// Seconds from authorization to automatic capture; 0 = capture with the authorization.
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=604_800))]
    capture_delay: Option<u32>,
    /// Comma-separated origins that may embed the checkout; empty: the origin of each session's
    /// return URL.
    #[arg(long)]
    origins: Option<String>,
    /// Whether refunds and captures without an Idempotency-Key are rejected.
    #[arg(long, value_name = "BOOL")]
    require_idempotency_key: Option<bool>,
    /// Color of buttons and links in light mode, such as #c2185b; empty: the checkout's default.
    #[arg(long)]
    accent: Option<String>,
    /// Color of buttons and links in dark mode; empty: the checkout's default.
    #[arg(long)]
    accent_dark: Option<String>,
    /// Logo: a PNG, JPEG, WebP or SVG file of at most 8 KiB; empty: no logo.
    #[arg(long, value_name = "FILE")]
    logo: Option<OsString>,
}

/// Whether payments are captured automatically or at the merchant's request.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Capture {
    /// The merchant captures by API request.
    Manual,
    /// Captured automatically after the capture delay.
    Automatic,
}

impl MerchantCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create {
                name,
                psp_account,
                target,
            } => create(&name, &psp_account, &target).await,
            Self::List { target } => list(&target).await,
            Self::Show { id, target } => {
                let id = merchant_id(&id)?;
                let merchant = merchants::get(&target.open().await?.app, id).await;
                show(&merchant.context("cannot show the merchant")?)
            }
            Self::Disable { id, target } => set_enabled(&id, false, &target).await,
            Self::Enable { id, target } => set_enabled(&id, true, &target).await,
            Self::Set {
                id,
                changes,
                target,
            } => set(&id, changes, &target).await,
        }
    }
}

async fn create(name: &str, psp_account: &str, target: &Target) -> anyhow::Result<()> {
    let name = MerchantName::parse(name).or_usage_error("--name")?;
    let account = psp_account
        .split_once('/')
        .and_then(|(connector, account)| PspAccount::new(connector, account).ok())
        .or_usage_error("--psp-account must be connector/account, such as simulator/default")?;
    let new = NewMerchant {
        name,
        account,
        capture_delay_seconds: DEFAULT_CAPTURE_DELAY,
        branding: Branding::default(),
    };
    let accounts = target.psp_accounts(&target.settings()?)?;
    let app = target.open_to_seal(&accounts).await?.app;
    let created = match merchants::create(&app, new).await {
        Err(Error::UnknownPspAccount) => Err(unknown_account(psp_account, &accounts)),
        created => created.context("cannot create the merchant"),
    };
    let (merchant, pair) = created?;
    print_json(&json!({
        "merchant_id": merchant.id.to_string(),
        "name": merchant.name.as_str(),
        "api_key": pair.api_key,
        "api_secret": *pair.api_secret,
    }));
    Ok(())
}

/// An error that lists the configured accounts; their names are not secret.
fn unknown_account(wanted: &str, accounts: &PspAccounts) -> anyhow::Error {
    let names = accounts
        .iter()
        .map(|(name, psp)| format!("{}/{name}", psp.connector));
    let names: Vec<_> = names.collect();
    let available = if names.is_empty() {
        "no PSP account is configured: add [psp.<account>] to the configuration".to_owned()
    } else {
        format!("configured accounts: {}", names.join(", "))
    };
    UsageError(format!(
        "--psp-account: {wanted} does not exist; {available}"
    ))
    .into()
}

fn merchant_id(text: &str) -> anyhow::Result<MerchantId> {
    text.parse()
        .ok()
        .or_usage_error("ID must be a merchant id (mer_…)")
}

/// Prints all merchants, page by page.
async fn list(target: &Target) -> anyhow::Result<()> {
    const PAGE: u32 = 100;
    let app = target.open().await?.app;
    let mut after = None;
    loop {
        let page = merchants::list(&app, after, PAGE).await?;
        for merchant in &page {
            show(merchant)?;
        }
        match page.last() {
            Some(last) => after = Some(last.id),
            None => return Ok(()),
        }
    }
}

/// Enables a merchant, or disables it.
async fn set_enabled(id: &str, enabled: bool, target: &Target) -> anyhow::Result<()> {
    let id = merchant_id(id)?;
    let wanted = SettingsChange {
        disabled: Some(!enabled),
        ..SettingsChange::default()
    };
    let updated = merchants::change(&target.open().await?.app, id, wanted).await;
    show(&updated.context("cannot change the merchant")?)
}

async fn set(id: &str, changes: Changes, target: &Target) -> anyhow::Result<()> {
    let id = merchant_id(id)?;
    // All arguments are validated before anything is changed.
    let wanted = changes.into_settings_change(target.is_sandbox()?)?;
    let updated = merchants::change(&target.open().await?.app, id, wanted).await;
    show(&updated.context("cannot change the merchant")?)
}

/// Prints a merchant with its settings.
fn show(merchant: &Merchant) -> anyhow::Result<()> {
    let capture = if merchant.automatic_capture {
        "automatic"
    } else {
        "manual"
    };
    let account = &merchant.account;
    print_json(&json!({
        "merchant_id": merchant.id.to_string(),
        "name": merchant.name.as_str(),
        "psp_account": format!("{}/{}", account.connector(), account.account()),
        "capture": capture,
        "capture_delay": merchant.capture_delay_seconds,
        "origins": merchant.origins,
        "require_idempotency_key": merchant.require_idempotency_key,
        "accent": merchant.branding.accent.map(branding::text),
        "accent_dark": merchant.branding.accent_dark.map(branding::text),
        "logo": merchant.branding.logo.as_ref().map(branding::description),
        "created_at": rfc3339(merchant.created_at)?,
        "disabled_at": merchant.disabled_at.map(rfc3339).transpose()?,
    }));
    Ok(())
}

impl Changes {
    fn into_settings_change(self, is_sandbox: bool) -> anyhow::Result<SettingsChange> {
        let origins = self
            .origins
            .map(|list| origins::parse(&list, is_sandbox).or_usage_error("--origins"));
        let accent = branding::accent(self.accent.as_deref(), ColorScheme::Light);
        let accent_dark = branding::accent(self.accent_dark.as_deref(), ColorScheme::Dark);
        let capture = self.capture;
        Ok(SettingsChange {
            automatic_capture: capture.map(|who| matches!(who, Capture::Automatic)),
            capture_delay_seconds: self.capture_delay,
            origins: origins.transpose()?,
            require_idempotency_key: self.require_idempotency_key,
            disabled: None,
            accent: accent.or_usage_error("--accent")?,
            accent_dark: accent_dark.or_usage_error("--accent-dark")?,
            logo: branding::logo(self.logo.as_deref()).or_usage_error("--logo")?,
        })
    }
}
