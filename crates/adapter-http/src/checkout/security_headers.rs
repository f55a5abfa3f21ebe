//! Security headers of pages: what they may load, who may frame them, what they reveal.

use url::Url;

/// The sources that a page's `Content-Security-Policy` allows; everything else is forbidden.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    /// Base64 SHA-256 of each inline script.
    pub script_digests: &'a [&'a str],
    /// Base64 SHA-256 of each inline stylesheet.
    pub style_digests: &'a [&'a str],
    /// Whether the page calls its own origin.
    pub connects: bool,
    /// Origins that the page may frame: the PSP's.
    pub frames: &'a [String],
    /// Origins that may frame the page; empty for none.
    pub frame_ancestors: &'a [String],
}

/// The policy as a header value. Values that are not plain origins (a wildcard, a path, an injected
/// directive) are left out.
pub fn content_security_policy(sources: &Sources<'_>) -> String {
    let mut directives = vec!["default-src 'none'".to_owned()];
    for (directive, digests) in [
        ("script-src", sources.script_digests),
        ("style-src", sources.style_digests),
    ] {
        if !digests.is_empty() {
            let hashes = digests.iter().map(|digest| format!("'sha256-{digest}'"));
            let hashes: Vec<String> = hashes.collect();
            directives.push(format!("{directive} {}", hashes.join(" ")));
        }
    }
    if sources.connects {
        directives.push("connect-src 'self'".to_owned());
    }
    if !sources.frames.is_empty() {
        directives.push(format!("frame-src {}", origin_list(sources.frames)));
    }
    // The merchant's logo, and the empty icon that prevents requests for /favicon.ico.
    directives.push("img-src data:".to_owned());
    directives.push("base-uri 'none'".to_owned());
    directives.push("form-action 'none'".to_owned());
    directives.push(format!(
        "frame-ancestors {}",
        origin_list(sources.frame_ancestors)
    ));
    directives.join("; ")
}

/// The plain origins of the list, or `'none'`.
fn origin_list(origins: &[String]) -> String {
    let plain: Vec<&str> = origins
        .iter()
        .map(String::as_str)
        .filter(|one| is_plain_origin(one))
        .collect();
    if plain.is_empty() {
        "'none'".to_owned()
    } else {
        plain.join(" ")
    }
}

/// Whether the text is a web origin `scheme://host[:port]` without a wildcard, exactly as browsers
/// write it.
pub fn is_plain_origin(text: &str) -> bool {
    !text.contains('*') && origin_of(text).as_deref() == Some(text)
}

/// The origin of an `http` or `https` URL as browsers write it.
pub fn origin_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.origin().ascii_serialization())
}

/// The origins that may frame a merchant's checkout: the registered ones only, or, if none is
/// registered, the origin of `return_url`.
pub fn frame_ancestors(registered: &[String], return_url: &str) -> Vec<String> {
    if registered.is_empty() {
        origin_of(return_url)
            .into_iter()
            .filter(|origin| is_plain_origin(origin))
            .collect()
    } else {
        registered
            .iter()
            .filter(|origin| is_plain_origin(origin))
            .cloned()
            .collect()
    }
}

/// Browser features that the checkout needs: none.
const PERMISSIONS_POLICY: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), \
     encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), magnetometer=(), \
     microphone=(), midi=(), payment=(), picture-in-picture=(), screen-wake-lock=(), serial=(), \
     usb=(), xr-spatial-tracking=()";

