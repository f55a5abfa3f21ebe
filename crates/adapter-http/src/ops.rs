//! What operators ask: is it alive, is it ready, how much has it done, and what became of a
//! session (their view, `/ops/`, for reading alone). On a port of its own.

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

/// Asks whether the service can do its work; an error says why not, for the log.
pub type ReadinessCheck = dyn Fn() -> BoxFuture<'static, Result<(), Box<dyn std::error::Error + Send + Sync>>>
    + Send
    + Sync;

/// Renders all metrics in the text format of Prometheus; asks the store how long its queues are.
pub type MetricsRenderer = dyn Fn() -> BoxFuture<'static, String> + Send + Sync;

/// The use cases, as soon as the store is there.
pub type AppSource = dyn Fn() -> Option<App> + Send + Sync;

/// How long the service and its store may take to say how they are.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the operators' server answers from. It needs no store: where one is not there yet, `ready`
/// says so, and `metrics` leaves out what only the store knows.
#[derive(Clone)]
pub struct Ops {
    /// Whether the service can do its work: asks the store, and says no while it stops.
    pub ready: Arc<ReadinessCheck>,
    /// All metrics, as they are when they are asked for.
    pub metrics: Arc<MetricsRenderer>,
    /// What the operators' view reads from.
    pub app: Arc<AppSource>,
    /// How the queues have been; whoever starts the server samples them.
    pub history: Arc<QueueHistory>,
    /// Names by which a request may call us, besides `localhost` and our own address.
    pub hosts: Vec<String>,
}

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "ok"}))
}

/// `GET /readyz`: it can do its work.
pub(crate) async fn readyz(ops: web::Data<Ops>) -> HttpResponse {
    let ready = tokio::time::timeout(STORE_TIMEOUT, (ops.ready)()).await;
    match ready.unwrap_or_else(|_| Err("no answer in time".into())) {
        Ok(()) => HttpResponse::Ok().json(serde_json::json!({"status": "ready"})),
        Err(error) => {
            tracing::warn!(error, "not ready");
            HttpResponse::ServiceUnavailable().json(serde_json::json!({"status": "not_ready"}))
        }
    }
}

/// `GET /metrics`: how much it has done, and how much waits.
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
