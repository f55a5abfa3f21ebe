//! `oncharge keys reseal`: re-encrypts every sealed value with the first master key.

use anyhow::Context;
use clap::Subcommand;
use oncharge_application::keys::reseal::reseal;
use serde_json::json;

use super::{Target, print_json};
use crate::telemetry::print_note;

/// What to do with keys at rest.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Seals every value again that is not under the first master key. May be interrupted and
    /// repeated; refused while a live node lacks that key. Prints how many values were resealed.
    Reseal {
        #[command(flatten)]
        target: Target,
    },
}

impl KeysCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self::Reseal { target } = self;
        let done = reseal(&target.open().await?.app).await;
        let done = done.context("not resealed")?;
        print_json(&json!({ "resealed": done.count }));
        for id in &done.still_used {
            print_note(format_args!(
                "the key {:?} is still in use: move {:?} to the front on every node and repeat this",
                id.as_str(),
                done.first.as_str(),
            ));
        }
        Ok(())
    }
}
