//! What operators ask: is it alive, is it ready, how much has it done, and what became of a
//! session (their view, `/ops/`, for reading alone). On a port of its own.

mod answer;
pub(crate) mod door;
mod filters;
mod history;
pub(crate) mod overview;
mod queues;
pub(crate) mod sessions;
mod show;
mod sparkline;
pub(crate) mod story;
mod stuck;
mod tables;
mod timeline;

use std::{sync::Arc, time::Duration};

use actix_web::{HttpResponse, http::header::ContentType, web};
use futures_util::future::BoxFuture;
use oncharge_application::App;

pub(crate) use self::answer::{home, style, unknown};
pub use self::history::History;

/// Asks whether the service can do its work; an error says why not, for the log.
pub type Ready = dyn Fn() -> BoxFuture<'static, Result<(), Box<dyn std::error::Error + Send + Sync>>>
    + Send
    + Sync;

/// Renders all metrics in the text format of Prometheus; asks the store how long its queues are.
pub type Metrics = dyn Fn() -> BoxFuture<'static, String> + Send + Sync;

/// The use cases, as soon as the store is there.
pub type Opened = dyn Fn() -> Option<App> + Send + Sync;

/// How long the service and its store may take to say how they are.
const WITHIN: Duration = Duration::from_secs(5);

/// What the operators' server answers from. It needs no store: where one is not there yet, `ready`
/// says so, and `metrics` leaves out what only the store knows.
#[derive(Clone)]
pub struct Ops {
    /// Whether the service can do its work: asks the store, and says no while it stops.
    pub ready: Arc<Ready>,
    /// All metrics, as they are when they are asked for.
    pub metrics: Arc<Metrics>,
    /// What the operators' view reads from.
    pub app: Arc<Opened>,
    /// How the queues have been; whoever starts the server samples them.
    pub history: Arc<History>,
    /// Names by which a request may call us, besides `localhost` and our own address.
    pub hosts: Vec<String>,
}

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "ok"}))
}

/// `GET /readyz`: it can do its work.
pub(crate) async fn readyz(ops: web::Data<Ops>) -> HttpResponse {
    let ready = tokio::time::timeout(WITHIN, (ops.ready)()).await;
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
    match tokio::time::timeout(WITHIN, (ops.metrics)()).await {
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
    async fn a_store_that_does_not_answer_holds_up_nobody() {
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
