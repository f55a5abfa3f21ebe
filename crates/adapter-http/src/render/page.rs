//! A page of a list.

use oncharge_application::checkout::list::ListPage;
use serde::Serialize;
use utoipa::ToSchema;

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// Newest first.
    data: Vec<T>,
    /// The cursor of the next page; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of these rows, each in its wire form.
    pub(crate) fn new<R>(listed: &ListPage<R>, wire: impl Fn(&R) -> T) -> Self {
        Self {
            data: listed.items.iter().map(wire).collect(),
            next_cursor: listed.next_cursor.clone(),
        }
    }
}
