//! One API call: the same body and idempotency key for each attempt, signed anew each time.

use oncharge_domain::signing::{SignedRequest, SigningKey};
use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use crate::{
    IdempotencyKey,
    error::{Error, FieldProblem},
    http::{self, HttpResponse},
    observe::{Exchange, ExchangeResponse, Observer},
    retries::RetryPolicy,
    secret::ApiKey,
};

/// The content of a call.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// The JSON text; empty if there is none.
    pub(crate) body: String,
    pub(crate) key: Option<IdempotencyKey>,
}

/// An error in the API's wire format.
#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    message: String,
    #[serde(default)]
    details: Vec<FieldProblem>,
    request_id: Option<String>,
}

/// Signs and sends calls.
#[derive(Clone)]
pub(crate) struct Transport {
    pub(crate) http: reqwest::Client,
    pub(crate) api_key: ApiKey,
    pub(crate) signing_key: SigningKey,
    pub(crate) retries: RetryPolicy,
    pub(crate) observer: Option<Observer>,
}

impl Transport {
    /// Sends a call until it gets a final response or the attempts are exhausted.
    pub(crate) async fn send<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Error> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (error, retry_after) = match self.send_once(call).await {
                Ok(response) if (200..300).contains(&response.status) => {
                    return parse_body(&response);
                }
                Ok(response) => (parse_error(&response), response.retry_after()),
                Err(error) => (Error::Transport(error), None),
            };
            let delay = self.retries.delay(attempt, retry_after);
            match delay {
                Some(delay) if is_retryable(&error) => tokio::time::sleep(delay).await,
                _ => return Err(error),
            }
        }
    }

    /// One attempt, reported to the observer.
    async fn send_once(&self, call: &Call) -> Result<HttpResponse, http::BoxError> {
        let target = call.target();
        let headers = self.headers(call, &target);
        let mut request = self.http.request(call.method.clone(), call.url.clone());
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        if !call.body.is_empty() {
            request = request.body(call.body.clone());
        }
        let response = http::send_request(request).await;
        if let Some(observer) = &self.observer {
            let response = response.as_ref().ok();
            (observer.0)(&Exchange {
                method: call.method.as_str(),
                target: &target,
                headers: &headers,
                body: &call.body,
                response: response.map(|response| ExchangeResponse {
                    status: response.status,
                    body: &response.body,
                    headers: &response.headers,
                }),
            });
        }
        response
    }

    /// The headers of an attempt: signed anew, because a signature is valid for minutes only.
    fn headers(&self, call: &Call, target: &str) -> Vec<(&'static str, String)> {
        let timestamp = http::unix_now().to_string();
        let signature = self.signing_key.sign(&SignedRequest {
            timestamp: &timestamp,
            method: call.method.as_str(),
            target,
            body: call.body.as_bytes(),
        });
        let mut headers = vec![
            ("X-Oncharge-Key", self.api_key.expose().to_owned()),
            ("X-Oncharge-Timestamp", timestamp),
            ("X-Oncharge-Signature", signature),
        ];
        if let Some(key) = &call.key {
            headers.push(("Idempotency-Key", key.as_str().to_owned()));
        }
        if !call.body.is_empty() {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        headers
    }
}

impl Call {
    /// The request target, as signed and sent.
    fn target(&self) -> String {
        let query = self.url.query().map(|query| format!("?{query}"));
        format!("{}{}", self.url.path(), query.unwrap_or_default())
    }
}

fn parse_body<T: DeserializeOwned>(response: &HttpResponse) -> Result<T, Error> {
    // Parse an empty body as `null`, which deserializes to `()`.
    let body: &[u8] = if response.body.is_empty() {
        b"null"
    } else {
        &response.body
    };
    serde_json::from_slice(body).map_err(|_| unexpected_response(response))
}

fn parse_error(response: &HttpResponse) -> Error {
    let Ok(body) = serde_json::from_slice::<ErrorBody>(&response.body) else {
        return unexpected_response(response);
    };
    Error::Api {
        status: response.status,
        code: body.error,
        message: body.message,
        details: body.details,
        request_id: body.request_id.or_else(|| response.request_id()),
    }
}

fn unexpected_response(response: &HttpResponse) -> Error {
    Error::UnexpectedResponse {
        status: response.status,
        request_id: response.request_id(),
    }
}

/// Whether repeating the call under the same key may succeed: there was no response, or one that
/// asks for a retry.
fn is_retryable(error: &Error) -> bool {
    match error {
        Error::Transport(_) => true,
        Error::Api {
            status: 409, code, ..
        } => code == "idempotency_conflict",
        Error::Api { status, .. } | Error::UnexpectedResponse { status, .. } => {
            matches!(status, 408 | 429 | 500..=599)
        }
        Error::InvalidArgument(_) | Error::NoRandomness => false,
    }
}
