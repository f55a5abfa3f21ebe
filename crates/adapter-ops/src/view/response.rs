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

/// The design tokens and rules that other pages share, and the view's own rules.
const STYLE: &str = concat!(
    include_str!("../../../../assets/tokens.css"),
    include_str!("../../../../assets/base.css"),
    include_str!("../../../../assets/bar_pages.css"),
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
                "cannot show the operators' view"
            );
            Err(ViewError::StoreUnavailable)
        }
        Err(_) => {
            tracing::warn!("showing the operators' view timed out");
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
                "cannot render a page of the operators' view"
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
                "The process is running, but it cannot reach its database yet. It continues \
                 automatically once the database is reachable; the log states the reason.",
            ),
            Self::StoreUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The database does not respond",
                "The database did not respond in time or returned an error; the log has the \
                 details. Reload the page in a moment.",
            ),
            Self::SessionNotFound => (
                StatusCode::NOT_FOUND,
                "Not found",
                "There is no session with this id. Search for a session by its id, the merchant's \
                 reference, the order number or the processor's reference.",
            ),
            Self::PageNotFound => (
                StatusCode::NOT_FOUND,
                "Not found",
                "There is no such page in the operators’ view.",
            ),
            Self::BadCursor => (
                StatusCode::BAD_REQUEST,
                "Invalid page link",
                "This link to a page of the list is invalid. Start with the newest sessions.",
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
