//! What operators ask: is it alive, is it ready, how much has it done. On a port of its own.

use std::sync::Arc;

use actix_web::{HttpResponse, http::header::ContentType, web};
use futures_util::future::BoxFuture;

/// Asks whether the service can do its work; an error says why not, for the log.
pub type Ready = dyn Fn() -> BoxFuture<'static, Result<(), Box<dyn std::error::Error + Send + Sync>>>
    + Send
    + Sync;

/// What the operators' server answers from.
#[derive(Clone)]
pub struct Ops {
    /// Whether the service can do its work: asks the store, and says no while it stops.
    pub ready: Arc<Ready>,
    /// All metrics in the text format of Prometheus.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "ok"}))
}

/// `GET /readyz`: it can do its work.
pub(crate) async fn readyz(ops: web::Data<Ops>) -> HttpResponse {
    match (ops.ready)().await {
        Ok(()) => HttpResponse::Ok().json(serde_json::json!({"status": "ready"})),
        Err(error) => {
            tracing::warn!(error, "not ready");
            HttpResponse::ServiceUnavailable().json(serde_json::json!({"status": "not_ready"}))
        }
    }
}

/// `GET /metrics`: how much it has done.
pub(crate) async fn metrics(ops: web::Data<Ops>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .body((ops.metrics)())
}
