//! One call: signed anew for every attempt, the same body and the same key each time.

use oncharge_domain::signing::Signed;
use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use crate::{
    Client, IdempotencyKey,
    error::{Error, FieldProblem},
    http::{self, Answer},
    observe::{Answered, Exchange},
};

/// What is to be sent.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// The JSON text; empty where there is none.
    pub(crate) body: String,
    pub(crate) key: Option<IdempotencyKey>,
}

/// An error as the API writes it.
#[derive(Deserialize)]
struct Problem {
    error: String,
    message: String,
    #[serde(default)]
    details: Vec<FieldProblem>,
    request_id: Option<String>,
}

/// Sends a call until it is answered for good or the attempts are used up.
pub(crate) async fn send<T: DeserializeOwned>(client: &Client, call: &Call) -> Result<T, Error> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let (error, retry_after) = match attempt_once(client, call).await {
            Ok(answer) if (200..300).contains(&answer.status) => return read(&answer),
            Ok(answer) => (refusal(&answer), answer.retry_after()),
            Err(failure) => (Error::Transport(failure), None),
        };
        let wait = client.retries.wait(attempt, retry_after);
        match wait {
            Some(wait) if is_worth_another_try(&error) => tokio::time::sleep(wait).await,
            _ => return Err(error),
        }
    }
}

/// One attempt, which whoever observes the client is shown.
async fn attempt_once(client: &Client, call: &Call) -> Result<Answer, http::Failure> {
    let target = call.target();
    let headers = headers(client, call, &target);
    let mut request = client.http.request(call.method.clone(), call.url.clone());
    for (name, value) in &headers {
        request = request.header(*name, value);
    }
    if !call.body.is_empty() {
        request = request.body(call.body.clone());
    }
    let answer = http::exchange(request).await;
    if let Some(observer) = &client.observer {
        let answer = answer.as_ref().ok();
        (observer.0)(&Exchange {
            method: call.method.as_str(),
            target: &target,
            headers: &headers,
            body: &call.body,
            answer: answer.map(|answer| Answered {
                status: answer.status,
                body: &answer.body,
                headers: &answer.headers,
            }),
        });
    }
    answer
}

impl Call {
    /// What is signed and sent as the request's target.
    fn target(&self) -> String {
        let query = self.url.query().map(|query| format!("?{query}"));
        format!("{}{}", self.url.path(), query.unwrap_or_default())
    }
}

/// The headers of an attempt: signed anew, since a signature is good for minutes only.
fn headers(client: &Client, call: &Call, target: &str) -> Vec<(&'static str, String)> {
    let timestamp = http::unix_now().to_string();
    let signature = client.signing_key.sign(&Signed {
        timestamp: &timestamp,
        method: call.method.as_str(),
        target,
        body: call.body.as_bytes(),
    });
    let mut headers = vec![
        ("X-Oncharge-Key", client.api_key.expose().to_owned()),
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

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    // Where a call answers nothing, nothing is what its caller gets.
    let body: &[u8] = if answer.body.is_empty() {
        b"null"
    } else {
        &answer.body
    };
    serde_json::from_slice(body).map_err(|_| unexpected(answer))
}

fn refusal(answer: &Answer) -> Error {
    let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body) else {
        return unexpected(answer);
    };
    Error::Api {
        status: answer.status,
        code: problem.error,
        message: problem.message,
        details: problem.details,
        request_id: problem.request_id.or_else(|| answer.request_id()),
    }
}

fn unexpected(answer: &Answer) -> Error {
    Error::UnexpectedAnswer {
        status: answer.status,
        request_id: answer.request_id(),
    }
}

/// Whether the same call under the same key may end better: nothing was said about it, or only
/// that this was not the moment.
fn is_worth_another_try(error: &Error) -> bool {
    match error {
        Error::Transport(_) => true,
        Error::Api {
            status: 409, code, ..
        } => code == "idempotency_conflict",
        Error::Api { status, .. } | Error::UnexpectedAnswer { status, .. } => {
            matches!(status, 408 | 429 | 500..=599)
        }
        Error::InvalidArgument(_) | Error::NoRandomness => false,
    }
}
