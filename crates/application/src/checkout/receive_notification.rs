//! Receives PSP notifications: verifies, stores and acknowledges them. The inbox worker applies
//! them.

use std::net::IpAddr;

use oncharge_domain::psp::PspAccount;
use oncharge_ports::inbox::NewNotification;
use tracing::warn;

use crate::{App, Error};

/// How much of an unverified notification is stored as evidence, in bytes.
const UNVERIFIED_MAX_BYTES: usize = 16 * 1024;

/// Receives a request to an account's notification endpoint: verifies its notifications under the
/// account's key and stores each once by the PSP's own id; the inbox worker applies them.
/// Duplicates get the same response. `source` is the network address of the sender, if known; it
/// only limits how many unverified notifications are stored.
///
/// Errors: `NotFound` (no such connector or account), `Unverified`, `Busy` (nothing was stored: the
/// PSP sends it again).
pub async fn receive(
    app: &App,
    connector: &str,
    account: &str,
    source: Option<IpAddr>,
    header: &dyn Fn(&str) -> Option<String>,
    body: &[u8],
) -> Result<(), Error> {
    let account = PspAccount::new(connector, account).map_err(|_| Error::NotFound)?;
    let psp = app.inner().psps.account(&account).ok_or(Error::NotFound)?;
    let Ok(verified) = psp.connector().verify_notifications(header, body) else {
        store_unverified(app, account, source, body).await;
        return Err(Error::Unverified);
    };
    let received_at = app.now();
    let each = verified.into_iter().map(|verified| NewNotification {
        id: app.new_id(),
        account: account.clone(),
        event_key: Some(verified.event_key),
        body: verified.body,
        received_at,
    });
    store(app, each.collect()).await
}

/// Stores them in its own task, so that a PSP that disconnects leaves nothing half done.
async fn store(app: &App, all: Vec<NewNotification>) -> Result<(), Error> {
    let owned = app.clone();
    app.spawn_detached(async move {
        for new in all {
            let is_new = owned.inner().store.inbox.receive(&new).await?;
            let outcome = if is_new { "kept" } else { "duplicate" };
            metrics::counter!("oncharge_psp_notifications_total", "outcome" => outcome)
                .increment(1);
            if is_new {
                owned.inner().notifiers.inbox.notify_one();
            }
        }
        Ok(())
    })
    .await
}

/// Stores an unverified notification as evidence, limited in number and size.
async fn store_unverified(app: &App, account: PspAccount, source: Option<IpAddr>, body: &[u8]) {
    metrics::counter!("oncharge_psp_notifications_total", "outcome" => "unverified").increment(1);
    let now = app.now();
    if !app
        .inner()
        .unverified_quota
        .may_store(&account, source, now)
    {
        return;
    }
    let new = NewNotification {
        id: app.new_id(),
        account,
        event_key: None,
        body: body.iter().take(UNVERIFIED_MAX_BYTES).copied().collect(),
        received_at: now,
    };
    if let Err(error) = app.inner().store.inbox.receive(&new).await {
        warn!(
            error = &error as &dyn std::error::Error,
            "cannot store an unverified notification"
        );
    }
}
