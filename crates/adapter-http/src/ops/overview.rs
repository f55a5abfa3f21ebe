//! `GET /ops/`: how the store and the queues are, what is stuck, and what came in lately.

use std::time::Duration;

use actix_web::{HttpResponse, http::StatusCode, web};
use askama::Template;
use oncharge_application::{App, oversight};
use oncharge_domain::{session::StatusName, time::Timestamp};
use oncharge_ports::work_queue::QueueDepth;

use super::{
    Ops,
    answer::{Trouble, in_time, opened, page},
    queues::Queues,
    show::{Pill, When},
    stuck::StuckRow,
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
    version: &'static str,
    shown_at: When,
    queues: Queues,
    figures: Option<Figures>,
}

/// What only the store knows.
struct Figures {
    depths: Vec<QueueDepth>,
    counts: Vec<CountRow>,
    stuck: Vec<StuckRow>,
    has_more: bool,
}

struct CountRow {
    status: Pill,
    count: String,
    address: String,
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
    let now = app.now();
    let figures = figures.ok();
    let depths = figures.as_ref().map(|figures| figures.depths.as_slice());
    let shown = Overview {
        nav: "overview",
        version: env!("CARGO_PKG_VERSION"),
        shown_at: When::new(now, now),
        queues: Queues::new(&ops.history.kept(), depths, now),
        store,
        store_says,
        ready: if is_ready {
            Pill::good("ready")
        } else {
            Pill::bad("not ready")
        },
        figures,
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
    let from = crate::times::rfc3339(since);
    let more = if count >= COUNTED.into() { "+" } else { "" };
    CountRow {
        status: Pill::from(name),
        count: format!("{count}{more}"),
        address: format!("/ops/sessions?status={}&from={from}", name.name()),
    }
}

#[cfg(test)]
mod tests {
    use oncharge_ports::work_queue::Queue;

    use super::{super::history::History, *};

    #[test]
    fn where_the_store_is_silent_the_queues_are_as_they_were() {
        let then = Timestamp::from_unix_seconds(1_770_465_600).unwrap();
        let now = then.plus_seconds(60);
        let history = History::default();
        let depths = Queue::ALL.iter().map(|&queue| QueueDepth {
            queue,
            depth: 7,
            oldest: None,
        });
        history.record(then, Some(depths.collect()));
        let shown = Overview {
            nav: "overview",
            store: Pill::bad("does not answer"),
            store_says: String::new(),
            ready: Pill::bad("not ready"),
            version: "1.2.3",
            shown_at: When::new(now, now),
            queues: Queues::new(&history.kept(), None, now),
            figures: None,
        };
        let page = shown.render().unwrap();
        for told in [
            "role=\"alert\">The store does not answer",
            "2026-02-07 12:01:00.000 UTC",
            "measured since 12:00 UTC",
            "a gap is a time",
            "now unknown, highest 7",
            "data-label=\"Depth\"><span class=\"muted\">unknown</span>",
        ] {
            assert!(page.contains(told), "{told}: {page}");
        }
        assert!(!page.contains("Nothing is stuck"), "nobody knows: {page}");
    }
}
