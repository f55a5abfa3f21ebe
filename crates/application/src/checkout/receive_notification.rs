//! A PSP tells something: it is verified, kept, and answered at once. All else is the inbox's.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use oncharge_domain::{psp::PspAccount, time::Timestamp};
use oncharge_ports::inbox::NewNotification;
use tracing::warn;

use crate::{App, Error};

/// How much of an unverified notification is kept as evidence, in bytes.
const EVIDENCE_BYTES: usize = 16 * 1024;
/// How many unverified notifications of one account are kept in an hour.
const EVIDENCE_PER_HOUR: u32 = 60;

/// Takes in what came by an account's door: verified under the account's key, kept once for each of
/// the PSP's own ids, and applied by the inbox worker. What was kept before is answered alike.
///
/// Errors: `NotFound` (no such connector or account), `Unverified`, `Busy` (nothing was kept: the
/// PSP sends it again).
pub async fn receive(
    app: &App,
    (connector, account): (&str, &str),
    header: &dyn Fn(&str) -> Option<String>,
    body: &[u8],
) -> Result<(), Error> {
    let account = PspAccount::new(connector, account).map_err(|_| Error::NotFound)?;
    let psp = app.inner().psps.account(&account).ok_or(Error::NotFound)?;
    let Ok(verified) = psp.verify_notifications(header, body) else {
        keep_evidence(app, account, body).await;
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
    keep(app, each.collect()).await
}

/// Keeps them in a task of its own, so that a PSP that hangs up leaves nothing half done.
async fn keep(app: &App, all: Vec<NewNotification>) -> Result<(), Error> {
    let owned = app.clone();
    app.detached(async move {
        for new in all {
            let is_new = owned.inner().inbox.receive(&new).await?;
            let outcome = if is_new { "kept" } else { "duplicate" };
            metrics::counter!("oncharge_psp_notifications_total", "outcome" => outcome)
                .increment(1);
            if is_new {
                owned.inner().wakes.inbox.notify_one();
            }
        }
        Ok(())
    })
    .await
}

/// Keeps an unverified notification for people to look at, up to so many and so large.
async fn keep_evidence(app: &App, account: PspAccount, body: &[u8]) {
    metrics::counter!("oncharge_psp_notifications_total", "outcome" => "unverified").increment(1);
    let now = app.now();
    if !app.inner().evidence.may_keep(&account, now) {
        return;
    }
    let new = NewNotification {
        id: app.new_id(),
        account,
        event_key: None,
        body: body.iter().take(EVIDENCE_BYTES).copied().collect(),
        received_at: now,
    };
    if let Err(error) = app.inner().inbox.receive(&new).await {
        warn!(%error, "an unverified notification was not kept");
    }
}

/// Counts what is kept of unverified notifications, by account and hour.
#[derive(Default)]
pub(crate) struct Evidence(Mutex<HashMap<PspAccount, (i64, u32)>>);

impl Evidence {
    /// Whether one more may be kept in this hour. Accounts are those of the configuration, so that
    /// the table is bounded.
    fn may_keep(&self, account: &PspAccount, now: Timestamp) -> bool {
        let hour = now.unix_seconds().div_euclid(3600);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (counted_hour, count) = counts.entry(account.clone()).or_insert((hour, 0));
        if *counted_hour != hour {
            (*counted_hour, *count) = (hour, 0);
        }
        *count = count.saturating_add(1);
        *count <= EVIDENCE_PER_HOUR
    }
}
