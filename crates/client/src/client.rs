//! The client and its calls about sessions and refunds.

mod api_keys;
mod webhooks;

use std::{fmt, sync::Arc};

use oncharge_domain::signing::SigningKey;
use reqwest::Method;
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use crate::{
    call::{Call, Transport},
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

/// A client of the merchant API. Cheap to clone; clones share their connections.
///
/// Requires a tokio runtime. Of the API secret it keeps only the derived signing key.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    /// Without a trailing slash.
    base_url: String,
}

impl Client {
    /// Creates a client of the service at `base_url` (`https://api.oncharge.io`; a path in it is
    /// prepended to the API's paths) for the merchant with this key pair.
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
            transport: Transport {
                http: http::client().map_err(ConfigError::Http)?,
                api_key: ApiKey::new(api_key),
                signing_key: SigningKey::of_secret(api_secret),
                retries: RetryPolicy::default(),
                observer: None,
            },
            base_url: url.as_str().trim_end_matches('/').to_owned(),
        })
    }

    /// Returns the same client with another retry policy.
    #[must_use]
    pub fn with_retries(mut self, retries: RetryPolicy) -> Self {
        self.transport.retries = retries;
        self
    }

    /// Returns the same client with an `observer` that receives every completed attempt of its
    /// calls, for logging or display. Clones can have observers of their own, so that an observer
    /// can be tied to one purpose. It runs within the call and must not block.
    #[must_use]
    pub fn with_observer(
        mut self,
        observer: impl Fn(&Exchange<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.transport.observer = Some(Observer(Arc::new(observer)));
        self
    }

    /// Creates a checkout session.
    pub async fn create_session(
        &self,
        new: &NewSession,
        key: Option<&IdempotencyKey>,
    ) -> Result<CreatedSession, Error> {
        self.post("/v1/checkout/sessions", Some(new), key).await
    }

    /// The absolute URL of a session's checkout page. It contains the pay token: pass it to the
    /// shopper's browser only and do not log it.
    pub fn checkout_url(&self, created: &CreatedSession) -> String {
        let is_relative = created.iframe_url.starts_with('/');
        let base_url = if is_relative {
            self.base_url.as_str()
        } else {
            ""
        };
        format!("{base_url}{}", created.iframe_url)
    }

    /// Retrieves a session.
    pub async fn session(&self, session_id: &str) -> Result<Session, Error> {
        self.get(&session_path(session_id, "")?, "").await
    }

    /// Lists sessions, newest first, one page at a time.
    pub async fn list_sessions(&self, filter: &SessionFilter) -> Result<Page<Session>, Error> {
        self.get("/v1/checkout/sessions", &filter.query()?).await
    }

    /// Cancels an authorized payment. If the returned session is `authorized` with a
    /// `pending_operation`, the outcome is still pending.
    pub async fn cancel(
        &self,
        session_id: &str,
        key: Option<&IdempotencyKey>,
    ) -> Result<Session, Error> {
        self.post(&session_path(session_id, "/cancel")?, NO_BODY, key)
            .await
    }

    /// Captures `amount` minor units of an authorized payment, or all of it. A partial capture
    /// releases the rest. If the returned session is `authorized` with a `pending_operation`, the
    /// outcome is still pending.
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

    /// Expires a session that has not been paid.
    pub async fn expire(
        &self,
        session_id: &str,
        key: Option<&IdempotencyKey>,
    ) -> Result<Session, Error> {
        self.post(&session_path(session_id, "/expire")?, NO_BODY, key)
            .await
    }

    /// Requests a refund. The response only acknowledges the request; [`Client::refund_status`]
    /// returns the outcome.
    pub async fn refund(
        &self,
        new: &NewRefund,
        key: Option<&IdempotencyKey>,
    ) -> Result<Refund, Error> {
        self.post("/v1/refunds", Some(new), key).await
    }

    /// Retrieves a refund.
    pub async fn refund_status(&self, refund_id: &str) -> Result<RefundDetails, Error> {
        let path = format!("/v1/refunds/{}", check_id(refund_id)?);
        self.get(&path, "").await
    }

    /// Lists refunds, newest first, one page at a time.
    pub async fn list_refunds(&self, filter: &RefundFilter) -> Result<Page<RefundDetails>, Error> {
        self.get("/v1/refunds", &filter.query()).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &str) -> Result<T, Error> {
        self.call(Method::GET, path, query, String::new(), None)
            .await
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
                .map_err(|_| Error::InvalidArgument("the request cannot be serialized as JSON"))?,
            None => String::new(),
        };
        self.call(Method::POST, path, "", body, Some(key)).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &str,
        body: String,
        key: Option<IdempotencyKey>,
    ) -> Result<T, Error> {
        let call = Call {
            method,
            url: self.url(path, query)?,
            body,
            key,
        };
        self.transport.send(&call).await
    }

    /// The signed target is taken from this URL, so signature and request cannot differ.
    fn url(&self, path: &str, query: &str) -> Result<Url, Error> {
        let separator = if query.is_empty() { "" } else { "?" };
        Url::parse(&format!("{}{path}{separator}{query}", self.base_url))
            .map_err(|_| Error::InvalidArgument("the request URL is invalid"))
    }
}

/// An empty request body.
const NO_BODY: Option<&()> = None;

fn session_path(session_id: &str, action: &str) -> Result<String, Error> {
    Ok(format!(
        "/v1/checkout/sessions/{}{action}",
        check_id(session_id)?
    ))
}

/// Ids of the API need no escaping; text that does is no id and could lead to another path.
fn check_id(id: &str) -> Result<&str, Error> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !id.is_empty() && id.bytes().all(is_allowed) {
        Ok(id)
    } else {
        Err(Error::InvalidArgument(
            "an id must consist of letters, digits, - and _",
        ))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base_url)
            .field("retries", &self.transport.retries)
            .finish_non_exhaustive()
    }
}
