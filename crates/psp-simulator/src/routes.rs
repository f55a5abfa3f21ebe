//! All routes, and what is common to their responses.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{DefaultHeaders, Next, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{Error, HttpResponse, ResponseError as _};
use oncharge_http_server::is_cross_origin;

use crate::app::Simulator;
use crate::faults::api as faults;
use crate::faults::inject::inject_and_authorize;
use crate::problem::Problem;
use crate::{
    challenge, fields, ledger, modifications, operations, pages, payments, stripe, tokens,
};

/// Maximum size of a request body, in bytes.
const MAX_BODY_BYTES: usize = 65_536;

/// Headers of every response: responses must not be cached or sniffed, and other sites receive no
/// referrer; the simulator's own pages still get an `Origin` that [`host_guard`] can check. There
/// are no CORS headers: no page of another origin can read a response.
pub(crate) fn default_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("Cache-Control", "no-store"))
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("Referrer-Policy", "same-origin"))
}

/// Refuses requests for an unknown host and from pages of another origin, because card tokens,
/// ledger and faults need no password.
pub(crate) async fn host_guard<B: MessageBody + 'static>(
    simulator: web::Data<Simulator>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let problem = if !simulator
        .hosts
        .allows_request(request.headers(), request.uri())
    {
        Problem::UnknownHost
    } else if is_cross_origin(request.headers()) {
        Problem::CrossOrigin
    } else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    Ok(request
        .into_response(problem.error_response())
        .map_into_right_body())
}

/// Every route of the simulator.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
        .app_data(web::FormConfig::default().limit(MAX_BODY_BYTES))
        .route("/", web::get().to(pages::index))
        .route("/fields", web::get().to(fields::page))
        .route("/assets/{name}", web::get().to(pages::asset))
        .service(
            web::resource("/challenge/{id}")
                .get(challenge::page)
                .post(challenge::finish),
        )
        .route("/v1/tokens", web::post().to(tokens::create))
        .route("/v1/ledger", web::get().to(ledger::list))
        .service(
            web::resource("/v1/faults")
                .get(faults::get)
                .put(faults::put)
                .delete(faults::delete),
        )
        .service(
            web::scope("/v1/payments")
                .wrap(from_fn(inject_and_authorize))
                .route("", web::post().to(payments::create))
                .route(
                    "/{psp_reference}/captures",
                    web::post().to(modifications::capture),
                )
                .route(
                    "/{psp_reference}/cancels",
                    web::post().to(modifications::cancel),
                )
                .route(
                    "/{psp_reference}/refunds",
                    web::post().to(modifications::refund),
                )
                .default_service(web::to(not_found)),
        )
        .service(
            web::scope("/v1/operations")
                .wrap(from_fn(inject_and_authorize))
                .route("/{idempotency_key}", web::get().to(operations::get))
                .default_service(web::to(not_found)),
        )
        .configure(stripe::routes)
        .default_service(web::to(not_found));
}

async fn not_found() -> HttpResponse {
    Problem::NotFound("no such path").error_response()
}
