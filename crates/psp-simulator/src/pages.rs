//! Pages and their assets: the start page, stylesheets, scripts.

use actix_web::http::header::CONTENT_SECURITY_POLICY;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::problem::Problem;

/// CSP of all pages: own stylesheets and scripts only.
pub(crate) const SELF_ONLY_POLICY: &str =
    "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'";

#[derive(Template)]
#[template(path = "index.html")]
struct Index;

/// `GET /`: describes this server and its test cards.
pub(crate) async fn index() -> Result<HttpResponse, Problem> {
    let policy = format!("{SELF_ONLY_POLICY}; form-action 'none'; frame-ancestors 'none'");
    render_page(&Index, &policy)
}

/// `GET /assets/{name}`: a stylesheet or script of the pages.
pub(crate) async fn asset(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (kind, text) = match name.as_str() {
        "pages.css" => (
            "text/css; charset=utf-8",
            include_str!("../assets/pages.css"),
        ),
        "fields.js" => (
            "text/javascript; charset=utf-8",
            include_str!("../assets/fields.js"),
        ),
        "challenge.js" => (
            "text/javascript; charset=utf-8",
            include_str!("../assets/challenge.js"),
        ),
        _ => return Err(Problem::NotFound("no such path")),
    };
    Ok(HttpResponse::Ok().content_type(kind).body(text))
}

/// Renders a page with a Content-Security-Policy.
pub(crate) fn render_page(page: &impl Template, policy: &str) -> Result<HttpResponse, Problem> {
    let text = page.render().map_err(|error| {
        tracing::error!(%error, "cannot render a page");
        Problem::Internal
    })?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .body(text))
}
