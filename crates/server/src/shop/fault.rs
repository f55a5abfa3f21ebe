//! What the shop answers where there is no page to show.

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use askama::Template;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Nothing is at this address.
    #[error("nothing is at this address")]
    Missing,
    /// The form is not one of the shop's.
    #[error("the form cannot be read: {0}")]
    Form(&'static str),
    /// The shop itself failed.
    #[error("the shop failed")]
    Broken(#[from] anyhow::Error),
    /// A page could not be rendered.
    #[error("a page could not be rendered")]
    Page(#[from] askama::Error),
}

#[derive(Template)]
#[template(path = "shop/missing.html")]
struct Missing<'a> {
    page: &'a str,
    heading: &'a str,
    text: &'a str,
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Missing => StatusCode::NOT_FOUND,
            Self::Form(_) => StatusCode::BAD_REQUEST,
            Self::Broken(_) | Self::Page(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let (heading, text) = match self {
            Self::Missing => ("Nothing is here", "The page or order does not exist."),
            Self::Form(problem) => ("That did not work", *problem),
            Self::Broken(error) => {
                tracing::error!(error = format!("{error:#}"), "the demo shop failed");
                (
                    "Something broke",
                    "The fault is ours. Try again in a moment.",
                )
            }
            Self::Page(error) => {
                tracing::error!(%error, "a page of the demo shop could not be rendered");
                (
                    "Something broke",
                    "The fault is ours. Try again in a moment.",
                )
            }
        };
        let page = Missing {
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
