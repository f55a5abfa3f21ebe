//! `GET /challenge/{id}` and `POST` with `outcome=pass|fail`: the bank's 3-D Secure page.
//!
//! When it ends, it posts a message to the embedding page that only asks it to query the PSP:
//! trusting the content of such a message would mean trusting the shopper.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::app::Simulator;
use crate::codes::Status;
use crate::engine::challenge;
use crate::pages::{self, SELF_ONLY_POLICY};
use crate::problem::Problem;
use crate::store::payments;
use crate::texts::Texts;

/// Any web page may frame it: the bank does not know the embedding page.
const FRAME_POLICY: &str = "form-action 'self'; frame-ancestors http: https:";
const UNKNOWN: Problem = Problem::NotFound("no challenge has this id");

#[derive(Template)]
#[template(path = "challenge.html")]
struct Page<'a> {
    texts: &'static Texts,
    open: bool,
    last4: &'a str,
}

/// The form of the two buttons.
#[derive(Debug, Deserialize)]
pub(crate) struct ChallengeForm {
    outcome: Option<String>,
}

/// Shows the two buttons, or that the challenge has ended.
pub(crate) async fn page(
    request: HttpRequest,
    id: web::Path<String>,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    let payment = simulator
        .store
        .read(move |connection| Ok(payments::find_by_challenge(connection, &id)?))
        .await?
        .ok_or(UNKNOWN)?;
    let open = payment.status == Status::Challenge;
    render(&request, open, payment.last4.as_deref())
}

/// Ends the challenge; a challenge that has ended does not change.
pub(crate) async fn finish(
    request: HttpRequest,
    id: web::Path<String>,
    form: web::Form<ChallengeForm>,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, Problem> {
    let passed = match form.outcome.as_deref() {
        Some("pass") => true,
        Some("fail") => false,
        _ => return Err(Problem::field("outcome", "must be pass or fail")),
    };
    let id = id.into_inner();
    let payment = simulator
        .execute(move |transaction| challenge::end(transaction, &id, passed))
        .await?
        .ok_or(UNKNOWN)?;
    render(&request, false, payment.last4.as_deref())
}

fn render(request: &HttpRequest, open: bool, last4: Option<&str>) -> Result<HttpResponse, Problem> {
    let page = Page {
        texts: Texts::accepted_by(request),
        open,
        last4: last4.unwrap_or_default(),
    };
    pages::render_page(&page, &format!("{SELF_ONLY_POLICY}; {FRAME_POLICY}"))
}
