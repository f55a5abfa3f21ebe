//! `GET /docs`: the API reference, generated from the OpenAPI document and the guides on the first
//! request. It contains no endpoint descriptions of its own.

mod code;
mod document;
mod errors;
mod guides;
mod literal;
mod markdown;
mod operations;
mod page;
mod schema;

use std::sync::OnceLock;

use actix_web::{HttpRequest, HttpResponse, http::header::LOCATION, web};

use crate::{
    Api,
    checkout::{page::PageError, security_headers::page_headers},
    problem::Problem,
    static_content::StaticContent,
};

/// CSP: own stylesheet and script only; no framing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Like its assets: cached for five minutes, then revalidated by `ETag`.
const CACHE_CONTROL: &str = "public, max-age=300";

/// The page; 304 if the browser's copy is current.
pub(crate) async fn docs(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut headers = page_headers(POLICY.to_owned(), api.settings().behind_tls);
    headers.retain(|(name, _)| *name != "Vary");
    headers.push(("Cache-Control", CACHE_CONTROL.to_owned()));
    Ok(rendered_page()?.response(&request, headers))
}

/// `GET /docs/`: redirects to the page.
pub(crate) async fn redirect() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, "/docs"))
        .finish()
}

fn rendered_page() -> Result<&'static StaticContent, PageError> {
    static PAGE: OnceLock<StaticContent> = OnceLock::new();
    if let Some(page) = PAGE.get() {
        return Ok(page);
    }
    let page = StaticContent::new(page::render()?);
    Ok(PAGE.get_or_init(|| page))
}
