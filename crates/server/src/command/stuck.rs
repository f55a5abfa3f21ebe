//! `oncharge stuck`: lists work that needs a person.

use anyhow::bail;
use clap::Args;
use oncharge_application::operator_queries::{self, Dismissible};
use oncharge_domain::{psp::PspAccount, time::Timestamp};
use oncharge_ports::{
    Clock,
    inbox::{NotificationStatus, StuckNotificationFilter},
    work_queue::StuckItem,
};
use serde_json::{Value, json};

use super::{Target, print_json, reconcile::parse_since, rfc3339, usage_error::OrUsageError};
use crate::system::SystemClock;

/// Lists stuck work, oldest first, one item per line. The exit code is 0 even if there is stuck
/// work.
#[derive(Debug, Args)]
pub(super) struct Stuck {
    /// Maximum number of items.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Removes a notification (`ntf_…`) or a contradicted operation (`op_…`) from the list after
    /// review.
    #[arg(long, value_name = "ID", conflicts_with_all = ["limit", "dismiss_all"])]
    dismiss: Option<String>,
    /// Removes all notifications with this status from the list. Each batch is recorded in the
    /// audit log.
    #[arg(long, value_name = "STATUS", conflicts_with = "limit")]
    dismiss_all: Option<StuckStatus>,
    /// With --dismiss-all: only notifications of this PSP account.
    #[arg(long, value_name = "CONNECTOR/ACCOUNT", requires = "dismiss_all")]
    account: Option<String>,
    /// With --dismiss-all: only notifications received before this time (RFC 3339) or older than
    /// this age, such as 90m, 24h or 7d (default: all).
    #[arg(long, value_name = "TIME", requires = "dismiss_all")]
    before: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// The status of notifications that a person should look at.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum StuckStatus {
    Mismatched,
    Unmatched,
    Malformed,
}

impl From<StuckStatus> for NotificationStatus {
    fn from(status: StuckStatus) -> Self {
        match status {
            StuckStatus::Mismatched => Self::Mismatched,
            StuckStatus::Unmatched => Self::Unmatched,
            StuckStatus::Malformed => Self::Malformed,
        }
    }
}

impl Stuck {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if let Some(status) = self.dismiss_all {
            return self.dismiss_all(status).await;
        }
        if let Some(id) = &self.dismiss {
            return dismiss(id, &self.target).await;
        }
        let app = self.target.open().await?.app;
        for item in operator_queries::stuck(&app, self.limit).await? {
            print_json(&stuck_item_json(&item, app.now())?);
        }
        Ok(())
    }

    async fn dismiss_all(&self, status: StuckStatus) -> anyhow::Result<()> {
        let account = match self.account.as_deref() {
            Some(text) => {
                let account = text.split_once('/');
                let account = account.and_then(|(one, two)| PspAccount::new(one, two).ok());
                Some(account.or_usage_error(
                    "--account must be connector/account, such as simulator/default",
                )?)
            }
            None => None,
        };
        let now = SystemClock.now();
        let received_before = match self.before.as_deref() {
            Some(text) => {
                let usage = "--before must be a past time (RFC 3339) or an age such as 24h";
                parse_since(text, now).or_usage_error(usage)?
            }
            None => now,
        };
        let stuck = StuckNotificationFilter {
            status: status.into(),
            account,
            received_before,
        };
        let app = self.target.open().await?.app;
        let dismissed = operator_queries::dismiss_all(&app, &stuck).await?;
        print_json(&json!({ "dismissed": dismissed }));
        Ok(())
    }
}

async fn dismiss(id: &str, target: &Target) -> anyhow::Result<()> {
    let item = Dismissible::parse(id)
        .or_usage_error("--dismiss must be the id of a notification (ntf_…) or operation (op_…)")?;
    let app = target.open().await?.app;
    if !operator_queries::dismiss(&app, item).await? {
        bail!("{id} is not on the list of stuck work");
    }
    print_json(&json!({ "id": id, "dismissed": true }));
    Ok(())
}

fn stuck_item_json(item: &StuckItem, now: Timestamp) -> anyhow::Result<Value> {
    Ok(json!({
        "kind": item.kind.name(),
        "id": item.id,
        "session_id": item.session.map(|id| id.to_string()),
        "merchant_id": item.merchant.map(|id| id.to_string()),
        "since": rfc3339(item.since)?,
        "age_seconds": now.since(item.since).whole_seconds().max(0),
        "detail": item.detail,
    }))
}
