//! `GET /fields`: the hosted card fields, the inner frame of a checkout.
//!
//! Card data is entered here and posted to the same origin; the embedding page gets a token.
//! Messages are exchanged with `parent_origin` only. Any web page may frame it: `frame-ancestors`
//! applies to every ancestor, and the embedding checkout may itself be framed by an unknown shop.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use url::Url;

use crate::pages::{self, SELF_ONLY_POLICY};
use crate::problem::Problem;
use crate::texts::Texts;

/// Maximum length of `session`, in characters; it is only passed through in messages.
const MAX_SESSION_LENGTH: usize = 255;

/// The parameters given by the embedding page.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    session: Option<String>,
    parent_origin: Option<String>,
    lang: Option<String>,
}

#[derive(Template)]
#[template(path = "fields.html")]
struct Fields<'a> {
    texts: &'static Texts,
    session: &'a str,
    parent_origin: &'a str,
}

/// The fields, or 400 if the embedding page does not identify itself correctly.
pub(crate) async fn page(query: web::Query<Query>) -> Result<HttpResponse, Problem> {
    let session = query.session.as_deref().unwrap_or_default();
    if session.chars().count() > MAX_SESSION_LENGTH {
        return Err(Problem::Malformed("session is too long"));
    }
    let parent_origin = query
        .parent_origin
        .as_deref()
        .and_then(parse_origin)
        .ok_or(Problem::Malformed(
            "parent_origin must be an http or https origin",
        ))?;
    let page = Fields {
        texts: Texts::of(query.lang.as_deref()),
        session,
        parent_origin: &parent_origin,
    };
    let policy = format!(
        "{SELF_ONLY_POLICY}; connect-src 'self'; form-action 'none'; frame-ancestors http: https:"
    );
    pages::render_page(&page, &policy)
}

/// Returns the text if it is an origin as browsers serialize it: scheme, host, port and nothing
/// else.
fn parse_origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let origin = url.origin().ascii_serialization();
    let is_exact = origin == text && !text.contains('*');
    (matches!(url.scheme(), "http" | "https") && is_exact).then_some(origin)
}

#[cfg(test)]
mod tests {
    use super::parse_origin;

    #[test]
    fn only_serialized_origins_are_accepted() {
        for good in [
            "http://127.0.0.1:8080",
            "https://shop.example",
            "http://[::1]:1",
        ] {
            assert_eq!(parse_origin(good).as_deref(), Some(good));
        }
        let bad = [
            "",
            "*",
            "null",
            "shop.example",
            "https://shop.example/",
            "https://shop.example/path",
            "https://shop.example:443",
            "https://Shop.example",
            "https://user@shop.example",
            "https://shop.example; script-src *",
            "https://*.example",
            "javascript:alert(1)",
            "file:///x",
            "ftp://shop.example",
        ];
        for text in bad {
            assert_eq!(parse_origin(text), None, "{text:?}");
        }
    }
}
