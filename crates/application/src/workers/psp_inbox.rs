//! Applies stored PSP notifications through the pure state machine.
//!
//! A notification is applied only to an operation that was sent through the account whose key
//! verified it, and only if reference, amount and currency match: a merchant has its own account's
//! key and could forge notifications about other operations. Late, repeated and reordered
//! notifications are harmless, since the state machine ignores outdated results.

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    operation::{Operation, OperationStatus},
    psp::{PspAccount, PspDetails, PspReport, PspResponse},
    retry,
    time::Timestamp,
};
use oncharge_ports::{
    CommitError,
    inbox::{NotificationOutcome, NotificationStatus, StoredNotification},
    psp::{Notification, NotificationError, Psp},
    unit_of_work::Lease,
    work_queue::{AccountName, ClaimFilter, ClaimedNotification},
};
use time::Duration;
use tokio::sync::Notify;
use tracing::{debug, warn};

use super::{
    lease::{LEASE, release_lease, with_lease},
    notifiers::Notifiers,
    worker_pool::{self, JobQueue},
};
use crate::{
    App, Error,
    psp_call::CallResult,
    settlement::{self, Settlement},
};

/// How long a notification waits for the operation that it names, in seconds. OnCharge commits
/// operations before it sends them to a PSP, so a longer wait would not help.
const UNMATCHED_AFTER_SECONDS: i64 = 3600;

/// Claims waiting notifications and processes one step of each; returns how many.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    worker_pool::run_once::<NotificationQueue>(app).await
}

/// Notifications that wait to be applied.
pub(super) struct NotificationQueue;

impl JobQueue for NotificationQueue {
    type Item = ClaimedNotification;
    const NAME: &'static str = "psp inbox";

    fn notifier(notifiers: &Notifiers) -> &Notify {
        &notifiers.inbox
    }

    async fn claim(app: &App, wanted: &ClaimFilter) -> Result<Vec<ClaimedNotification>, Error> {
        let work = &app.inner().store.work;
        Ok(work.claim_notifications(wanted, LEASE).await?)
    }

    fn account(item: &ClaimedNotification) -> &AccountName {
        &item.account
    }

    async fn handle(app: App, item: ClaimedNotification) {
        let next = match with_lease(&app, item.lease, Box::pin(step(&app, &item))).await {
            Ok(Step::Done) => return,
            Ok(Step::RetryLater) => next_try(&app, item.tries),
            Ok(Step::UnknownTarget(since)) => next_try_unknown_target(&app, item.tries, since),
            Err(error) => {
                warn!(notification = %item.notification, error = &error as &dyn std::error::Error,
                    "cannot apply a notification, retrying later");
                next_try(&app, item.tries)
            }
        };
        release_lease(&app, item.lease, next).await;
    }
}

/// The result of processing a notification.
enum Step {
    /// It is applied or closed, or another worker has it.
    Done,
    /// It has to be retried.
    RetryLater,
    /// The operation or account that it names is unknown here so far; received at this time.
    UnknownTarget(Timestamp),
}

async fn step(app: &App, claimed: &ClaimedNotification) -> Result<Step, Error> {
    let found = app
        .inner()
        .store
        .inbox
        .notification(claimed.notification)
        .await?;
    let Some(stored) = found.filter(|stored| stored.status == NotificationStatus::Waiting) else {
        return Ok(Step::Done);
    };
    let account = &stored.new.account;
    let Some(psp) = app.inner().psps.account(account) else {
        warn!(notification = %stored.new.id, "the notification's PSP account is not configured");
        return Ok(Step::UnknownTarget(stored.new.received_at));
    };
    let leased = LeasedNotification {
        app,
        lease: claimed.lease,
        stored: &stored,
    };
    let notification = match psp.connector().read_notification(&stored.new.body) {
        Ok(notification) => notification,
        Err(NotificationError::Irrelevant) => {
            return leased.close(NotificationStatus::Irrelevant, None).await;
        }
        Err(NotificationError::Malformed) => {
            return leased.close(NotificationStatus::Malformed, None).await;
        }
    };
    let found = app
        .inner()
        .store
        .checkout
        .operation(notification.operation)
        .await?;
    let Some(operation) = found else {
        let age = app.now().since(stored.new.received_at);
        if age < Duration::seconds(UNMATCHED_AFTER_SECONDS) {
            return Ok(Step::UnknownTarget(stored.new.received_at));
        }
        return leased.close(NotificationStatus::Unmatched, None).await;
    };
    if !matches_operation(&operation, account, &notification) {
        return leased
            .close(NotificationStatus::Mismatched, Some(&operation))
            .await;
    }
    let reported = PspReport {
        response: notification.response,
        details: PspDetails {
            reference: Some(notification.reference),
            amount: Some(notification.amount),
            card: notification.card,
        },
    };
    let Some(report) = report(&*psp, &operation, reported).await else {
        return Ok(Step::RetryLater);
    };
    if !operation.matches(&report.details) {
        return leased
            .close(NotificationStatus::Mismatched, Some(&operation))
            .await;
    }
    apply(&leased, &operation, report.into()).await
}

