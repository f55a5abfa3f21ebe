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

use actix_web::{HttpRequest, HttpResponse, http::header::LOCATION, web};

use crate::{
    Api,
    checkout::{page::PageError, security_headers::page_headers},
    problem::Problem,
    static_content::StaticContent,
};

/// The page's style and script are files of ours; it asks nobody else for anything, and nobody may
/// frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// As with what it loads: five minutes, then browsers ask by its tag.
const CACHE_CONTROL: &str = "public, max-age=300";

/// The page; 304 to a browser that has it.
pub(crate) async fn docs(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut headers = page_headers(POLICY.to_owned(), api.settings().behind_tls);
    headers.retain(|(name, _)| *name != "Vary");
    headers.push(("Cache-Control", CACHE_CONTROL.to_owned()));
    Ok(rendered_page()?.response(&request, headers))
}

/// `GET /docs/`: the way to the page.
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
