//! `oncharge keys reseal`: every sealed value under the first master key.

use clap::Subcommand;
use serde_json::json;

use super::{Target, print_json};

/// What to do with keys at rest.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Seals every value again that is not under the first key; may be repeated.
    Reseal {
        #[command(flatten)]
        target: Target,
    },
}

impl KeysCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self::Reseal { target } = self;
        let resealed = target.open().await?.maintenance.reseal().await?;
        print_json(&json!({ "resealed": resealed }));
        Ok(())
    }
}
