//! The checks that every request under `/v1` passes, in the order of the merchant API.
//!
//! This middleware around the whole scope checks key, timestamp, size, signature and quota; then
//! routing rejects unknown paths and methods; then [`post`] checks media type, JSON and idempotency
//! key. All other checks belong to the use case.

pub(crate) mod body;
mod credentials;
pub(crate) mod post;

use std::{future, sync::Arc};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
    web,
};
use oncharge_application::authenticate::{self, Principal};
use oncharge_domain::{
    merchant::Merchant,
    signing::{SignedRequest, is_within_tolerance, parse_timestamp},
};

use self::{credentials::Credentials, post::Warning};
use crate::{
    Api,
    limits::{RateLimitStatus, RetryAfter, address::Address},
    problem::Problem,
    query::{Query, QueryParameters},
    request_log::log_caller,
};

/// Maximum size of a body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// A request that has passed the checks.
#[derive(Clone)]
struct AuthenticatedRequest {
    principal: Arc<Principal>,
    body: web::Bytes,
    /// Whether this is a sandbox, whose rules for URLs are looser.
    sandbox: bool,
}

/// The middleware.
pub(crate) async fn gate<B: MessageBody + 'static>(
    api: web::Data<Api>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let payload = request.take_payload();
    let mut rate_limit_status = None;
    let mut response =
        match run_checks(&api, request.request(), payload, &mut rate_limit_status).await {
            Ok(authenticated) => {
                request.extensions_mut().insert(authenticated);
                next.call(request).await?.map_into_left_body()
            }
            Err(problem) => {
                let problem = count_auth_failure(&api, request.request(), problem);
                request.error_response(problem).map_into_right_body()
            }
        };
    if let Some(rate_limit_status) = rate_limit_status {
        rate_limit_status.write_headers(response.headers_mut());
    }
    let warning = response.request().extensions_mut().remove::<Warning>();
    if let Some(warning) = warning.and_then(|Warning(text)| HeaderValue::try_from(text).ok()) {
        let name = HeaderName::from_static("oncharge-warning");
        response.headers_mut().insert(name, warning);
    }
    Ok(response)
}

/// Checks 1 to 5. Sets `rate_limit_status` after verifying the signature, so that only the key's
/// owner sees its quota.
async fn run_checks(
    api: &Api,
    request: &HttpRequest,
    payload: Payload,
    rate_limit_status: &mut Option<RateLimitStatus>,
) -> Result<AuthenticatedRequest, Problem> {
    let target = origin_form(request)?;
    body::check_content_length(request.headers(), MAX_BODY_BYTES)?;
    let credentials = Credentials::of(request.headers())?;
    let address = Address::of(request.head(), &api.settings().trusted_proxies);
    // Failing requests must not load the store beyond their limit. Valid ones are served from any
    // address, as long as this process has the key in its cache.
    let wait = api.limits().failure_wait(address);
    let known = match wait {
        None => find(api, credentials.key).await?,
        Some(RetryAfter(seconds)) => authenticate::last_known(api.app(), credentials.key)
            .await
            .ok_or(Problem::RateLimited(seconds))?,
    };
    log_caller(known.merchant.id, known.key.id);

    let now = api.app().now().unix_seconds();
    parse_timestamp(credentials.timestamp)
        .filter(|timestamp| is_within_tolerance(*timestamp, now))
        .ok_or(Problem::TimestampExpired)?;
    let body = body::read(payload, MAX_BODY_BYTES, api.settings().body_timeout).await?;
    let signed = SignedRequest {
        timestamp: credentials.timestamp,
        method: request.method().as_str(),
        target,
        body: &body,
    };
    if !known.key.signing_key.verify(&signed, credentials.signature) {
        return Err(Problem::InvalidSignature);
    }
    // The cached key may be an hour old and revoked since.
    let principal = match wait {
        None => known,
        Some(_) => find(api, credentials.key).await?,
    };
    let (permitted, status) = api.limits().count(principal.key.id);
    *rate_limit_status = Some(status);
    permitted.map_err(|RetryAfter(seconds)| Problem::RateLimited(seconds))?;
    authenticate::record_use(api.app(), &principal);
    Ok(AuthenticatedRequest {
        principal,
        body,
        sandbox: api.app().settings().sandbox,
    })
}

