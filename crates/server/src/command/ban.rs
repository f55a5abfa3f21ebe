//! `oncharge ban …`: the shared blocklist.

use anyhow::Context;
use clap::{Args, Subcommand};
use oncharge_application::bans;
use oncharge_domain::{
    blocklist::{Ban, DEFAULT_DAYS, Identifier},
    id::BanId,
    text::Email,
    time::Timestamp,
};
use serde_json::{Value, json};

use super::{Target, print_json, rfc3339, usage_error::OrUsageError};

/// What to do with bans.
#[derive(Debug, Subcommand)]
pub(super) enum BanCommand {
    /// Bans a shopper. Only a keyed hash of the identifier is stored.
    Add {
        #[command(flatten)]
        shopper: ShopperArgs,
        /// Duration of the ban in days.
        #[arg(long, default_value_t = DEFAULT_DAYS, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: u32,
        /// A note for operators, without personal data.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Lists all bans, newest first, one per line.
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Revokes a ban.
    Revoke {
        /// The ban's id, as `ban list` prints it.
        id: String,
        #[command(flatten)]
        target: Target,
    },
}

/// Whom to ban.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct ShopperArgs {
    /// The shopper's e-mail address; it is normalized.
    #[arg(long)]
    email: Option<String>,
    /// The shopper's phone number with country code; it is normalized.
    #[arg(long)]
    phone: Option<String>,
}

impl ShopperArgs {
    fn identifier(&self) -> anyhow::Result<Identifier> {
        match (&self.email, &self.phone) {
            (Some(email), None) => Ok(Identifier::email(
                &Email::parse(email.trim()).or_usage_error("--email")?,
            )),
            (None, Some(phone)) => Identifier::phone_from_input(phone).or_usage_error("--phone"),
            _ => None.or_usage_error("exactly one of --email and --phone is required"),
        }
    }
}

impl BanCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add {
                shopper,
                days,
                reason,
                target,
            } => {
                let identifier = shopper.identifier()?;
                let app = target.open().await?.app;
                let ban = bans::add(&app, &identifier, days, reason).await;
                let ban = ban.context("cannot add the ban")?;
                print_json(&json!({
                    "ban_id": ban.id.to_string(),
                    "type": ban.kind.name(),
                    "expires_at": rfc3339(ban.expires_at)?,
                }));
            }
            Self::List { target } => {
                let app = target.open().await?.app;
                for ban in bans::list(&app).await? {
                    print_json(&ban_json(&ban, app.now())?);
                }
            }
            Self::Revoke { id, target } => {
                let id: BanId = id
                    .parse()
                    .ok()
                    .or_usage_error("ID must be a ban id, as `oncharge ban list` prints it")?;
                let revoked = bans::revoke(&target.open().await?.app, id).await;
                revoked.context("cannot revoke the ban")?;
                print_json(&json!({ "ban_id": id.to_string(), "revoked": true }));
            }
        }
        Ok(())
    }
}

fn ban_json(ban: &Ban, now: Timestamp) -> anyhow::Result<Value> {
    Ok(json!({
        "ban_id": ban.id.to_string(),
        "type": ban.kind.name(),
        "pepper": ban.hash.pepper.as_str(),
        "source": ban.source,
        "reason": ban.reason,
        "created_at": rfc3339(ban.created_at)?,
        "expires_at": rfc3339(ban.expires_at)?,
        "revoked_at": ban.revoked_at.map(rfc3339).transpose()?,
        "live": ban.is_live(now),
    }))
}
