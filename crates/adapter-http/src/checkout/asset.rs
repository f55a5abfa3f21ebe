//! `GET /oncharge.js` and the other files that shops and pages load by their path.

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse};

use super::page::assets::ASSETS;
use crate::{fixed::Fixed, problem::Problem};

static TEXTS: LazyLock<[Fixed; ASSETS.len()]> =
    LazyLock::new(|| ASSETS.map(|asset| Fixed::new(asset.body)));

/// The file that is served at the request's path.
pub(crate) async fn asset(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut files = ASSETS.iter().zip(&*TEXTS);
    let file = files.find(|(asset, _)| asset.path == request.path());
    let (asset, text) = file.ok_or(Problem::UnknownPath)?;
    Ok(text.answer(&request, asset.headers()))
}
