//! Middleware of all requests of the face: API key, request id, idempotency keys in use.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::account::{Access, Account};
use super::call::{IDEMPOTENCY_KEY, RequestId};
use super::error::StripeError;
use super::events::API_VERSION;
use crate::app::Simulator;
use crate::entropy;
use crate::problem::Problem;
use crate::store::StoreError;

/// Authenticates a request, reserves its idempotency key, and adds the headers of Stripe's responses.
/// A request that this refuses gets no faults.
pub(crate) async fn admit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let simulator = request.app_data::<web::Data<Simulator>>().cloned();
    let Some(account) = simulator.and_then(|simulator| simulator.stripe.clone()) else {
        return Ok(request.error_response(Problem::NotFound("the Stripe face is off")));
    };
    let request_id = match entropy::hex_id("req_") {
        Ok(request_id) => request_id,
        Err(error) => {
            let error = StripeError::from(StoreError::from(error));
            return Ok(request.error_response(error));
        }
    };
    let echoed: Vec<(HeaderName, HeaderValue)> = echoed_headers(&request);
    request
        .extensions_mut()
        .insert(RequestId(request_id.clone()));
    let mut response = match authenticate(&request, &account) {
        Err(error) => request.error_response(error),
        Ok(access) => {
            request.extensions_mut().insert(access);
            match reserve_key(&request, &account) {
                Err(error) => request.error_response(error),
                Ok(_key_in_use) => next.call(request).await?.map_into_boxed_body(),
            }
        }
    };
    let headers = response.headers_mut();
    for (name, value) in echoed {
        headers.insert(name, value);
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(HeaderName::from_static("request-id"), value);
    }
    Ok(response)
}

/// The headers that responses repeat: the API version (the account's if absent) and the key.
fn echoed_headers(request: &ServiceRequest) -> Vec<(HeaderName, HeaderValue)> {
    let version = HeaderName::from_static("stripe-version");
    let key = HeaderName::from_static("idempotency-key");
    let given = request.headers().get(&version).cloned();
    let given_key = request.headers().get(&key).cloned();
    let version_value = given.unwrap_or(HeaderValue::from_static(API_VERSION));
    std::iter::once((version, version_value))
        .chain(given_key.map(|value| (key, value)))
        .collect()
}

/// Checks the API key: `Authorization: Bearer KEY`, or `Basic` with the key as the user name.
fn authenticate(request: &ServiceRequest, account: &Account) -> Result<Access, StripeError> {
    let header = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let Some((scheme, credentials)) = header.and_then(|header| header.split_once(' ')) else {
        return Err(StripeError::unauthorized(
            "You did not provide an API key: send it in the Authorization header, as Bearer \
             YOUR_SECRET_KEY.",
        ));
    };
    let api_key = if scheme.eq_ignore_ascii_case("basic") {
        STANDARD
            .decode(credentials.trim())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.split(':').next().map(str::to_owned))
    } else {
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| credentials.trim().to_owned())
    };
    api_key
        .and_then(|api_key| account.access(&api_key))
        .ok_or_else(|| StripeError::unauthorized("Invalid API Key provided."))
}

/// Reserves the key of a `POST` while the request is in progress.
fn reserve_key(
    request: &ServiceRequest,
    account: &Account,
) -> Result<Option<super::account::KeyInUse>, StripeError> {
    let key = request
        .headers()
        .get(IDEMPOTENCY_KEY)
        .and_then(|value| value.to_str().ok())
        .filter(|_| request.method() == Method::POST);
    let Some(key) = key else { return Ok(None) };
    let in_use = account.use_key(key);
    in_use.map(Some).ok_or_else(|| StripeError::key_in_use(key))
}