async fn find(api: &Api, key: &str) -> Result<Arc<Principal>, Problem> {
    let found = authenticate::find(api.app(), key).await?;
    found.ok_or(Problem::InvalidKey)
}

/// The request target as sent: path and query. A client that sends the absolute form addresses a
/// proxy, and cannot have signed the target that would be checked here.
fn origin_form(request: &HttpRequest) -> Result<&str, Problem> {
    let uri = request.uri();
    let is_absolute = uri.scheme().is_some() || uri.authority().is_some();
    let target = uri
        .path_and_query()
        .filter(|_| !is_absolute)
        .ok_or(Problem::InvalidTarget)?;
    Ok(target.as_str())
}

/// Counts a failed check against its address; returns `RateLimited` instead if there were too many.
pub(crate) fn count_auth_failure(api: &Api, request: &HttpRequest, problem: Problem) -> Problem {
    use oncharge_application::Error as UseCase;
    let counts = matches!(
        problem,
        Problem::MissingAuth(_)
            | Problem::InvalidKey
            | Problem::TimestampExpired
            | Problem::InvalidSignature
            | Problem::UseCase(UseCase::BadPayToken)
    );
    if !counts {
        return problem;
    }
    let trusted = &api.settings().trusted_proxies;
    if Address::is_behind_unlisted_proxy(request.head(), trusted) {
        api.warn_of_unlisted_proxy();
    }
    match api
        .limits()
        .count_failure(Address::of(request.head(), trusted))
    {
        Ok(()) => problem,
        Err(RetryAfter(seconds)) => Problem::RateLimited(seconds),
    }
}

/// The merchant of a request without query parameters, for handlers that only read.
pub(crate) struct Caller(pub(crate) Arc<Merchant>);

/// The merchant of a list request, and its query parameters.
pub(crate) struct ListRequest<T> {
    pub(crate) merchant: Arc<Merchant>,
    pub(crate) query: T,
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = Query::expect_empty(request.query_string())
            .and_then(|()| authenticated(request))
            .map(|authenticated| Self(Arc::clone(&authenticated.principal.merchant)));
        future::ready(caller)
    }
}

impl<T: QueryParameters> FromRequest for ListRequest<T> {
    type Error = Problem;
    type Future = future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let list_request = authenticated(request).and_then(|authenticated| {
            Ok(Self {
                merchant: Arc::clone(&authenticated.principal.merchant),
                query: T::read(request.query_string())?,
            })
        });
        future::ready(list_request)
    }
}

/// The API key, with its merchant, of a request without query parameters.
pub(crate) struct Signer(pub(crate) Arc<Principal>);

impl FromRequest for Signer {
    type Error = Problem;
    type Future = future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let signer = Query::expect_empty(request.query_string())
            .and_then(|()| authenticated(request))
            .map(|authenticated| Self(authenticated.principal));
        future::ready(signer)
    }
}

/// The active API key of a request about keys or webhook endpoints, without query parameters; a key
/// in its grace period is refused.
pub(crate) struct ActiveSigner(pub(crate) Arc<Principal>);

impl FromRequest for ActiveSigner {
    type Error = Problem;
    type Future = future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let active = Query::expect_empty(request.query_string())
            .and_then(|()| authenticated(request))
            .and_then(|authenticated| {
                authenticated.principal.require_active()?;
                Ok(Self(authenticated.principal))
            });
        future::ready(active)
    }
}

/// The result of [`gate`]; missing only if a route was registered outside of it, which must fail.
fn authenticated(request: &HttpRequest) -> Result<AuthenticatedRequest, Problem> {
    request
        .extensions()
        .get::<AuthenticatedRequest>()
        .cloned()
        .ok_or(Problem::MissingAuth("X-Oncharge-Key"))
}
