//! Finds sessions of all merchants.

use oncharge_domain::{cursor::Position, id::MerchantId, session::StatusName, time::Timestamp};
use oncharge_ports::operator_queries::{FoundSession, SessionIdentifier, SessionSearch};
use time::OffsetDateTime;

use crate::{
    App, Error,
    checkout::list::{CursorScope, ListPage, page, paginate},
};

/// Filters and page of a session search.
#[derive(Debug, Clone, Default)]
pub struct FindSessions {
    /// The page size, 1 to 100.
    pub limit: u32,
    /// The cursor at which the page begins.
    pub cursor: Option<String>,
    /// A session's id, or exactly the merchant's reference, the order number, or the PSP's
    /// reference of any of the session's operations.
    pub named: Option<String>,
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
    /// With this status at the time of the call.
    pub status: Option<StatusName>,
    /// Created at or after.
    pub created_after: Option<Timestamp>,
    /// Created before.
    pub created_before: Option<Timestamp>,
}

/// One page of sessions, newest first, without their contact data.
///
/// Errors: `BadCursor`, `Busy`.
pub async fn find_sessions(
    app: &App,
    wanted: FindSessions,
) -> Result<ListPage<FoundSession>, Error> {
    let list = CursorScope::new(no_merchant(), "oversight");
    let page = page(app, &list, wanted.limit, wanted.cursor.as_deref())?;
    let named = wanted.named.map(|text| match text.parse() {
        Ok(id) => SessionIdentifier::Session(id),
        Err(_) => SessionIdentifier::Text(text),
    });
    let search = SessionSearch {
        identifier: named,
        merchant: wanted.merchant,
        status: wanted.status,
        created_after: wanted.created_after,
        created_before: wanted.created_before,
        now: app.now(),
    };
    let rows = app
        .inner()
        .store
        .operator_queries
        .find_sessions(&search, page)
        .await?;
    Ok(paginate(app, &list, rows, wanted.limit, |found| Position {
        created_at: found.session.created_at,
        id: found.session.id.uuid(),
    }))
}

/// Cursors are bound to a merchant; this list has none, and no merchant's cursor is valid for it.
fn no_merchant() -> MerchantId {
    let beginning = Timestamp::new(OffsetDateTime::UNIX_EPOCH);
    MerchantId::from_parts(beginning, [0; 10])
}
