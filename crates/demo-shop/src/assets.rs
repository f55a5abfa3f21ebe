//! The shop's stylesheet and scripts; the design tokens are the checkout's, too.

use actix_web::{HttpResponse, http::header, web};

use crate::integration::EMBED_JS;

/// The CSS properties shared by all of OnCharge's pages.
const TOKENS_CSS: &str = include_str!("../../../assets/tokens.css");

/// The rules that other pages of OnCharge share, and the shop's own rules.
const SHOP_CSS: &str = concat!(
    include_str!("../../../assets/base.css"),
    include_str!("../../../assets/bar_pages.css"),
    include_str!("../assets/shop.css"),
);

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// Adds the routes of all files.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    for (path, kind, text) in [
        ("/tokens.css", CSS, TOKENS_CSS),
        ("/shop.css", CSS, SHOP_CSS),
        ("/order.css", CSS, include_str!("../assets/order.css")),
        ("/cart.js", JS, include_str!("../assets/cart.js")),
        ("/embed.js", JS, EMBED_JS),
        ("/order.js", JS, include_str!("../assets/order.js")),
    ] {
        config.route(path, web::get().to(move || async move { file(kind, text) }));
    }
}

fn file(kind: &'static str, text: &'static str) -> HttpResponse {
    // Not cached, so that a new build never meets an old stylesheet.
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(text)
}
