//! What operators ask: how much waits, and what is stuck.

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    id::NotificationId,
};
use oncharge_ports::work_queue::{QueueDepth, StuckItem};

use crate::{App, Error};

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
