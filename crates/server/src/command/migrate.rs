//! `oncharge migrate`: migrates the database schema.

use serde_json::json;

use super::{Target, print_json};

pub(super) async fn run(target: &Target) -> anyhow::Result<()> {
    // Opening a store migrates it, under a lock.
    target.open().await?;
    print_json(&json!({ "migrated": true }));
    Ok(())
}
