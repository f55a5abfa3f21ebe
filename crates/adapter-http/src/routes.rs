//! All routes.

use actix_web::{HttpResponse, Resource, middleware::from_fn, web};
use oncharge_http_server::get_or_head;

use crate::{
    checkout, docs, gate, home, openapi,
    problem::Problem,
    psp_webhooks,
    v1::{api_keys, events, refunds, sessions, webhook_endpoint},
};

/// The routes of the API server.
#[rustfmt::skip] // One route, one line.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    let (get, post) = (get_or_head, web::post);
    // Matched in this order: calls of machines come first.
    config
        .service(resource("/webhooks/psp/{connector}/{account}", "POST").route(post().to(psp_webhooks::receive)))
        // Outside the scope of `/v1/`, so that it is answered 404 without a signature.
        .service(web::resource("/v1").to(unknown_path))
        .service(
            web::scope("/v1")
                .wrap(from_fn(gate::gate))
                .service(
                    resource("/checkout/sessions", "GET, HEAD, POST")
                        .route(get().to(sessions::list::list))
                        .route(post().to(sessions::create::create)),
                )
                .service(resource("/checkout/sessions/{id}", "GET, HEAD").route(get().to(sessions::get::get)))
                .service(resource("/checkout/sessions/{id}/cancel", "POST").route(post().to(sessions::cancel::cancel)))
                .service(resource("/checkout/sessions/{id}/capture", "POST").route(post().to(sessions::capture::capture)))
                .service(resource("/checkout/sessions/{id}/expire", "POST").route(post().to(sessions::expire::expire)))
                .service(
                    resource("/refunds", "GET, HEAD, POST")
                        .route(get().to(refunds::list::list))
                        .route(post().to(refunds::create::create)),
                )
                .service(resource("/refunds/{id}", "GET, HEAD").route(get().to(refunds::get::get)))
                .service(resource("/events", "GET, HEAD").route(get().to(events::list::list)))
                .service(resource("/events/{id}", "GET, HEAD").route(get().to(events::get::get)))
                .service(resource("/events/{id}/redeliver", "POST").route(post().to(events::redeliver::redeliver)))
                .service(
                    resource("/webhook_endpoint", "GET, HEAD, PUT, DELETE")
                        .route(get().to(webhook_endpoint::get::get))
                        .route(web::put().to(webhook_endpoint::set::set))
                        .route(web::delete().to(webhook_endpoint::remove::remove)),
                )
                .service(resource("/webhook_endpoint/test", "POST").route(post().to(webhook_endpoint::test::test)))
                .service(resource("/webhook_endpoint/rotate_secret", "POST").route(post().to(webhook_endpoint::rotate_secret::rotate_secret)))
                .service(resource("/api_keys", "GET, HEAD").route(get().to(api_keys::list::list)))
                .service(resource("/api_keys/rotate", "POST").route(post().to(api_keys::rotate::rotate)))
                .service(resource("/api_keys/{key_id}", "DELETE").route(web::delete().to(api_keys::remove::remove)))
                .default_service(web::to(unknown_path)),
        )
        .service(resource("/checkout/{id}", "GET, HEAD").route(get().to(checkout::show::show)))
        .service(resource("/checkout/{id}/status", "GET, HEAD").route(get().to(checkout::status::status)))
        .service(resource("/checkout/{id}/pay", "POST").route(post().to(checkout::pay::pay)))
        .service(resource("/checkout/{id}/abandon", "POST").route(post().to(checkout::abandon::abandon)))
        .service(resource("/", "GET, HEAD").route(get().to(home::home)))
        .service(resource("/docs", "GET, HEAD").route(get().to(docs::docs)))
        .service(resource("/docs/", "GET, HEAD").route(get().to(docs::redirect)))
        .service(resource("/openapi.json", "GET, HEAD").route(get().to(openapi::serve)));
    for asset in &checkout::page::assets::ASSETS {
        config.service(resource(asset.path, "GET, HEAD").route(get().to(checkout::asset::asset)));
    }
    config
        .default_service(web::to(unknown_path));
}

/// A path; methods other than its routes' are answered with the list of allowed ones.
fn resource(path: &str, allowed: &'static str) -> Resource {
    let refuse = move || async move { Err::<HttpResponse, _>(Problem::MethodNotAllowed(allowed)) };
    web::resource(path).default_service(web::to(refuse))
}

async fn unknown_path() -> Result<HttpResponse, Problem> {
    Err(Problem::UnknownPath)
}
