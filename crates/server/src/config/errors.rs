//! Errors of the configuration. They name the setting and what is allowed, but repeat neither a
//! value nor a line of the file: both may be secret.

use std::fmt;

use config::ConfigError;

/// serde's separator between the found value and the expected one.
const EXPECTED: &str = ", expected ";

/// The configuration cannot be read.
#[derive(Debug)]
pub(super) struct ConfigReadError(String);

impl From<ConfigError> for ConfigReadError {
    fn from(error: ConfigError) -> Self {
        Self(describe(&error))
    }
}

impl fmt::Display for ConfigReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigReadError {}

fn describe(error: &ConfigError) -> String {
    match error {
        ConfigError::FileParse { uri, cause } => {
            let file = uri.as_deref().unwrap_or("the configuration");
            syntax_error(file, cause.as_ref())
        }
        ConfigError::NotFound(key) => format!("{key} is missing"),
        ConfigError::Type {
            expected,
            key,
            origin,
            ..
        } => located(
            key.as_deref(),
            origin.as_deref(),
            &format!("must be {expected}"),
        ),
        ConfigError::At { error, key, origin } => {
            located(key.as_deref(), origin.as_deref(), &describe(error))
        }
        ConfigError::Message(text) => requirement(text),
        // These errors contain neither text of the file nor a value: an invalid name, a missing
        // file.
        error => error.to_string(),
    }
}

fn located(key: Option<&str>, origin: Option<&str>, text: &str) -> String {
    let key = key.unwrap_or("a setting");
    let origin = origin.map(|it| format!(" (set by {it})"));
    format!("{key} {text}{}", origin.unwrap_or_default())
}

/// Extracts what is allowed from serde's message or one of [`super::values`].
fn requirement(message: &str) -> String {
    if message.starts_with(super::values::REQUIREMENT_PREFIX) {
        return message.to_owned();
    }
    // The value comes first, so the last occurrence is serde's own.
    message.rsplit_once(EXPECTED).map_or_else(
        || "has an invalid value".to_owned(),
        |(_, allowed)| format!("must be {allowed}"),
    )
}

/// Line, column and reason. The error's own text would quote the line.
fn syntax_error(file: &str, cause: &(dyn std::error::Error + 'static)) -> String {
    let Some(error) = cause.downcast_ref::<toml::de::Error>() else {
        return format!("{file} is not valid TOML");
    };
    let text = error.to_string();
    let position = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("TOML parse error at "))
        .unwrap_or("unknown position");
    format!("{file} is not valid TOML: {position}: {}", error.message())
}
