//! Where the sandbox's API is, for commands that run beside it: its port may be another at each start.

use std::{fs, path::Path};

use anyhow::Context;

use crate::config::write_private;

/// The file in the data directory.
const FILE: &str = "api.url";

/// Keeps the API's URL.
pub(super) fn write(data_dir: &Path, url: &str) -> anyhow::Result<()> {
    write_private(&data_dir.join(FILE), url.as_bytes())
}

/// The URL of the sandbox that last ran on this directory.
pub(crate) fn read(data_dir: &Path) -> anyhow::Result<Option<String>> {
    let path = data_dir.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let url =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(url.trim().to_owned()))
}
