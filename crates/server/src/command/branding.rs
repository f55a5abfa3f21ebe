//! Parses the branding arguments of `merchant set`.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read},
};

use oncharge_application::merchants::Change;
use oncharge_domain::branding::{
    accent::{Accent, AccentError, ColorScheme},
    logo::{Logo, LogoError, MAX_BYTES},
};
use serde_json::{Value, json};

/// Why a logo file is not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogoFileError {
    /// It cannot be read.
    #[error("cannot read the file: {0}")]
    File(#[from] io::Error),
    /// It is not a valid logo.
    #[error("the file {0}")]
    Content(#[from] LogoError),
}

/// Parses an accent color; an empty text removes it.
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

/// Reads the logo from this file; an empty path removes it. Reading stops just beyond the size
/// limit.
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

/// A color as text for output.
pub(super) fn text(accent: Accent) -> String {
    accent.color().to_string()
}

/// A logo's description for output.
pub(super) fn description(logo: &Logo) -> Value {
    json!({"type": logo.kind().media_type(), "bytes": logo.bytes().len()})
}
