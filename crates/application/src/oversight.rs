//! What operators ask: how much waits, what is stuck, and what became of a session.

mod find;
mod story;

use std::time::{Duration, Instant};

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    id::NotificationId,
    session::StatusName,
    time::Timestamp,
};
use oncharge_ports::work_queue::{QueueDepth, StuckItem};

pub use self::{
    find::{FindSessions, find_sessions},
    story::story,
};
use crate::{App, Error};

/// Whether the store answers, and how long it took.
pub async fn ping(app: &App) -> Result<Duration, Error> {
    let begun = Instant::now();
    app.inner().maintenance.ping().await?;
    Ok(begun.elapsed())
}

/// How many sessions were created since then, by their status as it is read now; of each status no
/// more than `most` are counted.
pub async fn count_sessions(
    app: &App,
    since: Timestamp,
    most: u32,
) -> Result<Vec<(StatusName, u64)>, Error> {
    let oversight = &app.inner().oversight;
    Ok(oversight.count_sessions(since, app.now(), most).await?)
}

/// How much waits in each queue.
pub async fn depths(app: &App) -> Result<Vec<QueueDepth>, Error> {
    Ok(app.inner().work.depths(app.now()).await?)
}

/// Work that a person should look at, oldest first, at most so many.
pub async fn stuck(app: &App, limit: u32) -> Result<Vec<StuckItem>, Error> {
    Ok(app.inner().work.stuck(app.now(), limit).await?)
}

/// Takes a notification off the list of stuck work; `false` where it is not on it.
pub async fn dismiss(app: &App, id: NotificationId) -> Result<bool, Error> {
    let audit = AuditEntry {
        id: app.new_id(),
        at: app.now(),
        action: AuditAction::NotificationDismissed,
        merchant: None,
        session: None,
        operation: None,
        detail: id.to_string(),
    };
    Ok(app.inner().inbox.dismiss(id, &audit).await?)
}
