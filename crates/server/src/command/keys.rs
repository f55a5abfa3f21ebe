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
    /// Re-encrypts every value that is not encrypted with the first master key. Can be interrupted
    /// and repeated. Refused while a running node lacks that key. Prints the number of re-encrypted
    /// values.
    Reseal {
        #[command(flatten)]
        target: Target,
    },
}

impl KeysCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self::Reseal { target } = self;
        let done = reseal(&target.open().await?.app).await;
        let done = done.context("cannot reseal the values")?;
        print_json(&json!({ "resealed": done.count }));
        for id in &done.still_used {
            print_note(format_args!(
                "the key {:?} is still in use: make {:?} the first key on every node, then run \
                 this command again",
                id.as_str(),
                done.first.as_str(),
            ));
        }
        Ok(())
    }
}
