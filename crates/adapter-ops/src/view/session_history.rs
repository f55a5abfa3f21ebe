//! `GET /ops/sessions/{id}`: the complete history of one session.

use actix_web::{HttpResponse, web};
use askama::Template;
use oncharge_application::operator_queries;
use oncharge_domain::{session::Session, time::Timestamp};
use oncharge_ports::operator_queries::SessionHistory;

use super::{
    format::{DisplayTime, Pill, masked, money},
    response::{ViewError, open_app, page_or_error, with_timeout},
    tables::{
        AttemptRow, EventRow, NotificationRow, OperationRow, RefundRow, attempt_rows, event_rows,
        notification_rows, operation_rows, refund_rows,
    },
    timeline::{TimelineEntry, timeline},
};
use crate::ops::Ops;

#[derive(Template)]
#[template(path = "session.html")]
struct SessionPage {
    nav: &'static str,
    id: String,
    status: Pill,
    amount: String,
    facts: Vec<Fact>,
    metadata: Vec<(String, String)>,
    timeline_entries: Vec<TimelineEntry>,
    operations: Vec<OperationRow>,
    refunds: Vec<RefundRow>,
    events: Vec<EventRow>,
    attempts: Vec<AttemptRow>,
    notifications: Vec<NotificationRow>,
    is_truncated: bool,
}

/// A property of the session.
struct Fact {
    name: &'static str,
    value: FactValue,
}

enum FactValue {
    Text(String),
    Code(String),
    DisplayTime(DisplayTime),
    Link { url: String, text: String },
}

pub(crate) async fn session_history(ops: web::Data<Ops>, id: web::Path<String>) -> HttpResponse {
    page_or_error(load_page(&ops, &id).await)
}

async fn load_page(ops: &web::Data<Ops>, id: &str) -> Result<SessionPage, ViewError> {
    let app = open_app(ops)?;
    let session_history = with_timeout(operator_queries::session_history(app, id)).await?;
    let now = app.now();
    let session = &session_history.found.session;
    let pairs = session.metadata.pairs().iter();
    Ok(SessionPage {
        nav: "sessions",
        id: session.id.to_string(),
        status: session.status_at(now).into(),
        amount: money(session.amount),
        facts: facts(&session_history, now),
        metadata: pairs
            .map(|(name, value)| (masked(name), masked(value)))
            .collect(),
        timeline_entries: timeline(&session_history, now),
        operations: operation_rows(&session_history, now),
        refunds: refund_rows(&session_history, now),
        events: event_rows(&session_history, now),
        attempts: attempt_rows(&session_history, now),
        notifications: notification_rows(&session_history, now),
        is_truncated: session_history.is_truncated,
    })
}

fn facts(session_history: &SessionHistory, now: Timestamp) -> Vec<Fact> {
    let session = &session_history.found.session;
    let text = |text: &str| FactValue::Text(masked(text));
    let code = |text: &str| FactValue::Code(masked(text));
    let time = |at| FactValue::DisplayTime(DisplayTime::new(at, now));
    let account = &session.account;
    let account = format!("{} / {}", account.connector(), account.account());
    let merchant = FactValue::Link {
        url: format!("/ops/sessions?merchant={}", session.merchant),
        text: masked(session_history.found.merchant_name.as_str()),
    };
    let capture = match session.automatic_capture {
        None => "at the merchant's request".to_owned(),
        Some(0) => "with the authorization".to_owned(),
        Some(seconds) => format!("automatic, {seconds} s after the authorization"),
    };
    let contact_text = match (session_history.contact.email, session_history.contact.phone) {
        (true, true) => "e-mail and phone stored, encrypted",
        (true, false) => "e-mail stored, encrypted",
        (false, true) => "phone stored, encrypted",
        (false, false) => "none",
    };
    let order = session.order_id.as_ref();
    let all = [
        ("Merchant", Some(merchant)),
        ("Merchant id", Some(code(&session.merchant.to_string()))),
        ("Reference", Some(text(session.reference.as_str()))),
        ("Order", order.map(|order| text(order.as_str()))),
        ("PSP account", Some(code(&account))),
        (
            "PSP reference",
            session.psp_reference().map(|it| code(it.as_str())),
        ),
        ("Failure", session.failure().map(|code| text(code.name()))),
        (
            "Authorized",
            Some(text(&money(session.amount_authorized()))),
        ),
        ("Captured", Some(text(&money(session.amount_captured())))),
        ("Refunded", Some(text(&money(session.amount_refunded())))),
        ("Capture", Some(text(&capture))),
        (
            "Attempts",
            Some(text(&session.counted_attempts().to_string())),
        ),
        ("Created", Some(time(session.created_at))),
        ("Updated", Some(time(session.updated_at))),
        ("Expires", Some(time(session.expires_at))),
        ("Next deadline", due(session, now)),
        ("Return URL", Some(code(session.return_url.origin()))),
        ("Contact data", Some(text(contact_text))),
        ("Version", Some(text(&session.version.to_string()))),
    ];
    let fact = |(name, value): (&'static str, Option<FactValue>)| {
        Some(Fact {
            name,
            value: value?,
        })
    };
    all.into_iter().filter_map(fact).collect()
}

/// The next time at which a deadline of the session is due.
fn due(session: &Session, now: Timestamp) -> Option<FactValue> {
    session
        .due_at()
        .map(|at| FactValue::DisplayTime(DisplayTime::new(at, now)))
}
