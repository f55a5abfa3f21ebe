//! Reads a merchant's events.

use oncharge_domain::{
    cursor::Position, id::MerchantId, session::EventKind, webhook::DeliveryAttempt,
};
use oncharge_ports::queries::{EventFilter, StoredEvent};

use crate::{
    App, Error,
    checkout::list::{CursorScope, ListPage, page, paginate},
};

/// Filters and page of an event list.
#[derive(Debug, Clone, Default)]
pub struct ListEvents {
    /// The page size, 1 to 100.
    pub limit: u32,
    /// The cursor at which the page begins.
    pub cursor: Option<String>,
    /// Of this session; a malformed id matches nothing.
    pub session_id: Option<String>,
    /// Of this kind.
    pub kind: Option<EventKind>,
}

/// One page of this merchant's events, newest first.
///
/// Errors: `BadCursor`, `Busy`.
pub async fn list(
    app: &App,
    merchant: MerchantId,
    wanted: ListEvents,
) -> Result<ListPage<StoredEvent>, Error> {
    let list = CursorScope::new(merchant, "events")
        .with_filter("session_id", wanted.session_id.as_deref())
        .with_filter("type", wanted.kind.map(EventKind::name));
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
    let filter = EventFilter {
        merchant,
        session,
        kind: wanted.kind,
    };
    let rows = app.inner().store.checkout.events(&filter, page).await?;
    Ok(paginate(app, &list, rows, wanted.limit, |stored| {
        Position {
            created_at: stored.event.at,
            id: stored.id.uuid(),
        }
    }))
}

/// One event and its delivery attempts, in order.
///
/// Errors: `NotFound` (also for a malformed id), `Busy`.
pub async fn get(
    app: &App,
    merchant: MerchantId,
    id: &str,
) -> Result<(StoredEvent, Vec<DeliveryAttempt>), Error> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    let found = app.inner().store.webhooks.event(merchant, id).await?;
    let event = found.ok_or(Error::NotFound)?;
    let attempts = app.inner().store.webhooks.attempts(id).await?;
    Ok((event, attempts))
}
