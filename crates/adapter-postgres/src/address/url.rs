//! `sslmode` and `sslrootcert` of a database URL, which are read here and not by tokio-postgres.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::AddressError;

/// What an `sslmode` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// No TLS.
    Disable,
    /// TLS with a certificate of a known authority, for whatever name.
    VerifyCa,
    /// TLS with a certificate of a known authority for this host.
    VerifyFull,
}

/// The options that are read here.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) mode: Option<Mode>,
    /// The file of `sslrootcert`; `None` for the machine's root certificates.
    pub(super) root_certificate: Option<PathBuf>,
}

/// Takes the options out of a URL; the rest is what tokio-postgres understands.
pub(super) fn split(url: &str) -> Result<(String, Options), AddressError> {
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(AddressError::Scheme);
    }
    // A password may hold a `?`: the options begin after the first `@`, where there is one.
    let credentials = url.find('@').unwrap_or_default();
    let (credentials, rest) = url.split_at(credentials);
    let Some((place, query)) = rest.split_once('?') else {
        return Ok((url.to_owned(), Options::default()));
    };
    let mut options = Options::default();
    let mut others = Vec::new();
    let mut is_root_named = false;
    for option in query.split('&') {
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
                // libpq's name for the machine's own.
                options.root_certificate =
                    (value != "system").then(|| PathBuf::from(value.as_ref()));
            }
            _ => others.push(option),
        }
    }
    let separator = if others.is_empty() { "" } else { "?" };
    let others = others.join("&");
    Ok((format!("{credentials}{place}{separator}{others}"), options))
}

fn mode(text: &str) -> Result<Mode, AddressError> {
    match text {
        "disable" => Ok(Mode::Disable),
        "verify-ca" => Ok(Mode::VerifyCa),
        "require" | "verify-full" => Ok(Mode::VerifyFull),
        _ => Err(AddressError::SslMode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_taken_out_wherever_they_stand() {
        for (url, rest, expected) in [
            (
                "postgres://a@h/x?sslmode=verify-ca&user=b",
                "postgres://a@h/x?user=b",
                Some(Mode::VerifyCa),
            ),
            (
                "postgres://a@h/x?user=b&ssl%6dode=disable",
                "postgres://a@h/x?user=b",
                Some(Mode::Disable),
            ),
            (
                "postgres://a:b?sslmode=disable@h/x?sslmode=require",
                "postgres://a:b?sslmode=disable@h/x",
                Some(Mode::VerifyFull),
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
    fn what_could_fall_back_is_refused_and_so_is_an_option_given_twice() {
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
