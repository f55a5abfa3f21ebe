//! `oncharge dev`: the whole product on the local machine.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::sign;
use crate::{
    config::{WebhookClock, write_private},
    sandbox::{Options, Port, Sandbox},
    shutdown::Shutdown,
    telemetry::print,
};

/// Starts the API, checkout, PSP simulator and demo shop in one process, on loopback addresses.
#[derive(Debug, Clone, Args)]
pub(super) struct Dev {
    /// API port (default 8080). 0 picks a free port; a default port that is taken is replaced by a
    /// free one.
    #[arg(long)]
    port: Option<u16>,
    /// PSP simulator port (default 8081).
    #[arg(long)]
    simulator_port: Option<u16>,
    /// Operators' port (default 8082).
    #[arg(long)]
    ops_port: Option<u16>,
    /// Demo shop port (default 8083).
    #[arg(long)]
    shop_port: Option<u16>,
    /// Directory for the embedded database, the keys and the sandbox's state.
    #[arg(long, default_value = ".oncharge")]
    data_dir: PathBuf,
    /// postgres:// URL; without it, the embedded database is used.
    #[arg(long)]
    database_url: Option<String>,
    /// Requests per second for each API key (default 5000); the burst is twice that.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate_limit: Option<u32>,
    /// Failed authentications per second for each client address (default 1000); the burst is five
    /// times that.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    address_limit: Option<u32>,
    /// Seconds until an unpaid session expires (default 1800).
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=604_800))]
    session_ttl: Option<i64>,
    /// Seconds from authorization to automatic capture (default 60; 0 = capture with the
    /// authorization).
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=604_800))]
    capture_delay: Option<u32>,
    /// Speed of the webhook retry schedule (fast: an hour becomes a second).
    #[arg(long, value_enum)]
    webhook_clock: Option<WebhookClock>,
    /// File to write once everything responds: URLs, API key and secret as JSON.
    #[arg(long)]
    ready_file: Option<PathBuf>,
}

impl Default for Dev {
    fn default() -> Self {
        Self {
            port: None,
            simulator_port: None,
            ops_port: None,
            shop_port: None,
            data_dir: PathBuf::from(".oncharge"),
            database_url: None,
            rate_limit: None,
            address_limit: None,
            session_ttl: None,
            capture_delay: None,
            webhook_clock: None,
            ready_file: None,
        }
    }
}

impl Dev {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let options = Options {
            data_dir: self.data_dir,
            database_url: self.database_url,
            api_port: Port::new(self.port, 8080),
            simulator_port: Port::new(self.simulator_port, 8081),
            ops_port: Port::new(self.ops_port, 8082),
            shop_port: Port::new(self.shop_port, 8083),
            rate_limit: self.rate_limit,
            address_limit: self.address_limit,
            session_ttl: self.session_ttl,
            capture_delay: self.capture_delay,
            webhook_clock: self.webhook_clock,
            log_filter: None,
        };
        let mut shutdown = Shutdown::listen()?;
        let Some(sandbox) = Sandbox::start_or_shutdown(&options, &mut shutdown).await? else {
            return Ok(());
        };
        print_welcome(&sandbox);
        if let Some(file) = &self.ready_file {
            write_private(file, format!("{}\n", sandbox.ready()).as_bytes())?;
        }
        shutdown.requested().await;
        sandbox.stop().await;
        Ok(())
    }
}

/// Prints how to get started.
fn print_welcome(sandbox: &Sandbox) {
    let urls = &sandbox.urls;
    let body = json!({
        "amount": 9999,
        "currency": "USD",
        "reference": "order-42",
        "return_url": "https://shop.example.com/thank-you",
    });
    let curl = sign::curl(
        &sandbox.credentials,
        urls.api.as_str(),
        "POST",
        "/v1/checkout/sessions",
        Some(&body.to_string()),
    );
    print(format_args!(
        "OnCharge is ready.

  Demo shop    {}   buy something with card 4242 4242 4242 4242
  API          {}   reference at /docs
  Simulator    {}
  Operators    {}/ops/

  API key      {}
  API secret   {}

A signed request, valid for five minutes (`oncharge sign` prints new ones):

{curl}

Stop with Ctrl-C.",
        urls.shop,
        urls.api,
        urls.simulator,
        urls.ops,
        sandbox.credentials.api_key,
        sandbox.credentials.api_secret.expose(),
    ));
}
