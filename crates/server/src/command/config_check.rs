//! `oncharge config check`: whether `serve` would take the configuration.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::print_json;
use crate::config::{Mode, Settings};

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Reads and checks it, keys included; prints the settings with secrets masked to stderr.
    Check {
        /// The file.
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

impl ConfigCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self::Check { config } = self;
        let settings = Settings::load(config.as_deref(), "")?;
        settings.keys.configured()?;
        let mode = match settings.mode {
            Mode::Production => "production",
            Mode::Sandbox => "sandbox",
        };
        print_json(&json!({ "acceptable": true, "mode": mode }));
        Ok(())
    }
}
