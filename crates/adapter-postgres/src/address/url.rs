//! Parsing of database URLs beyond tokio-postgres: `sslmode` and `sslrootcert`, and checks for what
//! it accepts too readily (text that is not percent-encoded, and host names).

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use tokio_postgres::{Config, config::Host};

use super::AddressError;

/// The options of a database URL: those of [`Options`] and of tokio-postgres.
pub(super) const OPTIONS: [&str; 20] = [
    "sslmode",
    "sslrootcert",
    "sslnegotiation",
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];

/// The protection that an `sslmode` requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS with a certificate of a trusted authority, for any host name.
    VerifyCa,
    /// TLS with a certificate of a trusted authority for this host.
    VerifyFull,
}

/// The options that are parsed here.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) mode: Option<TlsMode>,
    /// The file of `sslrootcert`; `None` for the machine's root certificates.
    pub(super) root_certificate: Option<PathBuf>,
}

/// Extracts these options from a URL; the rest is passed to tokio-postgres.
pub(super) fn split(url: &str) -> Result<(String, Options), AddressError> {
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(AddressError::Scheme);
    }
    check_encoding(url)?;
    let Some((target, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), Options::default()));
    };
    let mut options = Options::default();
    let mut others = Vec::new();
    let mut is_root_named = false;
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = percent_decode_str(value).decode_utf8_lossy();
        match &*percent_decode_str(name).decode_utf8_lossy() {
            "sslmode" => {
                if options.mode.replace(mode(&value)?).is_some() {
                    return Err(AddressError::Repeated("sslmode"));
                }
            }
            "sslrootcert" => {
                if std::mem::replace(&mut is_root_named, true) {
                    return Err(AddressError::Repeated("sslrootcert"));
                }
                // libpq's name for the machine's root certificates.
                options.root_certificate =
                    (value != "system").then(|| PathBuf::from(value.as_ref()));
            }
            known if OPTIONS.contains(&known) => others.push(option),
            _ => return Err(AddressError::UnknownOption),
        }
    }
    let separator = if others.is_empty() { "" } else { "?" };
    let others = others.join("&");
    Ok((format!("{target}{separator}{others}"), options))
}

/// Rejects an `@` that may belong to a password: a second one, or one after the first `/` or `?`
/// behind the scheme. tokio-postgres ends the credentials at the first `@`, wherever it is, so the
/// rest of a password would be taken for a host, and logged.
fn check_encoding(url: &str) -> Result<(), AddressError> {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let is_plain = match rest.matches('@').count() {
        0 => true,
        1 => authority.contains('@'),
        _ => false,
    };
    is_plain.then_some(()).ok_or(AddressError::NotEncoded)
}

/// Rejects what cannot be a host name or address: it may be part of a password.
pub(super) fn check_hosts(config: &Config) -> Result<(), AddressError> {
    let is_possible = |host: &Host| match host {
        Host::Tcp(name) => {
            let is_known = |c: char| c.is_ascii_alphanumeric() || "-_.:%[]".contains(c);
            !name.is_empty() && name.chars().all(is_known)
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    let is_possible = config.get_hosts().iter().all(is_possible);
    is_possible.then_some(()).ok_or(AddressError::HostName)
}

fn mode(text: &str) -> Result<TlsMode, AddressError> {
    match text {
        "disable" => Ok(TlsMode::Disable),
        "verify-ca" => Ok(TlsMode::VerifyCa),
        "require" | "verify-full" => Ok(TlsMode::VerifyFull),
        _ => Err(AddressError::SslMode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_options_are_removed_from_the_url() {
        for (url, rest, expected) in [
            (
                "postgres://a@h/x?sslmode=verify-ca&user=b",
                "postgres://a@h/x?user=b",
                Some(TlsMode::VerifyCa),
            ),
            (
                "postgres://a@h/x?user=b&ssl%6dode=disable",
                "postgres://a@h/x?user=b",
                Some(TlsMode::Disable),
            ),
            (
                "postgres://a:b%3Fsslmode=disable@h/x?sslmode=require",
                "postgres://a:b%3Fsslmode=disable@h/x",
                Some(TlsMode::VerifyFull),
            ),
            ("postgres://h/x", "postgres://h/x", None),
        ] {
            let (left, options) = split(url).unwrap();
            assert_eq!((left.as_str(), options.mode), (rest, expected), "{url}");
        }
        let (_, options) = split("postgres://h/x?sslrootcert=%2Fetc%2Fca.pem").unwrap();
        assert_eq!(options.root_certificate, Some("/etc/ca.pem".into()));
        let (_, options) = split("postgres://h/x?sslrootcert=system").unwrap();
        assert_eq!(options.root_certificate, None);
    }

    #[test]
    fn fallback_modes_and_repeated_options_are_rejected() {
        for mode in ["prefer", "allow", "Require", ""] {
            let error = split(&format!("postgres://a:secret@h/x?sslmode={mode}"));
            let text = error.unwrap_err().to_string();
            assert!(text.contains("verify-full") && !text.contains("secret"));
        }
        for twice in [
            "sslmode=require&sslmode=disable",
            "sslrootcert=a&sslrootcert=system",
        ] {
            let error = split(&format!("postgres://h/x?{twice}")).unwrap_err();
            assert!(matches!(error, AddressError::Repeated(_)), "{twice}");
        }
    }
}
