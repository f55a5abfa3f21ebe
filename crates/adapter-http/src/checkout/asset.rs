//! `GET /oncharge.js` and the other static files that shops and pages load by path.

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse};

use super::page::assets::ASSETS;
use crate::{problem::Problem, static_content::StaticContent};

static CONTENTS: LazyLock<[StaticContent; ASSETS.len()]> =
    LazyLock::new(|| ASSETS.map(|asset| StaticContent::new(asset.body)));

/// Serves the file at the request's path.
pub(crate) async fn asset(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut files = ASSETS.iter().zip(&*CONTENTS);
    let file = files.find(|(asset, _)| asset.path == request.path());
    let (asset, content) = file.ok_or(Problem::UnknownPath)?;
    Ok(content.response(&request, asset.headers()))
}
