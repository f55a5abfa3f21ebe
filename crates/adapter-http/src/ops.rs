//! The operators' server: liveness, readiness, metrics, and the read-only view `/ops/`. On its own
//! port.

mod filters;
mod format;
mod history;
pub(crate) mod host_guard;
pub(crate) mod overview;
mod queues;
mod response;
pub(crate) mod session_history;
pub(crate) mod sessions;
mod sparkline;
mod stuck;
mod tables;
mod timeline;

use std::{sync::Arc, time::Duration};

use actix_web::{HttpResponse, http::header::ContentType, web};
use futures_util::future::BoxFuture;
use oncharge_application::App;

pub use self::history::QueueHistory;
pub(crate) use self::response::{home, style, unknown};

/// Checks whether the service can do its work; an error gives the reason, for the log.
pub type ReadinessCheck = dyn Fn() -> BoxFuture<'static, Result<(), Box<dyn std::error::Error + Send + Sync>>>
    + Send
    + Sync;

/// Renders all metrics in Prometheus text format; queries the store for queue depths.
pub type MetricsRenderer = dyn Fn() -> BoxFuture<'static, String> + Send + Sync;

/// The use cases, once the store is open.
pub type AppSource = dyn Fn() -> Option<App> + Send + Sync;

/// Time limit for readiness, metrics and store queries.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// Dependencies of the operators' server. It runs without a store: until one is open, `ready`
/// fails, and `metrics` omits what only the store provides.
#[derive(Clone)]
pub struct Ops {
    /// Whether the service can do its work: checks the store, and fails during shutdown.
    pub ready: Arc<ReadinessCheck>,
    /// All metrics at the time of the call.
    pub metrics: Arc<MetricsRenderer>,
    /// The use cases behind the operators' view.
    pub app: Arc<AppSource>,
    /// History of the queue depths; sampled by the caller that starts the server.
    pub history: Arc<QueueHistory>,
    /// Accepted host names, besides `localhost` and the server's address.
    pub hosts: Vec<String>,
}

/// `GET /healthz`: liveness.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "ok"}))
}

/// `GET /readyz`: readiness.
pub(crate) async fn readyz(ops: web::Data<Ops>) -> HttpResponse {
    let ready = tokio::time::timeout(STORE_TIMEOUT, (ops.ready)()).await;
    match ready.unwrap_or_else(|_| Err("timed out".into())) {
        Ok(()) => HttpResponse::Ok().json(serde_json::json!({"status": "ready"})),
        Err(error) => {
            tracing::warn!(error, "not ready");
            HttpResponse::ServiceUnavailable().json(serde_json::json!({"status": "not_ready"}))
        }
    }
}

/// `GET /metrics`: Prometheus metrics, including queue depths.
pub(crate) async fn metrics(ops: web::Data<Ops>) -> HttpResponse {
    match tokio::time::timeout(STORE_TIMEOUT, (ops.metrics)()).await {
        Ok(text) => HttpResponse::Ok()
            .content_type(ContentType::plaintext())
            .body(text),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_unresponsive_store_times_out() {
        let ops = web::Data::new(Ops {
            ready: Arc::new(|| Box::pin(std::future::pending())),
            metrics: Arc::new(|| Box::pin(std::future::pending())),
            app: Arc::new(|| None),
            history: Arc::default(),
            hosts: Vec::new(),
        });
        assert_eq!(readyz(ops.clone()).await.status(), 503);
        assert_eq!(metrics(ops).await.status(), 503);
    }
}
