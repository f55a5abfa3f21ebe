//! `POST /webhooks/psp/{connector}/{account}`: notifications of PSPs.
//!
//! A notification is verified and stored before the response; it is applied later. The connector
//! checks the signature. There is no rate limit: a PSP must get through.

use actix_web::{HttpRequest, HttpResponse, http::header::ContentType, web};
use oncharge_application::checkout::receive_notification;

use crate::{Api, gate::body, limits::address::Address, problem::Problem};

/// Maximum size of a notification, in bytes: some PSPs batch many in one.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// Stores the notification. Every PSP accepts a 200; one requires the body `[accepted]`.
pub(crate) async fn receive(
    api: web::Data<Api>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    body::check_content_length(request.headers(), MAX_BODY_BYTES)?;
    let body = body::read(
        payload.into_inner(),
        MAX_BODY_BYTES,
        api.settings().body_timeout,
    )
    .await?;
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let path = request.match_info();
    let source = Address::of(request.head(), &api.settings().trusted_proxies).network();
    receive_notification::receive(
        api.app(),
        path.query("connector"),
        path.query("account"),
        source,
        &header,
        &body,
    )
    .await?;
    Ok(HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .body("[accepted]"))
}
