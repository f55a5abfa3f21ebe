//! `GET /oncharge.js` and the other files that shops and pages load by their path.

use actix_web::{HttpRequest, HttpResponse, http::header::IF_NONE_MATCH};

use super::page::assets::ASSETS;
use crate::problem::Problem;

/// The file that is served at the request's path.
pub(crate) async fn asset(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.path == request.path());
    let asset = asset.ok_or(Problem::UnknownPath)?;
    let known = has(&request, &asset.etag());
    let mut response = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    for header in asset.headers() {
        response.insert_header(header);
    }
    Ok(if known {
        response.finish()
    } else {
        response.body(asset.body)
    })
}

/// Whether the browser has this very text.
pub(crate) fn has(request: &HttpRequest, tag: &str) -> bool {
    let values = request.headers().get_all(IF_NONE_MATCH);
    let mut named = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    named.any(|one| one.trim().trim_start_matches("W/") == tag)
}
