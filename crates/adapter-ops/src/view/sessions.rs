//! `GET /ops/sessions`: sessions of all merchants, searched and filtered, newest first.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use oncharge_application::operator_queries::{FindSessions, find_sessions};
use oncharge_domain::{session::StatusName, time::Timestamp};
use oncharge_ports::operator_queries::FoundSession;

use super::{
    filters::{BadField, Filters},
    format::{DisplayTime, Pill, masked, money},
    response::{ViewError, open_app, page, with_timeout},
};
use crate::ops::Ops;

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    nav: &'static str,
    filters: Filters,
    statuses: Vec<&'static str>,
    bad: Vec<BadField>,
    rows: Vec<Row>,
    /// The URLs of the first and the next page.
    first: String,
    next: Option<String>,
}

impl SessionsPage {
    /// The rule that a field violates, if any.
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
    merchant_url: String,
    created: DisplayTime,
}

/// Renders the list; an invalid search is shown again with its errors, with status 400.
pub(crate) async fn sessions(ops: web::Data<Ops>, request: HttpRequest) -> HttpResponse {
    let filters = Filters::parse(request.query_string());
    let (status, page_model) = match filters.query() {
        Err(bad) => (StatusCode::BAD_REQUEST, page_model(filters, bad)),
        Ok(query) => match found(&ops, filters, query).await {
            Ok(page_model) => (StatusCode::OK, page_model),
            Err(error) => return error.response(),
        },
    };
    page(status, &page_model)
}

fn page_model(filters: Filters, bad: Vec<BadField>) -> SessionsPage {
    SessionsPage {
        nav: "sessions",
        statuses: StatusName::ALL.iter().map(|name| name.name()).collect(),
        bad,
        rows: Vec::new(),
        first: filters.url(None),
        next: None,
        filters,
    }
}

async fn found(
    ops: &web::Data<Ops>,
    filters: Filters,
    query: FindSessions,
) -> Result<SessionsPage, ViewError> {
    let app = open_app(ops)?;
    let now = app.now();
    let listed = with_timeout(find_sessions(app, query)).await?;
    let next = listed.next_cursor.as_deref();
    let next = next.map(|cursor| filters.url(Some(cursor)));
    Ok(SessionsPage {
        rows: listed.items.iter().map(|found| row(found, now)).collect(),
        next,
        ..page_model(filters, Vec::new())
    })
}

fn row(found: &FoundSession, now: Timestamp) -> Row {
    let session = &found.session;
    let order = session.order_id.as_ref();
    Row {
        id: session.id.to_string(),
        status: session.status_at(now).into(),
        amount: money(session.amount),
        reference: masked(session.reference.as_str()),
        order: order.map(|order| masked(order.as_str())),
        merchant_name: masked(found.merchant_name.as_str()),
        merchant_url: format!("/ops/sessions?merchant={}", session.merchant),
        created: DisplayTime::new(session.created_at, now),
    }
}
