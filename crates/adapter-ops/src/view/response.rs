//! Responses of the operators' view: a page, or an error page.

use std::{future::Future, time::Duration};

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{ContentType, LOCATION},
    },
};
use askama::Template;
use oncharge_application::{App, Error};

use crate::ops::Ops;

/// The design tokens that all pages share, and the view's own rules.
const STYLE: &str = concat!(
    include_str!("../../../../assets/tokens.css"),
    include_str!("../../assets/style.css"),
);

/// Time limit for a query of a page.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a page cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ViewError {
    /// The store is not open yet.
    StoreNotOpen,
    /// The store does not respond, or not in time.
    StoreUnavailable,
    SessionNotFound,
    PageNotFound,
    /// The URL contains an invalid cursor.
    BadCursor,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    nav: &'static str,
    title: &'static str,
    text: &'static str,
}

/// The use cases, or an error if the store is not open yet.
pub(super) fn open_app(ops: &Ops) -> Result<&App, ViewError> {
    ops.app().ok_or(ViewError::StoreNotOpen)
}

/// The store's response within the time limit.
pub(super) async fn with_timeout<T>(
    query: impl Future<Output = Result<T, Error>>,
) -> Result<T, ViewError> {
    match tokio::time::timeout(QUERY_TIMEOUT, query).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(Error::NotFound)) => Err(ViewError::SessionNotFound),
        Ok(Err(Error::BadCursor)) => Err(ViewError::BadCursor),
        Ok(Err(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the operators' view cannot be shown"
            );
            Err(ViewError::StoreUnavailable)
        }
        Err(_) => {
            tracing::warn!("the operators' view cannot be shown in time");
            Err(ViewError::StoreUnavailable)
        }
    }
}

/// Renders the page with this status, or an error page.
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

/// Renders the page or the error.
pub(super) fn page_or_error(result: Result<impl Template, ViewError>) -> HttpResponse {
    match result {
        Ok(result) => page(StatusCode::OK, &result),
        Err(error) => error.response(),
    }
}

impl ViewError {
    pub(super) fn response(self) -> HttpResponse {
        let (status, title, text) = match self {
            Self::StoreNotOpen => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Waiting for the database",
                "The process runs, but its database is not there yet. It goes on by itself as soon \
                 as the database is; the log says why it is not.",
            ),
            Self::StoreUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The store does not answer",
                "The database did not answer in time, or answered with a fault; the log says which. \
                 Load the page again in a moment.",
            ),
            Self::SessionNotFound => (
                StatusCode::NOT_FOUND,
                "Nothing here",
                "There is no session with this id. A session can be looked for by its id, by the \
                 merchant's reference, by the order number and by the processor's reference.",
            ),
            Self::PageNotFound => (
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
        page(status, &ErrorPage { nav, title, text })
    }
}

/// `GET /` and `GET /ops`: redirects to the view.
pub(crate) async fn home() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, "/ops/"))
        .finish()
}

/// `GET /ops/style.css`
pub(crate) async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .body(STYLE)
}

/// Any other path.
pub(crate) async fn unknown() -> HttpResponse {
    ViewError::PageNotFound.response()
}
