//! Responses of the merchant API.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::CONTENT_TYPE},
};
use oncharge_application::{Reply, checkout::list::ListPage};
use serde::Serialize;
use utoipa::ToSchema;

/// The rendered or stored response to a `POST`, byte for byte.
pub(crate) fn reply(reply: Reply) -> HttpResponse {
    let Reply {
        response: stored,
        replayed,
    } = reply;
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, stored.content_type));
    if replayed {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    response.body(stored.body)
}

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// Newest first.
    data: Vec<T>,
    /// The cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// A page of these rows, each in its wire form.
pub(crate) fn page<R, T>(listed: &ListPage<R>, wire: impl Fn(&R) -> T) -> Page<T> {
    let data = listed.items.iter().map(wire).collect();
    Page {
        data,
        next_cursor: listed.next_cursor.clone(),
    }
}
