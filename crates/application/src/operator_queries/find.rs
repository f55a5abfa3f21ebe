//! An operator looks for sessions, whoever's they are.

use oncharge_domain::{cursor::Position, id::MerchantId, session::StatusName, time::Timestamp};
use oncharge_ports::operator_queries::{FoundSession, SessionIdentifier, SessionSearch};
use time::OffsetDateTime;

use crate::{
    App, Error,
    checkout::list::{CursorScope, ListPage, page, paginate},
};

/// Which sessions, and which page of them.
#[derive(Debug, Clone, Default)]
pub struct FindSessions {
    /// How many at most, 1 to 100.
    pub limit: u32,
    /// Where the page begins.
    pub cursor: Option<String>,
    /// A session's id, or exactly the merchant's reference, the order's number, or the PSP's
    /// reference of any of its operations.
    pub named: Option<String>,
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
    /// In this status, as it is read now.
    pub status: Option<StatusName>,
    /// Created at or after.
    pub created_after: Option<Timestamp>,
    /// Created before.
    pub created_before: Option<Timestamp>,
}

/// One page of sessions, newest first, their contact data left out.
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
        .operator_queries
        .find_sessions(&search, page)
        .await?;
    Ok(paginate(app, &list, rows, wanted.limit, |found| Position {
        created_at: found.session.created_at,
        id: found.session.id.uuid(),
    }))
}

/// Cursors are bound to a merchant; this list is nobody's, and no merchant's cursor fits it.
fn no_merchant() -> MerchantId {
    let beginning = Timestamp::new(OffsetDateTime::UNIX_EPOCH);
    MerchantId::from_parts(beginning, [0; 10])
}
