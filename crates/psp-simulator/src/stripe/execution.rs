//! Executes a `POST` request in one transaction and records its response under its key.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::Value;

use super::account::Account;
use super::call::Call;
use super::error::StripeError;
use crate::app::Simulator;
use crate::store::stripe::requests::{self, RecordedRequest};
use crate::store::{StoreError, operations};
use crate::transaction::Transaction;

/// A request in its transaction.
pub(super) struct Execution<'a, 'b> {
    pub(super) transaction: &'a mut Transaction<'b>,
    pub(super) account: Arc<Account>,
    /// The key under which the engine executes the request: its idempotency key, or its own id.
    pub(super) key: String,
    pub(super) fingerprint: String,
}

/// Why a request has no object as its response.
pub(super) enum Failure {
    /// An error response; it is recorded, and what was written before it stays.
    Response(StripeError),
    /// Everything is rolled back.
    Store(StoreError),
}

impl From<StripeError> for Failure {
    fn from(error: StripeError) -> Self {
        Self::Response(error)
    }
}

impl<E: Into<StoreError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// The response to a request under a key.
struct Recorded {
    request: RecordedRequest,
    replayed: bool,
}

/// Executes `work`, or returns the response that is recorded for the key.
pub(super) async fn execute<F>(
    simulator: &Simulator,
    call: Call,
    work: F,
) -> Result<HttpResponse, StripeError>
where
    F: FnOnce(&mut Execution<'_, '_>) -> Result<Value, Failure> + Send + 'static,
{
    let has_key = call.key.is_some();
    let recorded = simulator
        .execute(move |transaction| run(transaction, call, work))
        .await??;
    let status = u16::try_from(recorded.request.status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.content_type("application/json");
    if has_key {
        response.insert_header(("Original-Request", recorded.request.request_id));
    }
    if recorded.replayed {
        response.insert_header(("Idempotent-Replayed", "true"));
    }
    Ok(response.body(recorded.request.body))
}

fn run<F>(
    transaction: &mut Transaction<'_>,
    call: Call,
    work: F,
) -> Result<Result<Recorded, StripeError>, StoreError>
where
    F: FnOnce(&mut Execution<'_, '_>) -> Result<Value, Failure>,
{
    if let Some(key) = &call.key {
        if let Some(request) = requests::find(transaction.connection, key)? {
            let replayed = true;
            return Ok(if request.fingerprint == call.fingerprint {
                Ok(Recorded { request, replayed })
            } else {
                Err(StripeError::key_reused(key))
            });
        }
        if operations::find(transaction.connection, key)?.is_some() {
            return Ok(Err(StripeError::key_reused(key)));
        }
    }
    let account = transaction.stripe.clone().ok_or(StoreError::Unavailable)?;
    let mut execution = Execution {
        account,
        key: call.key.clone().unwrap_or_else(|| call.request_id.clone()),
        fingerprint: call.fingerprint.clone(),
        transaction,
    };
    let (status, body) = match work(&mut execution) {
        Ok(object) => (200, object),
        Err(Failure::Response(error)) => (error.status(), error.to_json()),
        Err(Failure::Store(error)) => return Err(error),
    };
    let request = RecordedRequest {
        idempotency_key: call.key.clone().unwrap_or_default(),
        fingerprint: call.fingerprint,
        request_id: call.request_id,
        status: i32::from(status),
        body: body.to_string(),
        created_at: transaction.now,
    };
    if call.key.is_some() {
        requests::insert(transaction.connection, &request)?;
    }
    let replayed = false;
    Ok(Ok(Recorded { request, replayed }))
}
