//! The checks that every request under `/v1` passes, in the order of the merchant API.
//!
//! Key, timestamp, size, signature and quota are checked here, around the whole scope; then the
//! routes tell unknown paths and methods; then [`post`] checks media type, JSON and idempotency
//! key. What is left is the use case's.

pub(crate) mod body;
mod credentials;
pub(crate) mod post;

use std::{future, rc::Rc, sync::Arc};

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
    signing::{Signed, is_timely, parse_timestamp},
};

use self::credentials::Credentials;
use crate::{
    Api,
    fields::Body,
    limits::{Standing, Wait, address::Address},
    observe::note_caller,
    problem::Problem,
    query::Query,
};

/// How large a body may be, in bytes.
pub(crate) const LARGEST_BODY: usize = 64 * 1024;

/// A request that has passed the checks.
#[derive(Clone)]
struct Admitted {
    principal: Arc<Principal>,
    body: web::Bytes,
}

/// The middleware.
pub(crate) async fn gate<B: MessageBody + 'static>(
    api: web::Data<Api>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let payload = request.take_payload();
    let mut standing = None;
    let mut response = match admit(&api, request.request(), payload, &mut standing).await {
        Ok(admitted) => {
            request.extensions_mut().insert(admitted);
            next.call(request).await?.map_into_left_body()
        }
        Err(problem) => {
            let problem = counted(&api, request.request(), problem);
            request.error_response(problem).map_into_right_body()
        }
    };
    if let Some(standing) = standing {
        standing.write(response.headers_mut());
    }
    let body = response.request().extensions().get::<Rc<Body>>().cloned();
    let warning = body.and_then(|body| body.warning());
    if let Some(warning) = warning.and_then(|text| HeaderValue::try_from(text).ok()) {
        let name = HeaderName::from_static("oncharge-warning");
        response.headers_mut().insert(name, warning);
    }
    Ok(response)
}

/// Checks 1 to 5. `standing` is set once the signature is verified, so that only the key's owner sees
/// its quota.
async fn admit(
    api: &Api,
    request: &HttpRequest,
    payload: Payload,
    standing: &mut Option<Standing>,
) -> Result<Admitted, Problem> {
    let target = origin_form(request)?;
    body::check_announced(request.headers(), LARGEST_BODY)?;
    let credentials = Credentials::of(request.headers())?;
    let address = Address::of(request.head(), &api.settings().trusted_proxies);
    // Requests that fail must not cost the store anything beyond their limit. Those that pass are
    // served from any address, as long as the key is known to this process.
    let wait = api.limits().wait_of(address);
    let known = match wait {
        None => find(api, credentials.key).await?,
        Some(Wait(seconds)) => authenticate::last_known(api.app(), credentials.key)
            .await
            .ok_or(Problem::RateLimited(seconds))?,
    };
    note_caller(known.merchant.id, known.key.id);

    let now = api.app().now().unix_seconds();
    parse_timestamp(credentials.timestamp)
        .filter(|timestamp| is_timely(*timestamp, now))
        .ok_or(Problem::TimestampExpired)?;
    let body = body::read(payload, LARGEST_BODY, api.settings().body_timeout).await?;
    let signed = Signed {
        timestamp: credentials.timestamp,
        method: request.method().as_str(),
        target,
        body: &body,
    };
    if !known.key.signing_key.verify(&signed, credentials.signature) {
        return Err(Problem::InvalidSignature);
    }
    // What was known may be an hour old: the key may have been revoked since.
    let principal = match wait {
        None => known,
        Some(_) => find(api, credentials.key).await?,
    };
    let (counted, left) = api.limits().count(principal.key.id);
    *standing = Some(left);
    counted.map_err(|Wait(seconds)| Problem::RateLimited(seconds))?;
    authenticate::record_use(api.app(), &principal);
    Ok(Admitted { principal, body })
}

async fn find(api: &Api, key: &str) -> Result<Arc<Principal>, Problem> {
    let found = authenticate::find(api.app(), key).await?;
    found.ok_or(Problem::InvalidKey)
}

/// The request target as it was sent: path, and query where there is one. Whoever sends an
/// absolute form speaks to a proxy, not to us, and cannot have signed what we would check.
fn origin_form(request: &HttpRequest) -> Result<&str, Problem> {
    let uri = request.uri();
    let absolute = uri.scheme().is_some() || uri.authority().is_some();
    let target = uri
        .path_and_query()
        .filter(|_| !absolute)
        .ok_or(Problem::BadTarget)?;
    Ok(target.as_str())
}

/// Counts a failure of the checks against its address, and answers that instead where there
/// were too many.
pub(crate) fn counted(api: &Api, request: &HttpRequest, problem: Problem) -> Problem {
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
    if Address::hides_behind_proxy(request.head(), trusted) {
        api.warn_of_unlisted_proxy();
    }
    match api
        .limits()
        .count_failure(Address::of(request.head(), trusted))
    {
        Ok(()) => problem,
        Err(Wait(seconds)) => Problem::RateLimited(seconds),
    }
}

/// The merchant who sent a request without query parameters, for handlers that only read.
pub(crate) struct Caller(pub(crate) Arc<Merchant>);

/// The merchant who asks for a list; the handler reads the query parameters.
pub(crate) struct ListCaller(pub(crate) Arc<Merchant>);

impl FromRequest for Caller {
    type Error = Problem;
    type Future = future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = Query::refuse_any(request.query_string())
            .and_then(|()| admitted(request))
            .map(|admitted| Self(Arc::clone(&admitted.principal.merchant)));
        future::ready(caller)
    }
}

impl FromRequest for ListCaller {
    type Error = Problem;
    type Future = future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let admitted = admitted(request);
        future::ready(admitted.map(|admitted| Self(Arc::clone(&admitted.principal.merchant))))
    }
}

/// The API key that signed a request without query parameters, with its merchant.
pub(crate) struct Signer(pub(crate) Arc<Principal>);

impl FromRequest for Signer {
    type Error = Problem;
    type Future = future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let signer = Query::refuse_any(request.query_string())
            .and_then(|()| admitted(request))
            .map(|admitted| Self(admitted.principal));
        future::ready(signer)
    }
}

/// The active API key that signed a request about keys or webhook endpoints, without query parameters;
/// one in its grace period is refused.
pub(crate) struct ActiveSigner(pub(crate) Arc<Principal>);

impl FromRequest for ActiveSigner {
    type Error = Problem;
    type Future = future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let active = Query::refuse_any(request.query_string())
            .and_then(|()| admitted(request))
            .and_then(|admitted| {
                admitted.principal.require_active()?;
                Ok(Self(admitted.principal))
            });
        future::ready(active)
    }
}

/// What [`gate`] left; missing only where a route was put outside of it, which must not pass.
fn admitted(request: &HttpRequest) -> Result<Admitted, Problem> {
    request
        .extensions()
        .get::<Admitted>()
        .cloned()
        .ok_or(Problem::MissingAuth("X-Oncharge-Key"))
}
