//! The URL of the sandbox's API, for commands that run beside it: its port may change at each
//! start.

use std::{fs, path::Path};

use anyhow::Context;

use crate::config::write_private;

/// The file in the data directory.
const FILE: &str = "api.url";

/// Stores the API's URL.
pub(super) fn write(data_dir: &Path, url: &str) -> anyhow::Result<()> {
    write_private(&data_dir.join(FILE), url.as_bytes())
}

/// Reads the URL of the last sandbox in this directory.
pub(crate) fn read(data_dir: &Path) -> anyhow::Result<Option<String>> {
    let path = data_dir.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let url =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(url.trim().to_owned()))
}
