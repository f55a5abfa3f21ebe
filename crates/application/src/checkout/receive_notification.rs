//! A PSP tells something: it is verified, kept, and answered at once. All else is the inbox's.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use oncharge_domain::{psp::PspAccount, time::Timestamp};
use oncharge_ports::inbox::NewNotification;
use tracing::warn;

use crate::{App, Error};

/// How much of an unverified notification is kept as evidence, in bytes.
const UNVERIFIED_MAX_BYTES: usize = 16 * 1024;
/// How many unverified notifications are kept in an hour: of one account in all, and of one source.
/// The first of a source is kept beyond the former, up to so many sources, so that a flood from one
/// place hides nothing that comes from another.
const UNVERIFIED_PER_HOUR: u32 = 240;
const UNVERIFIED_PER_SOURCE: u32 = 12;
const MAX_SOURCES: usize = 1000;

/// Takes in what came by an account's door: verified under the account's key, kept once for each of
/// the PSP's own ids, and applied by the inbox worker. What was kept before is answered alike.
/// `source` is the network address that it came from, where that is known; it only limits how much
/// is kept of what does not verify.
///
/// Errors: `NotFound` (no such connector or account), `Unverified`, `Busy` (nothing was kept: the
/// PSP sends it again).
pub async fn receive(
    app: &App,
    (connector, account): (&str, &str),
    source: Option<IpAddr>,
    header: &dyn Fn(&str) -> Option<String>,
    body: &[u8],
) -> Result<(), Error> {
    let account = PspAccount::new(connector, account).map_err(|_| Error::NotFound)?;
    let psp = app.inner().psps.account(&account).ok_or(Error::NotFound)?;
    let Ok(verified) = psp.verify_notifications(header, body) else {
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

/// Keeps them in a task of its own, so that a PSP that hangs up leaves nothing half done.
async fn store(app: &App, all: Vec<NewNotification>) -> Result<(), Error> {
    let owned = app.clone();
    app.spawn_detached(async move {
        for new in all {
            let is_new = owned.inner().inbox.receive(&new).await?;
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

/// Keeps an unverified notification for people to look at, up to so many and so large.
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
    if let Err(error) = app.inner().inbox.receive(&new).await {
        warn!(%error, "an unverified notification was not kept");
    }
}

/// Counts what is kept of unverified notifications, by account and hour.
#[derive(Default)]
pub(crate) struct UnverifiedQuota(Mutex<HashMap<PspAccount, HourlyCounts>>);

/// What was kept of one account in one hour.
#[derive(Default)]
struct HourlyCounts {
    hour: i64,
    all: u32,
    by_source: HashMap<Option<IpAddr>, u32>,
}

impl UnverifiedQuota {
    /// Whether one more may be kept in this hour. Accounts are those of the configuration, so that
    /// the table is bounded.
    fn may_store(&self, account: &PspAccount, source: Option<IpAddr>, now: Timestamp) -> bool {
        let hour = now.unix_seconds().div_euclid(3600);
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = accounts.entry(account.clone()).or_default();
        if counts.hour != hour {
            *counts = HourlyCounts {
                hour,
                ..HourlyCounts::default()
            };
        }
        let of_source = counts.by_source.get(&source).copied().unwrap_or(0);
        let may_store = if of_source == 0 {
            counts.by_source.len() < MAX_SOURCES
        } else {
            of_source < UNVERIFIED_PER_SOURCE && counts.all < UNVERIFIED_PER_HOUR
        };
        if may_store {
            counts.all = counts.all.saturating_add(1);
            counts.by_source.insert(source, of_source.saturating_add(1));
        }
        may_store
    }
}
