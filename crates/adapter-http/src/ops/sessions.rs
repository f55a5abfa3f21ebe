//! `GET /ops/sessions`: sessions of all merchants, searched and filtered, newest first.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use oncharge_application::oversight::{FindSessions, find_sessions};
use oncharge_domain::{session::StatusName, time::Timestamp};
use oncharge_ports::oversight::FoundSession;

use super::{
    Ops,
    answer::{Trouble, in_time, opened, page},
    filters::{BadField, Filters},
    show::{Pill, When, money, words},
};

#[derive(Template)]
#[template(path = "ops/sessions.html")]
struct SessionsPage {
    nav: &'static str,
    filters: Filters,
    statuses: Vec<&'static str>,
    bad: Vec<BadField>,
    rows: Vec<Row>,
    /// The addresses of the first page and of the next one.
    first: String,
    next: Option<String>,
}

impl SessionsPage {
    /// What is wrong with a field, if anything.
    fn rule(&self, field: &str) -> Option<&'static str> {
        let bad = self.bad.iter().find(|bad| bad.field == field)?;
        Some(bad.rule)
    }
}

struct Row {
    id: String,
    status: Pill,
    amount: String,
    reference: String,
    order: Option<String>,
    merchant_name: String,
    merchant_address: String,
    created: When,
}

/// The page of the list; a search that cannot be read comes back with what is wrong, under 400.
pub(crate) async fn sessions(ops: web::Data<Ops>, request: HttpRequest) -> HttpResponse {
    let filters = Filters::parse(request.query_string());
    let (status, shown) = match filters.wanted() {
        Err(bad) => (StatusCode::BAD_REQUEST, shown(filters, bad)),
        Ok(wanted) => match found(&ops, filters, wanted).await {
            Ok(shown) => (StatusCode::OK, shown),
            Err(trouble) => return trouble.answer(),
        },
    };
    page(status, &shown)
}

fn shown(filters: Filters, bad: Vec<BadField>) -> SessionsPage {
    SessionsPage {
        nav: "sessions",
        statuses: StatusName::ALL.iter().map(|name| name.name()).collect(),
        bad,
        rows: Vec::new(),
        first: filters.address(None),
        next: None,
        filters,
    }
}

async fn found(
    ops: &web::Data<Ops>,
    filters: Filters,
    wanted: FindSessions,
) -> Result<SessionsPage, Trouble> {
    let app = opened(ops)?;
    let now = app.now();
    let listed = in_time(find_sessions(&app, wanted)).await?;
    let next = listed.next_cursor.as_deref();
    let next = next.map(|cursor| filters.address(Some(cursor)));
    Ok(SessionsPage {
        rows: listed.items.iter().map(|found| row(found, now)).collect(),
        next,
        ..shown(filters, Vec::new())
    })
}

fn row(found: &FoundSession, now: Timestamp) -> Row {
    let session = &found.session;
    let order = session.order_id.as_ref();
    Row {
        id: session.id.to_string(),
        status: session.status_at(now).into(),
        amount: money(session.amount),
        reference: words(session.reference.as_str()),
        order: order.map(|order| words(order.as_str())),
        merchant_name: words(found.merchant_name.as_str()),
        merchant_address: format!("/ops/sessions?merchant={}", session.merchant),
        created: When::new(session.created_at, now),
    }
}
