//! A merchant lists sessions, newest first.

use oncharge_domain::{
    cursor::Position,
    id::MerchantId,
    session::{Session, StatusName},
    text::Reference,
    time::Timestamp,
};
use oncharge_ports::queries::{Page, SessionFilter};

use crate::{App, Error};

/// Which sessions, and which page of them.
#[derive(Debug, Clone, Default)]
pub struct ListSessions {
    /// How many at most, 1 to 100.
    pub limit: u32,
    /// Where the page begins.
    pub cursor: Option<String>,
    /// In this status, as it is read now.
    pub status: Option<StatusName>,
    /// With exactly this reference.
    pub reference: Option<Reference>,
    /// Created at or after.
    pub created_after: Option<Timestamp>,
    /// Created before.
    pub created_before: Option<Timestamp>,
}

/// One page.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// Its rows.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next_cursor: Option<String>,
}

/// One page of this merchant's sessions.
///
/// Errors: `BadCursor`, `Busy`.
pub async fn list(
    app: &App,
    merchant: MerchantId,
    wanted: ListSessions,
) -> Result<Listed<Session>, Error> {
    let page = page(
        app,
        (merchant, "sessions"),
        wanted.limit,
        wanted.cursor.as_deref(),
    )?;
    let filter = SessionFilter {
        merchant,
        status: wanted.status,
        reference: wanted.reference,
        created_after: wanted.created_after,
        created_before: wanted.created_before,
        now: app.now(),
    };
    let rows = app.inner().checkout.sessions(&filter, page).await?;
    Ok(cut(
        app,
        (merchant, "sessions"),
        rows,
        wanted.limit,
        |session| Position {
            created_at: session.created_at,
            id: session.id.uuid(),
        },
    ))
}

/// The page to ask for: one row more than wanted tells whether another page follows.
pub(crate) fn page(
    app: &App,
    (merchant, list): (MerchantId, &str),
    limit: u32,
    cursor: Option<&str>,
) -> Result<Page, Error> {
    let read = |text| {
        app.inner()
            .cursors
            .read(merchant, list, text)
            .ok_or(Error::BadCursor)
    };
    let after = cursor.map(read).transpose()?;
    Ok(Page {
        after,
        limit: limit.saturating_add(1),
    })
}

/// The page itself, and the cursor of the next.
pub(crate) fn cut<T>(
    app: &App,
    (merchant, list): (MerchantId, &str),
    mut items: Vec<T>,
    limit: u32,
    position: impl Fn(&T) -> Position,
) -> Listed<T> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > wanted;
    items.truncate(wanted);
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|last| app.inner().cursors.write(merchant, list, position(last)));
    Listed { items, next_cursor }
}