/// All headers of a checkout page with this policy. `behind_tls`: the shopper uses `https`, and
/// browsers must keep using it for a year (HSTS).
pub fn page_headers(policy: String, behind_tls: bool) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("Content-Type", "text/html; charset=utf-8".to_owned()),
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff".to_owned()),
        ("Referrer-Policy", "no-referrer".to_owned()),
        ("Permissions-Policy", PERMISSIONS_POLICY.to_owned()),
        ("Cache-Control", "no-store".to_owned()),
        ("Vary", "Accept-Language".to_owned()),
    ];
    if behind_tls {
        headers.push(("Strict-Transport-Security", "max-age=31536000".to_owned()));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(origins: &[&str]) -> Vec<String> {
        origins.iter().map(|&one| one.to_owned()).collect()
    }

    #[test]
    fn a_policy_allows_only_the_given_sources() {
        let policy = content_security_policy(&Sources {
            script_digests: &["AAA="],
            style_digests: &["BBB=", "CCC="],
            connects: true,
            frames: &owned(&["http://127.0.0.1:8081"]),
            frame_ancestors: &owned(&["https://shop.example", "https://www.shop.example:8443"]),
        });
        assert_eq!(
            policy,
            "default-src 'none'; script-src 'sha256-AAA='; style-src 'sha256-BBB=' 'sha256-CCC='; \
             connect-src 'self'; frame-src http://127.0.0.1:8081; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors https://shop.example https://www.shop.example:8443"
        );
        assert_eq!(
            content_security_policy(&Sources {
                style_digests: &["B="],
                ..Sources::default()
            }),
            "default-src 'none'; style-src 'sha256-B='; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'"
        );
    }

    #[test]
    fn invalid_origins_are_left_out_of_the_policy() {
        let hostile = [
            "*",
            "https:",
            "https://*.example",
            "https://shop.example/path",
            "https://shop.example/",
            "https://shop.example; script-src *",
            "https://shop.example, https://b.example",
            "https://shop.example https://b.example",
            "https://user@shop.example",
            "https://Shop.example",
            "https://shop.example:443",
            "'unsafe-inline'",
            "data:text/html,x",
            "javascript:alert(1)",
            "null",
            "",
            "https://a.example\r\nX-Evil: 1",
        ];
        for origin in hostile {
            let origins = [origin.to_owned()];
            let policy = content_security_policy(&Sources {
                frames: &origins,
                frame_ancestors: &origins,
                ..Sources::default()
            });
            assert!(policy.contains("frame-src 'none';"), "{origin:?}: {policy}");
            assert!(
                policy.ends_with("frame-ancestors 'none'"),
                "{origin:?}: {policy}"
            );
        }
    }

    #[test]
    fn frame_ancestors_are_the_registered_origins_or_the_return_url() {
        let registered = owned(&["https://a.example", "https://*.b.example"]);
        let cases = [
            (
                registered,
                "https://c.example/done",
                vec!["https://a.example"],
            ),
            (
                vec![],
                "https://C.example:8443/done?x=1",
                vec!["https://c.example:8443"],
            ),
            (
                vec![],
                "http://127.0.0.1:8083/thanks",
                vec!["http://127.0.0.1:8083"],
            ),
            (vec![], "not a url", vec![]),
            // A wildcard is no origin, but it still counts as a registration: the return_url is not
            // allowed.
            (owned(&["*"]), "https://c.example/done", vec![]),
        ];
        for (registered, return_url, expected) in cases {
            assert_eq!(
                frame_ancestors(&registered, return_url),
                owned(&expected),
                "{return_url}"
            );
        }
    }

    #[test]
    fn pages_have_security_headers() {
        let value = |headers: &[(&str, String)], name: &str| {
            headers
                .iter()
                .find(|(one, _)| *one == name)
                .map(|(_, value)| value.clone())
        };
        let plain = page_headers("default-src 'none'".to_owned(), false);
        for (name, expected) in [
            ("Content-Security-Policy", "default-src 'none'"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
            ("Content-Type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(value(&plain, name).as_deref(), Some(expected), "{name}");
        }
        assert!(
            value(&plain, "Permissions-Policy")
                .unwrap()
                .contains("payment=()")
        );
        assert_eq!(value(&plain, "Strict-Transport-Security"), None);
        let tls = page_headers(String::new(), true);
        assert_eq!(
            value(&tls, "Strict-Transport-Security").as_deref(),
            Some("max-age=31536000")
        );
    }
}
