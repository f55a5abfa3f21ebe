//! HTTP calls to the simulator.

use oncharge_domain::id::OperationId;
use oncharge_ports::psp::PspError;
use reqwest::header::CONTENT_TYPE;

use super::request::SimulatorRequest;
use crate::{
    http::{self, HttpResponse},
    secret::Secret,
};

/// The header that carries the operation's id.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// HTTP client for one account at the simulator.
pub(super) struct Client {
    http: reqwest::Client,
    /// The origin, without a trailing slash.
    base: String,
    bearer: Secret,
}

impl Client {
    pub(super) fn new(http: reqwest::Client, base: String, bearer: Secret) -> Self {
        Self { http, base, bearer }
    }

    /// Sends a prepared request: exactly its bytes, with its idempotency key.
    pub(super) async fn post(&self, request: &SimulatorRequest) -> Result<HttpResponse, PspError> {
        let call = self
            .http
            .post(format!("{}{}", self.base, request.path))
            .bearer_auth(self.bearer.expose())
            .header(IDEMPOTENCY_KEY, &request.key)
            .header(CONTENT_TYPE, "application/json")
            .body(request.body.clone());
        http::send(call).await
    }

    /// Looks up the state of an operation.
    pub(super) async fn operation(&self, operation: OperationId) -> Result<HttpResponse, PspError> {
        let call = self
            .http
            .get(format!("{}/v1/operations/{operation}", self.base))
            .bearer_auth(self.bearer.expose());
        http::send(call).await
    }
}
