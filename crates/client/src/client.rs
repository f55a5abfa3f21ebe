//! The merchant API's calls.

mod api_keys;
mod webhooks;

use std::{fmt, sync::Arc};

use oncharge_domain::signing::SigningKey;
use reqwest::Method;
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use crate::{
    call::{self, Call},
    error::{ConfigError, Error},
    http,
    key::IdempotencyKey,
    observe::{Exchange, Observer},
    page::{Page, RefundFilter, SessionFilter},
    refund::{NewRefund, Refund, RefundDetails},
    retries::RetryPolicy,
    secret::ApiKey,
    session::{CaptureBody, CreatedSession, NewSession, Session},
};

/// A merchant's client. Cheap to clone; clones share their connections.
///
/// Needs a tokio runtime. The API secret is kept only as the key that calls are signed with.
#[derive(Clone)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) api_key: ApiKey,
    pub(crate) signing_key: SigningKey,
    pub(crate) retries: RetryPolicy,
    pub(crate) observer: Option<Observer>,
    /// Without a slash at the end.
    base_url: String,
}

impl Client {
    /// A client of the service at `base_url` (`https://api.oncharge.io`; a path in it is put
    /// before the API's own) for the merchant with this pair.
    pub fn new(base_url: &str, api_key: &str, api_secret: &str) -> Result<Self, ConfigError> {
        let url = Url::parse(base_url).map_err(|_| ConfigError::BaseUrl)?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !is_plain || !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(ConfigError::BaseUrl);
        }
        if api_key.is_empty() || !api_key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError::ApiKey);
        }
        if api_secret.is_empty() {
            return Err(ConfigError::ApiSecret);
        }
        Ok(Self {
            http: http::client().map_err(ConfigError::Http)?,
            api_key: ApiKey::new(api_key),
            signing_key: SigningKey::of_secret(api_secret),
            retries: RetryPolicy::default(),
            observer: None,
            base_url: url.as_str().trim_end_matches('/').to_owned(),
        })
    }

    /// The same client with other patience.
    #[must_use]
    pub fn with_retries(self, retries: RetryPolicy) -> Self {
        Self { retries, ..self }
    }

    /// The same client, which shows every attempt of its calls to `observer` once it is over: for a
    /// log, or a page that shows what went over the wire. A clone may have an observer of its own,
    /// so that it knows what a call was for. It is called in the midst of the call: it should not
    /// block.
    #[must_use]
    pub fn with_observer(self, observer: impl Fn(&Exchange<'_>) + Send + Sync + 'static) -> Self {
        let observer = Some(Observer(Arc::new(observer)));
        Self { observer, ..self }
    }

    /// Creates a checkout session.
    pub async fn create_session(
        &self,
        new: &NewSession,
        key: Option<&IdempotencyKey>,
    ) -> Result<CreatedSession, Error> {
        self.post("/v1/checkout/sessions", Some(new), key).await
    }

    /// The whole address of a session's checkout page. It holds the pay token: for the shopper's
    /// browser and no log.
    pub fn checkout_url(&self, created: &CreatedSession) -> String {
        let is_relative = created.iframe_url.starts_with('/');
        let base_url = if is_relative {
            self.base_url.as_str()
        } else {
            ""
        };
        format!("{base_url}{}", created.iframe_url)
    }

    /// The session as it stands.
    pub async fn session(&self, session_id: &str) -> Result<Session, Error> {
        self.get(&session_path(session_id, "")?, "").await
    }

    /// Sessions, newest first, one page at a time.
    pub async fn list_sessions(&self, filter: &SessionFilter) -> Result<Page<Session>, Error> {
        self.get("/v1/checkout/sessions", &filter.query()?).await
    }

    /// Cancels an authorised payment. Where the session comes back `authorized` with a
    /// `pending_operation`, the outcome is still to come.
    pub async fn cancel(
        &self,
        session_id: &str,
        key: Option<&IdempotencyKey>,
    ) -> Result<Session, Error> {
        self.post(&session_path(session_id, "/cancel")?, NO_BODY, key)
            .await
    }

    /// Captures an authorised payment: `amount` minor units, or all of it. A part releases the
    /// rest. Where the session comes back `authorized` with a `pending_operation`, the outcome is
    /// still to come.
    pub async fn capture(
        &self,
        session_id: &str,
        amount: Option<i64>,
        key: Option<&IdempotencyKey>,
    ) -> Result<Session, Error> {
        let body = CaptureBody { amount };
        self.post(&session_path(session_id, "/capture")?, Some(&body), key)
            .await
    }

    /// Withdraws a session that has not been paid.
    pub async fn expire(
        &self,
        session_id: &str,
        key: Option<&IdempotencyKey>,
    ) -> Result<Session, Error> {
        self.post(&session_path(session_id, "/expire")?, NO_BODY, key)
            .await
    }

    /// Orders a refund. What comes back acknowledges the order; [`Client::refund_status`] says
    /// what became of it.
    pub async fn refund(
        &self,
        new: &NewRefund,
        key: Option<&IdempotencyKey>,
    ) -> Result<Refund, Error> {
        self.post("/v1/refunds", Some(new), key).await
    }

    /// The refund as it stands.
    pub async fn refund_status(&self, refund_id: &str) -> Result<RefundDetails, Error> {
        let path = format!("/v1/refunds/{}", check_id(refund_id)?);
        self.get(&path, "").await
    }

    /// Refunds, newest first, one page at a time.
    pub async fn list_refunds(&self, filter: &RefundFilter) -> Result<Page<RefundDetails>, Error> {
        self.get("/v1/refunds", &filter.query()).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &str) -> Result<T, Error> {
        let no_body = (String::new(), None);
        self.call(Method::GET, (path, query), no_body).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&impl Serialize>,
        key: Option<&IdempotencyKey>,
    ) -> Result<T, Error> {
        let key = key.cloned().or_else(IdempotencyKey::random);
        let key = key.ok_or(Error::NoRandomness)?;
        let body = match body {
            Some(body) => serde_json::to_string(body)
                .map_err(|_| Error::InvalidArgument("the request has no JSON form"))?,
            None => String::new(),
        };
        self.call(Method::POST, (path, ""), (body, Some(key))).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        (path, query): (&str, &str),
        (body, key): (String, Option<IdempotencyKey>),
    ) -> Result<T, Error> {
        let call = Call {
            method,
            url: self.url(path, query)?,
            body,
            key,
        };
        call::send(self, &call).await
    }

    /// What is signed is taken from this very URL, so signature and request cannot differ.
    fn url(&self, path: &str, query: &str) -> Result<Url, Error> {
        let separator = if query.is_empty() { "" } else { "?" };
        Url::parse(&format!("{}{path}{separator}{query}", self.base_url))
            .map_err(|_| Error::InvalidArgument("the call has no valid URL"))
    }
}

/// No body at all.
const NO_BODY: Option<&()> = None;

fn session_path(session_id: &str, action: &str) -> Result<String, Error> {
    Ok(format!(
        "/v1/checkout/sessions/{}{action}",
        check_id(session_id)?
    ))
}

/// The API's ids need no escaping; what does is none of them, and could lead to another path.
fn check_id(id: &str) -> Result<&str, Error> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !id.is_empty() && id.bytes().all(is_allowed) {
        Ok(id)
    } else {
        Err(Error::InvalidArgument(
            "an id consists of letters, digits, - and _",
        ))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base_url)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}
