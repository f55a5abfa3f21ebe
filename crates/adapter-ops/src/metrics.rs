//! `GET /metrics`: all metrics, with gauges of the queues that each scrape measures.

use actix_web::{HttpResponse, http::header::ContentType, web};
use metrics::gauge;
use oncharge_application::{App, Error, operator_queries};
use oncharge_domain::time::Timestamp;
use oncharge_ports::work_queue::{QueueDepth, QueueName, StuckItem, StuckKind};

use crate::ops::{Ops, STORE_TIMEOUT};

/// Maximum number of stuck items counted; the exact number beyond it is irrelevant.
const MAX_STUCK: u32 = 1000;

const STORE_UP: &str = "oncharge_store_up";
const DEPTH: &str = "oncharge_queue_depth";
const OLDEST: &str = "oncharge_queue_oldest_seconds";
const STUCK: &str = "oncharge_stuck";
const SKEW: &str = "oncharge_clock_skew_seconds";

/// Registers the descriptions of the gauges.
pub(crate) fn describe() {
    metrics::describe_gauge!(
        STORE_UP,
        "1 if the store responded to this scrape, otherwise 0"
    );
    metrics::describe_gauge!(DEPTH, "Items waiting in a queue; NaN if unknown");
    metrics::describe_gauge!(
        OLDEST,
        "Age of a queue's oldest item in seconds; 0 if the queue is empty, NaN if unknown"
    );
    metrics::describe_gauge!(
        SKEW,
        "Seconds by which this node's clock was ahead of the database's at the last measurement"
    );
    metrics::describe_gauge!(
        STUCK,
        "Items that need manual attention (`oncharge stuck`), up to 1000; NaN if unknown"
    );
}

/// `GET /metrics`: Prometheus metrics, including queue depths.
pub(crate) async fn metrics(ops: web::Data<Ops>) -> HttpResponse {
    if let Some(count) = ops.round_trips() {
        metrics::counter!("oncharge_database_round_trips_total").absolute(count);
    }
    measure(ops.app()).await;
    HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .body(ops.render_metrics())
}

/// Updates the gauges; if the store does not respond, they are set to unknown.
async fn measure(app: Option<&App>) {
    let Some(app) = app else {
        return set_unknown();
    };
    gauge!(SKEW).set(app.clock_skew().as_seconds_f64());
    match tokio::time::timeout(STORE_TIMEOUT, count(app)).await {
        Ok(Ok((depths, stuck))) => {
            gauge!(STORE_UP).set(1.0);
            set_gauges(&depths, &stuck, app.now());
        }
        Ok(Err(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot measure the queues"
            );
            set_unknown();
        }
        Err(_) => {
            tracing::warn!("measuring the queues timed out");
            set_unknown();
        }
    }
}

async fn count(app: &App) -> Result<(Vec<QueueDepth>, Vec<StuckItem>), Error> {
    let depths = operator_queries::depths(app).await?;
    Ok((depths, operator_queries::stuck(app, MAX_STUCK).await?))
}

fn set_gauges(depths: &[QueueDepth], stuck: &[StuckItem], now: Timestamp) {
    for queue in depths {
        let oldest = queue
            .oldest
            .map_or(0.0, |since| now.since(since).as_seconds_f64().max(0.0));
        let name = queue.queue.name();
        gauge!(DEPTH, "queue" => name)
            .set(as_gauge(usize::try_from(queue.depth).unwrap_or(usize::MAX)));
        gauge!(OLDEST, "queue" => name).set(oldest);
    }
    for &kind in StuckKind::ALL {
        let matching = stuck.iter().filter(|item| item.kind == kind).count();
        gauge!(STUCK, "kind" => kind.name()).set(as_gauge(matching));
    }
}

/// The store does not respond, and the previous values are outdated.
fn set_unknown() {
    gauge!(STORE_UP).set(0.0);
    for &queue in QueueName::ALL {
        gauge!(DEPTH, "queue" => queue.name()).set(f64::NAN);
        gauge!(OLDEST, "queue" => queue.name()).set(f64::NAN);
    }
    for &kind in StuckKind::ALL {
        gauge!(STUCK, "kind" => kind.name()).set(f64::NAN);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; queues stay far below 2^53"
)]
fn as_gauge(count: usize) -> f64 {
    count as f64
}
