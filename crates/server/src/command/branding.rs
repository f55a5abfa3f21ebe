//! Reads what `merchant set` is given of a look.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read},
};

use oncharge_application::merchants::Change;
use oncharge_domain::merchant::{
    accent::{Accent, AccentError, ColorScheme},
    logo::{Logo, LogoError, MAX_BYTES},
};
use serde_json::{Value, json};

/// What is wrong with the file of a logo.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogoFileError {
    /// It cannot be read.
    #[error("the file cannot be read: {0}")]
    File(#[from] io::Error),
    /// It is no logo.
    #[error("the file {0}")]
    Content(#[from] LogoError),
}

/// The accent that this text names; none for an empty one.
pub(super) fn accent(
    text: Option<&str>,
    scheme: ColorScheme,
) -> Result<Change<Accent>, AccentError> {
    match text.map(str::trim) {
        None => Ok(Change::Keep),
        Some("") => Ok(Change::Remove),
        Some(text) => Accent::parse(text, scheme).map(Change::Set),
    }
}

/// The logo in this file; none for an empty path. Of a larger file no more is read than tells that it is.
pub(super) fn logo(path: Option<&OsStr>) -> Result<Change<Logo>, LogoFileError> {
    let Some(path) = path else {
        return Ok(Change::Keep);
    };
    if path.is_empty() {
        return Ok(Change::Remove);
    }
    let mut bytes = Vec::new();
    let max_bytes = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut file = File::open(path)?.take(max_bytes.saturating_add(1));
    file.read_to_end(&mut bytes)?;
    Ok(Change::Set(Logo::new(bytes)?))
}

/// A colour as it is printed.
pub(super) fn text(accent: Accent) -> String {
    accent.color().to_string()
}

/// What is printed of a logo.
pub(super) fn description(logo: &Logo) -> Value {
    json!({"type": logo.kind().media_type(), "bytes": logo.bytes().len()})
}
