//! `oncharge stuck`: work that a person should look at.

use anyhow::bail;
use clap::Args;
use oncharge_application::oversight::{self, Dismissible};
use oncharge_domain::time::Timestamp;
use oncharge_ports::work_queue::StuckItem;
use serde_json::{Value, json};

use super::{Target, print_json, rfc3339, usage::OrUsage};

/// Lists stuck work, the oldest first, one a line; that there is some is no failure.
#[derive(Debug, Args)]
pub(super) struct Stuck {
    /// How many at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Takes a notification (`ntf_…`) or a contradicted operation (`op_…`) off the list: a person
    /// has looked at it.
    #[arg(long, value_name = "ID", conflicts_with = "limit")]
    dismiss: Option<String>,
    #[command(flatten)]
    target: Target,
}

impl Stuck {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if let Some(id) = &self.dismiss {
            return dismiss(id, &self.target).await;
        }
        let app = self.target.open().await?.app;
        for item in oversight::stuck(&app, self.limit).await? {
            print_json(&line(&item, app.now())?);
        }
        Ok(())
    }
}

async fn dismiss(id: &str, target: &Target) -> anyhow::Result<()> {
    let item = Dismissible::parse(id)
        .or_usage("--dismiss: must be the id of a notification (ntf_…) or operation (op_…)")?;
    let app = target.open().await?.app;
    if !oversight::dismiss(&app, item).await? {
        bail!("{id} is not on the list");
    }
    print_json(&json!({ "id": id, "dismissed": true }));
    Ok(())
}

fn line(item: &StuckItem, now: Timestamp) -> anyhow::Result<Value> {
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
