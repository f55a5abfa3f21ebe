//! Answers of the operators' view: a page, or a plain one that says why there is none.

use std::future::Future;

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{ContentType, LOCATION},
    },
    web,
};
use askama::Template;
use oncharge_application::{App, Error};

use super::{Ops, WITHIN};
use crate::checkout::page::assets::TOKENS_CSS;

const STYLE: &str = include_str!("../../assets/ops.css");

/// Why a page cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The store is not there yet.
    Waiting,
    /// The store does not answer, or not in time.
    Silent,
    /// There is no such session.
    Missing,
    /// There is no such page.
    Unknown,
    /// The address of the page was changed.
    BadCursor,
}

#[derive(Template)]
#[template(path = "ops/trouble.html")]
struct TroublePage {
    nav: &'static str,
    title: &'static str,
    text: &'static str,
}

/// The use cases, or that there are none yet.
pub(super) fn opened(ops: &web::Data<Ops>) -> Result<App, Trouble> {
    (ops.app)().ok_or(Trouble::Waiting)
}

/// What the store answers, if it does so in time.
pub(super) async fn in_time<T>(
    asked: impl Future<Output = Result<T, Error>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(WITHIN, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(Error::NotFound)) => Err(Trouble::Missing),
        Ok(Err(Error::BadCursor)) => Err(Trouble::BadCursor),
        Ok(Err(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the operators' view cannot be shown"
            );
            Err(Trouble::Silent)
        }
        Err(_) => {
            tracing::warn!("the operators' view cannot be shown in time");
            Err(Trouble::Silent)
        }
    }
}

/// The page with this status, or that it could not be made.
pub(super) fn page(status: StatusCode, page: &impl Template) -> HttpResponse {
    match page.render() {
        Ok(html) => HttpResponse::build(status)
            .content_type(ContentType::html())
            .body(html),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a page of the operators' view cannot be made"
            );
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// The page, or the one that says why there is none.
pub(super) fn page_or_trouble(made: Result<impl Template, Trouble>) -> HttpResponse {
    match made {
        Ok(made) => page(StatusCode::OK, &made),
        Err(trouble) => trouble.answer(),
    }
}

impl Trouble {
    pub(super) fn answer(self) -> HttpResponse {
        let (status, title, text) = match self {
            Self::Waiting => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Waiting for the database",
                "The process runs, but its database is not there yet. It goes on by itself as soon \
                 as the database is; the log says why it is not.",
            ),
            Self::Silent => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The store does not answer",
                "The database did not answer in time, or answered with a fault; the log says which. \
                 Load the page again in a moment.",
            ),
            Self::Missing => (
                StatusCode::NOT_FOUND,
                "Nothing here",
                "There is no session with this id. A session can be looked for by its id, by the \
                 merchant's reference, by the order number and by the processor's reference.",
            ),
            Self::Unknown => (
                StatusCode::NOT_FOUND,
                "Nothing here",
                "There is no such page of the operators’ view.",
            ),
            Self::BadCursor => (
                StatusCode::BAD_REQUEST,
                "No such page",
                "The address of this page of the list is not one that was made here. Begin with \
                 the newest sessions.",
            ),
        };
        let nav = "";
        page(status, &TroublePage { nav, title, text })
    }
}

/// `GET /` and `GET /ops`: the way to the view.
pub(crate) async fn home() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, "/ops/"))
        .finish()
}

/// `GET /ops/style.css`: the shared properties and the view's own rules.
pub(crate) async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .body([TOKENS_CSS, STYLE].concat())
}

/// Any other path.
pub(crate) async fn unknown() -> HttpResponse {
    Trouble::Unknown.answer()
}