/// Commits the notification's consequences and its end together; if there are none, only its end.
async fn apply(
    leased: &LeasedNotification<'_>,
    operation: &Operation,
    result: CallResult,
) -> Result<Step, Error> {
    let settlement = Settlement {
        session: operation.session,
        operation: operation.id,
        result,
        waiting: None,
        lease: Some(leased.lease),
        handled: Some(leased.stored.new.id),
        preloaded: None,
    };
    let outcome = match settlement::settle(leased.app, settlement).await {
        Ok(outcome) => outcome,
        Err(Error::Overtaken) => return Ok(Step::Done),
        Err(error) => return Err(error),
    };
    if outcome.had_effect {
        count(NotificationStatus::Handled);
        return Ok(Step::Done);
    }
    leased
        .close(NotificationStatus::Handled, Some(operation))
        .await
}

/// A leased notification that is to be closed without changes.
struct LeasedNotification<'a> {
    app: &'a App,
    lease: Lease,
    stored: &'a StoredNotification,
}

impl LeasedNotification<'_> {
    async fn close(
        &self,
        status: NotificationStatus,
        operation: Option<&Operation>,
    ) -> Result<Step, Error> {
        let outcome = NotificationOutcome {
            lease: self.lease,
            status,
            operation: operation.map(|operation| operation.id),
            session: operation.map(|operation| operation.session),
            audit: self.audit(status, operation),
        };
        match self.app.inner().store.inbox.close(&outcome).await {
            Ok(()) => {
                count(status);
                Ok(Step::Done)
            }
            Err(CommitError::LeaseLost) => {
                debug!(notification = %self.stored.new.id, "another worker has the notification");
                Ok(Step::Done)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn audit(
        &self,
        status: NotificationStatus,
        operation: Option<&Operation>,
    ) -> Option<AuditEntry> {
        let action = match status {
            NotificationStatus::Mismatched => AuditAction::NotificationMismatched,
            NotificationStatus::Unmatched => AuditAction::NotificationUnmatched,
            NotificationStatus::Malformed => AuditAction::NotificationMalformed,
            _ => return None,
        };
        let account = &self.stored.new.account;
        warn!(notification = %self.stored.new.id, status = status.name(),
            "a notification was not applied and needs manual review");
        Some(AuditEntry {
            id: match operation {
                Some(operation) => self.app.new_id_in(operation.merchant.slot()),
                None => self.app.new_id(),
            },
            at: self.app.now(),
            action,
            merchant: operation.map(|operation| operation.merchant),
            session: operation.map(|operation| operation.session),
            operation: operation.map(|operation| operation.id),
            detail: format!(
                "{} by {}/{}",
                self.stored.new.id,
                account.connector(),
                account.account()
            ),
        })
    }
}

fn count(status: NotificationStatus) {
    metrics::counter!("oncharge_psp_notifications_total", "outcome" => status.name()).increment(1);
}

/// The result that a notification reports. If it only announces a change of an operation that has
/// not succeeded, a look-up returns the operation's state; `None` if that fails.
async fn report(psp: &dyn Psp, operation: &Operation, reported: PspReport) -> Option<PspReport> {
    let is_news = matches!(reported.response, PspResponse::Accepted { .. });
    if operation.status == OperationStatus::Succeeded || !is_news {
        return Some(reported);
    }
    match psp.look_up(operation.id).await {
        Ok(Some(mut found)) => {
            found.details.card = found.details.card.or(reported.details.card);
            Some(found)
        }
        Ok(None) => Some(reported),
        Err(error) => {
            warn!(operation = %operation.id, error = &error as &dyn std::error::Error,
                "cannot look up the operation that the PSP reported as changed");
            None
        }
    }
}

/// Whether a notification matches this operation. The PSP's reference is compared once it is known.
fn matches_operation(
    operation: &Operation,
    account: &PspAccount,
    notification: &Notification,
) -> bool {
    let known = operation.reference.as_ref();
    known.is_none_or(|known| *known == notification.reference)
        && operation.account == *account
        && operation.session == notification.session
        && operation.amount == notification.amount
}

/// When a notification that could not be applied is retried.
fn next_try(app: &App, tries: u32) -> Timestamp {
    let [jitter] = app.inner().entropy.bytes::<1>();
    app.now()
        .plus(retry::backoff_delay(tries, Duration::ZERO, jitter))
}

/// When a notification with an unknown target is retried: the delay doubles up to 15 minutes, and
/// the last retry is at the end of the waiting period. There may be thousands of these, since
/// anybody who holds an account's key can forge them, or share the account with another system;
/// retried twice a minute each, they would block all others.
fn next_try_unknown_target(app: &App, tries: u32, since: Timestamp) -> Timestamp {
    let [jitter] = app.inner().entropy.bytes::<1>();
    let (now, end) = (app.now(), since.plus_seconds(UNMATCHED_AFTER_SECONDS));
    let next = now.plus(retry::backoff_delay(tries, Duration::HOUR, jitter));
    if now < end { next.min(end) } else { next }
}
