//! `GET /`: a plain page that says what this server is.

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::{
    Api,
    checkout::{
        page::PageError,
        security_headers::{Sources, content_security_policy, page_headers},
    },
    problem::Problem,
};

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>OnCharge</title>
<link rel="icon" href="data:,">
<h1>OnCharge</h1>
<p>This is the OnCharge payment API. Merchants call it under <code>/v1</code>. Shoppers see its checkout
inside the merchant's shop.</p>
<ul>
{% if let Some(shop) = shop_url %}<li><a href="{{ shop }}">Demo shop</a></li>
{% endif %}<li><a href="/docs">API reference</a></li>
<li><a href="/openapi.json">OpenAPI 3.1 document</a></li>
</ul>
</html>
"#
)]
struct Home<'a> {
    shop_url: Option<&'a str>,
}

pub(crate) async fn home(api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let settings = api.settings();
    let html = Home {
        shop_url: settings.shop_url.as_deref(),
    }
    .render()
    .map_err(PageError::from)?;
    let policy = content_security_policy(&Sources::default());
    let mut response = HttpResponse::Ok();
    for header in page_headers(policy, settings.behind_tls) {
        response.insert_header(header);
    }
    Ok(response.body(html))
}
