//! Operator queries: queue depths, stuck work, and the history of a session.

mod find;
mod session_history;

use std::time::{Duration, Instant};

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    id::{NotificationId, OperationId},
    session::StatusName,
    time::Timestamp,
};
use oncharge_ports::{
    inbox::StuckNotificationFilter,
    work_queue::{QueueDepth, StuckItem},
};

pub use self::{
    find::{FindSessions, find_sessions},
    session_history::session_history,
};
use crate::{App, Error};

/// Checks that the store responds; returns the latency.
pub async fn ping(app: &App) -> Result<Duration, Error> {
    let begun = Instant::now();
    app.inner().store.maintenance.ping().await?;
    Ok(begun.elapsed())
}

/// The number of sessions created since then, by their status now; counting stops at about `most`
/// per status.
pub async fn count_sessions(
    app: &App,
    since: Timestamp,
    most: u32,
) -> Result<Vec<(StatusName, u64)>, Error> {
    let operator_queries = &app.inner().store.operator_queries;
    Ok(operator_queries
        .count_sessions(since, app.now(), most)
        .await?)
}

/// The depth of each queue.
pub async fn depths(app: &App) -> Result<Vec<QueueDepth>, Error> {
    Ok(app.inner().store.work.depths(app.now()).await?)
}

/// Work that a person should look at, oldest first, at most `limit` items.
pub async fn stuck(app: &App, limit: u32) -> Result<Vec<StuckItem>, Error> {
    Ok(app.inner().store.work.stuck(app.now(), limit).await?)
}

/// An item that a person can remove from the list of stuck work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dismissible {
    /// A notification that changes nothing.
    Notification(NotificationId),
    /// An operation that failed in OnCharge but is done at the PSP.
    Operation(OperationId),
}

impl Dismissible {
    /// Parses an id (`ntf_…` or `op_…`).
    pub fn parse(id: &str) -> Option<Self> {
        let notification = id.parse().ok().map(Self::Notification);
        notification.or_else(|| id.parse().ok().map(Self::Operation))
    }
}

/// Removes an item from the list of stuck work; `false` if it is not on it.
pub async fn dismiss(app: &App, item: Dismissible) -> Result<bool, Error> {
    let mut audit = AuditEntry {
        id: app.new_id(),
        at: app.now(),
        action: AuditAction::NotificationDismissed,
        merchant: None,
        session: None,
        operation: None,
        detail: String::new(),
    };
    match item {
        Dismissible::Notification(id) => {
            audit.detail = id.to_string();
            Ok(app.inner().store.inbox.dismiss(id, &audit).await?)
        }
        Dismissible::Operation(id) => {
            audit.action = AuditAction::ContradictionDismissed;
            if let Some(operation) = app.inner().store.checkout.operation(id).await? {
                audit.id = app.new_id_in(operation.merchant.slot());
                audit.merchant = Some(operation.merchant);
                audit.session = Some(operation.session);
            }
            audit.operation = Some(id);
            Ok(app
                .inner()
                .store
                .work
                .dismiss_contradiction(id, &audit)
                .await?)
        }
    }
}

/// How many notifications are dismissed in one transaction.
const DISMISS_BATCH: u32 = 500;

/// Removes all matching notifications from the list of stuck work, in batches; returns how many.
/// Batches that were dismissed before an error stay dismissed.
pub async fn dismiss_all(app: &App, stuck: &StuckNotificationFilter) -> Result<u64, Error> {
    let mut total: u64 = 0;
    loop {
        let audit = AuditEntry {
            id: app.new_id(),
            at: app.now(),
            action: AuditAction::NotificationDismissed,
            merchant: None,
            session: None,
            operation: None,
            detail: describe(stuck),
        };
        let inbox = &app.inner().store.inbox;
        let dismissed = inbox.dismiss_all(stuck, DISMISS_BATCH, &audit).await?;
        total = total.saturating_add(dismissed);
        if dismissed < u64::from(DISMISS_BATCH) {
            return Ok(total);
        }
    }
}

/// The text that follows the number of notifications in the audit log.
fn describe(stuck: &StuckNotificationFilter) -> String {
    let of = match &stuck.account {
        Some(account) => format!("of {}/{}", account.connector(), account.account()),
        None => "of all accounts".to_owned(),
    };
    let before = stuck.received_before.as_offset_date_time();
    format!("{} {of}, received before {before}", stuck.status.name())
}
