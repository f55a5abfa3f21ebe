//! `GET /ops/`: state of the store and the queues, stuck work, and recent sessions.

use std::time::Duration;

use actix_web::{HttpResponse, http::StatusCode, web};
use askama::Template;
use oncharge_application::{App, operator_queries};
use oncharge_domain::{session::StatusName, time::Timestamp};
use oncharge_ports::work_queue::QueueDepth;

use super::{
    format::{DisplayTime, Pill},
    queues::Queues,
    response::{ViewError, open_app, page, with_timeout},
    stuck::StuckRow,
};

/// Maximum number of stuck items listed.
const MAX_LISTED: u32 = 100;
/// The sessions of the last day are counted, each status up to [`MAX_COUNTED`].
const RECENT_SECONDS: i64 = 86_400;
const MAX_COUNTED: u32 = 10_000;

use crate::{health::check_readiness, ops::Ops};

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    nav: &'static str,
    store: Pill,
    store_detail: String,
    ready: Pill,
    version: &'static str,
    shown_at: DisplayTime,
    queues: Queues,
    figures: Option<StoreFigures>,
}

/// Figures that come from the store.
struct StoreFigures {
    depths: Vec<QueueDepth>,
    counts: Vec<CountRow>,
    stuck: Vec<StuckRow>,
    has_more: bool,
}

struct CountRow {
    status: Pill,
    count: String,
    url: String,
}

/// Renders the page. If the store does not respond, the page says so, with status 503.
pub(crate) async fn overview(ops: web::Data<Ops>) -> HttpResponse {
    let app = match open_app(&ops) {
        Ok(app) => app,
        Err(error) => return error.response(),
    };
    let is_ready = check_readiness(&ops).await.is_ok();
    let ping = with_timeout(operator_queries::ping(app)).await;
    let figures = match ping {
        Ok(_) => figures(app).await,
        Err(error) => Err(error),
    };
    let (store, store_detail) = match (&ping, &figures) {
        (Ok(latency), Ok(_)) => (Pill::good("answers"), latency_text(*latency)),
        _ => (Pill::bad("not responding"), String::new()),
    };
    let status = if figures.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let now = app.now();
    let figures = figures.ok();
    let depths = figures.as_ref().map(|figures| figures.depths.as_slice());
    let shown = Overview {
        nav: "overview",
        version: env!("CARGO_PKG_VERSION"),
        shown_at: DisplayTime::new(now, now),
        queues: Queues::new(&ops.history().snapshot(), depths, now),
        store,
        store_detail,
        ready: if is_ready {
            Pill::good("ready")
        } else {
            Pill::bad("not ready")
        },
        figures,
    };
    page(status, &shown)
}

fn latency_text(latency: Duration) -> String {
    format!("in {} µs", latency.as_micros())
}

async fn figures(app: &App) -> Result<StoreFigures, ViewError> {
    let now = app.now();
    let depths = with_timeout(operator_queries::depths(app)).await?;
    let stuck = with_timeout(operator_queries::stuck(app, MAX_LISTED.saturating_add(1))).await?;
    let since = now.plus_seconds(-RECENT_SECONDS);
    let counts = with_timeout(operator_queries::count_sessions(app, since, MAX_COUNTED)).await?;
    let listed = usize::try_from(MAX_LISTED).unwrap_or(usize::MAX);
    Ok(StoreFigures {
        depths,
        counts: counts
            .iter()
            .map(|(name, count)| count_row(*name, *count, since))
            .collect(),
        has_more: stuck.len() > listed,
        stuck: stuck
            .iter()
            .take(listed)
            .map(|item| StuckRow::new(item, now))
            .collect(),
    })
}

fn count_row(name: StatusName, count: u64, since: Timestamp) -> CountRow {
    let from = since.rfc3339();
    let more = if count >= MAX_COUNTED.into() { "+" } else { "" };
    CountRow {
        status: Pill::from(name),
        count: format!("{count}{more}"),
        url: format!("/ops/sessions?status={}&from={from}", name.name()),
    }
}

#[cfg(test)]
mod tests {
    use oncharge_ports::work_queue::QueueName;

    use super::*;
    use crate::queue_history::QueueHistory;

    #[test]
    fn without_the_store_the_queues_show_their_history() {
        let then = Timestamp::from_unix_seconds(1_770_465_600).unwrap();
        let now = then.plus_seconds(60);
        let history = QueueHistory::default();
        let depths = QueueName::ALL.iter().map(|&queue| QueueDepth {
            queue,
            depth: 7,
            oldest: None,
        });
        history.record(then, Some(depths.collect()));
        let shown = Overview {
            nav: "overview",
            store: Pill::bad("not responding"),
            store_detail: String::new(),
            ready: Pill::bad("not ready"),
            version: "1.2.3",
            shown_at: DisplayTime::new(now, now),
            queues: Queues::new(&history.snapshot(), None, now),
            figures: None,
        };
        let page = shown.render().unwrap();
        for text in [
            "role=\"alert\">The database does not respond",
            "2026-02-07 12:01:00.000 UTC",
            "measured since 12:00 UTC",
            "a gap is a time",
            "now unknown, highest 7",
            "data-label=\"Depth\"><span class=\"muted\">unknown</span>",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(
            !page.contains("Nothing is stuck"),
            "the state is unknown: {page}"
        );
    }
}
