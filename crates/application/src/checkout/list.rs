//! Lists a merchant's sessions, newest first.

use std::fmt::Write as _;

use oncharge_domain::{
    cursor::Position,
    id::MerchantId,
    psp::PspReference,
    session::{Session, StatusName},
    text::{OrderId, Reference},
    time::Timestamp,
};
use oncharge_ports::queries::{Page, SessionFilter};

use crate::{App, Error};

/// Filters and page of a session list.
#[derive(Debug, Clone, Default)]
pub struct ListSessions {
    /// The page size, 1 to 100.
    pub limit: u32,
    /// The cursor at which the page begins.
    pub cursor: Option<String>,
    /// With this status at the time of the call.
    pub status: Option<StatusName>,
    /// With exactly this reference.
    pub reference: Option<Reference>,
    /// With exactly this order number.
    pub order_id: Option<OrderId>,
    /// With an operation that has this reference at the PSP.
    pub psp_reference: Option<PspReference>,
    /// Created at or after.
    pub created_after: Option<Timestamp>,
    /// Created before.
    pub created_before: Option<Timestamp>,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct ListPage<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last.
    pub next_cursor: Option<String>,
}

/// One page of this merchant's sessions.
///
/// Errors: `BadCursor`, `Busy`.
pub async fn list(
    app: &App,
    merchant: MerchantId,
    wanted: ListSessions,
) -> Result<ListPage<Session>, Error> {
    let list = CursorScope::new(merchant, "sessions")
        .with_filter("status", wanted.status.map(StatusName::name))
        .with_filter(
            "reference",
            wanted.reference.as_ref().map(Reference::as_str),
        )
        .with_filter("order_id", wanted.order_id.as_ref().map(OrderId::as_str))
        .with_filter(
            "psp_reference",
            wanted.psp_reference.as_ref().map(PspReference::as_str),
        )
        .with_time_filter("created_after", wanted.created_after)
        .with_time_filter("created_before", wanted.created_before);
    let page = page(app, &list, wanted.limit, wanted.cursor.as_deref())?;
    let filter = SessionFilter {
        merchant,
        status: wanted.status,
        reference: wanted.reference,
        order_id: wanted.order_id,
        psp_reference: wanted.psp_reference,
        created_after: wanted.created_after,
        created_before: wanted.created_before,
        now: app.now(),
    };
    let rows = app.inner().store.checkout.sessions(&filter, page).await?;
    Ok(paginate(app, &list, rows, wanted.limit, |session| {
        Position {
            created_at: session.created_at,
            id: session.id.uuid(),
        }
    }))
}

/// The list that a cursor is bound to: merchant, name and filters. A cursor is rejected for any
/// other list, so that a page never continues a different one.
pub(crate) struct CursorScope {
    merchant: MerchantId,
    name: String,
}

impl CursorScope {
    pub(crate) fn new(merchant: MerchantId, name: &str) -> Self {
        let name = name.to_owned();
        Self { merchant, name }
    }

    /// The same list, narrowed by a filter if it has a value.
    pub(crate) fn with_filter(mut self, filter: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            // The length marks where a value ends, so that no value can imitate another filter.
            // Writing to a String cannot fail.
            let _ = write!(self.name, "&{filter}={}:{value}", value.len());
        }
        self
    }

    fn with_time_filter(self, filter: &str, at: Option<Timestamp>) -> Self {
        let micros = at.map(|at| at.unix_micros().to_string());
        self.with_filter(filter, micros.as_deref())
    }
}

/// The page to query: one extra row shows whether another page follows.
pub(crate) fn page(
    app: &App,
    list: &CursorScope,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Page, Error> {
    let read = |text| {
        app.inner()
            .cursors
            .read(list.merchant, &list.name, text)
            .ok_or(Error::BadCursor)
    };
    let after = cursor.map(read).transpose()?;
    Ok(Page {
        after,
        limit: limit.saturating_add(1),
    })
}

/// The page without the extra row, and the cursor of the next page.
pub(crate) fn paginate<T>(
    app: &App,
    list: &CursorScope,
    mut items: Vec<T>,
    limit: u32,
    position: impl Fn(&T) -> Position,
) -> ListPage<T> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = items.len() > wanted;
    items.truncate(wanted);
    let place = items.last().filter(|_| has_more).map(position);
    let cursors = &app.inner().cursors;
    let next_cursor = place.map(|place| cursors.write(list.merchant, &list.name, place));
    ListPage { items, next_cursor }
}
