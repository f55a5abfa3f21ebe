//! Checks 7 and 8 for a `POST` or `PUT`: media type, JSON and idempotency key.

use std::{future, sync::Arc};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_TYPE, HeaderMap},
};
use oncharge_application::{Idempotency, PostContext};
use oncharge_domain::idempotency::{IdempotencyKey, RequestFingerprint};

use super::{AuthenticatedRequest, authenticated, credentials::single_header, origin_form};
use crate::{
    json,
    problem::{FieldProblem, Problem},
    query::Query,
    request_body::{Empty, RequestBody},
    request_log::request_id,
};

/// A merchant's `POST` with its body.
pub(crate) struct Post<T> {
    /// The caller and the idempotency key.
    pub(crate) context: PostContext,
    pub(crate) body: T,
}

/// A merchant's `POST` that needs no body; an empty one counts as `{}`.
pub(crate) struct Command<T = Empty>(pub(crate) Post<T>);

/// A merchant's `PUT` with its body. It needs no idempotency key, because `PUT` is idempotent.
pub(crate) struct Put<T>(pub(crate) T);

/// The text of `Oncharge-Warning`, in the request's extensions.
pub(super) struct Warning(pub(super) String);

impl<T: RequestBody> FromRequest for Post<T> {
    type Error = Problem;
    type Future = future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        future::ready(read(request, false))
    }
}

impl<T: RequestBody> FromRequest for Command<T> {
    type Error = Problem;
    type Future = future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        future::ready(read(request, true).map(Self))
    }
}

impl<T: RequestBody> FromRequest for Put<T> {
    type Error = Problem;
    type Future = future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let put = authenticated(request).and_then(|authenticated| {
            let object = parse(request, &authenticated, false)?;
            read_body(request, &object, authenticated.sandbox).map(Self)
        });
        future::ready(put)
    }
}

fn parse(
    request: &HttpRequest,
    authenticated: &AuthenticatedRequest,
    may_be_empty: bool,
) -> Result<json::Object, Problem> {
    check_media_type(request.headers())?;
    Query::expect_empty(request.query_string())?;
    if may_be_empty && authenticated.body.is_empty() {
        return Ok(json::Object::default());
    }
    json::parse(&authenticated.body).map_err(Problem::InvalidJson)
}

/// Reads the body. Unknown members are reported by [`super::gate`], also if others are invalid.
fn read_body<T: RequestBody>(
    request: &HttpRequest,
    object: &json::Object,
    sandbox: bool,
) -> Result<T, Problem> {
    if let Some(warning) = T::unknown_members_warning(object) {
        request.extensions_mut().insert(Warning(warning));
    }
    T::read(object, sandbox)
}

fn read<T: RequestBody>(request: &HttpRequest, may_be_empty: bool) -> Result<Post<T>, Problem> {
    let authenticated = authenticated(request)?;
    let object = parse(request, &authenticated, may_be_empty)?;
    let key = idempotency_key(request.headers())?;
    let idempotency = match key {
        None => None,
        Some(key) => {
            let (method, target) = (request.method().as_str(), origin_form(request)?);
            let fingerprint = RequestFingerprint::of(method, target, &authenticated.body);
            Some(Idempotency::new(key, fingerprint))
        }
    };
    let merchant = Arc::clone(&authenticated.principal.merchant);
    let context = PostContext {
        merchant,
        idempotency,
        request_id: request_id(request),
    };
    Ok(Post {
        context,
        body: read_body(request, &object, authenticated.sandbox)?,
    })
}

/// The published API does not require `Content-Type`, so everything that clients send by default is
/// read as JSON: no header, curl's form type, and every JSON type.
pub(crate) fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    if !headers.contains_key(CONTENT_TYPE) {
        return Ok(());
    }
    let text =
        single_header(headers, CONTENT_TYPE.as_str()).ok_or(Problem::UnsupportedMediaType)?;
    let essence = text
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_json = match essence.split_once('/') {
        Some(("application", "json" | "x-www-form-urlencoded")) => true,
        Some((_, subtype)) => subtype.len() > "+json".len() && subtype.ends_with("+json"),
        None => essence.is_empty(),
    };
    if is_json {
        Ok(())
    } else {
        Err(Problem::UnsupportedMediaType)
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    const NAME: &str = "Idempotency-Key";
    if !headers.contains_key(NAME) {
        return Ok(None);
    }
    let key = single_header(headers, NAME).and_then(IdempotencyKey::parse);
    let rule = "must be 1 to 255 visible ASCII characters, and sent only once";
    key.map(Some)
        .ok_or_else(|| Problem::InvalidParameter(FieldProblem::new(NAME, rule)))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn json_and_default_media_types_are_accepted() {
        let accepted = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.append(CONTENT_TYPE, HeaderValue::try_from(text).unwrap());
            check_media_type(&headers).is_ok()
        };
        for text in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/json;charset=latin1;x=y",
            "application/vnd.api+json",
            "application/problem+json; a=b",
            "application/x-www-form-urlencoded",
            "",
        ] {
            assert!(accepted(text), "{text}");
        }
        for text in [
            "text/plain",
            "text/html",
            "application/xml",
            "multipart/form-data; boundary=x",
            "json",
            "application/+json",
            "application/json+xml",
            "application/jsonx",
        ] {
            assert!(!accepted(text), "{text}");
        }
        assert!(check_media_type(&HeaderMap::new()).is_ok(), "absent");
    }
}
