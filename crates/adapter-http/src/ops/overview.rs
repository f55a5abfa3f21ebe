//! `GET /ops/`: how the store and the queues are, what is stuck, and what came in lately.

use std::time::Duration;

use actix_web::{HttpResponse, http::StatusCode, web};
use askama::Template;
use oncharge_application::{App, oversight};
use oncharge_domain::{session::StatusName, time::Timestamp};
use oncharge_ports::work_queue::{Queue, QueueDepth, StuckItem, StuckKind};

use super::{
    Ops,
    answer::{Trouble, in_time, opened, page},
    show::{Pill, When, words},
};

/// How much stuck work is listed.
const LISTED: u32 = 100;
/// The sessions of the last day are counted, of each status so many at most.
const LATELY: i64 = 86_400;
const COUNTED: u32 = 10_000;

#[derive(Template)]
#[template(path = "ops/overview.html")]
struct Overview {
    nav: &'static str,
    store: Pill,
    store_says: String,
    ready: Pill,
    figures: Option<Figures>,
}

/// What only the store knows.
struct Figures {
    queues: Vec<QueueRow>,
    counts: Vec<CountRow>,
    stuck: Vec<StuckRow>,
    has_more: bool,
}

struct QueueRow {
    name: &'static str,
    holds: &'static str,
    depth: u64,
    oldest: Option<When>,
}

struct CountRow {
    status: Pill,
    count: String,
    address: String,
}

struct StuckRow {
    kind: &'static str,
    means: &'static str,
    id: String,
    session: Option<String>,
    merchant: Option<String>,
    since: When,
    detail: String,
    is_notification: bool,
}

/// The page. Where the store does not answer it says so, under status 503.
pub(crate) async fn overview(ops: web::Data<Ops>) -> HttpResponse {
    let app = match opened(&ops) {
        Ok(app) => app,
        Err(trouble) => return trouble.answer(),
    };
    let ready = (ops.ready)();
    let is_ready = matches!(tokio::time::timeout(super::WITHIN, ready).await, Ok(Ok(())));
    let pinged = in_time(oversight::ping(&app)).await;
    let figures = match pinged {
        Ok(_) => figures(&app).await,
        Err(trouble) => Err(trouble),
    };
    let (store, store_says) = match (&pinged, &figures) {
        (Ok(took), Ok(_)) => (Pill::good("answers"), took_text(*took)),
        _ => (Pill::bad("does not answer"), String::new()),
    };
    let status = if figures.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let shown = Overview {
        nav: "overview",
        store,
        store_says,
        ready: if is_ready {
            Pill::good("ready")
        } else {
            Pill::bad("not ready")
        },
        figures: figures.ok(),
    };
    page(status, &shown)
}

fn took_text(took: Duration) -> String {
    format!("in {} µs", took.as_micros())
}

async fn figures(app: &App) -> Result<Figures, Trouble> {
    let now = app.now();
    let depths = in_time(oversight::depths(app)).await?;
    let stuck = in_time(oversight::stuck(app, LISTED.saturating_add(1))).await?;
    let since = now.plus_seconds(-LATELY);
    let counts = in_time(oversight::count_sessions(app, since, COUNTED)).await?;
    let listed = usize::try_from(LISTED).unwrap_or(usize::MAX);
    Ok(Figures {
        queues: depths.iter().map(|depth| queue_row(depth, now)).collect(),
        counts: counts
            .iter()
            .map(|(name, count)| count_row(*name, *count, since))
            .collect(),
        has_more: stuck.len() > listed,
        stuck: stuck
            .iter()
            .take(listed)
            .map(|item| stuck_row(item, now))
            .collect(),
    })
}

fn queue_row(depth: &QueueDepth, now: Timestamp) -> QueueRow {
    QueueRow {
        name: depth.queue.name(),
        holds: match depth.queue {
            Queue::Operations => "Operations with a processor that have no final outcome",
            Queue::Deadlines => "Sessions whose expiry or automatic capture has come",
            Queue::Inbox => "Notifications of processors that are not applied yet",
            Queue::Deliveries => "Webhooks that are not delivered yet",
        },
        depth: depth.depth,
        oldest: depth.oldest.map(|since| When::new(since, now)),
    }
}

fn count_row(name: StatusName, count: u64, since: Timestamp) -> CountRow {
    let from = crate::times::rfc3339(since);
    let more = if count >= COUNTED.into() { "+" } else { "" };
    CountRow {
        status: Pill::from(name),
        count: format!("{count}{more}"),
        address: format!("/ops/sessions?status={}&from={from}", name.name()),
    }
}

fn stuck_row(item: &StuckItem, now: Timestamp) -> StuckRow {
    StuckRow {
        kind: item.kind.name(),
        means: match item.kind {
            StuckKind::Operation => "Open for too long; look at the processor",
            StuckKind::Accepted => "Accepted by the processor long ago; ask it",
            StuckKind::Compensation => "Money on its way back that no session waits for",
            StuckKind::RefundOfFailedCapture => "Paid out of a capture that failed; settle it",
            StuckKind::Deadline => "Overdue; no worker runs, or it cannot keep up",
            StuckKind::Notification => "Changes nothing; look, then dismiss it",
            StuckKind::Waiting => "Not applied for too long",
            StuckKind::Delivery => "Not attempted for too long",
        },
        id: item.id.clone(),
        session: item.session.map(|id| id.to_string()),
        merchant: item.merchant.map(|id| id.to_string()),
        since: When::new(item.since, now),
        detail: words(&item.detail),
        is_notification: item.kind == StuckKind::Notification,
    }
}
