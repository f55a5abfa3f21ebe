//! Encryption keys: configured, or generated once in the sandbox's data directory.

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use anyhow::{Context, bail};
use oncharge_domain::keyring::{KeyId, Keyring};
use oncharge_ports::Entropy;
use serde::{Deserialize, Serialize};

use super::Secret;

/// The configured keys.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeySettings {
    /// Master keys, `id:base64(32 bytes)`; the first one seals.
    pub(crate) master: Option<Secret>,
    /// The blocklist's peppers, in the same format.
    pub(crate) pepper: Option<Secret>,
}

/// The keys in use.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Seals values; other keys are derived from it.
    pub master: Keyring,
    /// Hashes the blocklist's identifiers.
    pub pepper: Keyring,
}

impl KeySettings {
    /// The configured keys.
    ///
    /// Errors name the setting that is missing or invalid.
    pub(crate) fn configured(&self) -> anyhow::Result<Keys> {
        Ok(Keys {
            master: parse("keys.master", self.master.as_ref())?,
            pepper: parse("keys.pepper", self.pepper.as_ref())?,
        })
    }

    /// The configured keys, otherwise those of the data directory; with `entropy`, missing ones are
    /// generated there.
    ///
    /// Errors if other users own the directory or a key file, can write to the directory, or can
    /// read a key file.
    pub(crate) fn configured_or_stored(
        &self,
        data_dir: &Path,
        entropy: Option<&dyn Entropy>,
    ) -> anyhow::Result<Keys> {
        if data_dir.exists() {
            check_mode(data_dir, 0o022, 0o700)?;
        }
        Ok(Keys {
            master: parse(
                "keys.master",
                load_or_generate(self.master.as_ref(), &data_dir.join("master.key"), entropy)?
                    .as_ref(),
            )?,
            pepper: parse(
                "keys.pepper",
                load_or_generate(self.pepper.as_ref(), &data_dir.join("pepper.key"), entropy)?
                    .as_ref(),
            )?,
        })
    }
}

fn parse(setting: &str, value: Option<&Secret>) -> anyhow::Result<Keyring> {
    let Some(value) = value else {
        let variable = setting.to_uppercase().replace('.', "__");
        bail!(
            "{setting} is missing: set ONCHARGE__{variable} to id:base64, where base64 encodes 32 \
             random bytes"
        );
    };
    Keyring::parse(value.expose()).with_context(|| format!("{setting} is invalid"))
}

fn load_or_generate(
    configured: Option<&Secret>,
    file: &Path,
    entropy: Option<&dyn Entropy>,
) -> anyhow::Result<Option<Secret>> {
    if let Some(secret) = configured {
        return Ok(Some(secret.clone()));
    }
    if file.exists() {
        check_mode(file, 0o077, 0o600)?;
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        return Ok(Some(Secret::new(text)));
    }
    let Some(entropy) = entropy else {
        return Ok(None);
    };
    let id = KeyId::parse("k1").context("invalid key id")?;
    let entry = Keyring::entry(&id, &entropy.bytes::<32>());
    write_private(file, entry.as_bytes())?;
    Ok(Some(Secret::new(entry.to_string())))
}

/// Creates a directory that only its owner may enter, unless it exists.
///
/// Errors if other users own it or can write to it.
pub(crate) fn create_private_dir(path: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot create {}", path.display()))?;
    check_mode(path, 0o022, 0o700)
}

/// Errors if a file or directory belongs to another user, or if its mode has one of the
/// `forbidden_bits`.
fn check_mode(path: &Path, forbidden_bits: u32, expected: u32) -> anyhow::Result<()> {
    let metadata = fs::metadata(path);
    let metadata = metadata.with_context(|| format!("cannot read {}", path.display()))?;
    check_owner(path, metadata.uid(), rustix::process::geteuid().as_raw())?;
    let mode = metadata.mode() & 0o7777;
    if mode & forbidden_bits != 0 {
        let path = path.display();
        bail!(
            "{path} is accessible to other users (mode {mode:04o}): run chmod {expected:04o} on it"
        );
    }
    Ok(())
}

/// Errors if the owner is neither this process's user nor root: an owner can write whatever the
/// mode.
pub(super) fn check_owner(path: &Path, owner: u32, user: u32) -> anyhow::Result<()> {
    if owner != user && owner != 0 {
        let path = path.display();
        bail!(
            "{path} is owned by user {owner}: its owner must be root or the server's user {user}"
        );
    }
    Ok(())
}

/// Writes a file atomically, readable by its owner only.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let write = || {
        let temporary = path.with_extension("new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
