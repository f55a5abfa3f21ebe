//! Parses a list of origins from the command line.

use url::{Host, Url};

/// Maximum number of origins per merchant.
const MAX_ORIGINS: usize = 20;

/// Why a list of origins is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum OriginError {
    /// An entry is not of the form `https://host`.
    #[error(
        "each entry must be https://host or https://host:port, without a path, query or trailing \
         text"
    )]
    Form,
    /// Too many for a header that every page carries.
    #[error("at most 20 origins are allowed")]
    TooMany,
}

/// The origins as browsers serialize them, without duplicates; none for an empty text. In the
/// sandbox, `http` is accepted on loopback.
pub(super) fn parse(list: &str, is_sandbox: bool) -> Result<Vec<String>, OriginError> {
    let mut origins = Vec::new();
    for text in list.split(',').map(str::trim) {
        if text.is_empty() && list.trim().is_empty() {
            break;
        }
        let origin = origin(text, is_sandbox).ok_or(OriginError::Form)?;
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    if origins.len() > MAX_ORIGINS {
        return Err(OriginError::TooMany);
    }
    Ok(origins)
}

fn origin(text: &str, is_sandbox: bool) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let is_scheme_allowed = match url.scheme() {
        "https" => true,
        "http" => is_sandbox && is_loopback(&url),
        _ => false,
    };
    let origin = url.origin().ascii_serialization();
    // The spelling may differ from the serialized origin, but there may be no path, query or the
    // like.
    let is_origin_only = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && !text.contains(['@', '*', '\\'])
        && url.host().is_some();
    (is_scheme_allowed && is_origin_only).then_some(origin)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_normalized() {
        let list = "https://Shop.example.com, https://shop.example.com:443/,https://b.example:8443";
        let read = parse(list, false).unwrap();
        assert_eq!(read, ["https://shop.example.com", "https://b.example:8443"]);
        assert_eq!(parse(" ", false), Ok(Vec::new()));
    }

    #[test]
    fn invalid_origins_are_rejected() {
        for text in [
            "shop.example.com",
            "http://shop.example.com",
            "https://shop.example.com/path",
            "https://shop.example.com?x",
            "https://shop.example.com#x",
            "https://me@shop.example.com",
            "https://*.example.com",
            "javascript:alert(1)",
            "https://a.example,,https://b.example",
            "*",
        ] {
            for is_sandbox in [false, true] {
                assert_eq!(parse(text, is_sandbox), Err(OriginError::Form), "{text}");
            }
        }
        let many: Vec<_> = (0..21).map(|n| format!("https://s{n}.example")).collect();
        assert_eq!(parse(&many.join(","), false), Err(OriginError::TooMany));
    }

    #[test]
    fn a_sandbox_allows_http_on_loopback() {
        for text in [
            "http://127.0.0.1:8083",
            "http://localhost",
            "http://[::1]:1",
        ] {
            assert_eq!(parse(text, true), Ok(vec![text.to_owned()]));
            assert_eq!(parse(text, false), Err(OriginError::Form));
        }
    }
}
