//! The sandbox's PSP: started with the sandbox, and found by commands that run beside it.

use std::{fs, path::Path};

use anyhow::Context;
use oncharge_ports::Entropy;
use oncharge_psp_simulator as psp_simulator;

use super::ports::Port;
use crate::config::{PspAccounts, PspSettings, Secret, Settings, write_private};

/// The file in the data directory with the secrets shared by simulator and connector.
const SECRETS_FILE: &str = "simulator.key";
/// The file in the data directory with the simulator's URL; its port may change at each start.
const URL_FILE: &str = "simulator.url";
/// The name of the PSP account.
const ACCOUNT: &str = "default";

/// Starts the simulator and configures it as the only PSP account.
pub(super) async fn start(
    settings: &mut Settings,
    data_dir: &Path,
    port: Port,
    entropy: &dyn Entropy,
) -> anyhow::Result<psp_simulator::Running> {
    let path = data_dir.join(SECRETS_FILE);
    if !path.exists() {
        let text = [
            hex::encode(entropy.bytes::<24>()),
            hex::encode(entropy.bytes::<32>()),
        ];
        write_private(&path, text.join("\n").as_bytes())?;
    }
    let (bearer, notification_key) = secrets(data_dir)?;
    let mut config = psp_simulator::Config::new(
        data_dir.join("simulator.db"),
        psp_simulator::Secret::new(bearer.expose()),
        psp_simulator::Secret::new(notification_key.expose()),
    );
    // The simulator binds its port itself; this only selects it.
    config.port = port.reserve("the PSP simulator")?.address()?.port();
    let running = psp_simulator::start(config)
        .await
        .context("cannot start the PSP simulator")?;
    write_private(&data_dir.join(URL_FILE), running.url().as_bytes())?;
    settings.psp = single_account(running.url().to_owned(), bearer, notification_key);
    Ok(running)
}

/// The PSP account of the sandbox in this directory; `None` if there is no sandbox.
///
/// Errors if a file of the sandbox cannot be read.
pub(crate) fn psp_accounts_in(data_dir: &Path) -> anyhow::Result<Option<PspAccounts>> {
    let path = data_dir.join(URL_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let url =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (bearer, notification_key) = secrets(data_dir)?;
    Ok(Some(single_account(
        url.trim().to_owned(),
        bearer,
        notification_key,
    )))
}

fn single_account(url: String, bearer: Secret, notification_key: Secret) -> PspAccounts {
    let account = PspSettings {
        connector: "simulator".to_owned(),
        url,
        bearer,
        notification_key,
        notify_url: None,
    };
    PspAccounts::from([(ACCOUNT.to_owned(), account)])
}

fn secrets(data_dir: &Path) -> anyhow::Result<(Secret, Secret)> {
    let path = data_dir.join(SECRETS_FILE);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (bearer, key) = text.trim().split_once('\n').with_context(|| {
        format!(
            "{} must have two lines: the simulator's bearer token and its notification key",
            path.display()
        )
    })?;
    Ok((Secret::new(bearer.to_owned()), Secret::new(key.to_owned())))
}
