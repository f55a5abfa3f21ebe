//! The simulator's binary: `oncharge-psp-simulator --port 8081 --data-dir .simulator`.
//!
//! Its two secrets come from the environment: `ONCHARGE_SIMULATOR_BEARER` (the callers' bearer
//! token, default `sandbox-bearer`) and `ONCHARGE_SIMULATOR_NOTIFICATION_KEY` (signs notifications,
//! default `sandbox-notification-key`). The defaults are public, so unless both secrets are set it
//! listens on loopback only.
//!
//! The Stripe face has three: `ONCHARGE_SIMULATOR_STRIPE_SECRET_KEY` (default `sk_test_sandbox`),
//! `ONCHARGE_SIMULATOR_STRIPE_PUBLISHABLE_KEY` (default `pk_test_sandbox`) and
//! `ONCHARGE_SIMULATOR_STRIPE_WEBHOOK_SECRET` (default `whsec_sandbox`). On an address other than
//! loopback the face is off unless all three are set.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use oncharge_psp_simulator::{Config, Secret, StripeAccount, start};

const BEARER: &str = "ONCHARGE_SIMULATOR_BEARER";
const NOTIFICATION_KEY: &str = "ONCHARGE_SIMULATOR_NOTIFICATION_KEY";
const STRIPE_SECRET_KEY: &str = "ONCHARGE_SIMULATOR_STRIPE_SECRET_KEY";
const STRIPE_PUBLISHABLE_KEY: &str = "ONCHARGE_SIMULATOR_STRIPE_PUBLISHABLE_KEY";
const STRIPE_WEBHOOK_SECRET: &str = "ONCHARGE_SIMULATOR_STRIPE_WEBHOOK_SECRET";

/// A payment service provider for sandboxes and tests. It moves no real money.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address to listen on. An address other than loopback requires `ONCHARGE_SIMULATOR_BEARER` and
    /// `ONCHARGE_SIMULATOR_NOTIFICATION_KEY`.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// Port to listen on; 0 picks a free one.
    #[arg(long, default_value_t = 8081)]
    port: u16,
    /// Directory of the database file psp-simulator.sqlite.
    #[arg(long, default_value = ".oncharge")]
    data_dir: PathBuf,
    /// The database file, instead of --data-dir.
    #[arg(long, conflicts_with = "data_dir")]
    database: Option<PathBuf>,
    /// Origin under which browsers reach the simulator, if it differs from the address.
    #[arg(long)]
    public_url: Option<String>,
    /// Additional host name to accept, besides localhost and the address; can be repeated.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Where the Stripe face sends its events; without it there are none.
    #[arg(long, value_name = "URL")]
    stripe_webhook_url: Option<String>,
    /// Metadata key of a payment intent whose value is its reference in the ledger, instead of its id.
    #[arg(long, value_name = "KEY")]
    stripe_reference_metadata: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO)
        .init();
    let (bearer, notification_key) = (env_var(BEARER), env_var(NOTIFICATION_KEY));
    if !arguments.bind.is_loopback() && (bearer.is_none() || notification_key.is_none()) {
        anyhow::bail!(
            "listening on {}, which is not a loopback address, requires {BEARER} and \
             {NOTIFICATION_KEY} to be set",
            arguments.bind
        );
    }
    let database = arguments
        .database
        .unwrap_or_else(|| arguments.data_dir.join("psp-simulator.sqlite"));
    let mut config = Config::new(
        database,
        Secret::new(bearer.unwrap_or_else(|| "sandbox-bearer".to_owned())),
        Secret::new(notification_key.unwrap_or_else(|| "sandbox-notification-key".to_owned())),
    );
    config.stripe = stripe_account(
        arguments.bind,
        arguments.stripe_webhook_url,
        arguments.stripe_reference_metadata,
    );
    config.bind = arguments.bind;
    config.port = arguments.port;
    config.public_url = arguments.public_url;
    config.hosts = arguments.hosts;

    let running = start(config).await?;
    let ready = serde_json::json!({ "simulator_url": running.url() });
    writeln!(std::io::stdout(), "{ready}").context("cannot write to standard output")?;
    stop_signal().await?;
    running.stop().await;
    Ok(())
}

/// The account of the Stripe face; `None` if its secrets would be public beyond loopback.
fn stripe_account(
    bind: IpAddr,
    webhook_url: Option<String>,
    reference_metadata: Option<String>,
) -> Option<StripeAccount> {
    let secret = |name: &str, default: &str| {
        let default = bind.is_loopback().then(|| default.to_owned());
        env_var(name).or(default)
    };
    Some(StripeAccount {
        secret_key: Secret::new(secret(STRIPE_SECRET_KEY, "sk_test_sandbox")?),
        publishable_key: secret(STRIPE_PUBLISHABLE_KEY, "pk_test_sandbox")?,
        webhook_url,
        webhook_secret: Secret::new(secret(STRIPE_WEBHOOK_SECRET, "whsec_sandbox")?),
        reference_metadata,
    })
}

/// The value of a variable that is set and not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the program reads its secrets"
)]
fn env_var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Waits for Ctrl-C or SIGTERM.
async fn stop_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.context("cannot wait for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}
