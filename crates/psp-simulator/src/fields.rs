//! `GET /fields`: the hosted card fields, the inner frame of a checkout.
//!
//! Card data is typed here and posted to this same origin; the page around gets a token. Messages
//! go to and are taken from `parent_origin` alone. Any web page may frame it: `frame-ancestors` asks
//! of every ancestor, and the checkout around may itself stand in a shop that is not known here.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use url::Url;

use crate::pages::{self, OWN_FILES_ONLY};
use crate::problem::Problem;
use crate::texts::Texts;

/// The longest `session`, in characters; it is only carried along in messages.
const LONGEST_SESSION: usize = 255;

/// What the page around asks for.
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

/// The fields, or 400 where the page around does not say rightly who it is.
pub(crate) async fn page(query: web::Query<Query>) -> Result<HttpResponse, Problem> {
    let session = query.session.as_deref().unwrap_or_default();
    if session.chars().count() > LONGEST_SESSION {
        return Err(Problem::Malformed("session is too long"));
    }
    let parent_origin = query
        .parent_origin
        .as_deref()
        .and_then(exact_origin)
        .ok_or(Problem::Malformed(
            "parent_origin must be an http or https origin",
        ))?;
    let page = Fields {
        texts: Texts::of(query.lang.as_deref()),
        session,
        parent_origin: &parent_origin,
    };
    let policy = format!(
        "{OWN_FILES_ONLY}; connect-src 'self'; form-action 'none'; frame-ancestors http: https:"
    );
    pages::html(&page, &policy)
}

/// The text itself, if it is an origin as a browser writes it: scheme, host, port and nothing else.
fn exact_origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let origin = url.origin().ascii_serialization();
    let exact = origin == text && !text.contains('*');
    (matches!(url.scheme(), "http" | "https") && exact).then_some(origin)
}

#[cfg(test)]
mod tests {
    use super::exact_origin;

    #[test]
    fn only_what_a_browser_would_write_is_an_origin() {
        for good in [
            "http://127.0.0.1:8080",
            "https://shop.example",
            "http://[::1]:1",
        ] {
            assert_eq!(exact_origin(good).as_deref(), Some(good));
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
            assert_eq!(exact_origin(text), None, "{text:?}");
        }
    }
}
