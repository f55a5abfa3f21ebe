//! Error responses of the shop.

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use askama::Template;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// There is no page at this address.
    #[error("no such page")]
    NotFound,
    /// The form is invalid.
    #[error("the form is invalid: {0}")]
    Form(&'static str),
    /// An internal error of the shop.
    #[error("internal error of the shop")]
    Internal(#[from] anyhow::Error),
    /// A page could not be rendered.
    #[error("cannot render a page")]
    Render(#[from] askama::Error),
}

#[derive(Template)]
#[template(path = "not_found.html")]
struct NotFound<'a> {
    page: &'a str,
    heading: &'a str,
    text: &'a str,
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Form(_) => StatusCode::BAD_REQUEST,
            Self::Internal(_) | Self::Render(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let (heading, text) = match self {
            Self::NotFound => ("Not found", "The page or order does not exist."),
            Self::Form(problem) => ("Invalid request", *problem),
            Self::Internal(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "internal error of the demo shop"
                );
                (
                    "Something went wrong",
                    "This is our fault. Try again in a moment.",
                )
            }
            Self::Render(error) => {
                tracing::error!(%error, "cannot render a page of the demo shop");
                (
                    "Something went wrong",
                    "This is our fault. Try again in a moment.",
                )
            }
        };
        let page = NotFound {
            page: "",
            heading,
            text,
        }
        .render()
        .unwrap_or_default();
        HttpResponse::build(self.status_code())
            .content_type("text/html; charset=utf-8")
            .body(page)
    }
}
