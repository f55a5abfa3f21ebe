//! `GET /docs`: the API reference, made from the OpenAPI document and the guides when it is first
//! asked for. It writes down no endpoint of its own.

mod code;
mod document;
mod errors;
mod literal;
mod markdown;
mod operations;
mod page;
mod schema;

use std::sync::OnceLock;

use actix_web::{HttpRequest, HttpResponse, web};

use crate::{
    Api,
    checkout::{
        asset,
        page::{PageError, assets::base64_sha256},
        security_headers::page_headers,
    },
    problem::Problem,
};

/// The page's style and script are files of ours; it asks nobody else for anything, and nobody may
/// frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// As with what it loads: five minutes, then browsers ask by its tag.
const CACHE_CONTROL: &str = "public, max-age=300";

/// The page and its validator.
struct Rendered {
    html: String,
    tag: String,
}

/// The page; 304 to a browser that has it.
pub(crate) async fn docs(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let page = rendered()?;
    let is_known = asset::has(&request, &page.tag);
    let mut response = if is_known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    let headers = page_headers(POLICY.to_owned(), api.settings().behind_tls);
    for header in headers {
        if !matches!(header.0, "Cache-Control" | "Vary") {
            response.insert_header(header);
        }
    }
    response.insert_header(("Cache-Control", CACHE_CONTROL));
    response.insert_header(("ETag", page.tag.as_str()));
    Ok(if is_known {
        response.finish()
    } else {
        response.body(page.html.as_str())
    })
}

fn rendered() -> Result<&'static Rendered, PageError> {
    static PAGE: OnceLock<Rendered> = OnceLock::new();
    if let Some(page) = PAGE.get() {
        return Ok(page);
    }
    let html = page::render()?;
    let tag = format!("\"{}\"", base64_sha256(&html));
    Ok(PAGE.get_or_init(|| Rendered { html, tag }))
}
