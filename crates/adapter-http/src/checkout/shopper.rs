//! What the shopper's calls share: pay token, rate limit, body and response.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{AUTHORIZATION, HeaderMap},
    web,
};
use oncharge_application::{
    Error,
    checkout::{self, shopper_view},
};

use crate::{
    Api,
    gate::{self, body, post::check_media_type},
    json,
    limits::{RetryAfter, ShopperAction},
    problem::Problem,
    render::shopper_state::ShopperState,
    request_body::RequestBody,
};

/// The pay token of a call: a single `Authorization: Bearer pt_…`.
pub(super) fn bearer_token(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION);
    let only = values.next().filter(|_| values.next().is_none());
    let text = only
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Problem::MissingAuth("Authorization")),
    }
}

/// Responds with the state of the payment; an invalid token counts as a failure of its address.
pub(super) fn respond(
    api: &Api,
    request: &HttpRequest,
    outcome: Result<checkout::ShopperState, Problem>,
) -> Result<HttpResponse, Problem> {
    let state = outcome.map_err(|problem| gate::count_auth_failure(api, request, problem))?;
    Ok(HttpResponse::Ok().json(ShopperState::from(state)))
}

/// A shopper's action whose token, rate limit and body have been checked.
pub(super) struct ShopperCall<'a, T> {
    pub(super) token: &'a str,
    pub(super) body: T,
}

/// Checks the token, counts the action and reads the body, in this order; an empty body counts as
/// `{}`.
pub(super) async fn check_call<'a, T: RequestBody>(
    api: &Api,
    request: &'a HttpRequest,
    payload: web::Payload,
    id: &str,
    action: ShopperAction,
) -> Result<ShopperCall<'a, T>, Problem> {
    let token = bearer_token(request.headers())?;
    let session = shopper_view::verify_pay_token(api.app(), id, token)?;
    let permitted = api.limits().count_shopper_action(session, action);
    permitted.map_err(|RetryAfter(seconds)| Problem::RateLimited(seconds))?;
    body::check_content_length(request.headers(), gate::MAX_BODY_BYTES)?;
    check_media_type(request.headers())?;
    let timeout = api.settings().body_timeout;
    let bytes = body::read(payload.into_inner(), gate::MAX_BODY_BYTES, timeout).await?;
    let object = if bytes.is_empty() {
        json::Object::default()
    } else {
        json::parse(&bytes).map_err(Problem::InvalidJson)?
    };
    let body = T::read(&object, api.app().settings().sandbox)?;
    Ok(ShopperCall { token, body })
}

/// Pages treat a missing token like an invalid one.
pub(super) fn is_bad_token(problem: &Problem) -> bool {
    matches!(
        problem,
        Problem::MissingAuth(_) | Problem::UseCase(Error::BadPayToken | Error::NotFound)
    )
}
