//! Lists a merchant's refunds, newest first.

use oncharge_domain::{cursor::Position, id::MerchantId, refund::Refund};
use oncharge_ports::queries::RefundFilter;

use crate::{
    App, Error,
    checkout::list::{CursorScope, ListPage, page, paginate},
};

/// Filters and page of a refund list.
#[derive(Debug, Clone, Default)]
pub struct ListRefunds {
    /// The page size, 1 to 100.
    pub limit: u32,
    /// The cursor at which the page begins.
    pub cursor: Option<String>,
    /// Of this session; a malformed id matches nothing.
    pub session_id: Option<String>,
}

/// One page of this merchant's refunds.
///
/// Errors: `BadCursor`, `Busy`.
pub async fn list(
    app: &App,
    merchant: MerchantId,
    wanted: ListRefunds,
) -> Result<ListPage<Refund>, Error> {
    let list = CursorScope::new(merchant, "refunds")
        .with_filter("session_id", wanted.session_id.as_deref());
    let page = page(app, &list, wanted.limit, wanted.cursor.as_deref())?;
    let session = match wanted.session_id.as_deref().map(str::parse) {
        Some(Err(_)) => {
            return Ok(ListPage {
                items: Vec::new(),
                next_cursor: None,
            });
        }
        Some(Ok(id)) => Some(id),
        None => None,
    };
    let filter = RefundFilter { merchant, session };
    let rows = app.inner().store.checkout.refunds(&filter, page).await?;
    Ok(paginate(app, &list, rows, wanted.limit, |refund| {
        Position {
            created_at: refund.created_at,
            id: refund.id.uuid(),
        }
    }))
}
