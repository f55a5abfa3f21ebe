//! `GET /ops/sessions/{id}`: the whole story of one session.

use actix_web::{HttpResponse, web};
use askama::Template;
use oncharge_application::oversight;
use oncharge_domain::{session::Session, time::Timestamp};
use oncharge_ports::oversight::Story;

use super::{
    Ops,
    answer::{Trouble, in_time, opened, page_or_trouble},
    show::{Pill, When, money, words},
    tables::{
        AttemptRow, EventRow, NotificationRow, OperationRow, RefundRow, attempt_rows, event_rows,
        notification_rows, operation_rows, refund_rows,
    },
    timeline::{Moment, timeline},
};

#[derive(Template)]
#[template(path = "ops/story.html")]
struct StoryPage {
    nav: &'static str,
    id: String,
    status: Pill,
    amount: String,
    facts: Vec<Fact>,
    metadata: Vec<(String, String)>,
    moments: Vec<Moment>,
    operations: Vec<OperationRow>,
    refunds: Vec<RefundRow>,
    events: Vec<EventRow>,
    attempts: Vec<AttemptRow>,
    notifications: Vec<NotificationRow>,
    is_cut: bool,
}

/// Something that is known of the session.
struct Fact {
    name: &'static str,
    value: Value,
}

enum Value {
    Text(String),
    Code(String),
    When(When),
    Link { address: String, text: String },
}

/// The page.
pub(crate) async fn story(ops: web::Data<Ops>, id: web::Path<String>) -> HttpResponse {
    page_or_trouble(shown(&ops, &id).await)
}

async fn shown(ops: &web::Data<Ops>, id: &str) -> Result<StoryPage, Trouble> {
    let app = opened(ops)?;
    let story = in_time(oversight::story(&app, id)).await?;
    let now = app.now();
    let session = &story.found.session;
    let pairs = session.metadata.pairs().iter();
    Ok(StoryPage {
        nav: "sessions",
        id: session.id.to_string(),
        status: session.status_at(now).into(),
        amount: money(session.amount),
        facts: facts(&story, now),
        metadata: pairs
            .map(|(name, value)| (words(name), words(value)))
            .collect(),
        moments: timeline(&story, now),
        operations: operation_rows(&story, now),
        refunds: refund_rows(&story, now),
        events: event_rows(&story, now),
        attempts: attempt_rows(&story, now),
        notifications: notification_rows(&story, now),
        is_cut: story.is_cut,
    })
}

fn facts(story: &Story, now: Timestamp) -> Vec<Fact> {
    let session = &story.found.session;
    let text = |text: &str| Value::Text(words(text));
    let code = |text: &str| Value::Code(words(text));
    let account = &session.account;
    let account = format!("{} / {}", account.connector(), account.account());
    let merchant = Value::Link {
        address: format!("/ops/sessions?merchant={}", session.merchant),
        text: words(story.found.merchant_name.as_str()),
    };
    let capture = match session.automatic_capture {
        None => "by the merchant".to_owned(),
        Some(0) => "with the authorization".to_owned(),
        Some(seconds) => format!("automatic, {seconds} s after the authorization"),
    };
    let kept = match (story.contact.email, story.contact.phone) {
        (true, true) => "e-mail and phone kept, sealed",
        (true, false) => "e-mail kept, sealed",
        (false, true) => "phone kept, sealed",
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
        (
            "Created",
            Some(Value::When(When::new(session.created_at, now))),
        ),
        (
            "Updated",
            Some(Value::When(When::new(session.updated_at, now))),
        ),
        (
            "Expires",
            Some(Value::When(When::new(session.expires_at, now))),
        ),
        ("Comes next", due(session, now)),
        ("Returns to", Some(code(session.return_url.origin()))),
        ("Contact data", Some(text(kept))),
        ("Version", Some(text(&session.version.to_string()))),
    ];
    let fact = |(name, value): (&'static str, Option<Value>)| {
        Some(Fact {
            name,
            value: value?,
        })
    };
    all.into_iter().filter_map(fact).collect()
}

/// When the clock must look at the session next.
fn due(session: &Session, now: Timestamp) -> Option<Value> {
    session.due_at().map(|at| Value::When(When::new(at, now)))
}
